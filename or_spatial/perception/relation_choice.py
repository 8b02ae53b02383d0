"""Which relations a published graph says: actions and contacts first, near things next, nothing twice.

A graph of 25 objects has 600 ordered pairs; 600 relations cost every Python subscriber 12 ms (measured). A relation
and its converse say the same, so only one is told, from the thing that moves more easily: the drill is on the table
and left of the lamp.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.rectangles import RectanglePairs
from or_spatial.geometry.relations import CONVERSE, DIRECTIONAL
from or_spatial.perception.kalman import quadratic
from or_spatial.perception.relations_fusion import Predicates
from or_spatial.scene.objects import Category, SceneObject
from or_spatial.scene.relations import EvidenceSource, Family, FrameOfReference, SpatialRelation
from or_spatial.scene.values import NAN, UNKNOWN3, Vec3

Array = NDArray[np.float64]

_CONTACTS = ("touching", "on", "inside")
_MOBILITY = {
    c: i
    for i, c in enumerate(
        (Category.INSTRUMENT, Category.PERSON, Category.ROBOT, Category.EQUIPMENT, Category.ANATOMY, Category.FURNITURE)
    )
}


@dataclass(frozen=True)
class Measured:
    """Lengths of one ordered pair: centre and surface distance, the latter's standard deviation, and the way there."""

    center_m: float = NAN
    surface_m: float = NAN
    surface_stddev_m: float = NAN
    direction: Vec3 = UNKNOWN3


@dataclass(frozen=True)
class Boxes:
    """N things as numbers: `centers` (N, 3) m, `covariances` (N, 3, 3) m2, `sizes` (N, 3) m, `yaws` (N,) rad, where an
    unknown one counts as 0."""

    centers: Array
    covariances: Array
    sizes: Array
    yaws: Array

    @classmethod
    def of(cls, objects: Sequence[SceneObject]) -> "Boxes":
        """The numbers of these objects."""
        n = len(objects)
        yaws = np.array([o.yaw_rad for o in objects], dtype=np.float64)
        yaws[~np.isfinite(yaws)] = 0.0
        return cls(
            np.array([o.center_m for o in objects]).reshape(n, 3),
            np.array([o.covariance_m2 for o in objects]).reshape(n, 3, 3),
            np.array([o.size_m for o in objects]).reshape(n, 3),
            yaws,
        )


def measure(boxes: Boxes, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Measured]:
    """Distances and directions of pairs of places in `boxes`; NaN for what their numbers do not give.

    The surface distance is that of the oriented boxes (an unknown yaw counts as 0). Its deviation is first order:
    both position covariances along the line of centres.
    """
    if not pairs:
        return {}
    a, b = np.array(pairs).T
    step = boxes.centers[b] - boxes.centers[a]
    length = np.sqrt((step * step).sum(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        direction = step / length[:, None]
    variance = quadratic(direction, boxes.covariances[a] + boxes.covariances[b])
    stddev = np.sqrt(np.maximum(variance, 0.0))
    surface = _surface_distances(boxes, a, b)
    rows = zip(pairs, length.tolist(), surface.tolist(), stddev.tolist(), direction.tolist(), strict=True)
    return {pair: Measured(center, gap, doubt, tuple(way)) for pair, center, gap, doubt, way in rows}


def _surface_distances(boxes: Boxes, a: NDArray[np.int64], b: NDArray[np.int64]) -> Array:
    """`geometry.boxes.surface_distance` of many pairs (P,) at once, m; NaN where a size or centre is unknown."""
    centers, sizes, yaws = boxes.centers, boxes.sizes, boxes.yaws
    known = np.isfinite(sizes).all(1) & np.isfinite(centers).all(1)
    out = np.full(len(a), np.nan)
    usable = known[a] & known[b]
    a, b = a[usable], b[usable]
    plane = RectanglePairs.of(0.5 * sizes[a, :2], yaws[a], 0.5 * sizes[b, :2], yaws[b])
    d = centers[a] - centers[b]
    gap = np.maximum(np.abs(d[:, 2]) - 0.5 * (sizes[a, 2] + sizes[b, 2]), 0.0)
    out[usable] = np.hypot(plane.distance(d[:, :2]), gap)
    return out


def tell_once(holds: NDArray[np.bool_], objects: Sequence[SceneObject], predicates: Predicates) -> NDArray[np.bool_]:
    """Of each relation and its converse in `holds` (N, N, P), keep the one told from the more mobile thing.

    `below` is dropped wherever the opposite pair says `above` or `on`.
    """
    kept = holds.copy()
    rank = np.array([_MOBILITY.get(o.category, len(_MOBILITY)) for o in objects])
    place = np.arange(len(objects))
    teller = (rank[:, None] < rank[None]) | ((rank[:, None] == rank[None]) & (place[:, None] < place[None]))
    first = predicates.geometry.start
    at = {name: first + i for i, name in enumerate(predicates.names[first:])}
    for name, converse in CONVERSE.items():
        if CONVERSE.get(converse) == name:
            kept[..., at[name]] &= teller | ~holds[..., at[converse]].T
    kept[..., at["below"]] &= ~(holds[..., at["above"]] | holds[..., at["on"]]).T
    return kept


def choose(
    kept: NDArray[np.bool_], confidence: Array, centers: Array, predicates: Predicates, radius_m: float, most: int
) -> list[tuple[int, int, int]]:
    """At most `most` of the kept (N, N, P) as (subject, object, predicate), the most useful first.

    Actions, then contacts, then by distance of the `centers` (N, 3) up to `radius_m`.
    """
    a, b, at = np.nonzero(kept)
    if len(a) == 0:
        return []
    step = centers[a] - centers[b]
    distance = np.sqrt((step * step).sum(1))
    rank = _ranks(predicates)[at]
    usable = (rank < 2) | ~(distance > radius_m)
    detail = np.where(rank == 2, np.where(np.isnan(distance), 0.0, distance), -confidence[a, b, at])
    order = np.lexsort((at, b, a, detail, rank))
    order = order[usable[order]][:most]
    return list(zip(a[order].tolist(), b[order].tolist(), at[order].tolist(), strict=True))


def _ranks(predicates: Predicates) -> NDArray[np.int64]:
    """(P,): 0 for actions, 1 for contacts, 2 for the rest of geometry."""
    action = predicates.geometry.start
    return np.array([0 if i < action else 1 if n in _CONTACTS else 2 for i, n in enumerate(predicates.names)])


def relation(
    objects: Sequence[SceneObject],
    triple: tuple[int, int, int],
    predicates: Predicates,
    confidence: float,
    source: int,
    since_ns: int,
    viewer: str,
    measured: Measured,
) -> SpatialRelation:
    """One relation as a value; left and right are meant as `viewer` sees it."""
    a, b, at = triple
    name = predicates.names[at]
    geometric = at >= predicates.geometry.start
    seen_by_viewer = geometric and name in DIRECTIONAL
    return SpatialRelation(
        subject_id=objects[a].id,
        predicate=name,
        object_id=objects[b].id,
        family=Family.GEOMETRIC if geometric else Family.ACTION,
        confidence=float(confidence),
        source=EvidenceSource(int(source)),
        frame_of_reference=FrameOfReference.VIEWER if seen_by_viewer else FrameOfReference.NONE,
        reference_frame_id=viewer if seen_by_viewer else "",
        center_distance_m=measured.center_m,
        surface_distance_m=measured.surface_m,
        surface_distance_stddev_m=measured.surface_stddev_m,
        direction=measured.direction,
        since_ns=int(since_ns),
    )
