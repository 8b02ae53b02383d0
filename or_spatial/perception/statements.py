"""From the log-odds that decide what holds to the probability that is stated.

What serves macro F1 best is decided at log-odds 0, by biases fitted for that; a rare predicate that is decided there
holds less often than not. What a graph lists is one thing, how likely it is another: this is the way between them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import ConfigError


@dataclass(frozen=True)
class Statements:
    """By predicate the stated log-odds at the `knots` (rising, of those that decide), straight lines between them and
    level beyond; a predicate (`Family.key`) that is not named is stated as it is decided.

    Raises:
        ConfigError: a table that has another length than `knots`, or that falls somewhere; names the predicate.
    """

    knots: tuple[float, ...] = (-4.0, 4.0)
    odds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.knots) < 2 or not (np.diff(self.knots) > 0).all():
            raise ConfigError(f"relation statements: knots must rise, got {self.knots}")
        for name, row in self.odds.items():
            if len(row) != len(self.knots) or not (np.diff(row) >= 0).all():
                raise ConfigError(f"relation statements: {name} needs {len(self.knots)} log-odds that never fall")

    def table(self, names: Sequence[str]) -> NDArray[np.float64] | None:
        """(P, K) stated log-odds of these predicates at the knots; None when all are stated as they are decided."""
        if not self.odds.keys() & set(names):
            return None
        return np.array([self.odds.get(name, self.knots) for name in names])

    def stated(self, odds: NDArray[np.float64], table: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Log-odds (..., P) to state for those that decide, NaN where those are; `table` is that of the P names."""
        if table is None:
            return odds
        low, share = between(self.knots, np.nan_to_num(odds))
        predicate = np.arange(len(table))
        values = (1 - share) * table[predicate, low] + share * table[predicate, low + 1]
        return np.where(np.isnan(odds), np.nan, values)


def between(knots: Sequence[float], odds: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The knot below each of some log-odds, and how far on they are to the next one, 0 to 1; level beyond the ends."""
    at = np.asarray(knots)
    low = np.clip(np.searchsorted(at, odds, side="right") - 1, 0, len(at) - 2)
    return low, np.clip((odds - at[low]) / np.diff(at)[low], 0.0, 1.0)
