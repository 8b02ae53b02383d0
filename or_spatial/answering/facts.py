"""What a graph says about a pair of objects, and what follows from its boxes where it says nothing."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.boxes import OrientedBox, surface_distance
from or_spatial.geometry.relations import CONVERSE, DIRECTIONAL, PREDICATES, all_pairs_probabilities
from or_spatial.scene.graph import Scale, SceneGraph
from or_spatial.scene.objects import SceneObject
from or_spatial.scene.relation_trust import load_trust
from or_spatial.scene.relations import EvidenceSource, SpatialRelation
from or_spatial.scene.values import NAN

_IMPLIED_BY: dict[str, tuple[str, ...]] = {
    "on": ("lyingOn",),
    "manipulating": ("cementing", "cutting", "drilling", "hammering", "sawing", "suturing"),
}
"""Actions that answer a question about a wider word: who drills the patient operates on them."""


@dataclass(frozen=True)
class Fact:
    """`probability` that `subject predicate object`; NaN when the graph does not list an action and so denies it.

    `evidence` is the relation that says so (of the graph, perhaps turned round, or worked out from the boxes).
    """

    subject: SceneObject
    object: SceneObject
    probability: float
    evidence: SpatialRelation | None = None

    @property
    def likely(self) -> bool:
        """Rather true than not."""
        return self.probability > 0.5


@dataclass(frozen=True)
class Distance:
    """Between two objects, m; `stddev_m` of either, NaN when the covariances are unknown."""

    a: SceneObject
    b: SceneObject
    surface_m: float
    center_m: float
    stddev_m: float


def related(
    graph: SceneGraph, subjects: tuple[SceneObject, ...], predicate: str, objects: tuple[SceneObject, ...]
) -> list[Fact]:
    """What is known of `subject predicate object` for all distinct pairs; unknown pairs are left out.

    The graph's own relations come first, then their converses; then, in a metric graph, the boxes. Left, right, front
    and behind need a viewer: they are known only from relations that name one.
    """
    pairs = [(a, b) for a in subjects for b in objects if a.id != b.id]
    facts = [listed(graph, a, predicate, b) for a, b in pairs]
    if predicate in DIRECTIONAL:
        facts = [f or _another_direction(graph, a, b) for f, (a, b) in zip(facts, pairs, strict=True)]
    elif predicate in PREDICATES:
        silent = [pair for f, pair in zip(facts, pairs, strict=True) if f is None]
        facts += _from_boxes(graph, silent, predicate)
    else:
        facts = [f or Fact(a, b, NAN) for f, (a, b) in zip(facts, pairs, strict=True)]
    return [f for f in facts if f is not None]


def listed(graph: SceneGraph, a: SceneObject, predicate: str, b: SceneObject) -> Fact | None:
    """The fact that the graph itself lists, either way round."""
    names = (predicate, *_IMPLIED_BY.get(predicate, ()))
    said = [r for r in graph.told(a.id, b.id, CONVERSE) if r.predicate in names]
    if not said:
        return None
    best = max(said, key=lambda r: r.confidence if not math.isnan(r.confidence) else 0.0)
    return Fact(a, b, 1.0 if math.isnan(best.confidence) else best.confidence, best)


def _another_direction(graph: SceneGraph, a: SceneObject, b: SceneObject) -> Fact | None:
    """At most one direction holds, so another one that is said denies this one."""
    for r in graph.told(a.id, b.id, CONVERSE):
        if r.predicate in DIRECTIONAL:
            return Fact(a, b, 0.0 if math.isnan(r.confidence) else 1.0 - r.confidence, r)
    return None


def _from_boxes(graph: SceneGraph, pairs: list[tuple[SceneObject, SceneObject]], predicate: str) -> list[Fact]:
    """Facts from the posterior of the boxes, for the pairs whose boxes are known; none unless the graph is metric."""
    known = list({o.id: o for pair in pairs for o in pair if box(o) is not None}.values())
    if graph.scale is not Scale.METRIC or not known:
        return []
    index = {o.id: i for i, o in enumerate(known)}
    asked = [(a, b) for a, b in pairs if a.id in index and b.id in index]
    wanted = np.zeros((len(known), len(known)), dtype=bool)
    for a, b in asked:
        wanted[index[a.id], index[b.id]] = True
    boxes = [box(o) for o in known]
    table = all_pairs_probabilities(
        [b.center for b in boxes],
        [_covariance(o) for o in known],
        [b.size for b in boxes],
        [b.yaw for b in boxes],
        np.eye(3),  # no predicate that comes here needs a viewer
        wanted=wanted,
    )
    table = load_trust().believed(table, [o.label for o in known])[..., PREDICATES.index(predicate)]
    return [_worked_out(a, predicate, b, float(table[index[a.id], index[b.id]])) for a, b in asked]


def _worked_out(a: SceneObject, predicate: str, b: SceneObject, probability: float) -> Fact:
    evidence = SpatialRelation(
        subject_id=a.id,
        predicate=predicate,
        object_id=b.id,
        confidence=probability,
        source=EvidenceSource.GEOMETRY,
        center_distance_m=float(np.linalg.norm(np.subtract(a.center_m, b.center_m))),
        surface_distance_m=surface_distance(box(a), box(b)),
    )
    return Fact(a, b, probability, evidence)


def box(item: SceneObject) -> OrientedBox | None:
    """The object's oriented box, or None when a number of it is unknown; an unknown turn counts as none."""
    if not np.isfinite([*item.center_m, *item.size_m]).all():
        return None
    return OrientedBox(item.center_m, item.size_m, 0.0 if math.isnan(item.yaw_rad) else item.yaw_rad)


def _covariance(item: SceneObject) -> NDArray[np.float64]:
    """(3, 3), m^2; an unknown one counts as certain, because the boxes are then all there is."""
    covariance = np.reshape(item.covariance_m2, (3, 3))
    return covariance if np.isfinite(covariance).all() else np.zeros((3, 3))


def distance(graph: SceneGraph, a: SceneObject, b: SceneObject) -> Distance | None:
    """Distances of two objects from the graph's relations, else from their boxes; None unless the graph is metric."""
    if graph.scale is not Scale.METRIC:
        return None
    center = float(np.linalg.norm(np.subtract(a.center_m, b.center_m)))
    said = [*graph.between(a.id, b.id), *graph.between(b.id, a.id)]
    known = next((r for r in said if not math.isnan(r.surface_distance_m)), None)
    if known:
        return Distance(a, b, known.surface_distance_m, center, _stddev(a, b, known.surface_distance_stddev_m))
    first, second = box(a), box(b)
    if first is None or second is None:
        return None
    return Distance(a, b, surface_distance(first, second), center, _stddev(a, b))


def _stddev(a: SceneObject, b: SceneObject, known: float = NAN) -> float:
    """Standard deviation of the distance along the line of the centres: first order in the position errors."""
    if not math.isnan(known):
        return known
    line = np.subtract(a.center_m, b.center_m)
    line = line / max(float(np.linalg.norm(line)), 1e-6)
    covariance = np.reshape(a.covariance_m2, (3, 3)) + np.reshape(b.covariance_m2, (3, 3))
    return float(np.sqrt(line @ covariance @ line))
