"""Conditions on what is around a thing: how high it is, who is missing beside it, who stands in between.

Registered with `conditions.find`, which imports this file.
"""

import math

import numpy as np
from scipy.special import ndtr

from or_spatial.hazards.closeness import Bodies, within_reach
from or_spatial.hazards.conditions import WORTH_TELLING, at_least, find, likeliest
from or_spatial.hazards.findings import Finding, Member, members, single_finding
from or_spatial.hazards.passage import in_passage
from or_spatial.hazards.schema import Absence, Between, Height
from or_spatial.scene.graph import CameraStatus, Scale, SceneGraph

_SEEING = (CameraStatus.OK, CameraStatus.UNCALIBRATED)


@find.register
def _height(condition: Height, graph: SceneGraph, per: str) -> list[Finding]:
    if graph.scale != Scale.METRIC:
        return []
    found = []
    for m in members(graph, [condition.subject]):
        body = Bodies.of([m.value])
        above_m, spread = float(body.centers[0, 2]), math.sqrt(body.covariances[0, 2, 2])
        p = float(ndtr((condition.below_m - above_m) / max(spread, 1e-6)))
        if p > WORTH_TELLING:
            found.append(single_finding(m, p, height_m=above_m))
    return found


@find.register
def _absence(condition: Absence, graph: SceneGraph, per: str) -> list[Finding]:
    if graph.scale != Scale.METRIC:
        return []
    company = list(members(graph, condition.object))
    watched = all(s.status in _SEEING for s in graph.sources)
    return [
        _alone(m, [c for c in company if c.value.id != m.value.id], condition, watched)
        for m in members(graph, [condition.subject])
    ]


def _alone(m: Member, others: list[Member], condition: Absence, watched: bool) -> Finding:
    """How surely too few of the others are near; somebody hidden, or before a blind camera, makes it unconfirmed."""
    at = np.arange(1, len(others) + 1)
    bodies = Bodies.of([m.value, *(o.value for o in others)])
    gaps, near = within_reach(bodies, at, np.zeros_like(at), condition.within_m)
    p = 1.0 - at_least(condition.at_least, [o.chance * chance for o, chance in zip(others, near, strict=True)])
    nearest = int(np.argmin(gaps)) if others else None
    sure = m.sure and watched and not m.value.occluded
    return Finding(
        key=m.value.id,
        probability=p if m.enters else 0.0,
        holding=p,
        confidence=p * m.chance,
        object_ids=(m.value.id,) if nearest is None else (m.value.id, others[nearest].value.id),
        position=m.value.center_m,
        distance_m=math.nan if nearest is None else float(gaps[nearest]),
        count=float((near >= 0.5).sum()),
        certainty="confirmed" if sure else "unconfirmed",
        place="nobody",
    )


@find.register
def _between(condition: Between, graph: SceneGraph, per: str) -> list[Finding]:
    if graph.scale != Scale.METRIC:
        return []
    people, first, second = (
        list(members(graph, groups)) for groups in ([condition.subject], condition.object, condition.other)
    )
    everyone = [*people, *first, *second]
    bodies = Bodies.of([m.value for m in everyone])
    found = []
    for i, m in enumerate(people):
        for a, one in enumerate(first, len(people)):
            for b, other in enumerate(second, len(people) + len(first)):
                if len({m.value.id, one.value.id, other.value.id}) == 3:
                    length_m, p = in_passage(bodies, i, a, b, condition.width_m, condition.within_m)
                    if p > WORTH_TELLING:
                        found.append(_in_between(m, one, other, p, length_m, per))
    return likeliest(found)


def _in_between(m: Member, one: Member, other: Member, p: float, length_m: float, per: str) -> Finding:
    ids = (m.value.id, one.value.id, other.value.id)
    return Finding(
        key=ids[0] if per == "subject" else "|".join(ids),
        probability=p if m.enters and one.enters and other.enters else 0.0,
        holding=p,
        confidence=p * m.chance * one.chance * other.chance,
        object_ids=ids,
        position=m.value.center_m,
        distance_m=length_m,
        certainty="confirmed" if m.sure and one.sure and other.sure else "unconfirmed",
        place=other.value.id,
    )
