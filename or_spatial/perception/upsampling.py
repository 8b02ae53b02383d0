"""Coarse depth at the size of its picture, with its edges where the picture's are.

Joint bilateral upsampling (Kopf, Cohen, Lischinski and Uyttendaele, ACM TOG 26(3), 2007): each pixel takes the mean of
the nine cells about it, a cell counting by how near it is and how much its colour is the pixel's own. Depths are
averaged as logarithms.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_REACH = 0.9  # standard deviation of nearness, cells
_COLOUR = 0.03  # standard deviation of likeness, over the three channels of 0 to 1; of 0.02 to 0.2 the best on val
_LEAST = 1e-6  # what a cell of another colour counts: somebody must speak for a pixel that resembles none

Picture = NDArray[np.float32]


def upsampled(depth_m: NDArray[np.floating], picture: NDArray[np.uint8]) -> Picture:
    """Depth (h, w) m, NaN where unknown, at the size of the `picture` (H, W, 3) that it is of: (H, W), m.

    Cells are centred between the pixels they stand for. NaN where no cell about a pixel is known.
    """
    rows, columns = picture.shape[:2]
    cells = depth_m.shape[::-1]
    known = np.isfinite(depth_m) & (depth_m > 0)
    log_depth = np.log(np.where(known, depth_m, 1.0)).astype(np.float32)
    fine = picture.astype(np.float32) / 255.0
    coarse = cv2.resize(fine, cells, interpolation=cv2.INTER_AREA)
    total, weight = np.zeros((rows, columns), np.float32), np.zeros((rows, columns), np.float32)
    off_row, off_column = _off_centre(rows, cells[1]), _off_centre(columns, cells[0])
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            near = np.outer(_nearness(down - off_row), _nearness(right - off_column))
            colour, value, counts = (
                _spread(_neighbour(a, down, right), columns, rows)
                for a in (coarse, log_depth, known.astype(np.float32))
            )
            w = (_likeness(fine, colour) + _LEAST) * near * counts
            total += w * value
            weight += w
    return np.where(weight > 0, np.exp(total / np.where(weight > 0, weight, 1.0)), np.float32(np.nan))


def _off_centre(pixels: int, cells: int) -> Picture:
    """How far (pixels,) each pixel's centre is from that of its own cell, cells."""
    place = (np.arange(pixels, dtype=np.float32) + 0.5) * (cells / pixels)
    return place - np.floor(place) - 0.5


def _nearness(cells: Picture) -> Picture:
    return np.exp(-0.5 * (cells / _REACH) ** 2)


def _likeness(fine: Picture, coarse: Picture) -> Picture:
    """(H, W) in 0 to 1 of two pictures (H, W, 3)."""
    step = cv2.subtract(fine, coarse)
    return cv2.exp(cv2.transform(cv2.multiply(step, step), np.full((1, 3), -0.5 / _COLOUR**2, np.float32)))


def _neighbour(cells: Picture, down: int, right: int) -> Picture:
    """Each cell's neighbour so many cells on, the outermost ones their own."""
    padded = cv2.copyMakeBorder(cells, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    rows, columns = cells.shape[:2]
    return padded[1 + down : 1 + down + rows, 1 + right : 1 + right + columns]


def _spread(cells: Picture, columns: int, rows: int) -> Picture:
    """Every cell over all of its pixels."""
    return cv2.resize(cells, (columns, rows), interpolation=cv2.INTER_NEAREST)
