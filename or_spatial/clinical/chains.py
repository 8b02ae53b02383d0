"""Cues that stay as they are most of the time: only a change, or a beginning, is evidence.

A cue is seen every second but decided on rarely. Counting every second as a new observation makes a filter sure of
whatever lasts long, so a channel is a jump chain: it keeps its value with probability `keep`, the same for every
state, and draws another one from the state's table when it changes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Channel:
    """One channel of cues. `table`: (..., values), probability of each value per state; rows sum to one.

    A `steady` one never changed while it was fitted, as the machines of a room: that it stays is evidence of no state.
    """

    keep: float
    table: NDArray[np.float64]
    steady: bool = False

    def begin(self, value: int) -> NDArray[np.float64]:
        """(...), probability of a value in each state when nothing came before."""
        return self.table[..., value]

    def go_on(self, before: int, value: int) -> NDArray[np.float64]:
        """(...), probability of a value in each state after `before`."""
        if before == value:
            return np.full(self.table.shape[:-1], self.keep)
        return (1.0 - self.keep) * self.table[..., value] / (1.0 - self.table[..., before])


def share(counts: NDArray[np.float64], prior: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
    """(..., values) probabilities from counts and a prior that weighs as much as `strength` observations."""
    return (counts + strength * prior) / (counts.sum(axis=-1, keepdims=True) + strength)


def overall(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(values,) probabilities over all states; each value has been seen at least half a time (Jeffreys)."""
    total = counts.reshape(-1, counts.shape[-1]).sum(axis=0) + 0.5
    return total / total.sum()


def keep_rate(kept: float, changed: float) -> float:
    """Share of the seconds in which a cue stayed, never quite 0 or 1."""
    return (kept + 0.5) / (kept + changed + 1.0)
