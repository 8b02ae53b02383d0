"""How pictures of any size come to the size of a network: one rule for training and for the running system.

A picture is scaled to the whole size; where its shape differs by more than a tenth it keeps its own and the rest is
padding. A lens is straightened, and the camera goes along, so that a pixel's ray stays what it was.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.camera import Camera

GREY = 115
"""Padding of colour pictures, the mean of training pictures: it should look like nothing in particular."""

_STRETCH = 1.1  # shapes that differ by less are stretched


@dataclass(frozen=True)
class Letterbox:
    """From pictures of (columns, rows) px to (width, height) px."""

    columns: int
    rows: int
    width: int
    height: int

    @cached_property
    def inner(self) -> NDArray[np.int64]:
        """Size (2,) of the picture inside, (x, y) px."""
        scale = np.array([self.width / self.columns, self.height / self.rows])
        if not 1 / _STRETCH < scale[0] / scale[1] < _STRETCH:
            scale = np.full(2, scale.min())
        return np.maximum(np.round(scale * (self.columns, self.rows)).astype(int), 1)

    @property
    def inner_size(self) -> tuple[int, int]:
        """The same as OpenCV wants it."""
        return int(self.inner[0]), int(self.inner[1])

    @property
    def scale(self) -> NDArray[np.float64]:
        """Pixels inside per pixel of the picture (2,), along x and y."""
        return self.inner / (self.columns, self.rows)

    @property
    def shift(self) -> NDArray[np.int64]:
        """Where the picture's corner comes to lie (2,), (x, y) px."""
        return (np.array([self.width, self.height]) - self.inner) // 2

    def framed(self, small: NDArray[Any], fill: int = GREY) -> NDArray[Any]:
        """A picture (h, w, ...) of the inner size with its padding."""
        whole = np.full((self.height, self.width, *small.shape[2:]), fill, small.dtype)
        (left, top), (width, height) = self.shift, self.inner
        whole[top : top + height, left : left + width] = small
        return whole

    def camera(self, camera: Camera) -> Camera:
        """The camera of the fitted picture, without distortion; `camera` is that of the picture at any size."""
        K = camera.scaled(*self.inner_size).K.copy()
        K[:2, 2] += self.shift
        return Camera(K, self.width, self.height)


@lru_cache(maxsize=16)
def straightening(camera: Camera) -> NDArray[np.float32]:
    """Where in a camera's picture each pixel of the picture lies that the same lens would give without its distortion.

    (height, width, 2) pixels (u, v), as `cv2.remap` takes them; outside the picture where the camera saw nothing.
    """
    straight = Camera(camera.K, camera.width, camera.height)
    found = camera.project(straight.pixel_rays()).astype(np.float32)
    found.setflags(write=False)
    return found


def bent_box(xyxy: NDArray[np.float64], camera: Camera) -> NDArray[np.float64]:
    """The box (4,) px around what a box of the straightened picture holds, in the picture as the camera took it."""
    straight = Camera(camera.K, camera.width, camera.height)
    along = np.linspace(0.0, 1.0, 5)
    low, high = xyxy[:2], xyxy[2:]
    x, y = (low[i] + along * (high[i] - low[i]) for i in (0, 1))
    edges = [np.stack([x, np.full_like(x, v)], -1) for v in (low[1], high[1])]
    edges += [np.stack([np.full_like(y, u), y], -1) for u in (low[0], high[0])]
    seen = camera.project(straight.unproject(np.concatenate(edges), 1.0))
    return np.concatenate([seen.min(0), seen.max(0)])
