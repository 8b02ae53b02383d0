"""What the services of query_node answer, on plain graphs: choose, look up, relate, follow. No rclpy here.

Every refusal is a `Refusal` with one of the status numbers that all our service definitions share, and words that
name the candidates.
"""

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import OrSpatialError
from or_spatial.geometry.boxes import OrientedBox, surface_distance
from or_spatial.geometry.relation_rules import CONVERSE, DIRECTIONAL, PREDICATES, RIVALS
from or_spatial.geometry.transforms import levelled_viewer, rotation_from_yaw
from or_spatial.perception.relation_choice import Boxes, Measured, measure
from or_spatial.perception.relations_on_request import asked_of
from or_spatial.scene import (
    EvidenceSource,
    Family,
    FrameOfReference,
    GraphHistory,
    Scale,
    SceneGraph,
    SceneObject,
    SpatialRelation,
    load_vocabulary,
)

_NS = 1_000_000_000
Viewer = NDArray[np.float64]
PoseOf = Callable[[str], NDArray[np.float64] | None]
"""Camera name to `room_from_camera` (4, 4), None when unknown."""


class Status(IntEnum):
    """The status numbers of every service and action of query_node."""

    OK = 0
    NOT_READY = 1
    NO_DATA = 2
    STALE = 3
    UNKNOWN_OBJECT = 4
    LOW_CONFIDENCE = 5
    INVALID_REQUEST = 6
    TIMEOUT = 7


class Refusal(OrSpatialError):
    """A request that gets a status and a reason instead of a result."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Conditions on objects; every one that is set must hold. Lengths in metres, in the graph's frame."""

    labels: tuple[str, ...] = ()
    categories: tuple[int, ...] = ()
    region: OrientedBox | None = None
    near: str = ""
    radius_m: float = 0.0
    min_existence: float = 0.0


def resolve(graph: SceneGraph, name: str, field: str = "object") -> SceneObject:
    """The object with this id, or the only one with this label.

    Raises:
        Refusal: empty name, no such object (with the closest), or a label that several objects bear (with all).
    """
    if not name:
        raise Refusal(Status.INVALID_REQUEST, f"{field} is empty; expected an object id or a label")
    if (found := graph.find(name)) is not None:
        return found
    bearers = graph.labelled(name)
    if len(bearers) == 1:
        return bearers[0]
    if bearers:
        ids = ", ".join(o.id for o in bearers)
        raise Refusal(Status.UNKNOWN_OBJECT, f"{len(bearers)} objects are labelled {name!r}; ask for one of {ids}")
    raise Refusal(Status.UNKNOWN_OBJECT, _nobody(graph, name))


def fresh(graph: SceneGraph | None, now_ns: int, max_age_ns: int) -> tuple[SceneGraph, Status, str]:
    """The graph with OK, or with STALE and by how much; `max_age_ns` 0 accepts any age.

    Raises:
        Refusal: there is no graph yet.
    """
    if graph is None:
        raise Refusal(Status.NOT_READY, "no scene graph has come yet; is perception_node active and seeing images?")
    age_ns = now_ns - graph.stamp_ns
    if 0 < max_age_ns < age_ns:
        text = f"the newest graph is {age_ns / _NS:.2f} s old, the request allows {max_age_ns / _NS:.2f} s"
        return graph, Status.STALE, text
    return graph, Status.OK, ""


def part_of(graph: SceneGraph, ids: Sequence[str], min_confidence: float) -> SceneGraph:
    """The graph with only these objects (all when empty) and what is at least this sure.

    An unknown (NaN) confidence is kept only when nothing is asked of it.

    Raises:
        Refusal: an unknown id, or a confidence outside [0, 1].
    """
    _check_probability(min_confidence, "min_confidence")
    wanted = {resolve(graph, name, "ids").id for name in ids} or {o.id for o in graph.objects}
    objects = tuple(o for o in graph.objects if o.id in wanted and _at_least(o.existence, min_confidence))
    kept = {o.id for o in objects}
    relations = tuple(
        r for r in graph.relations if {r.subject_id, r.object_id} <= kept and _at_least(r.confidence, min_confidence)
    )
    return replace(graph, objects=objects, relations=relations)


