"""Learning curves: each loss term by itself, training beside validation."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from or_spatial.visual.palette import unit_rgb

_TRAIN = unit_rgb((86, 180, 233))
_VAL = unit_rgb((0, 114, 178))
_COLUMNS = 4


def draw_curves(
    steps: Sequence[int], train: Mapping[str, Sequence[float]], val: Mapping[str, Sequence[float]]
) -> NDArray[np.uint8]:
    """One small chart per term of `val` over `steps`, as an image (h, w, 3) uint8 RGB; NaN leaves a gap."""
    rows = -(-len(val) // _COLUMNS)
    figure = Figure(figsize=(3.0 * _COLUMNS, 2.2 * rows), dpi=100, layout="constrained")
    charts = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes, (name, values) in zip(charts, val.items(), strict=False):
        if name in train:
            axes.plot(steps, train[name], color=_TRAIN, linestyle="--", marker=".", label="train, smoothed")
        axes.plot(steps, values, color=_VAL, marker=".", label="val")
        axes.set_title(name, fontsize=10)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in charts[len(val) :]:
        axes.set_axis_off()
    if len(charts):
        charts[0].legend(fontsize=8, frameon=False)
        figure.supxlabel("step", fontsize=9)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
