"""Stated probability against frequency: reliability diagrams of many classes, and the share inside each ellipsoid.

On the dashed diagonal statements are true; points below it are overconfident. A point's size goes with how many
statements it stands for.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from or_spatial.visual.palette import unit_rgb

Points = Sequence[tuple[float, float, int]]
"""(mean probability, frequency, count) in rising order."""
Curve = Sequence[tuple[float, float]]
"""(level of the ellipsoid, share of true places inside)."""

_INK = unit_rgb((0, 114, 178))
_GRAY = "#8a8f94"
_COLUMNS = 5


def draw_reliability(classes: Mapping[str, Points], notes: Mapping[str, str] | None = None) -> NDArray[np.uint8]:
    """One small diagram per class, with a note under its name, as an image (h, w, 3) uint8 RGB."""
    rows = max(math.ceil(len(classes) / _COLUMNS), 1)
    figure = Figure(figsize=(11.0, 0.4 + 2.5 * rows), dpi=100, layout="constrained")
    every = figure.subplots(rows, _COLUMNS, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, (name, points) in zip(every, classes.items(), strict=False):
        _diagonal(axes)
        _points(axes, points)
        note = (notes or {}).get(name, "")
        axes.set_title(f"{name.replace('_', ' ')}\n{note}".rstrip(), loc="left", fontsize=9)
    for axes in every[len(classes) :]:
        axes.set_axis_off()
    figure.supxlabel("stated probability", fontsize=9)
    figure.supylabel("frequency", fontsize=9)
    return _pixels(figure)


def draw_coverage(curves: Mapping[str, Curve]) -> NDArray[np.uint8]:
    """Share of true places inside the ellipsoid of each level, one line per group, as an image (h, w, 3) uint8 RGB."""
    figure = Figure(figsize=(7.0, 5.0), dpi=100, layout="constrained")
    axes = figure.subplots()
    _diagonal(axes)
    for name, curve in curves.items():
        level, share = np.array(curve, dtype=np.float64).reshape(-1, 2).T
        axes.plot(level, share, marker="o", markersize=3, linewidth=1.2, label=name)
    axes.set(xlabel="level of the published ellipsoid", ylabel="share of true centres inside")
    axes.legend(fontsize=8, frameon=False)
    return _pixels(figure)


def _points(axes: Axes, points: Points) -> None:
    if not points:
        axes.text(0.5, 0.5, "nothing said", ha="center", va="center", color=_GRAY, fontsize=8)
        return
    said, found, counts = np.array(points, dtype=np.float64).T
    axes.plot(said, found, color=_INK, linewidth=1.0)
    axes.scatter(said, found, s=8.0 + 40.0 * counts / counts.max(), color=_INK, zorder=3, clip_on=False)


def _diagonal(axes: Axes) -> None:
    axes.plot((0, 1), (0, 1), color=_GRAY, linewidth=0.8, linestyle="--")
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.grid(color="#e2e4e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
