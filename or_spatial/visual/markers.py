"""A scene graph and its hazards as marker values; the node copies the fields and publishes.

Field meanings and numbers are those of visualization_msgs/Marker, so a copy is all a publisher needs. Positions are
in `frame_id`, metres; quaternions are x, y, z, w. Ids are stable for as long as the `MarkerScene` lives: an object
keeps its marker while it moves, and gets one DELETE when it leaves, never a DELETEALL that would flicker.
"""

import math
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from or_spatial.scene.alerts import AlertState, HazardAlert, Severity
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.objects import SceneObject
from or_spatial.scene.relations import Family, SpatialRelation
from or_spatial.scene.values import Vec3
from or_spatial.visual.palette import FAMILY, SEVERITY, Rgb, object_rgb, unit_rgb

Quaternion = tuple[float, float, float, float]
Rgba = tuple[float, float, float, float]
IdOf = Callable[[str, str], int]
"""(namespace, key) to the number that this marker keeps while it is shown."""

UPRIGHT: Quaternion = (0.0, 0.0, 0.0, 1.0)
CONTACTS = frozenset({"on", "inside"})
"""Geometric predicates drawn by default: near, touching and left_of hold for many pairs and would cover the room."""
QUIET = frozenset({"closeTo"})
"""Actions not drawn by default, for the same reason."""


class MarkerType(IntEnum):
    """The shapes in use; numbers of visualization_msgs/Marker."""

    ARROW = 0
    CUBE = 1
    SPHERE = 2
    CYLINDER = 3
    LINE_STRIP = 4
    LINE_LIST = 5
    TEXT = 9


class MarkerAction(IntEnum):
    """Add (or change) a marker, or take it away; numbers of visualization_msgs/Marker."""

    ADD = 0
    DELETE = 2


@dataclass(frozen=True, kw_only=True)
class Marker:
    """One shape. `points` of lines and arrows are in the marker's own frame (position, orientation)."""

    ns: str
    id: int
    type: MarkerType
    frame_id: str = "map"
    action: MarkerAction = MarkerAction.ADD
    position: Vec3 = (0.0, 0.0, 0.0)
    orientation: Quaternion = UPRIGHT
    scale: Vec3 = (1.0, 1.0, 1.0)
    color: Rgba = (1.0, 1.0, 1.0, 1.0)
    points: tuple[Vec3, ...] = ()
    text: str = ""
    lifetime_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class MarkerStyle:
    """What is drawn and how. `lifetime_s` should be two to three periods of the graph; sizes are metres."""

    lifetime_s: float = 1.0
    min_existence: float = 0.3
    min_confidence: float = 0.3
    geometric: frozenset[str] = CONTACTS
    quiet: frozenset[str] = QUIET
    labels: bool = True
    uncertainty: bool = True
    text_height_m: float = 0.12
    line_width_m: float = 0.015
    pulse_hz: float = 1.0
    hazard_radius_m: float = 0.6


@dataclass
class _Ids:
    """Text keys to the int32 ids that markers need; a number is never used twice in a namespace."""

    numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    next_number: int = 1

    def of(self, ns: str, key: str) -> int:
        if (ns, key) not in self.numbers:
            self.numbers[ns, key] = self.next_number
            self.next_number += 1
        return self.numbers[ns, key]

    def keep(self, shown: Container[tuple[str, int]]) -> None:
        """Forget what is no longer shown, so that a long session does not grow."""
        self.numbers = {key: n for key, n in self.numbers.items() if (key[0], n) in shown}


class MarkerScene:
    """Turns graphs into marker updates: everything that is there, and a DELETE for what has gone.

    >>> scene = MarkerScene(MarkerStyle(labels=False))
    >>> scene.update(SceneGraph(stamp_ns=0))
    ()
    """

    def __init__(self, style: MarkerStyle | None = None) -> None:
        self.style = style or MarkerStyle()
        self._ids = _Ids()
        self._shown: dict[tuple[str, int], Marker] = {}

    def update(self, graph: SceneGraph, alerts: Sequence[HazardAlert] = ()) -> tuple[Marker, ...]:
        """The markers of this moment. `alerts` are the active ones; a cleared one is ignored."""
        drawn = [replace(m, frame_id=graph.frame_id) for m in self._draw(graph, alerts)]
        now = {(m.ns, m.id): m for m in drawn}
        gone = [replace(m, action=MarkerAction.DELETE) for key, m in self._shown.items() if key not in now]
        self._shown = now
        self._ids.keep(now)
        return tuple(gone + drawn)

    def clear(self) -> tuple[Marker, ...]:
        """A DELETE for everything shown, as when the graph has gone stale."""
        gone = tuple(replace(m, action=MarkerAction.DELETE) for m in self._shown.values())
        self._shown = {}
        self._ids.keep(self._shown)
        return gone

    def _draw(self, graph: SceneGraph, alerts: Sequence[HazardAlert]) -> Iterator[Marker]:
        shown = {o.id: o for o in graph.objects if _is_drawable(o, self.style.min_existence)}
        for item in shown.values():
            yield from object_markers(item, self.style, self._ids.of)
        for relation in relations_to_draw(graph.relations, self.style):
            if relation.subject_id in shown and relation.object_id in shown:
                ends = shown[relation.subject_id], shown[relation.object_id]
                yield from relation_markers(relation, *ends, self.style, self._ids.of)
        for alert in alerts:
            if alert.state != AlertState.CLEARED:
                yield from hazard_markers(alert, graph, self.style, self._ids.of)


