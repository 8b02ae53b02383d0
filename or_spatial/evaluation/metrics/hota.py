"""Higher order tracking accuracy (Luiten et al., IJCV 129, 2021) with metres in the place of overlap.

Similarity of a true thing and a track is 1 - distance / `reach_m` of their centres in three dimensions, 0 beyond. A
pair counts at the localisation threshold alpha when its similarity is at least alpha; HOTA is the mean over
alpha = 0.05, 0.10 ... 0.95.
Worked out: with `reach_m` = 1, a track that is always 0.22 m off counts at 15 of the 19 thresholds.

Matching is that of the paper and of TrackEval: one to one at each moment, preferring pairs that fit over all time.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from or_spatial.errors import ConfigError
from or_spatial.evaluation.metrics.results import Result
from or_spatial.evaluation.metrics.tracks import Moment, Names

Array = NDArray[np.float64]

ALPHAS: tuple[float, ...] = tuple(k / 20 for k in range(1, 20))
_ROUNDING = 1e-9


@dataclass(frozen=True)
class HotaScores(Result):
    """Means over the thresholds: `hota`, its halves `deta` (detection) and `assa` (association), and `loca`, the mean
    similarity of what was matched. `by_alpha` is HOTA at each of `ALPHAS`."""

    hota: float
    deta: float
    assa: float
    loca: float
    by_alpha: tuple[float, ...]


def hota(moments: Iterable[Moment], reach_m: float) -> HotaScores:
    """Score all moments of all clips together; NaN where nothing is there and nothing told.

    Raises:
        ConfigError: `reach_m` is not above 0.
    """
    if not reach_m > 0.0:
        raise ConfigError(f"hota: reach_m, the distance of similarity 0, must be above 0, got {reach_m}")
    names = Names(moments)
    true_counts, said_counts = names.true_counts, names.said_counts
    if not true_counts.size and not said_counts.size:
        nan = float("nan")
        return HotaScores(nan, nan, nan, nan, (nan,) * len(ALPHAS))
    hits, closeness = _match(names, reach_m)
    found = hits.sum((1, 2))
    either = true_counts[:, None] + said_counts[None] - hits
    assa = (hits * hits / np.maximum(either, 1.0)).sum((1, 2)) / np.maximum(found, 1.0)
    deta = found / (true_counts.sum() + said_counts.sum() - found)
    loca = np.where(found > 0, closeness / np.maximum(found, 1.0), 1.0)
    by_alpha = np.sqrt(deta * assa)
    means = (float(np.mean(v)) for v in (by_alpha, deta, assa, loca))
    return HotaScores(*means, tuple(by_alpha.tolist()))


def _match(names: Names, reach_m: float) -> tuple[Array, Array]:
    """Matches (A, I, J) at each alpha, and the sum of their similarities (A,)."""
    similar = [(1.0 - m.apart_m / reach_m).clip(0.0) for m in names.moments]
    fit = _fit(names, similar)
    alphas = np.array(ALPHAS)
    hits = np.zeros((len(alphas), *fit.shape))
    closeness = np.zeros(len(alphas))
    for s, true, said in zip(similar, names.true, names.said, strict=True):
        rows, columns = linear_sum_assignment(-fit[np.ix_(true, said)] * s)
        enough = s[rows, columns] >= alphas[:, None] - _ROUNDING
        hits[:, true[rows], said[columns]] += enough
        closeness += (enough * s[rows, columns]).sum(1)
    return hits, closeness


def _fit(names: Names, similar: list[Array]) -> Array:
    """(I, J): how well a true thing and a track go together over all time, a soft Jaccard index of their moments."""
    together = names.table()
    for s, true, said in zip(similar, names.true, names.said, strict=True):
        either = s.sum(1, keepdims=True) + s.sum(0, keepdims=True) - s
        together[np.ix_(true, said)] += np.where(s > 0.0, s / np.maximum(either, 1e-12), 0.0)
    return together / (names.true_counts[:, None] + names.said_counts[None] - together)
