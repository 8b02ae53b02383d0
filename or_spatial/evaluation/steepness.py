"""How steeply a probability is to be stated, given on which side of one half it stands and must stay.

A bias chosen for F1 makes one half the point to decide at, and by that makes what is unlikely look likelier than it is:
of a rare predicate most of what stands at 0.3 does not hold. A factor on the log-odds below one half and another above
it give back what can be given back without a decision changing.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

_RANGE = (0.2, 4.0)
_SHRINK = 3.0  # pull to 1: as if this many pairs had been seen that say so


def steepness(odds: NDArray[np.float64], true: NDArray[np.bool_]) -> tuple[float, float]:
    """The factors below and above one half that are likeliest given log-odds (n,) and what holds (n,)."""
    below = odds < 0
    return _factor(odds[below], true[below]), _factor(odds[~below], true[~below])


def _factor(odds: NDArray[np.float64], true: NDArray[np.bool_]) -> float:
    signed = np.where(true, odds, -odds)

    def loss(log_factor: float) -> float:
        return float(np.logaddexp(0.0, -np.exp(log_factor) * signed).sum() + _SHRINK * log_factor**2)

    return float(np.exp(minimize_scalar(loss, bounds=np.log(_RANGE), method="bounded").x))
