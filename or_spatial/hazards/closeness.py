"""Distances between objects now and on the course they are on, as probabilities over the posterior.

An object without covariance is taken to be uncertain by 0.15 m, one without size to measure 0.4 m: missing numbers
are never taken for safety. Relative velocity is uncertain by a number of the rule, as graphs carry no covariance of it.
Boxes reach around arms and into hollows, so that surfaces are farther apart than boxes, and nobody knows exactly by how
much: conditions that mean surfaces make boxes smaller by an inset and their places less certain first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from or_spatial.geometry.rectangles import RectanglePairs
from or_spatial.geometry.relations import PREDICATES, RelationRules, all_pairs_probabilities
from or_spatial.scene.objects import SceneObject

Array = NDArray[np.float64]

_UNKNOWN_SPREAD_M = 0.15
_UNKNOWN_SIZE_M = 0.4
_SMALLEST_M = 0.02
_STEPS = 16
_SAMPLES = 128
_AHEAD_S = 0.2  # over which a closing speed is taken, as in the truth of the world
_AT_REST_M_S = 0.04  # measured: how wrong the velocity of a track that stands is per axis, on validation scripts
_NEGLIGIBLE = 0.05  # probability: far below any threshold that clears
_FAR = 5.0  # standard deviations beyond which a pair is not looked at
_NEAR, _TOUCHING = PREDICATES.index("near"), PREDICATES.index("touching")


@dataclass(frozen=True)
class Bodies:
    """N objects as arrays: centres (N, 3), covariances (N, 3, 3), sizes (N, 3), yaws (N,), velocities (N, 3)."""

    centers: Array
    covariances: Array
    sizes: Array
    yaws: Array
    velocities: Array

    @classmethod
    def of(cls, objects: Sequence[SceneObject]) -> "Bodies":
        """Arrays of these objects, with what is unknown replaced as the module says; unknown velocities stay NaN."""
        covariances = np.array([o.covariance_m2 for o in objects], dtype=np.float64).reshape(-1, 3, 3)
        sizes = np.array([o.size_m for o in objects], dtype=np.float64).reshape(-1, 3)
        unknown = ~np.isfinite(covariances).all((1, 2)) | (np.einsum("nii->ni", covariances) < 0).any(1)
        covariances[unknown] = _UNKNOWN_SPREAD_M**2 * np.eye(3)
        return cls(
            np.array([o.center_m for o in objects], dtype=np.float64).reshape(-1, 3),
            covariances,
            np.where(np.isfinite(sizes) & (sizes >= 0), sizes, _UNKNOWN_SIZE_M),
            np.nan_to_num([o.yaw_rad for o in objects]),
            np.array([o.velocity_m_s for o in objects], dtype=np.float64).reshape(-1, 3),
        )

    def inset(self, by_m: float, stddev_m: float = 0.0) -> "Bodies":
        """The surfaces under the boxes: every side moved inwards by `by_m`, of which 2 cm always remain, and the
        distance of any two uncertain by `stddev_m` more."""
        return replace(
            self,
            sizes=np.maximum(self.sizes - 2.0 * by_m, np.minimum(self.sizes, _SMALLEST_M)),
            covariances=self.covariances + 0.5 * stddev_m**2 * np.eye(3),
        )

    def gaps(self, i: NDArray, j: NDArray, shift: Array) -> Array:
        """Surface distances (P,), m, of objects i and j (P,) after i has moved by `shift` (P, 3) against j."""
        plane = RectanglePairs.of(0.5 * self.sizes[i, :2], self.yaws[i], 0.5 * self.sizes[j, :2], self.yaws[j])
        d = self.centers[i] - self.centers[j] + shift
        above = np.maximum(np.abs(d[:, 2]) - 0.5 * (self.sizes[i, 2] + self.sizes[j, 2]), 0.0)
        return np.hypot(plane.distance(d[:, :2]), above)


def within_reach(bodies: Bodies, i: NDArray, j: NDArray, reach_m: float) -> tuple[Array, Array]:
    """Surface distances (P,) of the pairs i, j (P,), and the probabilities (P,) that they are at most `reach_m`."""
    if len(i) == 0:
        return np.zeros(0), np.zeros(0)
    gaps = bodies.gaps(i, j, np.zeros((len(i), 3)))
    spread = np.sqrt(np.trace(bodies.covariances[i] + bodies.covariances[j], axis1=1, axis2=2))
    sure = gaps + _FAR * spread <= reach_m  # surfaces come no nearer or farther than centres move
    close = ~sure & (gaps <= reach_m + _FAR * spread)
    p = sure.astype(np.float64)
    if close.any():
        p[close] = _closer_than(bodies, i[close], j[close], reach_m)
    return gaps, p


def _closer_than(bodies: Bodies, i: NDArray, j: NDArray, reach_m: float) -> Array:
    """Probabilities (P,) that the surfaces of objects i and j (P,) are at most `reach_m` apart."""
    some = np.unique(np.concatenate([i, j]))
    i, j = np.searchsorted(some, i), np.searchsorted(some, j)
    wanted = np.zeros((len(some), len(some)), dtype=bool)
    wanted[i, j] = True
    table = all_pairs_probabilities(
        bodies.centers[some],
        bodies.covariances[some],
        bodies.sizes[some],
        bodies.yaws[some],
        np.eye(3),
        RelationRules(near_m=reach_m, touching_m=min(RelationRules().touching_m, reach_m)),
        wanted=wanted,
    )[i, j]
    return np.minimum(table[:, _NEAR] + table[:, _TOUCHING], 1.0)


@dataclass(frozen=True)
class Course:
    """What becomes of a pair if both go on as they do: `time_s` until they are too close (or nearest), closing speed,
    gap now, and the probability that they come too close while closing fast enough."""

    time_s: float
    closing_m_s: float
    gap_m: float
    probability: float


def course(bodies: Bodies, i: int, j: int, gap_m: float, horizon_s: float, closing_m_s: float, stddev: float) -> Course:
    """The course of objects i and j; no probability when the velocity of i is unknown, j then counts as at rest.

    Paths are straight. The probability is the share of places and velocities drawn from the posterior (velocities
    uncertain by `stddev` per axis, on the floor) whose gap closes fast enough now and falls to `gap_m` in time. Who
    hardly moves is known to: an uncertain speed is a mean of standing and walking, so that it is not near zero.
    """
    speed = bodies.velocities[i] - np.nan_to_num(bodies.velocities[j])
    stddev = min(stddev, _AT_REST_M_S + float(np.linalg.norm(speed)))
    if not _may_meet(bodies, i, j, float(np.linalg.norm(speed)), gap_m, horizon_s, closing_m_s, stddev):
        return Course(np.nan, np.nan, np.nan, 0.0)
    times = np.linspace(0.0, horizon_s, _STEPS)
    path = times[:, None] * speed
    gaps = _gaps(bodies, i, j, path)
    too_close = gaps <= gap_m
    nearest = _nearest(bodies.centers[i] - bodies.centers[j] + path, gaps)
    when = float(times[np.argmax(too_close)] if too_close.any() else times[nearest])
    closing = float(_closing(bodies, i, j, np.zeros((1, 3)), speed[None])[0])
    p = _chance(bodies, i, j, speed, stddev, gap_m, horizon_s, closing_m_s)
    return Course(when, closing, float(gaps[0]), p)


def _may_meet(
    bodies: Bodies, i: int, j: int, speed: float, gap_m: float, horizon_s: float, closing_m_s: float, stddev: float
) -> bool:
    """Whether a course is worth following: fast enough, and not too far for the horizon; False for unknown speeds."""
    diagonals = np.linalg.norm(bodies.sizes[[i, j]], axis=1).sum()
    apart = float(np.linalg.norm(bodies.centers[i] - bodies.centers[j]) - 0.5 * diagonals)
    fast = float(ndtr((speed - closing_m_s) / stddev))
    return fast > _NEGLIGIBLE and apart - gap_m <= (speed + _FAR * stddev) * horizon_s


def _gaps(bodies: Bodies, i: int, j: int, shifts: Array) -> Array:
    """Surface distances (...), m, after i has moved by `shifts` (..., 3) against j."""
    flat = shifts.reshape(-1, 3)
    return bodies.gaps(np.full(len(flat), i), np.full(len(flat), j), flat).reshape(shifts.shape[:-1])


def _nearest(displacements: Array, gaps: Array) -> int:
    """Step of the smallest gap; of several, such as while the boxes overlap, the one with the nearest centres."""
    centers = np.linalg.norm(displacements, axis=1)
    return int(np.lexsort((centers, gaps))[0])


def _closing(bodies: Bodies, i: int, j: int, shifts: Array, speeds: Array) -> Array:
    """Speeds (S,) at which the gap shrinks, m/s, with i moved by `shifts` (S, 3) and going at `speeds` (S, 3) against
    j; of boxes that overlap, the speed along the line of centres."""
    now, soon = _gaps(bodies, i, j, shifts), _gaps(bodies, i, j, shifts + _AHEAD_S * speeds)
    line = (bodies.centers[j] - bodies.centers[i] - shifts)[:, :2]
    along = (speeds[:, :2] * line).sum(1) / np.maximum(np.linalg.norm(line, axis=1), 1e-6)
    return np.where(now > 0.0, (now - soon) / _AHEAD_S, along)


def _chance(
    bodies: Bodies, i: int, j: int, speed: Array, stddev: float, gap_m: float, horizon_s: float, closing_m_s: float
) -> float:
    """Share of the samples that close fast enough and come too close in time; the same samples every time."""
    values, vectors = np.linalg.eigh(bodies.covariances[i] + bodies.covariances[j])
    shifts = _WHITE[:, :3] @ (vectors * np.sqrt(values.clip(0.0))).T
    speeds = speed + stddev * np.pad(_WHITE[:, 3:], ((0, 0), (0, 1)))
    fast = _closing(bodies, i, j, shifts, speeds) >= closing_m_s
    if not fast.any():
        return 0.0
    times = np.linspace(0.0, horizon_s, _STEPS // 2)
    gaps = _gaps(bodies, i, j, shifts[fast, None] + times[:, None] * speeds[fast, None])
    return float((gaps.min(1) <= gap_m).sum() / len(fast))


def _spread_evenly(count: int, dimensions: int) -> Array:
    """(count, dimensions) standard normal numbers from the R sequence: evener than chance, and always the same.

    Source: M. Roberts, The unreasonable effectiveness of quasirandom sequences, 2018.
    """
    ratio = max(np.roots([1.0, *[0.0] * (dimensions - 1), -1.0, -1.0]).real)
    return ndtri((0.5 + np.outer(np.arange(1, count + 1), ratio ** -np.arange(1.0, dimensions + 1))) % 1.0)


_WHITE = _spread_evenly(_SAMPLES, 5)