def find(graph: SceneGraph, wanted: Wanted) -> list[SceneObject]:
    """The objects that meet every condition, most certain first.

    Raises:
        Refusal: a label that the vocabulary does not have, an unknown `near`, a number out of range, or a condition in
            metres on a graph that has none.
    """
    _check_probability(wanted.min_existence, "min_existence")
    _check_labels(graph, wanted.labels)
    around = resolve(graph, wanted.near, "near") if wanted.near else None
    if around is not None and not wanted.radius_m >= 0:
        raise Refusal(Status.INVALID_REQUEST, f"radius is {wanted.radius_m}; expected 0 m or more")
    if (around is not None or wanted.region is not None) and graph.scale != Scale.METRIC:
        raise Refusal(Status.LOW_CONFIDENCE, f"the graph's scale is {graph.scale.name}, a place in metres is unknown")
    found = [
        o
        for o in graph.objects
        if (not wanted.labels or o.label in wanted.labels)
        and (not wanted.categories or int(o.category) in wanted.categories)
        and _at_least(o.existence, wanted.min_existence)
        and (wanted.region is None or _inside(o, wanted.region))
        and (around is None or _close(o, around, wanted.radius_m))
    ]
    return sorted(found, key=lambda o: -_known(o.existence))


def relations_between(
    graph: SceneGraph,
    subject: SceneObject,
    target: SceneObject,
    predicate: str,
    frame: FrameOfReference,
    reference: str,
    pose_of: PoseOf,
    min_confidence: float,
) -> list[SpatialRelation]:
    """How subject stands to target, surest first; with a predicate exactly that one, however unsure.

    FRAME_NONE takes what the graph says and computes the rest, left and right as the graph's own camera sees it.

    Raises:
        Refusal: the same object twice, an unknown predicate, camera or reference, or a camera without a pose.
    """
    if subject.id == target.id:
        raise Refusal(Status.INVALID_REQUEST, f"subject and object are both {subject.id}; expected two objects")
    _check_predicate(graph, predicate)
    said: dict[str, SpatialRelation] = {}
    for r in graph.told(subject.id, target.id, CONVERSE):
        if _meant(r, frame, reference):
            said.setdefault(r.predicate, r)
    if not predicate or (predicate in PREDICATES and predicate not in said):
        seen_by = _viewer(graph, frame, reference, pose_of, needed=predicate in DIRECTIONAL)
        denied = set() if predicate else _denied(said.values())
        for relation in computed(graph, [subject, target], seen_by, [(0, 1)]):
            if relation.triplet not in denied:
                said.setdefault(relation.predicate, relation)
    if predicate:
        return [said[predicate]] if predicate in said else []
    return sorted((r for r in said.values() if r.confidence >= min_confidence), key=lambda r: -r.confidence)


@dataclass(frozen=True)
class SeenBy:
    """Whose left and right: the kind of frame, its name, and `viewer_from_room` (3, 3), None when it is not known."""

    frame: FrameOfReference
    name: str
    viewer_from_room: Viewer | None


def computed(
    graph: SceneGraph, objects: Sequence[SceneObject], seen_by: SeenBy, pairs: Iterable[tuple[int, int]] | None = None
) -> list[SpatialRelation]:
    """Every geometric relation of the objects (of `pairs` of their places), by integrals over their covariances.

    Empty unless the graph is metric; directions are left out when the viewer is unknown.
    """
    if graph.scale != Scale.METRIC or len(objects) < 2:
        return []
    viewer = np.eye(3) if seen_by.viewer_from_room is None else seen_by.viewer_from_room
    table = asked_of(objects, viewer)
    if seen_by.viewer_from_room is None:
        table[..., [PREDICATES.index(p) for p in DIRECTIONAL]] = np.nan
    chosen = list(pairs) if pairs is not None else list(permutations(range(len(objects)), 2))
    lengths = measure(Boxes.of(objects), chosen)
    return [
        _relation(objects[a], objects[b], name, float(p), seen_by, lengths[a, b])
        for a, b in chosen
        for name, p in zip(PREDICATES, table[a, b], strict=True)
        if math.isfinite(p)
    ]


