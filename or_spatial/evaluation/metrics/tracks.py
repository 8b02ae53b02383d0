"""Identities over time: what of the truth was found, how often a name changed hands, how well names fit as a whole.

CLEAR (Bernardin and Stiefelhagen 2008) and IDF1 (Ristani et al. 2016), as TrackEval counts them. A true thing and a
track may be the same when their centres are at most `within_m` apart, in three dimensions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from or_spatial.evaluation.metrics.results import Result

Array = NDArray[np.float64]

_KEPT = 1000.0  # worth more than any closeness: who is still matched stays matched


@dataclass(frozen=True)
class Moment:
    """One moment of one clip: names of the T true things and of the S tracks, and `apart_m` (T, S) between centres.

    Names of different clips must differ. No name may come twice.
    """

    true: tuple[str, ...]
    said: tuple[str, ...]
    apart_m: Array


@dataclass(frozen=True)
class ClearScores(Result):
    """`mota` = 1 - (missed + false + switches) / true; `switches` counts changes of a true thing's track, also after a
    gap. `error_m` is the mean distance of what was matched."""

    mota: float
    switches: int
    found: int
    missed: int
    false: int
    error_m: float


@dataclass(frozen=True)
class IdentityScores(Result):
    """Under the best one-to-one naming of true things by tracks over all time: precision, recall, F1 of moments."""

    idf1: float
    precision: float
    recall: float


class Names:
    """Moments with names as numbers, in order of first appearance."""

    def __init__(self, moments: Iterable[Moment]) -> None:
        self.moments = list(moments)
        self._true: dict[str, int] = {}
        self._said: dict[str, int] = {}
        self.true = [_numbers(m.true, self._true) for m in self.moments]
        self.said = [_numbers(m.said, self._said) for m in self.moments]

    @property
    def true_counts(self) -> Array:
        """(I,) moments in which each true thing was there."""
        return _counts(self.true, len(self._true))

    @property
    def said_counts(self) -> Array:
        """(J,) moments in which each track was told."""
        return _counts(self.said, len(self._said))

    def table(self) -> Array:
        """(I, J) zeros, a row per true thing and a column per track."""
        return np.zeros((len(self._true), len(self._said)))


def _numbers(names: Sequence[str], known: dict[str, int]) -> NDArray[np.int64]:
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def _counts(rows: list[NDArray[np.int64]], length: int) -> Array:
    everything = np.concatenate([*rows, np.zeros(0, np.int64)])
    return np.bincount(everything, minlength=length).astype(np.float64)


def clear(moments: Iterable[Moment], within_m: float) -> ClearScores:
    """Match moment by moment; a pair that was matched at the moment before is kept while it is within reach."""
    names = Names(moments)
    last: dict[int, int] = {}  # track by true thing, remembered through gaps
    before: dict[int, int] = {}  # of the moment before
    found = missed = false = switches = 0
    error_m = 0.0
    for moment, true, said in zip(names.moments, names.true, names.said, strict=True):
        kept = np.array([[before.get(int(i)) == int(j) for j in said] for i in true]).reshape(moment.apart_m.shape)
        near = moment.apart_m <= within_m
        worth = np.where(near, 1.0 + within_m - moment.apart_m + _KEPT * kept, 0.0)
        rows, columns = linear_sum_assignment(-worth)
        pairs = [(r, c) for r, c in zip(rows.tolist(), columns.tolist(), strict=True) if near[r, c]]
        before = {int(true[r]): int(said[c]) for r, c in pairs}
        switches += sum(last.get(i, j) != j for i, j in before.items())
        last |= before
        found, missed, false = found + len(pairs), missed + len(true) - len(pairs), false + len(said) - len(pairs)
        error_m += sum(float(moment.apart_m[r, c]) for r, c in pairs)
    there = found + missed
    nan = float("nan")
    mota = 1.0 - (missed + false + switches) / there if there else nan
    return ClearScores(mota, switches, found, missed, false, error_m / found if found else nan)


def identity(moments: Iterable[Moment], within_m: float) -> IdentityScores:
    """Choose for each true thing at most one track, so that as many moments as possible are named rightly."""
    names = Names(moments)
    shared = names.table()
    for moment, true, said in zip(names.moments, names.true, names.said, strict=True):
        shared[np.ix_(true, said)] += moment.apart_m <= within_m
    right = float(shared[linear_sum_assignment(-shared)].sum())
    there, told = names.true_counts.sum(), names.said_counts.sum()
    nan = float("nan")
    return IdentityScores(
        idf1=2 * right / (there + told) if there + told else nan,
        precision=right / told if told else nan,
        recall=right / there if there else nan,
    )
