"""Intervals of a figure by drawing rooms again: the cluster bootstrap.

Frames of one room resemble each other, so that rooms are drawn with replacement, not frames (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, 8.5 and 13.3; Field and Welsh, JRSS B 69(3), 2007, for clusters). Intervals are
percentiles of the figure over the draws.
"""

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000
LEVEL = 0.95


def interval(
    figure: Callable[[NDArray[np.int64]], float],
    clusters: Sequence[Hashable],
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> tuple[float, float]:
    """The `level` interval of `figure(times)`, which is asked with how often (n,) each of n things was drawn.

    `clusters` names the cluster of each of the n things: those of one cluster are drawn together. NaN when the figure
    is NaN in every draw, or when there is only one cluster.
    """
    of, count = _numbered(clusters)
    if count < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    return _percentiles([figure(_times(rng, count)[of]) for _ in range(draws)], level)


def interval_over_runs(
    figures: Sequence[Callable[[NDArray[np.int64]], float]],
    clusters: Sequence[Hashable],
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> tuple[float, float]:
    """The `level` interval of the mean of a figure over training runs: every draw draws rooms again, the same ones for
    all runs, and the runs too (two crossed samples: Owen, Annals of Applied Statistics 1(2), 2007).

    `figures[r](times)` is that of run r, as in `interval`. Three runs can only be drawn in ten ways, so that what the
    runs add to the width is told coarsely, and by a third too little variance; one run adds nothing.
    """
    of, count = _numbered(clusters)
    if count < 2 or not figures:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)

    def draw() -> float:
        times = _times(rng, count)[of]
        picked = _times(rng, len(figures))
        found = [(n, figure(times)) for n, figure in zip(picked, figures, strict=True) if n]
        return sum(n * value for n, value in found) / len(figures)

    return _percentiles([draw() for _ in range(draws)], level)


def _numbered(clusters: Sequence[Hashable]) -> tuple[NDArray[np.int64], int]:
    """The number (n,) of each thing's cluster, and how many there are."""
    _, of = np.unique(np.array([str(c) for c in clusters]), return_inverse=True)
    return of, int(of.max()) + 1 if len(of) else 0


def _times(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """How often each of `count` things comes up when as many are drawn with replacement."""
    return np.bincount(rng.integers(0, count, count), minlength=count)


def _percentiles(values: Sequence[float], level: float) -> tuple[float, float]:
    known = np.array(values)[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, (0.5 - 0.5 * level, 0.5 + 0.5 * level))
    return float(low), float(high)


def macro_f1(tallies: NDArray[np.integer]) -> float:
    """Mean F1 of (classes, 3) counts of hits, false alarms and misses, over the classes that the truth holds."""
    hit, false, missed = np.asarray(tallies, np.float64).T
    held = hit + missed > 0
    if not held.any():
        return float("nan")
    return float((2 * hit / np.maximum(2 * hit + false + missed, 1))[held].mean())


def relative_loss(before: NDArray[np.integer], after: NDArray[np.integer]) -> float:
    """1 - macro F1 after / macro F1 before, of (classes, 3) counts, over the classes that the truth holds in both."""
    both = (before[:, ::2].sum(1) > 0) & (after[:, ::2].sum(1) > 0)
    known = macro_f1(before[both])
    return 1.0 - macro_f1(after[both]) / known if known > 0 else float("nan")


def weighted_quantile(values: NDArray[np.float64], times: NDArray[np.int64], level: float) -> float:
    """The value below which a share `level` of values (n,) lies when each occurs so many `times` (n,)."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(times[order])
    if not len(reached) or reached[-1] == 0:
        return float("nan")
    return float(values[order][np.searchsorted(reached, level * reached[-1])])
