"""Each kind of condition over one graph: who, how near, how fast, and how surely.

`find(condition, graph, per)` gives findings in any order; silence is judged by the engine's clock instead. Lengths
are only compared in a metric graph: with a scale that is not metric, conditions on lengths find nothing, and the
cameras' status says why.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from or_spatial.geometry.relation_rules import CONVERSE
from or_spatial.hazards import surroundings  # noqa: F401  registers the kinds that look around a thing
from or_spatial.hazards.closeness import Bodies, course, within_reach
from or_spatial.hazards.findings import (
    WORTH_TELLING,
    Finding,
    Member,
    at_least,
    find,
    likeliest,
    members,
    pair_finding,
    single_finding,
    surfaces,
)
from or_spatial.hazards.schema import CameraState, Crowd, Distance, Fast, RelationPresent, TimeToContact, Zone
from or_spatial.scene.graph import Scale, SceneGraph


def _pairs(graph: SceneGraph, condition: Distance | TimeToContact) -> tuple[list[Member], list[tuple[int, int]]]:
    """All members concerned, subjects first, and the places of every (subject, object) pair of two things."""
    subjects, objects = list(members(graph, [condition.subject])), list(members(graph, condition.object))
    everyone = [*subjects, *objects]
    pairs = [
        (s, len(subjects) + o)
        for s, a in enumerate(subjects)
        for o, b in enumerate(objects)
        if a.value.id != b.value.id
    ]
    return everyone, pairs


@find.register
def _distance(condition: Distance, graph: SceneGraph, per: str) -> list[Finding]:
    everyone, pairs = _pairs(graph, condition)
    if graph.scale != Scale.METRIC or not pairs:
        return []
    i, j = np.array(pairs).T
    gaps, p = within_reach(surfaces(condition, everyone), i, j, condition.reach_m)
    return likeliest(
        [
            pair_finding(everyone[a], everyone[b], float(chance), per, distance_m=float(gap))
            for (a, b), gap, chance in zip(pairs, gaps, p, strict=True)
            if chance > WORTH_TELLING
        ]
    )


@find.register
def _time_to_contact(condition: TimeToContact, graph: SceneGraph, per: str) -> list[Finding]:
    everyone, pairs = _pairs(graph, condition)
    if graph.scale != Scale.METRIC or not pairs:
        return []
    bodies = surfaces(condition, everyone)
    found = []
    for a, b in pairs:
        c = course(
            bodies, a, b, condition.gap_m, condition.horizon_s, condition.closing_m_s, condition.speed_stddev_m_s
        )
        if c.probability > WORTH_TELLING:
            numbers = {"distance_m": c.gap_m, "time_s": c.time_s, "speed_m_s": c.closing_m_s}
            found.append(pair_finding(everyone[a], everyone[b], c.probability, per, **numbers))
    return likeliest(found)


@find.register
def _relation(condition: RelationPresent, graph: SceneGraph, per: str) -> list[Finding]:
    subjects = {m.value.id: m for m in members(graph, [condition.subject])}
    objects = {m.value.id: m for m in members(graph, condition.object)}
    found = []
    either_way = (way for r in graph.relations for way in (r, r.turned(CONVERSE)) if way is not None)
    for r in either_way:
        if r.predicate in condition.predicates and r.subject_id in subjects and r.object_id in objects:
            p = 0.5 if math.isnan(r.confidence) else r.confidence
            gap = r.surface_distance_m
            found.append(pair_finding(subjects[r.subject_id], objects[r.object_id], p, per, distance_m=gap))
    return likeliest(found)


@find.register
def _zone(condition: Zone, graph: SceneGraph, per: str) -> list[Finding]:
    if graph.scale != Scale.METRIC:
        return []
    found = []
    for m in members(graph, [condition.subject]):
        inside = _chance_inside(m, condition) if condition.part == "center" else _chance_reaching(m, condition)
        p = inside if condition.inside else 1.0 - inside
        found.append(single_finding(m, p, place=condition.name))
    return found


def _chance_inside(m: Member, zone: Zone) -> float:
    """Probability that the centre lies in the rectangle, both directions of it taken as independent."""
    c, s = math.cos(zone.area.yaw_rad), math.sin(zone.area.yaw_rad)
    axes = np.array([[c, s], [-s, c]])
    bodies = Bodies.of([m.value])
    at = axes @ (bodies.centers[0, :2] - zone.area.center_m)
    spread = np.sqrt(np.einsum("ij,jk,ik->i", axes, bodies.covariances[0, :2, :2], axes)).clip(1e-6)
    half = 0.5 * np.array(zone.area.size_m)
    return float(np.prod(ndtr((half - at) / spread) - ndtr((-half - at) / spread)))


def _chance_reaching(m: Member, zone: Zone) -> float:
    """Probability that the footprint reaches into the rectangle, whatever its height."""
    bodies = Bodies.of([m.value])
    both = Bodies(
        np.vstack([bodies.centers, [*zone.area.center_m, bodies.centers[0, 2]]]),
        np.concatenate([bodies.covariances, 1e-8 * np.eye(3)[None]]),
        np.vstack([bodies.sizes, [*zone.area.size_m, bodies.sizes[0, 2]]]),
        np.append(bodies.yaws, zone.area.yaw_rad),
        np.vstack([bodies.velocities, np.zeros(3)]),
    )
    return float(within_reach(both, np.array([0]), np.array([1]), 0.0)[1][0])


@find.register
def _speed(condition: Fast, graph: SceneGraph, per: str) -> list[Finding]:
    if graph.scale != Scale.METRIC:
        return []
    found = []
    for m in members(graph, [condition.subject]):
        speed = float(np.linalg.norm(m.value.velocity_m_s))
        if math.isfinite(speed):
            p = float(ndtr((speed - condition.above_m_s) / condition.speed_stddev_m_s))
            found.append(single_finding(m, p, speed_m_s=speed))
    return found


@find.register
def _count(condition: Crowd, graph: SceneGraph, per: str) -> list[Finding]:
    crowd = list(members(graph, [condition.subject]))
    if not condition.object:
        return [_crowd(condition, "room", crowd, [m.chance for m in crowd])]
    if graph.scale != Scale.METRIC:
        return []
    found = []
    for target in members(graph, condition.object):
        others = [m for m in crowd if m.value.id != target.value.id]
        bodies = surfaces(condition, [target, *others])
        at = np.arange(1, len(others) + 1)
        near = within_reach(bodies, at, np.zeros_like(at), condition.reach_m)[1]
        chances = [m.chance * p for m, p in zip(others, near, strict=True)]
        found.append(_crowd(condition, target.value.id, others, chances))
    return found


def _crowd(condition: Crowd, key: str, crowd: list[Member], chances: Sequence[float]) -> Finding:
    p = at_least(condition.at_least, chances)
    there = tuple(m.value.id for m, chance in zip(crowd, chances, strict=True) if chance >= 0.5)
    ids = there if key == "room" else (key, *there)
    return Finding(
        key=key, probability=p, confidence=p, object_ids=ids, count=float(len(there)), certainty="confirmed", place=key
    )


@find.register
def _camera(condition: CameraState, graph: SceneGraph, per: str) -> list[Finding]:
    return [
        Finding(
            key=source.camera,
            probability=1.0,
            confidence=1.0,
            camera=source.camera,
            status=source.status.name.lower().replace("_", " "),
            certainty="confirmed",
        )
        for source in graph.sources
        if source.status.name in condition.statuses
    ]