def relations_to_draw(relations: Iterable[SpatialRelation], style: MarkerStyle) -> list[SpatialRelation]:
    """The relations worth a line: confident actions that say something, and confident contacts."""
    return [
        r
        for r in relations
        if not r.confidence < style.min_confidence  # an unknown (NaN) confidence is drawn
        and (r.predicate not in style.quiet if r.family == Family.ACTION else r.predicate in style.geometric)
    ]


def object_markers(item: SceneObject, style: MarkerStyle, id_of: IdOf) -> Iterator[Marker]:
    """A translucent box with its edges, its label above it, its doubt as an ellipsoid, its motion as an arrow."""
    rgb = object_rgb(item)
    where = {"position": item.center_m, "orientation": _turned(item.yaw_rad), "lifetime_s": style.lifetime_s}
    if _known(item.size_m):
        number = id_of("boxes", item.id)
        fill = 0.12 if item.occluded else 0.30
        yield Marker(ns="boxes", id=number, type=MarkerType.CUBE, scale=item.size_m, color=_rgba(rgb, fill), **where)
        yield Marker(
            ns="edges",
            id=id_of("edges", item.id),
            type=MarkerType.LINE_LIST,
            scale=(style.line_width_m, 0.0, 0.0),
            color=_rgba(rgb, 0.95),
            points=_box_edges(item.size_m),
            **where,
        )
    else:
        ball = (0.15, 0.15, 0.15)
        number = id_of("boxes", item.id)
        yield Marker(ns="boxes", id=number, type=MarkerType.SPHERE, scale=ball, color=_rgba(rgb, 0.6), **where)
    if style.labels:
        yield _text("labels", id_of("labels", item.id), _above(item), _label(item), rgb, style)
    if style.uncertainty and (spread := _standard_deviations(item)):
        yield Marker(
            ns="uncertainty",
            id=id_of("uncertainty", item.id),
            type=MarkerType.SPHERE,
            position=item.center_m,
            scale=spread,
            color=_rgba(rgb, 0.12),
            lifetime_s=style.lifetime_s,
        )
    if _known(item.velocity_m_s) and math.hypot(*item.velocity_m_s) > 0.15:  # chosen: slower than a slow step
        tip = tuple(c + v for c, v in zip(item.center_m, item.velocity_m_s, strict=True))
        yield _arrow("velocity", id_of("velocity", item.id), item.center_m, tip, _rgba(rgb, 0.9), style)  # one second


def relation_markers(
    relation: SpatialRelation, subject: SceneObject, target: SceneObject, style: MarkerStyle, id_of: IdOf
) -> Iterator[Marker]:
    """An arrow from subject to object with the predicate at its middle; actions are solid, geometry is faint."""
    key = f"{relation.subject_id}/{relation.family.name}/{relation.predicate}/{relation.object_id}"
    alpha = 0.9 if relation.family == Family.ACTION else 0.5
    rgb = FAMILY[relation.family]
    start, end = subject.center_m, target.center_m
    yield _arrow("relations", id_of("relations", key), start, end, _rgba(rgb, alpha), style)
    middle = tuple((a + b) / 2.0 for a, b in zip(start, end, strict=True))
    number = id_of("predicates", key)
    # The two families may join the same pair, so the geometric text hangs a line lower.
    lift = 0.0 if relation.family == Family.ACTION else -1.2 * style.text_height_m
    at = (middle[0], middle[1], middle[2] + lift)
    yield _text("predicates", number, at, relation.predicate, rgb, style, size=0.75)


