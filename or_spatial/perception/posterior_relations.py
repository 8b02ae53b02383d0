"""Geometric relation probabilities of all tracks, worked out again only for the pairs that moved noticeably.

A room is mostly furniture, and most of what can be said of two things is either certain or out of the question. How far
a pair may move before one of its probabilities can change by more than `TOLERANCE` is known exactly: a Gaussian that is
shifted by s of its own standard deviations keeps the mass p of any region within [Phi(z - s), Phi(z + s)], where
p = Phi(z) (Neyman and Pearson 1933; Cohen, Rosenfeld and Kolter, ICML 2019, for this form).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from or_spatial.geometry.relations import PREDICATES, RelationRules, all_pairs_probabilities
from or_spatial.perception.kalman import invert, quadratic

Array = NDArray[np.float64]

TOLERANCE = 0.1  # by which a kept probability may lag behind what the places say now
_MOVED_M = 0.005  # nobody cares, however sure the places are
_SPREAD = 0.25  # relative change of the standard deviation
_TURNED_RAD = 0.05
_GREW_M = 0.02
_SHAPE = np.array([_GREW_M, _GREW_M, _GREW_M, _TURNED_RAD] * 2)
_TURNS = [3, 7]
_LEAST_M2 = 1e-12 * np.eye(3)


class PosteriorRelations:
    """Keeps the (N, N, 10) table of `geometry.relations.PREDICATES` from update to update."""

    def __init__(self, radius_m: float, rules: RelationRules | None = None) -> None:
        """Pairs whose boxes' circles are farther apart than `radius_m` are left NaN: nobody is told about them."""
        self.radius_m, self.rules = radius_m, rules or RelationRules()
        self.reset()

    def reset(self) -> None:
        """Forget every pair."""
        self._keys: list[int] = []
        self._table = np.zeros((0, 0, len(PREDICATES)))
        self._first, self._second = np.triu_indices(0, 1)
        self._used, self._free = _Pairs.unknown(0), np.zeros(0)
        self._viewer = np.zeros((3, 3))

    def table(
        self, keys: Sequence[int], centers: Array, covariances: Array, sizes: Array, yaws: Array, viewer: Array
    ) -> Array:
        """(N, N, 10) probabilities for boxes (N, 3), (N, 3, 3), (N, 3), (N,) seen by `viewer_from_room` (3, 3).

        `keys` names the boxes over time. NaN where a number is unknown and beyond the radius. Other values are those
        of now within `TOLERANCE` for the places, and about as much again while a pair's doubt grows or shrinks.
        """
        if np.abs(viewer - self._viewer).max() > 1e-6:
            self.reset()
            self._viewer = np.array(viewer)
        self._align(list(keys))
        first, second = self._first, self._second
        close = self._close(centers, sizes)
        now = _Pairs.of(first, second, centers, covariances, sizes, yaws)
        stale = close & ~now.nearly(self._used, self._free)
        if stale.any():
            a, b = first[stale], second[stale]
            wanted = np.zeros((len(centers), len(centers)), dtype=bool)
            wanted[a, b] = True
            fresh = all_pairs_probabilities(centers, covariances, sizes, yaws, viewer, self.rules, wanted=wanted)
            there, back = fresh[a, b], fresh[b, a]
            self._table[a, b], self._table[b, a] = there, back
            self._used.take_over(now, stale)
            self._free[stale] = free_shift(np.concatenate([there, back], axis=1)).min(axis=1)
        out = self._table.copy()
        out[first[~close], second[~close]] = out[second[~close], first[~close]] = np.nan
        return out

    def _close(self, centers: Array, sizes: Array) -> NDArray[np.bool_]:
        radii = 0.5 * np.sqrt((sizes[:, :2] ** 2).sum(1))
        apart = centers[self._first, :2] - centers[self._second, :2]
        reach = self.radius_m + radii[self._first] + radii[self._second]
        return (apart**2).sum(1) <= reach**2  # NaN compares False

    def _align(self, keys: list[int]) -> None:
        if keys == self._keys:
            return
        before = {key: i for i, key in enumerate(self._keys)}
        kept = [i for i, key in enumerate(keys) if key in before]
        old = [before[keys[i]] for i in kept]
        table = np.full((len(keys), len(keys), len(PREDICATES)), np.nan)
        table[np.arange(len(keys)), np.arange(len(keys))] = 0.0
        table[np.ix_(kept, kept)] = self._table[np.ix_(old, old)]
        number = np.full((len(before) + 1, len(before) + 1), -1)
        number[self._first, self._second] = np.arange(len(self._first))
        place = np.array([before.get(key, -1) for key in keys], dtype=np.int64)
        self._first, self._second = np.triu_indices(len(keys), 1)
        rows = number[place[self._first], place[self._second]]
        self._used, self._free = self._used.taken(rows), np.append(self._free, np.nan)[rows]
        self._keys, self._table = keys, table


