"""Which detection belongs to which track: gated, class-aware, one to one, best as a whole."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from or_spatial.perception.kalman import mahalanobis_squared

Array = NDArray[np.float64]

CHI2_3DOF_999 = 16.27  # a true pair exceeds this squared distance once in a thousand, 3 degrees of freedom
_NEVER = 1e6


def distance_cost(places: Array, covariances: Array, seen_at: Array, seen_covariances: Array) -> Array:
    """Gaussian association cost (T, D): squared Mahalanobis distance, plus ln det of its covariance.

    The second term keeps a vague track from winning every detection from a sure one (Bar-Shalom and Li 1995, ch. 6).
    Pairs farther than the gate are infinite. `places` (T, 3), `covariances` (T, 3, 3); the same for detections (D,).
    """
    S = covariances[:, None] + seen_covariances[None]
    squared = mahalanobis_squared(seen_at[None] - places[:, None], S)
    volume = np.linalg.slogdet(S)[1]
    return np.where(squared <= CHI2_3DOF_999, squared + volume, np.inf)


def label_cost(agreement: Array, floor: float = 0.02) -> Array:
    """-2 ln of how well two label beliefs agree (T, D in [0, 1]); infinite where they cannot be the same thing."""
    return np.where(agreement > 0.0, -2.0 * np.log(np.clip(agreement, floor, 1.0)), np.inf)


def assign(cost: Array) -> list[tuple[int, int]]:
    """One-to-one pairs (row, column) of finite cost: as many as possible, and among those the cheapest set."""
    if not np.isfinite(cost).any():
        return []
    rows, columns = np.flatnonzero(np.isfinite(cost).any(1)), np.flatnonzero(np.isfinite(cost).any(0))
    part = cost[np.ix_(rows, columns)]
    at = linear_sum_assignment(np.where(np.isfinite(part), part, _NEVER))
    return [(int(rows[r]), int(columns[c])) for r, c in zip(*at, strict=True) if np.isfinite(part[r, c])]
