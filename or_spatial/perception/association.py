"""Which detection belongs to which track: gated, class-aware, one to one, best as a whole."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from or_spatial.perception.kalman import invert, quadratic

Array = NDArray[np.float64]

# A true pair exceeds this squared distance once in 65,000 (chi-squared, 3 degrees of freedom): a room with ten people
# and two cameras makes a hundred pairs a second, and each one refused would be born as somebody's double.
GATE = 25.0
_NEVER = 1e6
_UNLIKELY = 0.02
_ATTIRE_SUREST = 0.98  # however sure an answer about a gown is, as for all evidence of `tracks.logit`
_STATURE_M = 0.10  # chosen: by how much one look is taller than what is known
_BENT_M = 0.30  # chosen: and shorter; people bend over a table for a minute, all looks of which then are too short
_STATURE_MOST = 6.0


def pair_cost(places: Array, covariances: Array, seen_at: Array, seen_covariances: Array, agreement: Array) -> Array:
    """Cost (T, D) of taking detection d for track t: -2 ln of how likely that is, up to a constant.

    Squared Mahalanobis distance and label term must stay below the gate together; ln det of the covariance is added
    so that a vague track does not win every detection from a sure one (Bar-Shalom and Li 1995, ch. 6).
    `places` (T, 3), `covariances` (T, 3, 3), the same for detections (D,); `agreement` (T, D) of the labels in [0, 1],
    where 0 forbids the pair.
    """
    t, d = np.nonzero(agreement > 0.0)
    precision, determinant = invert(covariances[t] + seen_covariances[d])
    likeness = np.minimum(np.maximum(agreement[t, d], _UNLIKELY), 1.0)
    surprise = quadratic(seen_at[d] - places[t], precision) - 2.0 * np.log(likeness)
    cost = np.full(agreement.shape, np.inf)
    cost[t, d] = np.where(surprise <= GATE, surprise + np.log(determinant), np.inf)
    return cost


def attire_cost(known: Array, seen: Array) -> Array:
    """What (T, D) costs more because gowns differ: tracks' and detections' probabilities of being sterile, NaN unknown.

    0 where both agree or one is not known. Two people who walk through each other's place look alike but for this.
    """
    a, b = (p.clip(1.0 - _ATTIRE_SUREST, _ATTIRE_SUREST) for p in (known[:, None], seen[None]))
    most = _ATTIRE_SUREST**2 + (1.0 - _ATTIRE_SUREST) ** 2
    cost = -2.0 * np.log((a * b + (1.0 - a) * (1.0 - b)) / most)
    return np.where(np.isnan(cost), 0.0, cost)


def stature_cost(known: Array, seen: Array) -> Array:
    """What (T, D) costs more because people's heights differ, m: squared difference by its doubt, 0 where unknown.

    Whoever looks taller than they are known to be is somebody else; whoever looks shorter may bend.
    """
    taller = seen[None] - known[:, None]
    cost = np.minimum((taller / np.where(taller > 0.0, _STATURE_M, _BENT_M)) ** 2, _STATURE_MOST)
    return np.where(np.isnan(cost), 0.0, cost)


def assign(cost: Array) -> list[tuple[int, int]]:
    """One-to-one pairs (row, column) of finite cost: as many as possible, and among those the cheapest set."""
    possible = np.isfinite(cost)
    rows, columns = possible.any(1).nonzero()[0], possible.any(0).nonzero()[0]
    if not len(rows):
        return []
    part = np.where(possible, cost, _NEVER)[rows[:, None], columns]
    r, c = linear_sum_assignment(part)
    r, c = rows[r], columns[c]
    kept = possible[r, c]
    return list(zip(r[kept].tolist(), c[kept].tolist(), strict=True))
