"""Boxes that stand upright in the room: a centre, full extents and a turn about the vertical.

Convention
    center    of the box, not of its base, m
    size      FULL extents (length, width, height) along the box's own x, y, z, m
    yaw       of the box's x axis from room x, counter-clockwise from above, rad
    corners   bottom face first, counter-clockwise from above starting at (-x, -y), then the top face likewise
    Worked out: size (2, 1, 0.8), centre (0, 0, 0.4), yaw pi/2: the footprint spans x in [-0.5, 0.5], y in [-1, 1]
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from or_spatial.errors import GeometryError
from or_spatial.geometry.rectangles import RectanglePairs
from or_spatial.geometry.transforms import rotation_from_yaw

_SIGNS = np.array([[x, y, z] for z in (-0.5, 0.5) for x, y in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))])


@dataclass(frozen=True, eq=False)
class OrientedBox:
    """`center` (3,) and `size` (3,) in m, `yaw` in rad; see Convention.

    Raises:
        GeometryError: wrong shapes, numbers that are not finite, or a negative extent.
    """

    center: NDArray[np.float64]
    size: NDArray[np.float64]
    yaw: float = 0.0

    def __post_init__(self) -> None:
        center, size = np.array(self.center, dtype=np.float64), np.array(self.size, dtype=np.float64)
        if center.shape != (3,) or size.shape != (3,):
            raise GeometryError(f"a box has center (3,) and size (3,), got {center.shape} and {size.shape}")
        if not (np.isfinite(center).all() and np.isfinite(size).all() and np.isfinite(self.yaw)) or (size < 0).any():
            raise GeometryError(f"a box needs finite numbers and extents >= 0, got {center}, {size}, yaw {self.yaw}")
        center.setflags(write=False)
        size.setflags(write=False)
        object.__setattr__(self, "center", center)
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "yaw", float(self.yaw))

    @property
    def bottom(self) -> float:
        """Height of the lower face, m."""
        return float(self.center[2] - 0.5 * self.size[2])

    @property
    def top(self) -> float:
        """Height of the upper face, m."""
        return float(self.center[2] + 0.5 * self.size[2])

    @property
    def volume(self) -> float:
        """m^3."""
        return float(np.prod(self.size))

    def corners(self) -> NDArray[np.float64]:
        """The corners (8, 3) in the room, m; order in Convention."""
        return self.center + (_SIGNS * self.size) @ rotation_from_yaw(self.yaw).T

    def contains(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Whether points (..., 3) lie in the box or on its surface."""
        local = (np.asarray(points, dtype=np.float64) - self.center) @ rotation_from_yaw(self.yaw)
        return (np.abs(local) <= 0.5 * self.size).all(axis=-1)


def surface_distance(a: OrientedBox, b: OrientedBox) -> float:
    """Shortest distance between the surfaces of two boxes, m; 0 where they touch or overlap.

    Exact: boxes that turn only about the vertical are footprints times height intervals, so the distance is the
    hypotenuse of the distance of the footprints and the vertical gap.
    """
    gap = max(0.0, a.bottom - b.top, b.bottom - a.top)
    return float(np.hypot(_pair(a, b).distance((a.center - b.center)[None, :2])[0], gap))


def footprint_overlap(a: OrientedBox, b: OrientedBox) -> float:
    """Common footprint as a fraction of the smaller one, in [0, 1]; 0 when a footprint has no area."""
    smaller = min(np.prod(a.size[:2]), np.prod(b.size[:2]))
    return min(1.0, _overlap_area(a, b) / smaller) if smaller > 0 else 0.0


def fraction_inside(a: OrientedBox, b: OrientedBox) -> float:
    """Fraction of a's volume that lies in b, in [0, 1]; 0 when a has no volume."""
    height = max(0.0, min(a.top, b.top) - max(a.bottom, b.bottom))
    return min(1.0, _overlap_area(a, b) * height / a.volume) if a.volume > 0 else 0.0


def _pair(a: OrientedBox, b: OrientedBox) -> RectanglePairs:
    return RectanglePairs.of(0.5 * a.size[None, :2], np.array([a.yaw]), 0.5 * b.size[None, :2], np.array([b.yaw]))


def _overlap_area(a: OrientedBox, b: OrientedBox) -> float:
    return float(_pair(a, b).overlap_area((a.center - b.center)[None, None, :2])[0, 0])
