"""The floor seen from above, in metres: objects as footprints, their doubt, cameras, relations, sterile zones.

Convention: x to the right, y up, as in the room frame; the scale bar is one metre. Truth is drawn dashed.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse, FancyArrowPatch, Polygon, Wedge
from numpy.typing import NDArray

from or_spatial.geometry.camera import Camera
from or_spatial.scene.alerts import AlertState, HazardAlert
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.objects import Category, SceneObject
from or_spatial.scene.relations import Family, SpatialRelation
from or_spatial.visual.markers import QUIET
from or_spatial.visual.palette import CATEGORY, SEVERITY, TRUTH, object_rgb, unit_rgb

_LAYER = {Category.ZONE: 1, Category.FURNITURE: 2, Category.EQUIPMENT: 3, Category.ROBOT: 4}
_INK = unit_rgb((40, 44, 50))


@dataclass(frozen=True, kw_only=True)
class MapStyle:
    """What the map shows. `sterile_margin_m` is how far the shaded zone reaches around sterile furniture."""

    size_px: int = 900
    margin_m: float = 0.6
    sigmas: float = 2.0
    sterile_margin_m: float = 0.3
    min_existence: float = 0.4
    min_confidence: float = 0.4
    geometric: frozenset[str] = frozenset()
    quiet: frozenset[str] = QUIET
    overhead_m: float = 1.6  # what begins above this hangs from the ceiling and is drawn as an outline
    view_range_m: float = 1.6


def draw_map(
    graph: SceneGraph,
    cameras: dict[str, tuple[Camera, NDArray[np.float64]]] | None = None,
    alerts: Sequence[HazardAlert] = (),
    truth: SceneGraph | None = None,
    style: MapStyle | None = None,
    title: str = "",
) -> NDArray[np.uint8]:
    """Draw the floor map.

    Args:
        graph: in a frame with z up, metres.
        cameras: name to (camera, room_from_camera (4, 4)); each gets its view cone.
        truth: drawn as dashed outlines under the estimate.

    Returns:
        (h, w, 3) uint8 RGB, about `style.size_px` wide.
    """
    style = style or MapStyle()
    figure = map_figure(graph, cameras, alerts, truth, style, title)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def map_figure(
    graph: SceneGraph,
    cameras: dict[str, tuple[Camera, NDArray[np.float64]]] | None = None,
    alerts: Sequence[HazardAlert] = (),
    truth: SceneGraph | None = None,
    style: MapStyle | None = None,
    title: str = "",
) -> Figure:
    """The same as a matplotlib figure, for reports that want vectors."""
    style = style or MapStyle()
    cameras = cameras or {}
    low, high = map_bounds([graph, *([truth] if truth else [])], cameras, style)
    inches = style.size_px / 100.0
    figure = Figure(figsize=(inches, inches * (high[1] - low[1]) / (high[0] - low[0])), dpi=100)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    _floor(axes, low, high)
    shown = [o for o in graph.objects if _drawable(o, style)]
    _sterile_zones(axes, shown, style)
    for name, (camera, pose) in cameras.items():
        _camera(axes, name, camera, pose, style)
    labels = _Labels(axes, style.size_px / (high[0] - low[0]))
    for item in sorted(shown, key=lambda o: _LAYER.get(o.category, 5), reverse=True):
        _object(axes, item, style, labels)
    for item in truth.objects if truth else ():
        if _drawable(item, style):
            _outline(axes, item)
    by_id = {o.id: o for o in shown}
    for relation in graph.relations:
        _relation(axes, relation, by_id, style, labels)
    for alert in alerts:
        _hazard(axes, alert, graph, labels)
    _scale_bar(axes, low, high)
    if title:
        axes.text(low[0] + 0.12, high[1] - 0.12, title, va="top", fontsize=11, weight="bold", color=_INK, zorder=20)
    return figure


def footprint(item: SceneObject) -> NDArray[np.float64]:
    """The four corners (4, 2) of an object's box on the floor, m, counter-clockwise."""
    length, width = (s / 2.0 for s in item.size_m[:2])
    local = np.array([(-length, -width), (length, -width), (length, width), (-length, width)])
    yaw = item.yaw_rad if math.isfinite(item.yaw_rad) else 0.0
    c, s = math.cos(yaw), math.sin(yaw)
    return local @ np.array([[c, s], [-s, c]]) + np.asarray(item.center_m[:2])


