"""Points on assets where hands go and things rest, found on the meshes themselves, in each asset's own frame."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from or_spatial.world.assets import build_asset
from or_spatial.world.contact import cover

_DESK_Y = {"anesthesia_equipment": -0.25, "mps_station": -0.20}


@lru_cache(maxsize=512)
def surface_points(kind: str, variant: int) -> NDArray[np.float64]:
    """Points (N, 3) all over an asset."""
    return np.concatenate([cover(p) for p in build_asset(kind, variant)])


def touch_point(
    kind: str, variant: int, near: tuple[float, float], low_m: float, high_m: float, rng: np.random.Generator
) -> tuple[float, float, float]:
    """A point on the surface between two heights, among the nearest to somebody who stands at `near`."""
    points = surface_points(kind, variant)
    at_height = points[(points[:, 2] >= low_m) & (points[:, 2] <= high_m)]
    if not len(at_height):
        at_height = points[[int(np.argmin(np.abs(points[:, 2] - (low_m + high_m) / 2)))]]
    order = np.argsort(np.hypot(*(at_height[:, :2] - near).T))
    chosen = at_height[order[int(rng.integers(min(40, len(order))))]]
    return tuple(float(v) for v in chosen)


def desk_y(kind: str) -> float:
    """Where the worktop of a machine lies before its screens, m."""
    return _DESK_Y[kind]


@lru_cache(maxsize=4096)
def resting_height(kind: str, variant: int, x: float, y: float, half_m: float = 0.045) -> float:
    """Highest surface under a small square at (x, y), m; 0 where there is none."""
    return height_under(surface_points(kind, variant), x, y, half_m)


def height_under(points: NDArray[np.float64], x: float, y: float, half_m: float = 0.045) -> float:
    """Highest of the points (N, 3) in a square of 2 `half_m` at (x, y), m; 0 where there is none."""
    under = (np.abs(points[:, 0] - x) <= half_m) & (np.abs(points[:, 1] - y) <= half_m)
    return float(points[under, 2].max()) if under.any() else 0.0