def with_all_relations(graph: SceneGraph, pose_of: PoseOf, min_confidence: float) -> SceneGraph:
    """The graph with every geometric relation at least this sure (0.5 when nothing is asked), converses too.

    What the graph says stays, from both ends, and nothing is added that it denies.
    """
    seen_by = _viewer(graph, FrameOfReference.NONE, "", pose_of, needed=False)
    written = {r.triplet for r in graph.relations}
    turned = filter(None, (r.turned(CONVERSE) for r in graph.relations))
    said = (*graph.relations, *(r for r in turned if r.triplet not in written))
    settled = {r.triplet for r in said} | _denied(said)
    limit = min_confidence or 0.5
    more = [r for r in computed(graph, graph.objects, seen_by) if r.confidence >= limit and r.triplet not in settled]
    return replace(graph, relations=(*said, *more))


def _denied(said: Iterable[SpatialRelation]) -> set[tuple[str, str, str]]:
    """Triplets that cannot hold beside these."""
    geometric = (r for r in said if r.family is Family.GEOMETRIC)
    return {(r.subject_id, p, r.object_id) for r in geometric for p in RIVALS.get(r.predicate, ())}


def as_seen_by(graph: SceneGraph, camera: str, pose_of: PoseOf) -> SceneGraph:
    """The graph with left, right, front and behind as this camera sees them; as published when it is the graph's own.

    Where the camera's pose is unknown nothing is said about directions: somebody else's left would be wrong.

    Raises:
        Refusal: the graph has no such camera.
    """
    if not camera or camera == _camera_of(graph):
        return graph
    seen_by = _viewer(graph, FrameOfReference.VIEWER, camera, pose_of, needed=False)
    kept = tuple(r for r in graph.relations if r.frame_of_reference != FrameOfReference.VIEWER)
    turned = computed(graph, graph.objects, seen_by) if seen_by.viewer_from_room is not None else []
    likely = tuple(r for r in turned if r.predicate in DIRECTIONAL and r.confidence >= 0.5)
    return replace(graph, relations=kept + likely)


def trajectory(
    history: GraphHistory, object_id: str, start_ns: int, end_ns: int, max_points: int
) -> list[tuple[SceneGraph, SceneObject]]:
    """The graphs that hold the object, oldest first, thinned out evenly.

    Raises:
        Refusal: an end before its start, or no graph of that time holds the object.
    """
    end_ns = end_ns or (history.newest.stamp_ns if history.newest else 0)
    if end_ns < start_ns:
        raise Refusal(Status.INVALID_REQUEST, f"end lies {(start_ns - end_ns) / _NS:.3f} s before start")
    held = [(g, o) for g in history.between(start_ns, end_ns) if (o := g.find(object_id)) is not None]
    if not held:
        raise Refusal(Status.NO_DATA, f"no graph of that time holds {object_id}")
    if max_points and len(held) > max_points:
        places = np.linspace(0, len(held) - 1, max_points).round().astype(int)
        held = [held[i] for i in places]
    return held


def position_stddev_m(item: SceneObject) -> float:
    """Square root of the mean of the three position variances, m; NaN when unknown."""
    c = item.covariance_m2
    return math.sqrt((c[0] + c[4] + c[8]) / 3.0) if all(math.isfinite(v) for v in c) else math.nan


def _nobody(graph: SceneGraph, name: str) -> str:
    names = sorted({o.id for o in graph.objects} | {o.label for o in graph.objects})
    close = difflib.get_close_matches(name, names, n=3)
    there = f"did you mean {', '.join(close)}?" if close else f"the graph has {', '.join(names) or 'no objects'}"
    return f"no object {name!r}; {there}"


def _check_probability(value: float, field: str) -> None:
    if not 0.0 <= value <= 1.0:
        raise Refusal(Status.INVALID_REQUEST, f"{field} is {value}; expected 0 to 1")


