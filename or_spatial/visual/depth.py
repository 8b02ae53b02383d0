"""Depth in colour, with a legend in metres.

The colours are matplotlib's viridis, whose order survives colour-blindness and a black-and-white print; near is
bright. Pixels without depth are grey, which viridis has nowhere, so that a hole cannot be taken for a wall.
"""

import math

import cv2
import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from or_spatial.errors import ImageError
from or_spatial.visual.canvas import font
from or_spatial.visual.palette import INK, PAPER

HOLE = (128, 128, 128)


def colorize(
    depth_m: NDArray[np.floating], near_m: float | None = None, far_m: float | None = None
) -> NDArray[np.uint8]:
    """Colours (H, W, 3) uint8 RGB of depths (H, W) in metres; the range defaults to percentiles 2 and 98.

    Raises:
        ImageError: not a 2D array.
    """
    if depth_m.ndim != 2:
        raise ImageError(f"a depth map has shape (H, W), got {depth_m.shape}")
    near, far = depth_range(depth_m, near_m, far_m)
    known = np.isfinite(depth_m)
    share = np.clip((far - np.where(known, depth_m, far)) / (far - near), 0.0, 1.0)
    colors = np.round(colormaps["viridis"](share)[..., :3] * 255.0).astype(np.uint8)
    colors[~known] = HOLE
    return colors


def depth_range(
    depth_m: NDArray[np.floating], near_m: float | None = None, far_m: float | None = None
) -> tuple[float, float]:
    """The depths (near, far) in metres that get the two end colours; 0 to 1 when nothing is known."""
    known = depth_m[np.isfinite(depth_m)]
    low, high = np.percentile(known, (2.0, 98.0)) if known.size else (0.0, 1.0)
    near = float(low) if near_m is None else near_m
    far = float(high) if far_m is None else far_m
    return near, max(far, near + 1e-3)


def depth_picture(
    depth_m: NDArray[np.floating],
    near_m: float | None = None,
    far_m: float | None = None,
    height_px: int = 480,
    title: str = "depth",
) -> NDArray[np.uint8]:
    """The coloured depth map, enlarged to `height_px`, beside a bar with round metres: (h, w, 3) uint8 RGB."""
    near, far = depth_range(depth_m, near_m, far_m)
    size = (round(depth_m.shape[1] * height_px / depth_m.shape[0]), height_px)
    picture = cv2.resize(colorize(depth_m, near, far), size, interpolation=cv2.INTER_NEAREST)
    return np.concatenate([picture, _legend(near, far, height_px, title)], axis=1)


def ticks(near_m: float, far_m: float, most: int = 8) -> list[float]:
    """Round depths in metres within the range, at steps of 1, 2 or 5 times a power of ten, at most `most`."""
    span = far_m - near_m
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(s * power for s in (1.0, 2.0, 5.0, 10.0, 20.0) if span / (s * power) <= most - 1)
    first = math.ceil(near_m / step - 1e-9)
    return [round(i * step, 6) for i in range(first, math.floor(far_m / step + 1e-9) + 1)]


def _legend(near: float, far: float, height: int, title: str) -> NDArray[np.uint8]:
    text_px = max(11, height // 30)
    width, margin = 6 * text_px, 2 * text_px
    bar = np.linspace(far, near, height - 2 * margin)[:, None].repeat(text_px, axis=1)
    panel = np.full((height, width, 3), PAPER, np.uint8)
    panel[margin : height - margin, text_px : 2 * text_px] = colorize(bar, near, far)
    picture = Image.fromarray(panel)
    pen = ImageDraw.Draw(picture)
    pen.text((text_px, margin / 2), f"{title} (m)", INK, font(text_px), anchor="lm")
    for value in ticks(near, far):
        row = margin + (far - value) / (far - near) * (height - 2 * margin - 1)
        pen.line([(2 * text_px, row), (2.4 * text_px, row)], INK, 1)
        pen.text((2.7 * text_px, row), f"{value:g}", INK, font(text_px), anchor="lm")
    return np.asarray(picture)