def hazard_markers(alert: HazardAlert, graph: SceneGraph, style: MarkerStyle, id_of: IdOf) -> Iterator[Marker]:
    """A zone on the floor that pulses with the graph's clock until somebody acknowledges it, and what it says."""
    place = alert.position if _known(alert.position) else _middle_of(alert, graph)
    if place is None:  # a blind camera has no place in the room
        return
    rgb = SEVERITY[alert.severity]
    held = alert.state == AlertState.ACKNOWLEDGED
    wave = 0.0 if held else math.sin(2.0 * math.pi * style.pulse_hz * (graph.stamp_ns % 1_000_000_000_000) * 1e-9)
    width = 2.0 * style.hazard_radius_m * (1.0 + 0.12 * wave)
    yield Marker(
        ns="hazards",
        id=id_of("hazards", alert.id),
        type=MarkerType.CYLINDER,
        position=(place[0], place[1], 0.02),
        scale=(width, width, 0.04),
        color=_rgba(rgb, 0.30 if held else 0.45 + 0.20 * wave),
        lifetime_s=style.lifetime_s,
    )
    words = f"! {alert.message or alert.hazard_type}" + (f" (seen by {alert.acknowledged_by})" if held else "")
    top = (place[0], place[1], max(place[2], 1.0) + 0.5)
    yield _text("hazard_texts", id_of("hazard_texts", alert.id), top, words, rgb, style, size=1.2)


def severity_color(severity: Severity, alpha: float = 1.0) -> Rgba:
    """Colour of a severity with channels in 0..1."""
    return _rgba(SEVERITY[severity], alpha)


def _rgba(rgb: Rgb, alpha: float) -> Rgba:
    return (*unit_rgb(rgb), alpha)


def _known(values: Iterable[float]) -> bool:
    return all(math.isfinite(v) for v in values)


def _is_drawable(item: SceneObject, min_existence: float) -> bool:
    return _known(item.center_m) and not item.existence < min_existence


def _turned(yaw_rad: float) -> Quaternion:
    half = (yaw_rad if math.isfinite(yaw_rad) else 0.0) / 2.0
    return (0.0, 0.0, math.sin(half), math.cos(half))


def _box_edges(size: Vec3) -> tuple[Vec3, ...]:
    """The 12 edges as 24 points, in the box's own frame."""
    x, y, z = (s / 2.0 for s in size)
    signs = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    points: list[Vec3] = []
    for (ax, ay), (bx, by) in zip(signs, signs[1:] + signs[:1], strict=True):
        points += [(ax * x, ay * y, -z), (bx * x, by * y, -z), (ax * x, ay * y, z), (bx * x, by * y, z)]
        points += [(ax * x, ay * y, -z), (ax * x, ay * y, z)]
    return tuple(points)


def _above(item: SceneObject) -> Vec3:
    x, y, z = item.center_m
    height = item.size_m[2] if math.isfinite(item.size_m[2]) else 0.2
    return (x, y, z + height / 2.0 + 0.12)


def _label(item: SceneObject) -> str:
    sure = f" {item.existence:.0%}" if math.isfinite(item.existence) else ""
    sterile = ", sterile" if item.sterile > 0.5 else ""
    return f"{item.label}{sure}{sterile}"


def _standard_deviations(item: SceneObject) -> Vec3 | None:
    """Two standard deviations along the room's axes as full widths (m), or None when the covariance is unknown."""
    variances = item.covariance_m2[0], item.covariance_m2[4], item.covariance_m2[8]
    if not _known(variances) or min(variances) <= 0.0:
        return None
    x, y, z = (4.0 * math.sqrt(v) for v in variances)
    return (x, y, z)


def _middle_of(alert: HazardAlert, graph: SceneGraph) -> Vec3 | None:
    places = [o.center_m for i in alert.object_ids if (o := graph.find(i)) and _known(o.center_m)]
    if not places:
        return None
    x, y, z = (sum(axis) / len(places) for axis in zip(*places, strict=True))
    return (x, y, z)


def _arrow(ns: str, number: int, start: Vec3, end: Vec3, color: Rgba, style: MarkerStyle) -> Marker:
    width = style.line_width_m
    shape = (width, 3.0 * width, 5.0 * width)  # shaft diameter, head diameter, head length
    life = style.lifetime_s
    return Marker(
        ns=ns, id=number, type=MarkerType.ARROW, scale=shape, color=color, points=(start, end), lifetime_s=life
    )


def _text(ns: str, number: int, at: Vec3, words: str, rgb: Rgb, style: MarkerStyle, *, size: float = 1.0) -> Marker:
    return Marker(
        ns=ns,
        id=number,
        type=MarkerType.TEXT,
        position=at,
        scale=(0.0, 0.0, style.text_height_m * size),
        color=_rgba(rgb, 1.0),
        text=words,
        lifetime_s=style.lifetime_s,
    )
