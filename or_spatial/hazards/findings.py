"""What conditions share: what one found, who belongs to a group, and `find`, with which each kind registers."""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from or_spatial.hazards.closeness import Bodies
from or_spatial.hazards.schema import Group, Surfaces
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.objects import SceneObject
from or_spatial.scene.relations import SpatialRelation
from or_spatial.scene.values import NAN, UNKNOWN3, Vec3

_LINGER = 0.1  # who is meant stays meant until attire has changed by this much: no flicker at one half
WORTH_TELLING = 0.01
"""Probability below which a finding is not made."""
SAME_PLACE_M = 0.6
"""Who got a new id stands about where the old one did."""
_SURE = 0.2  # farther than this from one half, attire counts as confirmed


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A condition holds for these objects with this probability.

    `probability` decides about raising; `holding` (the same unless attire is just changing) about clearing.
    `confidence` also weighs attire and existence: the probability that all that the message says is true.
    `key` tells one alert of a rule from another; the other fields fill the message. `evidence` is what the finding
    rests on beside the relations that the graph tells.
    """

    key: str
    probability: float
    confidence: float = NAN
    holding: float = NAN
    object_ids: tuple[str, ...] = ()
    position: Vec3 = UNKNOWN3
    distance_m: float = NAN
    time_s: float = NAN
    speed_m_s: float = NAN
    count: float = NAN
    height_m: float = NAN
    certainty: str = ""
    camera: str = ""
    status: str = ""
    place: str = ""
    chain: str = ""
    evidence: tuple[SpatialRelation, ...] = ()

    def still(self) -> float:
        """Probability that counts for an alert that stands."""
        return self.probability if math.isnan(self.holding) else self.holding


@dataclass(frozen=True)
class Member:
    """An object that a group means: `enters` it newly or only lingers; `chance` that it belongs, `sure` of it.

    `named`: probability that there is such a thing and that it is of a label that the group names, by the hypotheses
    of its label.
    """

    value: SceneObject
    enters: bool
    chance: float
    sure: bool
    named: float = 1.0


def surfaces(condition: Surfaces, things: Sequence[Member]) -> Bodies:
    """The surfaces of these, as a condition takes them to lie under the boxes."""
    return Bodies.of([m.value for m in things]).inset(condition.inset_m, condition.shape_stddev_m)


def members(graph: SceneGraph, groups: Sequence[Group]) -> Iterator[Member]:
    """The objects of a graph that one of the groups means, each once, by the first group that fits."""
    for o in graph.objects:
        if all(math.isfinite(v) for v in o.center_m):
            found = next((m for g in groups if (m := _member(o, g)) is not None), None)
            if found is not None:
                yield found


def _member(o: SceneObject, group: Group) -> Member | None:
    exists = 1.0 if math.isnan(o.existence) else o.existence
    if o.label not in group.labels or exists < group.min_existence:
        return None
    named = exists * (sum(h.score for h in o.hypotheses if h.label in group.labels) if o.hypotheses else 1.0)
    if group.sterile == "any":
        return Member(o, True, named, True, named)
    if math.isnan(o.sterile):
        return Member(o, True, 0.5 * named, False, named) if group.unknown_counts else None
    fits = o.sterile if group.sterile == "yes" else 1.0 - o.sterile
    if fits <= 0.5 - _LINGER:
        return None
    return Member(o, fits > 0.5, fits * named, fits > 0.5 + _SURE, named)


def pair_finding(a: Member, b: Member, probability: float, per: str, **numbers: float) -> Finding:
    """A finding about two members, keyed by both or by the first alone; less likely where a label is in doubt."""
    holding = probability * a.named * b.named
    return Finding(
        key=a.value.id if per == "subject" else f"{a.value.id}|{b.value.id}",
        probability=holding if a.enters and b.enters else 0.0,
        holding=holding,
        confidence=probability * a.chance * b.chance,
        object_ids=(a.value.id, b.value.id),
        position=a.value.center_m,
        certainty="confirmed" if a.sure and b.sure else "unconfirmed",
        **numbers,
    )


def single_finding(m: Member, p: float, **numbers: object) -> Finding:
    """A finding about one member."""
    return Finding(
        key=m.value.id,
        probability=p * m.named if m.enters else 0.0,
        holding=p * m.named,
        confidence=p * m.chance,
        object_ids=(m.value.id,),
        position=m.value.center_m,
        certainty="confirmed" if m.sure else "unconfirmed",
        **numbers,  # type: ignore[arg-type]
    )


@functools.singledispatch
def find(condition: object, graph: SceneGraph, per: str) -> list[Finding]:
    """Where the condition holds in this graph; `per` is "pair" or "subject" (one finding, the likeliest, each)."""
    return []


def likeliest(findings: list[Finding]) -> list[Finding]:
    """One finding per key: the one that speaks most for the alert, then the nearest."""
    best: dict[str, Finding] = {}
    for f in sorted(findings, key=lambda f: (f.probability, f.still(), -f.distance_m)):
        best[f.key] = f
    return list(best.values())


def at_least(n: int, chances: Sequence[float]) -> float:
    """Probability that at least n of independent events happen (Poisson binomial, by convolution)."""
    counts = functools.reduce(np.convolve, ([1.0 - p, p] for p in chances), np.ones(1))
    return float(np.clip(counts[n:].sum(), 0.0, 1.0))