def _check_labels(graph: SceneGraph, labels: Sequence[str]) -> None:
    known = load_vocabulary(graph.vocabulary).objects
    for label in labels:
        if label not in known:
            close = difflib.get_close_matches(label, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(known)}"
            raise Refusal(Status.UNKNOWN_OBJECT, f"vocabulary {graph.vocabulary!r} has no label {label!r}; {hint}")


def _check_predicate(graph: SceneGraph, predicate: str) -> None:
    known = (*load_vocabulary(graph.vocabulary).actions, *PREDICATES)
    if predicate and predicate not in known:
        close = difflib.get_close_matches(predicate, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(known)}"
        raise Refusal(Status.INVALID_REQUEST, f"no predicate {predicate!r}; {hint}")


def _viewer(graph: SceneGraph, frame: FrameOfReference, reference: str, pose_of: PoseOf, needed: bool) -> SeenBy:
    if frame == FrameOfReference.WORLD:
        return SeenBy(frame, graph.frame_id, np.eye(3))
    if frame == FrameOfReference.OBJECT:
        item = resolve(graph, reference, "reference_frame_id")
        yaw = item.yaw_rad if math.isfinite(item.yaw_rad) else 0.0
        return SeenBy(frame, item.id, rotation_from_yaw(yaw).T)
    cameras = [s.camera for s in graph.sources]
    name = reference or _camera_of(graph) or next(iter(cameras), "")
    if reference and reference not in cameras:
        there = ", ".join(cameras) or "none"
        raise Refusal(Status.INVALID_REQUEST, f"no camera {reference!r}; the graph's are {there}")
    pose = pose_of(name) if name else None
    if pose is None and needed:
        raise Refusal(Status.NO_DATA, f"the pose of camera {name!r} is not known, so its left and right are not either")
    return SeenBy(FrameOfReference.VIEWER, name, None if pose is None else levelled_viewer(pose))


def _camera_of(graph: SceneGraph) -> str:
    """The camera whose left and right the graph's own relations mean."""
    seen = (r.reference_frame_id for r in graph.relations if r.frame_of_reference == FrameOfReference.VIEWER)
    return next(seen, "")


def _meant(relation: SpatialRelation, frame: FrameOfReference, reference: str) -> bool:
    """Whether a published relation answers a question asked in this frame."""
    if relation.frame_of_reference == FrameOfReference.NONE or frame == FrameOfReference.NONE:
        return (
            not reference
            or relation.frame_of_reference == FrameOfReference.NONE
            or (relation.reference_frame_id == reference)
        )
    return relation.frame_of_reference == frame and reference in ("", relation.reference_frame_id)


def _relation(
    a: SceneObject, b: SceneObject, predicate: str, probability: float, seen_by: SeenBy, length: Measured
) -> SpatialRelation:
    turned = predicate in DIRECTIONAL
    return SpatialRelation(
        subject_id=a.id,
        predicate=predicate,
        object_id=b.id,
        family=Family.GEOMETRIC,
        confidence=probability,
        source=EvidenceSource.GEOMETRY,
        frame_of_reference=seen_by.frame if turned else FrameOfReference.NONE,
        reference_frame_id=seen_by.name if turned else "",
        center_distance_m=length.center_m,
        surface_distance_m=length.surface_m,
        surface_distance_stddev_m=length.surface_stddev_m,
        direction=length.direction,
    )


def _at_least(value: float, limit: float) -> bool:
    return limit <= 0.0 or value >= limit


def _known(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _inside(item: SceneObject, region: OrientedBox) -> bool:
    return all(math.isfinite(v) for v in item.center_m) and bool(region.contains(np.array(item.center_m)))


def _close(item: SceneObject, around: SceneObject, radius_m: float) -> bool:
    if item.id == around.id:
        return False
    boxes = [_box(o) for o in (item, around)]
    return None not in boxes and surface_distance(*boxes) <= radius_m


def _box(item: SceneObject) -> Any:
    numbers = (*item.center_m, *item.size_m)
    if not all(math.isfinite(v) for v in numbers):
        return None
    return OrientedBox(item.center_m, item.size_m, item.yaw_rad if math.isfinite(item.yaw_rad) else 0.0)
