"""Errors of metric depth, as Eigen et al. (NIPS 2014) define them. No median scaling: metres must be metres."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from or_spatial.evaluation.metrics.results import Result


@dataclass(frozen=True, kw_only=True)
class DepthScores(Result):
    """Over all pixels with true depth and a prediction, pooled.

    `abs_rel` mean |d - t| / t; `rmse_m`; `delta1..3` share of max(d/t, t/d) < 1.25, 1.25^2, 1.25^3. `coverage` is the
    share of pixels with true depth that have a prediction: a network that is silent where it is unsure shows here.
    """

    abs_rel: float
    rmse_m: float
    delta1: float
    delta2: float
    delta3: float
    coverage: float
    pixels: int


class DepthAccumulator:
    """Pools the pixels of many images."""

    def __init__(self, nearest_m: float = 0.1, farthest_m: float = 12.0) -> None:
        """Only true depths within [nearest_m, farthest_m] count (chosen: the inside of a room)."""
        self.nearest_m, self.farthest_m = nearest_m, farthest_m
        self._sums = np.zeros(5)
        self._scored = self._wanted = 0

    def add(self, predicted_m: ArrayLike, true_m: ArrayLike, mask: ArrayLike | None = None) -> None:
        """Count one image: depths (H, W) along z, NaN where unknown; `mask` (H, W) bool picks pixels.

        Raises:
            ValueError: the two images differ in shape.
        """
        predicted, true = np.asarray(predicted_m, np.float64), np.asarray(true_m, np.float64)
        if predicted.shape != true.shape:
            raise ValueError(f"predicted depth is {predicted.shape}, true depth {true.shape}; resize one of them")
        wanted = (true >= self.nearest_m) & (true <= self.farthest_m)  # False for NaN
        if mask is not None:
            wanted &= np.asarray(mask, dtype=bool)
        scored = wanted & (predicted > 0) & np.isfinite(predicted)
        d, t = predicted[scored], true[scored]
        ratio = np.maximum(d / t, t / d)
        self._sums += [
            (np.abs(d - t) / t).sum(),
            ((d - t) ** 2).sum(),
            *((ratio < 1.25**k).sum() for k in (1, 2, 3)),
        ]
        self._scored += int(scored.sum())
        self._wanted += int(wanted.sum())

    @property
    def sums(self) -> NDArray[np.float64]:
        """(3,) so far: sum of relative errors, pixels within 1.25, pixels scored. They add up over images."""
        return np.array([self._sums[0], self._sums[2], self._scored])

    def result(self) -> DepthScores:
        """The pooled figures; NaN when no pixel was scored."""
        mean = self._sums / self._scored if self._scored else np.full(5, np.nan)
        return DepthScores(
            abs_rel=float(mean[0]),
            rmse_m=float(np.sqrt(mean[1])),
            delta1=float(mean[2]),
            delta2=float(mean[3]),
            delta3=float(mean[4]),
            coverage=self._scored / self._wanted if self._wanted else float("nan"),
            pixels=self._scored,
        )


def depth_scores(predicted_m: ArrayLike, true_m: ArrayLike, mask: ArrayLike | None = None) -> DepthScores:
    """The figures of one image; see `DepthAccumulator`."""
    one = DepthAccumulator()
    one.add(predicted_m, true_m, mask)
    return one.result()
