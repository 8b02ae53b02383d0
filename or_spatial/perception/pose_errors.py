"""Which cameras' pose errors explain the differences between what they see, by least squares.

Convention
    pose error   (6,) of a camera: shift (m) and turn (rotation vector, rad, about the camera's own place), both in the
                 graph's frame: a thing at p (m) is reported at p + shift + turn x (p - camera). See `displacement`.
    Worked out   turn (0, 0, 0.1) and a thing 3 m east of the camera: it is reported 0.3 m too far north
"""

import math

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.rigid_fit import skew

Array = NDArray[np.float64]

_PRIOR = np.array([1.0 / 0.5**2] * 3 + [1.0 / math.radians(10.0) ** 2] * 3)  # of a camera that is wrong, chosen
_LEAST_PAIRS = 6.0  # effective ones


def displacement(pose_error: Array, points: Array, eye: Array) -> Array:
    """(..., 3) m: how far off things at `points` (..., 3) are reported by a camera at `eye` (3,); see Convention."""
    return pose_error[:3] + np.cross(pose_error[3:], points - eye)


def motion_of(points: Array, eye: Array) -> Array:
    """(N, 3, 6) by which a pose error (6,) becomes the displacement of points (N, 3); `eye` (3,) or one each (N, 3)."""
    shift = np.broadcast_to(np.eye(3), (len(points), 3, 3))
    return np.concatenate([shift, -skew(points - eye)], axis=2)


def independent(a: NDArray[np.int64], b: NDArray[np.int64], count: int) -> Array:
    """(K,) how much of each difference between detections a and b (K,), of `count` in all, is news of its own.

    A thing that n cameras see makes n (n - 1) / 2 differences of n - 1 independent ones: each counts 2 / n.
    """
    others = np.bincount(a, minlength=count) + np.bincount(b, minlength=count)
    return 2.0 / (1.0 + np.maximum(others[a], others[b]))


def blame(
    H: Array, g: Array, counts: Array, least_gain: float, tie_gain: float
) -> tuple[dict[int, tuple[Array, bool]], Array]:
    """Which cameras' pose errors explain the differences, by least squares with as few wrong cameras as possible.

    Forward selection: the camera that explains most is wrong, then the one that explains most of what is left, as long
    as the gain is enough and no other camera explains it as well; those that tie are all returned, uncertain.

    Args:
        H, g: (N, N, 6, 6) and (N, 6), normal equations of N cameras' pose errors.
        counts: (N,) effective number of differences per camera.
        least_gain: chi-squared (6 degrees of freedom) that one more wrong camera must explain.
        tie_gain: another camera that explains as much but for this may be the wrong one just as well.

    Returns:
        By place of the camera: pose error (6,) and whether it is certain; and all pose errors (N, 6), estimated
        together: those that tie share the difference.
    """
    N = len(g)
    wrong: list[int] = []
    tied: list[int] = []
    errors = np.zeros((N, 6))
    reached = 0.0
    candidates = [k for k in range(N) if counts[k] >= _LEAST_PAIRS]
    if not candidates or _gains(H, g)[candidates].max() < least_gain:
        return {}, errors  # the usual case, at the price of one small solve
    while len(wrong) < N - 1:
        tried = {k: _solve(H, g, [*wrong, k]) for k in candidates if k not in wrong}
        if not tried:
            break
        best = max(tried, key=lambda k: tried[k][1])
        gain = tried[best][1]
        if gain - reached < least_gain:
            break
        tied = [k for k in tried if tried[k][1] > gain - tie_gain]
        if len(tied) > 1:
            break
        wrong.append(best)
        errors, reached, tied = tried[best][0], gain, []
    found = {k: (errors[k], True) for k in wrong}
    if tied:
        found |= {k: (tried[k][0][k], False) for k in tied}
        errors = _solve(H, g, [*wrong, *tied])[0]
    return found, errors