def uncertainty_ellipse(item: SceneObject, sigmas: float = 2.0) -> tuple[float, float, float] | None:
    """Full width and height (m) and turn (rad) of the floor ellipse of `sigmas` deviations; None when unknown."""
    covariance = np.asarray(item.covariance_m2, float).reshape(3, 3)[:2, :2]
    if not np.isfinite(covariance).all():
        return None
    variances, axes = np.linalg.eigh(covariance)
    if variances.min() <= 0.0:
        return None
    width, height = 2.0 * sigmas * np.sqrt(variances[::-1])
    return float(width), float(height), float(math.atan2(axes[1, 1], axes[0, 1]))


def map_bounds(
    graphs: Iterable[SceneGraph], cameras: dict[str, tuple[Camera, NDArray[np.float64]]], style: MapStyle
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lower and upper corner (2,) of what must be in the picture, m, with a margin."""
    points = [footprint(o) for g in graphs for o in g.objects if _drawable(o, style)]
    points += [pose[None, :2, 3] for _, pose in cameras.values()]
    every = np.concatenate(points) if points else np.array([[-2.0, -2.0], [2.0, 2.0]])
    low, high = every.min(axis=0) - style.margin_m, every.max(axis=0) + style.margin_m
    middle, half = (low + high) / 2.0, np.maximum((high - low) / 2.0, 1.5)
    half = np.maximum(half, half.max() * 0.6)  # no narrower than 3 : 5
    return middle - half, middle + half


class _Labels:
    """Puts each text where no earlier one lies: on its object, else below, above, right or left of it."""

    def __init__(self, axes: Axes, px_per_m: float) -> None:
        self.axes = axes
        self.letter_m = 6.4 / px_per_m  # of DejaVu Sans at 8 points and 100 dots per inch, measured
        self.height_m = 17.0 / px_per_m
        self.taken: list[tuple[float, float, float, float]] = []

    def near(self, words, at, reach_m, *, centred: bool = True, ground="white", ink=_INK, bold: bool = False) -> None:
        """Write `words` near `at` (2,), m; `reach_m` is half the size of what must not be hidden, along x and y."""
        half = 0.5 * self.letter_m * len(words) * (1.1 if bold else 1.0) + 0.2 * self.height_m, 0.5 * self.height_m
        places = [p for p in self._places(np.asarray(at), reach_m, half) if centred or tuple(p) != tuple(at)]
        best = next((p for p in places if self._is_free(p, half)), places[0])
        self.taken.append((best[0] - half[0], best[1] - half[1], best[0] + half[0], best[1] + half[1]))
        weight = "bold" if bold else "normal"
        text = self.axes.text(*best, words, fontsize=8, ha="center", va="center", color=ink, weight=weight, zorder=14)
        text.set_bbox(
            {"facecolor": ground, "alpha": 0.75 if ground == "white" else 0.95, "edgecolor": "none", "pad": 1}
        )

    def _places(self, at: NDArray, reach: Sequence[float], half: tuple[float, float]) -> list[NDArray]:
        down, side = np.array((0.0, reach[1] + half[1])), np.array((reach[0] + half[0], 0.0))
        line = np.array((0.0, 2.1 * half[1]))
        ring = [at, at - down, at + down, at + side, at - side]
        return ring + [p for n in range(1, 7) for p in (at - n * line, at + n * line, at - down - n * line)]

    def _is_free(self, p: NDArray, half: tuple[float, float]) -> bool:
        return not any(
            p[0] - half[0] < right and left < p[0] + half[0] and p[1] - half[1] < top and bottom < p[1] + half[1]
            for left, bottom, right, top in self.taken
        )


def _drawable(item: SceneObject, style: MapStyle) -> bool:
    known = all(map(math.isfinite, (*item.center_m[:2], *item.size_m[:2])))
    return known and not item.existence < style.min_existence


def _floor(axes: Axes, low: NDArray, high: NDArray) -> None:
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal", facecolor="#f4f5f3")
    axes.set_xticks(np.arange(math.ceil(low[0]), high[0]), minor=False)
    axes.set_yticks(np.arange(math.ceil(low[1]), high[1]), minor=False)
    axes.tick_params(length=0, labelsize=8, labelcolor="#8a8f94", direction="in", pad=-14)
    axes.grid(color="#dfe2e0", linewidth=0.8, zorder=0)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_color("#b8bcc0")


def _sterile_zones(axes: Axes, items: Sequence[SceneObject], style: MapStyle) -> None:
    """Shade what must stay sterile: zones of the graph, and a margin around sterile furniture."""
    blue = unit_rgb(CATEGORY[Category.ZONE])
    for item in items:
        sterile_table = item.category == Category.FURNITURE and item.sterile > 0.5
        if item.category == Category.ZONE or sterile_table:
            margin = style.sterile_margin_m if sterile_table else 0.0
            corners = _grown(footprint(item), margin)
            axes.add_patch(Polygon(corners, closed=True, facecolor=(*blue, 0.12), edgecolor=(*blue, 0.5), zorder=1))
            axes.add_patch(Polygon(corners, fill=False, hatch="//", edgecolor=(*blue, 0.18), linewidth=0, zorder=1))


def _grown(corners: NDArray[np.float64], margin: float) -> NDArray[np.float64]:
    middle = corners.mean(axis=0)
    along, across = corners[1] - corners[0], corners[3] - corners[0]
    grow = [1.0 + 2.0 * margin / max(float(np.hypot(*side)), 1e-6) for side in (along, across)]
    half_a, half_b = along / 2.0 * grow[0], across / 2.0 * grow[1]
    return middle + np.array([-half_a - half_b, half_a - half_b, half_a + half_b, -half_a + half_b])


def _camera(axes: Axes, name: str, camera: Camera, room_from_camera: NDArray, style: MapStyle) -> None:
    eye, forward = room_from_camera[:2, 3], room_from_camera[:2, 2]
    heading = math.degrees(math.atan2(forward[1], forward[0]))
    half = math.degrees(math.atan2(camera.width / 2.0, camera.fx))
    cone = Wedge(eye, style.view_range_m, heading - half, heading + half, color=(0.25, 0.28, 0.32, 0.10), zorder=1.5)
    axes.add_patch(cone)
    axes.plot(*eye, marker="s", markersize=7, color=_INK, zorder=12)
    axes.annotate(name, eye, (0, -12), textcoords="offset points", fontsize=8, color=_INK, zorder=12, ha="center")


def _object(axes: Axes, item: SceneObject, style: MapStyle, labels: "_Labels") -> None:
    rgb = unit_rgb(object_rgb(item))
    layer = 3.0 + 0.1 * _LAYER.get(item.category, 5)
    dark = tuple(0.55 * c for c in rgb)
    corners = footprint(item)
    round_body = item.category == Category.PERSON and item.label != "patient"
    turn = math.degrees(item.yaw_rad) if math.isfinite(item.yaw_rad) else 0.0
    body = Ellipse(item.center_m[:2], *item.size_m[:2], angle=turn) if round_body else Polygon(corners)
    body.set(facecolor=(*rgb, 0.9 if round_body else 0.75), edgecolor=dark, linewidth=1.2, zorder=layer)
    if item.center_m[2] - item.size_m[2] / 2.0 > style.overhead_m:
        body.set(facecolor="none", linestyle=(0, (1, 2)), zorder=8.0)
    axes.add_patch(body)
    if spread := uncertainty_ellipse(item, style.sigmas):
        width, height, turn = spread
        patch = Ellipse(item.center_m[:2], width, height, angle=math.degrees(turn), fill=False, edgecolor=dark)
        patch.set(linewidth=0.9, linestyle=":", zorder=layer + 0.5)
        axes.add_patch(patch)
    _velocity(axes, item, dark)
    words = item.label.replace("_", " ") + (" (sterile)" if round_body and item.sterile > 0.5 else "")
    small = min(item.size_m[:2]) < 0.35
    labels.near(words, item.center_m[:2], reach_m=(corners.max(axis=0) - corners.min(axis=0)) / 2.0, centred=not small)


def _velocity(axes: Axes, item: SceneObject, rgb: tuple[float, ...]) -> None:
    vx, vy = item.velocity_m_s[:2]
    if math.isfinite(vx) and math.isfinite(vy) and math.hypot(vx, vy) > 0.15:  # chosen: slower than a slow step
        x, y = item.center_m[:2]
        axes.add_patch(
            FancyArrowPatch((x, y), (x + vx, y + vy), arrowstyle="-|>", mutation_scale=12, color=rgb, zorder=9)
        )


def _outline(axes: Axes, item: SceneObject) -> None:
    rgb = unit_rgb(TRUTH)
    axes.add_patch(Polygon(footprint(item), fill=False, edgecolor=rgb, linestyle="--", linewidth=1.0, zorder=8))


def _relation(
    axes: Axes, relation: SpatialRelation, items: dict[str, SceneObject], style: MapStyle, labels: "_Labels"
) -> None:
    action = relation.family == Family.ACTION
    wanted = relation.predicate not in style.quiet if action else relation.predicate in style.geometric
    if not wanted or relation.confidence < style.min_confidence:
        return
    if relation.subject_id not in items or relation.object_id not in items:
        return
    a, b = items[relation.subject_id].center_m[:2], items[relation.object_id].center_m[:2]
    axes.add_patch(
        FancyArrowPatch(
            a, b, arrowstyle="-|>", mutation_scale=11, color=_INK, linewidth=1.3, zorder=9,
            connectionstyle="arc3,rad=0.15", linestyle="-" if action else ":",
        )
    )  # fmt: skip
    middle = np.array((0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1])))
    labels.near(relation.predicate, middle, reach_m=(0.0, 0.0), ground=_INK, ink="white")


def _hazard(axes: Axes, alert: HazardAlert, graph: SceneGraph, labels: "_Labels") -> None:
    if alert.state == AlertState.CLEARED:
        return
    rgb = unit_rgb(SEVERITY[alert.severity])
    places = [o.center_m[:2] for i in alert.object_ids if (o := graph.find(i))]
    if all(map(math.isfinite, alert.position[:2])):
        places = [alert.position[:2]]
    for place in places:
        axes.add_patch(Circle(place, 0.55, facecolor=(*rgb, 0.2), edgecolor=rgb, linewidth=2.2, zorder=9.5))
    if places:
        words = f"! {alert.hazard_type.replace('_', ' ')}"
        above = np.asarray(places[0]) + (0.0, 0.65)
        labels.near(words, above, reach_m=(0.0, 0.0), ground=rgb, ink="black", bold=True)


def _scale_bar(axes: Axes, low: NDArray, high: NDArray) -> None:
    x, y = low[0] + 0.35, low[1] + 0.35
    axes.plot([x, x + 1.0], [y, y], color=_INK, linewidth=3, solid_capstyle="butt", zorder=20)
    axes.text(x + 0.5, y + 0.06, "1 m", ha="center", va="bottom", fontsize=9, color=_INK, zorder=20)
