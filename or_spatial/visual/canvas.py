"""Lines, dashes, arrows and text chips on an RGB array: the drawing tools that overlays share.

Convention: pixels are (u, v) = (column, row), (0, 0) is the centre of the top-left pixel, as in `geometry.camera`.
Lines are drawn at once; chips wait until `finish`, which finds each a free place so that no text covers another.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from or_spatial.errors import ImageError
from or_spatial.visual.palette import INK, Rgb, ink_on

Point = tuple[float, float]
Rect = tuple[int, int, int, int]
"""Left, top, right, bottom, px."""
_SHIFT = 4  # OpenCV draws with 4 fractional bits, so that lines do not jump by whole pixels


@functools.cache
def font(size_px: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings everywhere, so pictures look alike on every machine."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", name), size_px)


def require_rgb(image: NDArray[np.uint8]) -> None:
    """Refuse with ImageError what is not an RGB image (H, W, 3) uint8 with at least one pixel."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ImageError(f"an overlay needs an RGB image (H, W, 3) uint8, got {image.shape} {image.dtype}")


@dataclass(frozen=True)
class Chip:
    """A few words on a coloured ground, wanted just above `anchor`; a lower `rank` chooses its place first."""

    words: str
    anchor: Point
    ground: Rgb
    rank: int = 0
    bold: bool = False
    size: float = 1.0


@dataclass(frozen=True)
class Placed:
    """A chip with the place it got: left, top, right, bottom, px."""

    chip: Chip
    rect: Rect


class Canvas:
    """An RGB image being drawn on. `unit` is the line width and `text_px` the letter height that suit its size."""

    def __init__(self, image: NDArray[np.uint8], text_scale: float = 1.0) -> None:
        """Copies `image` (H, W, 3) uint8 RGB.

        Raises:
            ImageError: another shape or dtype.
        """
        require_rgb(image)
        self.pixels = np.ascontiguousarray(image).copy()
        self.height, self.width = image.shape[:2]
        self.unit = max(1, round(self.width / 640))
        self.text_px = max(10, round(text_scale * self.width / 85))
        self._chips: list[Chip] = []
        self._taken: list[Rect] = []

    def line(self, a: Point, b: Point, rgb: Rgb, width: float = 1.0) -> None:
        """An anti-aliased line with a dark rim, so that it shows on white drapes too."""
        thick = max(1, round(width * self.unit))
        cv2.line(self.pixels, _fixed(a), _fixed(b), INK, thick + 1, cv2.LINE_AA, _SHIFT)
        cv2.line(self.pixels, _fixed(a), _fixed(b), rgb, thick, cv2.LINE_AA, _SHIFT)

    def polyline(self, points: NDArray[np.float64], rgb: Rgb, width: float = 1.0, rim: bool = True) -> None:
        """Lines through points (N, 2); a NaN point interrupts them."""
        thick = max(1, round(width * self.unit))
        whole = np.isfinite(points).all(axis=1)
        for ink, thickness in ((INK, thick + 1), (rgb, thick)) if rim else ((rgb, thick),):
            for i in np.flatnonzero(whole[:-1] & whole[1:]):
                a, b = _fixed(points[i]), _fixed(points[i + 1])
                cv2.line(self.pixels, a, b, ink, thickness, cv2.LINE_AA, _SHIFT)

    def dashed(self, a: Point, b: Point, rgb: Rgb, width: float = 1.0, dash_px: float | None = None) -> None:
        """A broken line: geometry as opposed to actions, 2D as opposed to 3D, truth as opposed to prediction."""
        step = dash_px or 6.0 * self.unit
        start, end = np.asarray(a, float), np.asarray(b, float)
        length = float(np.hypot(*(end - start)))
        cuts = np.arange(0.0, length, 2.0 * step)
        for cut in cuts:
            along = (cut / length, min(1.0, (cut + step) / length))
            self.line(*(tuple(start + t * (end - start)) for t in along), rgb, width)

    def arrow(self, a: Point, b: Point, rgb: Rgb, width: float = 1.0, dashed: bool = False) -> None:
        """A line with a filled head at `b`; nothing when both ends are the same place."""
        start, end = np.asarray(a, float), np.asarray(b, float)
        length = float(np.hypot(*(end - start)))
        if length < 2.0 * self.unit:
            return
        along = (end - start) / length
        head = min(9.0 * self.unit, 0.5 * length)
        neck = end - head * along
        (self.dashed if dashed else self.line)(tuple(start), tuple(neck), rgb, width)
        side = 0.45 * head * np.array([-along[1], along[0]])
        self.fill(np.array([end, neck + side, neck - side]), rgb, 1.0)
        self.polyline(np.array([end, neck + side, neck - side, end]), rgb, 0.5)

    def fill(self, polygon: NDArray[np.float64], rgb: Rgb, alpha: float) -> None:
        """Blend a colour over a convex polygon (N, 2)."""
        if not np.isfinite(polygon).all():
            return
        scale = 1 << _SHIFT
        corners = np.round(np.clip(polygon, -1e4, 1e4) * scale).astype(np.int32)
        if alpha >= 1.0:
            cv2.fillConvexPoly(self.pixels, corners, rgb, cv2.LINE_AA, _SHIFT)
            return
        painted = self.pixels.copy()
        cv2.fillConvexPoly(painted, corners, rgb, cv2.LINE_AA, _SHIFT)
        cv2.addWeighted(painted, alpha, self.pixels, 1.0 - alpha, 0.0, dst=self.pixels)

    def dot(self, at: Point, rgb: Rgb, radius: float = 3.0) -> None:
        """A small filled disc with a dark rim."""
        r = max(2, round(radius * self.unit))
        cv2.circle(self.pixels, _fixed(at), (r + 1) << _SHIFT, INK, -1, cv2.LINE_AA, _SHIFT)
        cv2.circle(self.pixels, _fixed(at), r << _SHIFT, rgb, -1, cv2.LINE_AA, _SHIFT)

    def chip(self, chip: Chip) -> None:
        """Ask for a text; it is placed and drawn by `finish`."""
        self._chips.append(chip)

    def strip(self, words: str, ground: Rgb, top: int, bold: bool = True) -> int:
        """A full-width band of text at row `top`; returns the row below it. Chips keep clear of it."""
        size = round(1.25 * self.text_px)
        height = round(1.9 * size)
        cv2.rectangle(self.pixels, (0, top), (self.width - 1, top + height - 1), ground, -1)
        self._taken.append((0, top, self.width, top + height))
        face = font(size, bold)
        while face.getlength(words) > self.width - 2 * size and len(words) > 8:
            words = words[:-2].rstrip(" .…") + "…"
        self._write(words, (size, top + height / 2), ink_on(ground), face)
        return top + height

    def finish(self) -> NDArray[np.uint8]:
        """Place and draw the chips; the finished picture (H, W, 3) uint8 RGB."""
        placed = self.place()
        picture = Image.fromarray(self.pixels)
        pen = ImageDraw.Draw(picture)
        for item in placed:  # leaders first, so that none crosses a text
            self._draw_leader(pen, item)
        for item in placed:
            self._draw_chip(pen, item)
        self.pixels = np.asarray(picture).copy()
        self._chips.clear()
        return self.pixels

    def place(self) -> list[Placed]:
        """Where each waiting chip goes; a place that is taken makes it step aside."""
        taken, placed = list(self._taken), []
        for chip in sorted(self._chips, key=lambda c: c.rank):
            rect = _free_place(chip, self._size_of(chip), (self.width, self.height), taken)
            taken.append(rect)
            placed.append(Placed(chip, rect))
        return placed

    def _size_of(self, chip: Chip) -> tuple[int, int]:
        size = round(chip.size * self.text_px)
        return round(font(size, chip.bold).getlength(chip.words) + 0.8 * size), round(1.5 * size)

    def _draw_leader(self, pen: ImageDraw.ImageDraw, item: Placed) -> None:
        left, top, right, bottom = item.rect
        chip, (u, v) = item.chip, item.chip.anchor
        near = min(max(u, left), right), min(max(v, top), bottom)
        if np.hypot(near[0] - u, near[1] - v) > 1.2 * (bottom - top):
            pen.line([near, (u, v)], fill=chip.ground, width=self.unit)

    def _draw_chip(self, pen: ImageDraw.ImageDraw, item: Placed) -> None:
        left, top, right, bottom = item.rect
        chip = item.chip
        pen.rounded_rectangle(item.rect, radius=0.25 * (bottom - top), fill=chip.ground, outline=INK)
        face = font(round(chip.size * self.text_px), chip.bold)
        pen.text(((left + right) / 2, (top + bottom) / 2), chip.words, ink_on(chip.ground), face, anchor="mm")

    def _write(self, words: str, left_middle: Point, ink: Rgb, face: ImageFont.FreeTypeFont) -> None:
        picture = Image.fromarray(self.pixels)
        ImageDraw.Draw(picture).text(left_middle, words, ink, face, anchor="lm")
        self.pixels = np.asarray(picture).copy()


