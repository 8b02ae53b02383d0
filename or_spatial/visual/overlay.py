"""A camera image with what the graph says drawn into it: boxes, labels, relations, and a banner for hazards.

Boxes are projected from the graph's frame through the camera, so what is drawn is the 3D estimate itself: a box that
does not sit on its object is an error one can see.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import ImageError
from or_spatial.geometry.camera import Camera
from or_spatial.scene.alerts import AlertState, HazardAlert
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.objects import Box2D, Category, SceneObject
from or_spatial.scene.relations import Family, SpatialRelation
from or_spatial.visual.canvas import Canvas, Chip, Point, require_rgb
from or_spatial.visual.markers import CONTACTS, QUIET
from or_spatial.visual.palette import FAMILY, INK, SEVERITY, Rgb, object_rgb

SURE = 0.95
"""From here on a label does without its percentage."""
NEAR_M = 0.05
"""Edges are cut at this depth: behind the image plane a projection means nothing."""

# Corners as `box_corners` orders them; each face is listed so that its corners run counter-clockwise from outside.
_FACES = ((3, 2, 1, 0), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))
_EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7))
_STANDS_BELOW_M = 0.15
_SCENERY = frozenset({Category.FURNITURE, Category.EQUIPMENT})


@dataclass(frozen=True, kw_only=True)
class OverlayStyle:
    """What is drawn. `width_px` is the width of the picture: small images are enlarged so that text can be read."""

    width_px: int = 1280
    text_scale: float = 1.0
    min_existence: float = 0.4
    min_confidence: float = 0.4
    geometric: frozenset[str] = CONTACTS
    quiet: frozenset[str] = QUIET
    max_relations: int = 12
    boxes_3d: bool = True
    boxes_2d: bool = False
    labels: bool = True
    caption: str = ""


def draw_graph(
    image: NDArray[np.uint8],
    graph: SceneGraph,
    camera: Camera | None = None,
    room_from_camera: NDArray[np.float64] | None = None,
    alerts: Sequence[HazardAlert] = (),
    camera_name: str = "",
    style: OverlayStyle | None = None,
) -> NDArray[np.uint8]:
    """Draw a graph into the image of one of its cameras.

    Args:
        image: (H, W, 3) uint8 RGB, the size of `camera`.
        camera, room_from_camera: without both, only the 2D boxes of `camera_name` can be drawn.
        alerts: the active hazards; their objects are outlined in the colour of the severity.

    Returns:
        (h, w, 3) uint8 RGB, w = `style.width_px` or the image's own width if larger; the input is not changed.

    Raises:
        ImageError: not an RGB image, or not of the camera's size.
    """
    style = style or OverlayStyle()
    if camera is not None and image.shape[:2] != (camera.height, camera.width):
        raise ImageError(f"image is {image.shape[1]}x{image.shape[0]}, its camera {camera.width}x{camera.height}")
    canvas, factor = _canvas(image, style)
    active = [a for a in alerts if a.state != AlertState.CLEARED]
    view = (
        _View(camera.scaled(canvas.width, canvas.height), np.linalg.inv(room_from_camera))
        if (camera is not None and room_from_camera is not None)
        else None
    )
    anchors = _draw_objects(canvas, graph, view, active, camera_name, factor, style)
    _draw_relations(canvas, relations_to_draw(graph.relations, anchors, style), anchors)
    _draw_banner(canvas, active, style.caption)
    return canvas.finish()


@dataclass(frozen=True)
class _View:
    camera: Camera
    camera_from_room: NDArray[np.float64]

    def to_camera(self, points_room: NDArray[np.float64]) -> NDArray[np.float64]:
        return points_room @ self.camera_from_room[:3, :3].T + self.camera_from_room[:3, 3]

    def pixel(self, point_room: Iterable[float]) -> Point | None:
        """Where a point is seen, or None when it is behind the camera or outside the picture."""
        at = self.to_camera(np.asarray(list(point_room), float))
        if not at[2] > NEAR_M:
            return None
        u, v = self.camera.project(at)
        inside = -0.5 <= u <= self.camera.width - 0.5 and -0.5 <= v <= self.camera.height - 0.5
        return (float(u), float(v)) if inside else None


def box_corners(item: SceneObject) -> NDArray[np.float64]:
    """The 8 corners (8, 3) of an object's box in the graph's frame: bottom four counter-clockwise, then top four."""
    half = np.asarray(item.size_m) / 2.0
    signs = np.array([(x, y, z) for z in (-1, 1) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
    yaw = item.yaw_rad if math.isfinite(item.yaw_rad) else 0.0
    c, s = math.cos(yaw), math.sin(yaw)
    return (signs * half) @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]) + np.asarray(item.center_m)


def front_edges(corners_camera: NDArray[np.float64]) -> set[tuple[int, int]]:
    """The edges of a box, given its corners (8, 3) in the optical frame, that belong to a face turned to the camera."""
    front = set()
    for face in _FACES:
        a, b, c = (corners_camera[i] for i in face[:3])
        if np.cross(b - a, c - b) @ a < 0.0:  # the outward normal points against the line of sight
            front |= {e for e in _EDGES if e[0] in face and e[1] in face}
    return front


def project_edge(a: NDArray[np.float64], b: NDArray[np.float64], camera: Camera) -> NDArray[np.float64] | None:
    """Pixels (N, 2) along the edge between two points (3,) in the optical frame, cut at `NEAR_M`; None if behind."""
    if max(a[2], b[2]) <= NEAR_M or not np.isfinite([*a, *b]).all():
        return None
    if min(a[2], b[2]) < NEAR_M:
        cut = a + (b - a) * (NEAR_M - a[2]) / (b[2] - a[2])
        a, b = (cut, b) if a[2] < NEAR_M else (a, cut)
    steps = 12 if camera.distorted else 2  # lenses bend straight edges
    return camera.project(a + np.linspace(0.0, 1.0, steps)[:, None] * (b - a))


def relations_to_draw(
    relations: Iterable[SpatialRelation], shown: Iterable[str], style: OverlayStyle
) -> list[SpatialRelation]:
    """The surest action of each pair, else its surest contact, between shown objects, at most `max_relations`."""
    ids = set(shown)
    worth = [
        r
        for r in relations
        if {r.subject_id, r.object_id} <= ids
        and not r.confidence < style.min_confidence
        and (r.predicate not in style.quiet if r.family == Family.ACTION else r.predicate in style.geometric)
    ]
    worth.sort(key=lambda r: (r.family, -r.confidence if math.isfinite(r.confidence) else 0.0))
    drawn: dict[frozenset[str], SpatialRelation] = {}
    for relation in worth:  # one line per pair: the action says more than the contact that comes with it
        drawn.setdefault(frozenset((relation.subject_id, relation.object_id)), relation)
    return list(drawn.values())[: style.max_relations]


def _canvas(image: NDArray[np.uint8], style: OverlayStyle) -> tuple[Canvas, float]:
    require_rgb(image)
    factor = max(1.0, style.width_px / image.shape[1])
    if factor > 1.0:
        size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
        image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
    return Canvas(image, style.text_scale), factor


def _draw_objects(
    canvas: Canvas,
    graph: SceneGraph,
    view: _View | None,
    alerts: Sequence[HazardAlert],
    camera_name: str,
    factor: float,
    style: OverlayStyle,
) -> dict[str, Point]:
    """Boxes and labels; returns where each object that is seen has its middle."""
    alarmed = {i: SEVERITY[a.severity] for a in sorted(alerts, key=lambda a: a.severity) for i in a.object_ids}
    anchors: dict[str, Point] = {}
    # Scenery first: people and instruments are drawn over the table they stand at.
    for item in sorted(graph.objects, key=lambda o: (o.id in alarmed, o.category not in _SCENERY)):
        if item.existence < style.min_existence:
            continue
        rgb = alarmed.get(item.id, object_rgb(item))
        width = 2.0 if item.id in alarmed else (0.8 if item.category in _SCENERY else 1.3)
        top = _draw_box_3d(canvas, item, view, rgb, width) if view and style.boxes_3d else None
        flat = next((b for b in item.boxes if b.camera == camera_name), None)
        if flat and (style.boxes_2d or view is None):
            top = _draw_box_2d(canvas, flat, factor, rgb) or top
        middle = view.pixel(item.center_m) if view else _middle(flat, factor)
        if middle is None:
            continue
        anchors[item.id] = middle
        if style.labels:
            size = 0.85 if item.category in _SCENERY else 1.0
            bold, rank = item.id in alarmed, _rank(item, alarmed)
            canvas.chip(Chip(_label(item), top or middle, rgb, rank=rank, bold=bold, size=size))
    return anchors


def _draw_box_3d(canvas: Canvas, item: SceneObject, view: _View, rgb: Rgb, width: float) -> Point | None:
    """The projected box; returns the middle of its top edge in the picture, None when nothing is seen."""
    if not np.isfinite([*item.center_m, *item.size_m]).all():
        return None
    corners = view.to_camera(box_corners(item))
    if corners[:4, 2].min() > NEAR_M and item.center_m[2] - item.size_m[2] / 2.0 < _STANDS_BELOW_M:
        canvas.fill(view.camera.project(corners[:4]), rgb, 0.15)  # where it stands
    front = front_edges(corners)
    seen = []
    for edge in sorted(_EDGES, key=front.__contains__):
        line = project_edge(corners[edge[0]], corners[edge[1]], view.camera)
        if line is not None:
            seen.append(line)
            canvas.polyline(line, rgb, width if edge in front else 0.4, rim=edge in front)
    pixels = np.concatenate(seen) if seen else np.empty((0, 2))
    inside = pixels[((pixels >= 0) & (pixels < (canvas.width, canvas.height))).all(axis=1)]
    return (float(inside[:, 0].mean()), float(inside[:, 1].min())) if len(inside) else None


def _draw_box_2d(canvas: Canvas, box: Box2D, factor: float, rgb: Rgb) -> Point | None:
    x0, y0, x1, y1 = (factor * (v + 0.5) - 0.5 for v in (box.xmin, box.ymin, box.xmax, box.ymax))
    if not all(map(math.isfinite, (x0, y0, x1, y1))):
        return None
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
        canvas.dashed(a, b, rgb)
    return ((x0 + x1) / 2.0, y0)


def _middle(box: Box2D | None, factor: float) -> Point | None:
    if box is None:
        return None
    u, v = (box.xmin + box.xmax) / 2.0, (box.ymin + box.ymax) / 2.0
    return (factor * (u + 0.5) - 0.5, factor * (v + 0.5) - 0.5)


def _draw_relations(canvas: Canvas, relations: Sequence[SpatialRelation], anchors: dict[str, Point]) -> None:
    for relation in relations:
        start, end = anchors[relation.subject_id], anchors[relation.object_id]
        rgb = FAMILY[relation.family]
        canvas.arrow(start, end, rgb, 1.0, dashed=relation.family == Family.GEOMETRIC)
        canvas.dot(start, rgb, 2.0)
        middle = (0.5 * (start[0] + end[0]), 0.5 * (start[1] + end[1]) + canvas.text_px)
        canvas.chip(Chip(_relation_words(relation), middle, rgb, rank=2 + relation.family, size=0.85))


def _draw_banner(canvas: Canvas, alerts: Sequence[HazardAlert], caption: str) -> None:
    top = 0
    for alert in sorted(alerts, key=lambda a: -a.severity)[:3]:
        top = canvas.strip(banner_words(alert), SEVERITY[alert.severity], top)
    if caption:
        height = round(1.9 * round(1.25 * canvas.text_px))
        canvas.strip(caption, INK, canvas.height - height, bold=False)


def banner_words(alert: HazardAlert) -> str:
    """One line for a hazard: severity, what, how sure, and who has seen it."""
    sure = f"  (p {alert.confidence:.2f})" if math.isfinite(alert.confidence) else ""
    held = f"  acknowledged by {alert.acknowledged_by or 'somebody'}" if alert.state == AlertState.ACKNOWLEDGED else ""
    return f"!  {alert.severity.name}  {alert.message or alert.hazard_type.replace('_', ' ')}{sure}{held}"


def _label(item: SceneObject) -> str:
    sure = f" {item.existence:.0%}" if item.existence < SURE else ""  # certain, or unknown: nothing to add
    sterile = " sterile" if item.label == "person" and item.sterile > 0.5 else ""
    return f"{item.label.replace('_', ' ')}{sterile}{sure}"


def _relation_words(relation: SpatialRelation) -> str:
    sure = f" {relation.confidence:.0%}" if relation.confidence < SURE else ""
    return f"{relation.predicate}{sure}"


def _rank(item: SceneObject, alarmed: dict[str, Rgb]) -> int:
    return 0 if item.id in alarmed else (4 if item.category in _SCENERY else 1)