@dataclass(frozen=True)
class _Pairs:
    """What the probabilities of M pairs depend on, one row each, NaN while unknown.

    `apart` (M, 3) displacement; `precision` (M, 3, 3) and `deviation` (M,) of its doubt; `shape` (M, 8) both sizes and
    yaws.
    """

    apart: Array
    precision: Array
    deviation: Array
    shape: Array

    @classmethod
    def unknown(cls, count: int) -> "_Pairs":
        """Pairs of which nothing has been worked out."""
        return cls(*(np.full((count, *shape), np.nan) for shape in ((3,), (3, 3), (), (8,))))

    @classmethod
    def of(
        cls, a: NDArray[np.int64], b: NDArray[np.int64], centers: Array, covariances: Array, sizes: Array, yaws: Array
    ) -> "_Pairs":
        """Pairs of places in (N, 3), (N, 3, 3), (N, 3), (N,)."""
        covariance = covariances[a] + covariances[b] + _LEAST_M2
        boxes = np.concatenate([sizes, yaws[:, None]], axis=1)
        deviation = np.sqrt(np.maximum(covariance[:, 0, 0] + covariance[:, 1, 1] + covariance[:, 2, 2], 0.0) / 3.0)
        shape = np.concatenate([boxes[a], boxes[b]], axis=1)
        return cls(centers[a] - centers[b], invert(covariance)[0], deviation, shape)

    def nearly(self, used: "_Pairs", free: Array) -> NDArray[np.bool_]:
        """Whether what was worked out for `used`, `free` (M,) to shift, still holds (M,)."""
        step = self.apart - used.apart
        same = (quadratic(step, used.precision) <= free * free) | ((step * step).sum(1) <= _MOVED_M**2)
        same &= np.abs(self.deviation - used.deviation) <= _SPREAD * self.deviation + 1e-6
        change = np.abs(self.shape - used.shape)
        change[:, _TURNS] = np.abs(np.sin(change[:, _TURNS]))
        return same & (change <= _SHAPE).all(1)

    def take_over(self, now: "_Pairs", which: NDArray[np.bool_]) -> None:
        """Let the pairs marked in (M,) be as they are now."""
        for mine, new in zip(self._parts, now._parts, strict=True):
            mine[which] = new[which]

    def taken(self, rows: NDArray[np.int64]) -> "_Pairs":
        """The pairs of these rows; unknown ones for -1."""
        grown = [np.concatenate([part, np.full((1, *part.shape[1:]), np.nan)]) for part in self._parts]
        return _Pairs(*(part[rows] for part in grown))

    @property
    def _parts(self) -> tuple[Array, ...]:
        return (self.apart, self.precision, self.deviation, self.shape)


def free_shift(p: Array, tolerance: float = TOLERANCE) -> Array:
    """By how many standard deviations a Gaussian may shift until a region's mass p can have changed by `tolerance`."""
    z = ndtri(np.clip(p, 1e-9, 1.0 - 1e-9))
    more, less = ndtri(np.minimum(p + tolerance, 1.0)), ndtri(np.maximum(p - tolerance, 0.0))
    return np.minimum(more - z, z - less)
