"""Precision, recall and F1 of labels, from a confusion matrix or from counts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.evaluation.metrics.results import Result

NONE = "none"
"""The class of an ordered pair that nothing is said about, in 4D-OR's and MM-OR's evaluation."""


@dataclass(frozen=True)
class ClassScore(Result):
    """Scores of one class. Precision is 0 where it was never predicted (scikit-learn's zero_division=0)."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


def class_score(name: str, hit: int, false: int, missed: int) -> ClassScore:
    """From counts of true positives, false positives and false negatives."""
    return ClassScore(
        name,
        hit / (hit + false) if hit + false else 0.0,
        hit / (hit + missed) if hit + missed else 0.0,
        2 * hit / (2 * hit + false + missed) if hit + false + missed else 0.0,
        int(hit + missed),
    )


def macro_f1(scores: Iterable[ClassScore], without: str | None = None, supported_only: bool = True) -> float:
    """Mean F1 over the classes, NaN when there are none.

    `supported_only` leaves out classes that the truth never holds: MM-OR's rule. With False every class counts, also
    those at 0: the 'macro avg' of scikit-learn's classification_report over all labels, which 4D-OR published.
    """
    counted = [s.f1 for s in scores if s.name != without and (s.support > 0 or not supported_only)]
    return float(np.mean(counted)) if counted else float("nan")


class Confusion:
    """Counts of (true class, predicted class) over named classes; unknown predicted names count as `none`."""

    def __init__(self, names: Sequence[str]) -> None:
        if len(set(names)) != len(names):
            raise ValueError(f"class names must differ, got {list(names)}")
        self.names = tuple(names)
        self.counts: NDArray[np.int64] = np.zeros((len(names), len(names)), dtype=np.int64)
        self._index = {name: i for i, name in enumerate(names)}

    def add(self, true: str, predicted: str) -> None:
        """Count one labelled thing. An unknown true name is an error, an unknown predicted one becomes `none`."""
        fallback = self._index.get(NONE)
        self.counts[self._index[true], self._index.get(predicted, fallback)] += 1

    def scores(self) -> tuple[ClassScore, ...]:
        """One score per class, in the order of the names."""
        hits, said, wanted = np.diag(self.counts), self.counts.sum(axis=0), self.counts.sum(axis=1)
        return tuple(
            class_score(name, int(h), int(p - h), int(t - h))
            for name, h, p, t in zip(self.names, hits, said, wanted, strict=True)
        )
