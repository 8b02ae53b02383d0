"""Whether stated probabilities are frequencies, and stated ellipsoids hold what they should."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, rankdata


def expected_calibration_error(probabilities: ArrayLike, outcomes: ArrayLike, bins: int = 15) -> float:
    """Mean gap between probability (n,) and frequency of outcomes (n,), bool, over bins of equal counts.

    Equal counts rather than equal widths, so that no bin rests on a handful (adaptive ECE, Nixon et al., CVPRW 2019).
    NaN when there is nothing to score.
    """
    said, found, counts = np.array(reliability(probabilities, outcomes, bins)).reshape(-1, 3).T
    return float((counts * np.abs(said - found)).sum() / counts.sum()) if len(counts) else float("nan")


def reliability(probabilities: ArrayLike, outcomes: ArrayLike, bins: int = 15) -> list[tuple[float, float, int]]:
    """(mean probability, frequency, count) of bins of equal counts, in rising order: a reliability diagram's points.

    Where a bin ends among equal probabilities, each side gets their common frequency: the order of the data is nothing.
    """
    p, y = _flat(probabilities, outcomes)
    if not len(p):
        return []
    _, which, times = np.unique(p, return_inverse=True, return_counts=True)
    y = (np.bincount(which, y) / times)[which]
    parts = np.array_split(np.argsort(p, kind="stable"), min(bins, len(p)))
    return [(float(p[part].mean()), float(y[part].mean()), len(part)) for part in parts]


def ece_by_chance(probabilities: ArrayLike, bins: int = 15, draws: int = 40) -> float:
    """The adaptive ECE to be expected of so many (n,) perfectly calibrated probabilities: it is never quite zero."""
    p = np.asarray(probabilities, np.float64).ravel()
    if not len(p):
        return float("nan")
    happened = np.random.default_rng(0).random((draws, len(p))) < p
    return float(np.mean([expected_calibration_error(p, y, bins) for y in happened]))


def classwise_ece(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """Mean over the classes of the adaptive ECE of (n, C) probabilities against labels (n,) in [0, C)."""
    p, y = np.asarray(probabilities, np.float64), np.asarray(labels)
    return float(np.mean([expected_calibration_error(p[:, c], y == c, bins) for c in range(p.shape[1])]))


def brier(probabilities: ArrayLike, outcomes: ArrayLike) -> float:
    """Mean squared difference of probability (n,) and outcome (n,): 0 is perfect, 0.25 is saying one half."""
    p, y = _flat(probabilities, outcomes)
    return float(np.mean((p - y) ** 2)) if len(p) else float("nan")


def auroc(scores: ArrayLike, outcomes: ArrayLike) -> float:
    """Probability that a positive scores above a negative, ties by half (Mann-Whitney); NaN without both kinds."""
    s, y = _flat(scores, outcomes)
    positives, negatives = int(y.sum()), int(len(y) - y.sum())
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(s)[y > 0].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def ellipsoid_coverage(offsets_m: ArrayLike, covariances_m2: ArrayLike, level: float = 0.95) -> float:
    """Share of errors (n, 3) that lie in the `level` ellipsoid of their covariances (n, 3, 3).

    Honest covariances give a share equal to the level; less means overconfident. Rows with NaN are left out; NaN when
    none remain. A singular covariance holds only an error of exactly zero along its flat side.
    """
    surprise = squared_surprise(offsets_m, covariances_m2)
    return float((surprise <= chi2.ppf(level, 3)).mean()) if len(surprise) else float("nan")


def squared_surprise(offsets_m: ArrayLike, covariances_m2: ArrayLike) -> NDArray[np.float64]:
    """e^T P^-1 e of errors (n, 3) under covariances (n, 3, 3), rows with NaN left out: chi-square of 3 if honest.

    Its mean over 3 is the normalised estimation error squared (NEES): above 1 is overconfident.
    """
    offsets = np.asarray(offsets_m, np.float64).reshape(-1, 3)
    covariances = np.asarray(covariances_m2, np.float64).reshape(-1, 3, 3)
    known = np.isfinite(offsets).all(1) & np.isfinite(covariances).all((1, 2))
    flattest = 1e-12 * np.eye(3)
    solved = np.linalg.solve(covariances[known] + flattest, offsets[known][..., None])[..., 0]
    return (offsets[known] * solved).sum(-1)


def _flat(values: ArrayLike, outcomes: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    p, y = np.asarray(values, np.float64).ravel(), np.asarray(outcomes, np.float64).ravel()
    if p.shape != y.shape:
        raise ValueError(f"{p.size} probabilities but {y.size} outcomes")
    known = np.isfinite(p)
    return p[known], y[known]
