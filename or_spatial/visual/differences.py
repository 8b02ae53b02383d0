"""Differences with their intervals, one under the other, against a line at zero."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from or_spatial.visual.palette import unit_rgb

_INK = unit_rgb((0, 114, 178))
_GRAY = "#8a8f94"


def draw_differences(
    rows: Mapping[str, tuple[float, float | None, float | None]], label: str
) -> NDArray[np.uint8]:
    """(difference, low, high) by name, the first at the top, as an image (h, w, 3) uint8 RGB; None: no interval."""
    figure = Figure(figsize=(7.0, 0.9 + 0.4 * len(rows)), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.axvline(0.0, color=_GRAY, linewidth=0.8, linestyle="--")
    for place, (value, low, high) in enumerate(rows.values()):
        if low is not None and high is not None and math.isfinite(low + high):
            axes.plot((low, high), (place, place), color=_INK, linewidth=2.0)
        axes.plot(value, place, marker="o", color=_INK, markersize=6)
    axes.set_yticks(range(len(rows)), [name.replace("_", " ") for name in rows])
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel=label)
    axes.tick_params(length=0, labelsize=9)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
