"""Distances between objects now and on the course they are on, as probabilities over the posterior.

An object without covariance is taken to be uncertain by 0.15 m, one without size to measure 0.4 m: missing numbers
are never taken for safety. Relative velocity is uncertain by a number of the rule, as graphs carry no covariance of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from or_spatial.geometry.rectangles import RectanglePairs
from or_spatial.geometry.relations import PREDICATES, RelationRules, all_pairs_probabilities
from or_spatial.scene.objects import SceneObject

Array = NDArray[np.float64]

_UNKNOWN_SPREAD_M = 0.15
_UNKNOWN_SIZE_M = 0.4
_STEPS = 16
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

    The gap is followed over the horizon with straight paths; its doubt grows with that of the velocities.
    """
    speed = bodies.velocities[i] - np.nan_to_num(bodies.velocities[j])
    if not _may_meet(bodies, i, j, float(np.linalg.norm(speed)), gap_m, horizon_s, closing_m_s, stddev):
        return Course(np.nan, np.nan, np.nan, 0.0)
    times = np.linspace(0.0, horizon_s, _STEPS)
    path = times[:, None] * speed
    pair = np.full(_STEPS, i), np.full(_STEPS, j)
    gaps = bodies.gaps(*pair, path)
    nearest = _nearest(bodies.centers[i] - bodies.centers[j] + path, gaps)
    closing = _closing(bodies, i, j, speed, float(gaps[0]))
    too_close = gaps <= gap_m
    when = float(times[np.argmax(too_close)] if too_close.any() else times[nearest])
    fast = float(ndtr((closing - closing_m_s) / stddev))
    p = fast * _predicted(bodies, i, j, path[nearest], times[nearest] * stddev, gap_m) if fast > _NEGLIGIBLE else 0.0
    return Course(when, closing, float(gaps[0]), p)


def _may_meet(
    bodies: Bodies, i: int, j: int, speed: float, gap_m: float, horizon_s: float, closing_m_s: float, stddev: float
) -> bool:
    """Whether a course is worth following: fast enough, and not too far for the horizon; False for unknown speeds."""
    diagonals = np.linalg.norm(bodies.sizes[[i, j]], axis=1).sum()
    apart = float(np.linalg.norm(bodies.centers[i] - bodies.centers[j]) - 0.5 * diagonals)
    fast = float(ndtr((speed - closing_m_s) / stddev))
    return fast > _NEGLIGIBLE and apart - gap_m <= (speed + _FAR * stddev) * horizon_s


def _nearest(displacements: Array, gaps: Array) -> int:
    """Step of the smallest gap; of several, such as while the boxes overlap, the one with the nearest centres."""
    centers = np.linalg.norm(displacements, axis=1)
    return int(np.lexsort((centers, gaps))[0])


def _closing(bodies: Bodies, i: int, j: int, speed: Array, gap_m: float) -> float:
    """Speed at which the gap shrinks now, m/s; of boxes that overlap, the speed along the line of centres."""
    if gap_m > 0.0:
        dt_s = 0.05
        soon = bodies.gaps(np.array([i]), np.array([j]), dt_s * speed[None])[0]
        return float((gap_m - soon) / dt_s)
    line = (bodies.centers[j] - bodies.centers[i])[:2]
    length = float(np.linalg.norm(line))
    return float(speed[:2] @ line / length) if length > 1e-6 else 0.0


def _predicted(bodies: Bodies, i: int, j: int, shift: Array, drift_m: float, gap_m: float) -> float:
    """Probability that the gap is at most `gap_m` after i has moved by `shift`, uncertain by `drift_m` more."""
    covariances = bodies.covariances[[i, j]]
    covariances[0] += drift_m**2 * np.diag([1.0, 1.0, 0.0])
    moved = Bodies(
        bodies.centers[[i, j]] + [shift, np.zeros(3)],
        covariances,
        bodies.sizes[[i, j]],
        bodies.yaws[[i, j]],
        bodies.velocities[[i, j]],
    )
    return float(within_reach(moved, np.array([0]), np.array([1]), gap_m)[1][0])