def _fixed(point: Sequence[float]) -> tuple[int, int]:
    # Far outside the image OpenCV's fixed-point coordinates would overflow.
    return tuple(round(min(max(float(c), -1e4), 1e4) * (1 << _SHIFT)) for c in point)  # type: ignore[return-value]


def _free_place(chip: Chip, size: tuple[int, int], room: tuple[int, int], taken: Sequence[Rect]) -> Rect:
    """The free rectangle nearest to where the chip wants to be; its wanted place when the whole picture is full."""
    (w, h), (u, v) = size, chip.anchor
    lefts = np.append(u - w / 2, np.arange(2, max(3, room[0] - w - 1), max(1.0, 0.25 * w)))
    tops = np.append(v - 1.3 * h, np.arange(2, max(3, room[1] - h - 1), max(1.0, 0.5 * h)))
    x, y = (grid.ravel() for grid in np.meshgrid(lefts, tops))
    x = np.clip(x, 2, max(2, room[0] - w - 2)).round().astype(int)
    y = np.clip(y, 2, max(2, room[1] - h - 2)).round().astype(int)
    free = np.ones(len(x), bool)
    for left, top, right, bottom in taken:
        free &= (x >= right) | (x + w <= left) | (y >= bottom) | (y + h <= top)
    # Sideways costs double: a label to the left or right seems to belong to a neighbour.
    cost = np.hypot(2.0 * (x + w / 2 - u), y + 1.3 * h - v) + np.where(free, 0.0, 1e9)
    best = int(np.argmin(cost))
    return (int(x[best]), int(y[best]), int(x[best]) + w, int(y[best]) + h)
