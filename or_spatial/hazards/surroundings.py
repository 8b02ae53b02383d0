"""Conditions on what is around a thing: how high it is, who is missing beside it, who stands in between.

Registered with `findings.find`; `conditions` imports this file, so that all kinds are there.
"""

import math

import numpy as np
from scipy.special import ndtr

from or_spatial.hazards.closeness import Array, Bodies, within_reach
from or_spatial.hazards.findings import (
    WORTH_TELLING,
    Finding,
    Member,
    at_least,
    find,
    likeliest,
    members,
    single_finding,
    surfaces,
)
from or_spatial.hazards.passage import in_passage
from or_spatial.hazards.schema import Absence, Between, Height
from or_spatial.scene.graph import Scale, SceneGraph


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
    alone, company = list(members(graph, [condition.subject])), list(members(graph, condition.object))
    if not alone:
        return []
    bodies = surfaces(condition, [*alone, *company])
    i, j = (a.ravel() for a in np.indices((len(alone), len(company))))
    gaps, near = (a.reshape(len(alone), -1) for a in within_reach(bodies, i, j + len(alone), condition.within_m))
    watched = all(s.status.sees for s in graph.sources)
    return [
        _alone(m, company, gaps[k], near[k], condition.at_least, watched and not m.value.occluded)
        for k, m in enumerate(alone)
    ]


def _alone(m: Member, company: list[Member], gaps: Array, near: Array, at_least_so_many: int, seen: bool) -> Finding:
    """How surely too few of the company are near; somebody hidden, or before a blind camera, makes it unconfirmed."""
    others = [k for k, c in enumerate(company) if c.value.id != m.value.id]
    p = 1.0 - at_least(at_least_so_many, [company[k].chance * float(near[k]) for k in others])
    nearest = min(others, key=lambda k: gaps[k], default=None)
    holding = p * m.named
    return Finding(
        key=m.value.id,
        probability=holding if m.enters else 0.0,
        holding=holding,
        confidence=p * m.chance,
        object_ids=(m.value.id,) if nearest is None else (m.value.id, company[nearest].value.id),
        position=m.value.center_m,
        distance_m=math.nan if nearest is None else float(gaps[nearest]),
        count=float(sum(near[k] >= 0.5 for k in others)),
        certainty="confirmed" if m.sure and seen else "unconfirmed",
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
    holding = p * m.named * one.named * other.named
    return Finding(
        key=ids[0] if per == "subject" else "|".join(ids),
        probability=holding if m.enters and one.enters and other.enters else 0.0,
        holding=holding,
        confidence=p * m.chance * one.chance * other.chance,
        object_ids=ids,
        position=m.value.center_m,
        distance_m=length_m,
        certainty="confirmed" if m.sure and one.sure and other.sure else "unconfirmed",
        place=other.value.id,
    )
