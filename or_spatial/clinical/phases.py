"""The phase of an operation from the cues of the room, forwards in time only.

A hidden semi-Markov filter. The phases come in order; each lasts about as long as it did (log-normal, `spread`),
begins with its opening event (the first cut, the table that rolls) and has its own mix of acts and attendance. After
each second the filter holds the probability of every (phase, age) given all seconds so far, and none that follow.

Sources: Rabiner 1989 (forward algorithm), Yu 2010 (explicit durations).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.clinical.chains import Channel

_SKIP = 1e-3  # chosen: a phase may be left out, but rarely
_FIRST = 0.9  # chosen: a reader is mostly started before the operation, else anywhere in it


@dataclass(frozen=True)
class PhaseModel:
    """`names` in order of time, P of them; `length`: (P,), in steps, how long each lasts.

    `channels` are those of the room within a phase; `opening`: for each, (P, values), its values at the first step.
    `leave_below`: the probability below which a reader leaves the phase that it has announced.
    """

    names: tuple[str, ...]
    length: NDArray[np.float64]
    spread: float
    channels: tuple[Channel, ...]
    opening: tuple[NDArray[np.float64], ...]
    leave_below: float = 0.25

    def end_rates(self) -> NDArray[np.float64]:
        """(P, ages), probability that a phase ends after a step of this age; the last phase never does."""
        ages = np.arange(int(3 * self.length.max()) + 2) + 0.5
        normal = (np.log(ages)[None] - np.log(self.length)[:, None]) / (self.spread * math.sqrt(2.0))
        alive = np.maximum(0.5 * (1.0 - np.vectorize(math.erf)(normal)), 1e-12)
        rates = np.clip(1.0 - alive[:, 1:] / alive[:, :-1], 0.0, 0.5)
        rates[-1] = 0.0
        return rates


class PhaseFilter:
    """Feed it one set of room cues per step; `probabilities` (P,) are the reading."""

    def __init__(self, model: PhaseModel) -> None:
        self.model = model
        self._ends = model.end_rates()
        self._belief = np.zeros_like(self._ends)  # (P, ages)
        self._belief[1:] = (1.0 - _FIRST) / max(1, len(model.names) - 1) * self._ages(model.length)[1:]
        self._belief[0, 0] = _FIRST
        self._before: tuple[int, ...] | None = None
        self.log_evidence = 0.0
        """Log probability of all cues so far: operations of several kinds are weighed by it."""

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """(P,), of each phase now."""
        return self._belief.sum(axis=1)

    def step(self, room: tuple[int, ...]) -> NDArray[np.float64]:
        """Take in the cues of the next step; returns `probabilities`."""
        if self._before is None:
            self._belief *= self._product(c.begin(v) for c, v in zip(self.model.channels, room, strict=True))[:, None]
        else:
            self._belief = self._moved_on()
            steps = zip(self.model.channels, self._before, room, strict=True)
            self._belief[:, 1:] *= self._product(c.go_on(b, v) for c, b, v in steps)[:, None]
            openings = zip(self.model.channels, self.model.opening, self._before, room, strict=True)
            self._belief[:, 0] *= self._product(
                c.go_on(b, v) if c.steady and b == v else table[:, v] for c, table, b, v in openings
            )
        seen = self._belief.sum()
        self.log_evidence += math.log(seen)
        self._belief /= seen
        self._before = room
        return self.probabilities

    def pass_time(self, steps: int) -> None:
        """Let phases grow older, or end, over steps of which nothing was seen."""
        for _ in range(min(steps, self._ends.shape[1])):
            self._belief = self._moved_on()

    def _ages(self, length: NDArray[np.float64]) -> NDArray[np.float64]:
        """(P, ages), of whoever comes in somewhere within a phase: any age up to its usual length."""
        within = np.arange(self._ends.shape[1])[None] < np.maximum(length, 1.0)[:, None]
        return within / within.sum(axis=1, keepdims=True)

    @staticmethod
    def _product(factors) -> NDArray[np.float64]:
        return np.prod(list(factors), axis=0)

    def _moved_on(self) -> NDArray[np.float64]:
        ending = self._belief * self._ends
        moved = np.zeros_like(self._belief)
        moved[:, 1:] = (self._belief - ending)[:, :-1]
        moved[:, -1] += (self._belief - ending)[:, -1]
        begun = ending.sum(axis=1)
        moved[1:, 0] += begun[:-1]
        if len(begun) > 2:
            moved[1:-1, 0] -= _SKIP * begun[:-2]
            moved[2:, 0] += _SKIP * begun[:-2]
        return moved
