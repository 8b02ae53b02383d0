"""What the room will be about next, from what it was about last and the phase: a Markov chain over changes of act."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.clinical.cues import ACTS

NOTHING = ACTS.index("none")


@dataclass(frozen=True)
class NextActModel:
    """`table`: (P, acts, acts), probability of the next act by phase and by the last one (none: nothing yet)."""

    table: NDArray[np.float64]

    def after(self, last: int, phases: NDArray[np.float64]) -> NDArray[np.float64]:
        """(acts,), of each act to come; (P,) `phases`: how likely each is now."""
        return np.einsum("p,pa->a", phases, self.table[:, last])


def acts_before_and_after(acts: list[int]) -> list[tuple[int, int]]:
    """(last act so far, next act that differs from it) of every step; none where there is no such act.

    Pauses and repeats do not count: after a cut, `cut none cut none saw` is on its way to the saw from the beginning.
    """
    last, found = NOTHING, []
    for act in acts:
        last = act if act != NOTHING else last
        found.append(last)
    later = following = NOTHING  # the first act after a step, and the first one after that which differs from it
    coming = [NOTHING] * len(acts)
    for n in range(len(acts) - 1, -1, -1):
        coming[n] = later if later != found[n] else following
        if acts[n] not in (NOTHING, later):
            later, following = acts[n], later
    return list(zip(found, coming, strict=True))
