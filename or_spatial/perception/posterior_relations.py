"""Geometric relation probabilities of all tracks, worked out again only for the pairs that moved.

A room is mostly furniture: between two frames few pairs change by a noticeable part of their own doubt.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.relations import PREDICATES, RelationRules, all_pairs_probabilities

Array = NDArray[np.float64]

_MOVED = 0.25  # of the pair's standard deviation; changes a probability by at most 0.1, usually by less than 0.03
_MOVED_M = 0.005
_SPREAD = 0.25  # relative change of the standard deviation
_TURNED_RAD = 0.05
_GREW_M = 0.02


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
        self._used = np.zeros((0, 0, 12))
        self._viewer = np.zeros((3, 3))

    def table(
        self, keys: Sequence[int], centers: Array, covariances: Array, sizes: Array, yaws: Array, viewer: Array
    ) -> Array:
        """(N, N, 10) probabilities for boxes (N, 3), (N, 3, 3), (N, 3), (N,) seen by `viewer_from_room` (3, 3).

        `keys` names the boxes over time. NaN where a number is unknown and beyond the radius.
        """
        if not np.allclose(viewer, self._viewer, atol=1e-6):
            self.reset()
            self._viewer = np.array(viewer)
        self._align(list(keys))
        now = _pair_state(centers, covariances, sizes, yaws)
        close = self._close(centers, sizes)
        stale = close & self._changed(now)
        if stale.any():
            fresh = all_pairs_probabilities(centers, covariances, sizes, yaws, viewer, self.rules, wanted=stale)
            self._table = np.where(stale[..., None], fresh, self._table)
            self._used = np.where(stale[..., None], now, self._used)
        return np.where(close[..., None], self._table, np.nan)

    def _close(self, centers: Array, sizes: Array) -> NDArray[np.bool_]:
        radii = 0.5 * np.linalg.norm(sizes[:, :2], axis=1)
        gap = np.linalg.norm(centers[:, None, :2] - centers[None, :, :2], axis=-1) - radii[:, None] - radii[None]
        return gap <= self.radius_m  # NaN compares False

    def _changed(self, now: Array) -> NDArray[np.bool_]:
        used = self._used
        deviation = np.sqrt(np.maximum(now[..., 3], 0.0))
        moved = np.linalg.norm(now[..., :3] - used[..., :3], axis=-1)
        same = moved <= np.maximum(_MOVED * deviation, _MOVED_M)
        same &= np.abs(deviation - np.sqrt(np.maximum(used[..., 3], 0.0))) <= _SPREAD * deviation + 1e-6
        same &= (np.abs(now[..., 4:10] - used[..., 4:10]) <= _GREW_M).all(-1)
        same &= (np.abs(np.sin(now[..., 10:] - used[..., 10:])) <= _TURNED_RAD).all(-1)
        changed = ~same
        return changed | changed.T

    def _align(self, keys: list[int]) -> None:
        if keys == self._keys:
            return
        before = {key: i for i, key in enumerate(self._keys)}
        kept = [i for i, key in enumerate(keys) if key in before]
        old = [before[keys[i]] for i in kept]
        table = np.full((len(keys), len(keys), len(PREDICATES)), np.nan)
        used = np.full((len(keys), len(keys), 12), np.nan)
        table[np.ix_(kept, kept)] = self._table[np.ix_(old, old)]
        used[np.ix_(kept, kept)] = self._used[np.ix_(old, old)]
        self._keys, self._table, self._used = keys, table, used


def _pair_state(centers: Array, covariances: Array, sizes: Array, yaws: Array) -> Array:
    """(N, N, 12): displacement, mean variance, both sizes, both yaws; what the probabilities of a pair depend on."""
    n = len(centers)
    variance = np.trace(covariances, axis1=1, axis2=2) / 3.0
    state = np.empty((n, n, 12))
    state[..., :3] = centers[:, None] - centers[None]
    state[..., 3] = variance[:, None] + variance[None]
    state[..., 4:7], state[..., 7:10] = sizes[:, None], sizes[None]
    state[..., 10], state[..., 11] = yaws[:, None], yaws[None]
    return state