def _gains(H: Array, g: Array) -> Array:
    """(N,) by how much chi-squared falls when one camera alone is wrong."""
    k = np.arange(len(g))
    A = H[k, k].copy()
    A[:, np.arange(6), np.arange(6)] += _PRIOR
    return (g * np.linalg.solve(A, g[..., None])[..., 0]).sum(1)


def _solve(H: Array, g: Array, free: list[int]) -> tuple[Array, float]:
    """Pose errors (N, 6) when only the cameras `free` may be wrong, and by how much chi-squared falls."""
    n = len(free)
    A = H[free][:, free].transpose(0, 2, 1, 3).reshape(6 * n, 6 * n)
    A[np.diag_indices(6 * n)] += np.tile(_PRIOR, n)
    b = g[free].ravel()
    x = np.linalg.solve(A, b)
    errors = np.zeros((len(g), 6))
    errors[free] = x.reshape(n, 6)
    return errors, float(b @ x)


class PairSums:
    """Fading least-squares sums of every pair of N cameras: H (N, N, 12, 12), g (N, N, 12), counts (N, N)."""

    def __init__(self, H: Array, g: Array, n: Array, surprise: float = 0.0, differences: float = 0.0) -> None:
        self._H, self._g, self._n = H, g, n
        self._surprise, self._differences = surprise, differences

    @classmethod
    def none(cls, cameras: int) -> "PairSums":
        """Nothing is known of so many cameras."""
        return cls(np.zeros((cameras, cameras, 12, 12)), np.zeros((cameras, cameras, 12)), np.zeros((cameras, cameras)))

    def with_one_more(self) -> "PairSums":
        """The same with one more camera, of which nothing is known."""
        pad = ((0, 1), (0, 1))
        arrays = (np.pad(a, (*pad, *((0, 0),) * (a.ndim - 2))) for a in (self._H, self._g, self._n))
        return PairSums(*arrays, self._surprise, self._differences)

    def fade(self, share: float) -> None:
        """Keep this share of everything, in place."""
        for a in (self._H, self._g, self._n):
            a *= share
        self._surprise *= share
        self._differences *= share

    def forget(self, k: int) -> None:
        """Nothing is known of camera k any more."""
        for a in (self._H, self._g, self._n):
            a[k] = a[:, k] = 0.0

    @property
    def scale(self) -> float:
        """By how much differences exceed what detections admit: 1 for honest covariances, more for boastful ones."""
        return max(1.0, (self._surprise + 30.0) / (3.0 * self._differences + 30.0))

    def add(
        self,
        i: NDArray[np.int64],
        j: NDArray[np.int64],
        J: Array,
        W: Array,
        difference: Array,
        surprise: Array,
        share: Array,
    ) -> None:
        """K differences (K, 3) between cameras i and j (K,), J (K, 3, 12), weights W (K, 3, 3); `share` (K,) of one."""
        JW = J.transpose(0, 2, 1) @ W
        pair = i * len(self._n) + j
        which, place = np.unique(pair, return_inverse=True)
        member = (np.arange(len(which))[:, None] == place[None]).astype(float)
        a, b = which // len(self._n), which % len(self._n)
        self._H[a, b] += (member @ (JW @ J).reshape(len(i), -1)).reshape(-1, 12, 12)
        self._g[a, b] += member @ (JW @ difference[..., None])[..., 0]
        self._n[a, b] += member @ share
        self._surprise += float(share @ np.minimum(surprise, 30.0)) * self.scale
        self._differences += float(share.sum())

    def counts(self) -> Array:
        """(N,) effective number of differences that each camera takes part in."""
        return self._n.sum(0) + self._n.sum(1)

    def normal_equations(self) -> tuple[Array, Array]:
        """H (N, N, 6, 6) and g (N, 6) of all cameras' pose errors."""
        H = self._H[:, :, :6, 6:] + self._H.transpose(1, 0, 2, 3)[:, :, 6:, :6]
        k = np.arange(len(H))
        H[k, k] = self._H[:, :, :6, :6].sum(1) + self._H[:, :, 6:, 6:].sum(0)
        return H, self._g[:, :, :6].sum(1) + self._g[:, :, 6:].sum(0)
