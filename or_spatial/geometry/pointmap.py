"""From a depth image to points, and fewer points from many."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from or_spatial.errors import GeometryError
from or_spatial.geometry.camera import Camera


def point_map(depth_m: ArrayLike, camera: Camera) -> NDArray[np.float64]:
    """Point (H, W, 3) of every pixel in the optical frame, m, from depth (H, W) along optical z, m.

    NaN where the depth is NaN, infinite or not positive. Depth along the RAY must be turned into depth along z first.

    Raises:
        GeometryError: the depth image is not of the camera's size.
    """
    depth = np.asarray(depth_m, dtype=np.float64)
    if depth.shape != (camera.height, camera.width):
        raise GeometryError(
            f"depth of shape {depth.shape} does not fit a camera of {camera.height}x{camera.width} (rows x columns);"
            " use camera.scaled(width, height)"
        )
    valid = np.isfinite(depth) & (depth > 0)
    return _rays(camera) * np.where(valid, depth, np.nan)[..., None]


@lru_cache(maxsize=8)
def _rays(camera: Camera) -> NDArray[np.float64]:
    rays = camera.pixel_rays()
    rays.setflags(write=False)
    return rays


def voxel_downsample(points: ArrayLike, voxel_m: float) -> NDArray[np.float64]:
    """One point (M, 3), the mean, for every cube of edge `voxel_m` that holds any of the points (..., 3), m.

    Cubes are aligned with the axes and touch the origin; points with NaN are left out. Ordered by cube.

    Raises:
        GeometryError: an edge that is not positive.
    """
    if not voxel_m > 0:
        raise GeometryError(f"a voxel needs a positive edge in m, got {voxel_m}")
    flat = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    flat = flat[np.isfinite(flat).all(axis=1)]
    cells = np.floor(flat / voxel_m).astype(np.int64)
    _, where, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(where.ravel(), flat[:, axis], len(counts)) for axis in range(3)], axis=1)
    return sums / np.maximum(counts, 1)[:, None]
