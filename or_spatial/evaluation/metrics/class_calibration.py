"""Stated probability against frequency of one class, and the mean over the classes that can be judged."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from or_spatial.evaluation.metrics.calibration import (
    auroc,
    brier,
    ece_by_chance,
    expected_calibration_error,
    reliability,
)
from or_spatial.evaluation.metrics.results import Result

ABOVE = 0.05
BINS, PER_BIN = 15, 50
_LEAST, _LEAST_TRUE = 100, 10


@dataclass(frozen=True)
class ClassCalibration(Result):
    """One predicate or rule. `said` probabilities are above 0.05, `true` of them hold, in a share of `frequency`;
    `unsaid_true` holds with 0.05 or less. `counts`: enough of both for its ECE to be more than chance."""

    said: int
    true: int
    unsaid_true: int
    probability: float
    frequency: float
    ece: float
    ece_by_chance: float
    brier: float
    auroc: float
    counts: bool
    reliability: list[tuple[float, float, int]]


def class_calibration(p: NDArray[np.float64], true: NDArray[np.bool_]) -> ClassCalibration:
    """All figures of one class: probabilities (n,), NaN where nothing was said, and whether it holds (n,)."""
    known = np.isfinite(p)
    p, true = p[known], true[known]
    told = p > ABOVE
    said, holds = p[told], true[told]
    bins = int(np.clip(len(said) // PER_BIN, 1, BINS))
    return ClassCalibration(
        said=len(said),
        true=int(holds.sum()),
        unsaid_true=int(true[~told].sum()),
        probability=_mean(said),
        frequency=_mean(holds),
        ece=expected_calibration_error(said, holds, bins),
        ece_by_chance=ece_by_chance(said, bins),
        brier=brier(said, holds),
        auroc=auroc(p, true),
        counts=len(said) >= _LEAST and _LEAST_TRUE <= holds.sum() <= len(said) - _LEAST_TRUE,
        reliability=reliability(said, holds, bins),
    )


def _mean(values: ArrayLike) -> float:
    return float(np.mean(values)) if np.size(values) else float("nan")


def means(family: str, classes: dict[str, ClassCalibration]) -> dict[str, Any]:
    """`FAMILY_ece`, `_brier`, `_auroc`: means over the classes that count, NaN where none does; the worst ECE, what
    chance alone gives, and the classes that are left out."""
    counted = [c for c in classes.values() if c.counts]
    found = {f"{family}_{name}": _mean([getattr(c, name) for c in counted]) for name in ("ece", "brier", "auroc")}
    return found | {
        f"{family}_worst_ece": max((c.ece for c in counted), default=float("nan")),
        f"{family}_ece_by_chance": _mean([c.ece_by_chance for c in counted]),
        f"{family}_too_few": [name for name, c in classes.items() if not c.counts],
    }
