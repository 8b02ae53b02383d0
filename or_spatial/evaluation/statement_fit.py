"""Fits how log-odds that decide are to be stated so that probabilities agree with frequencies (`Statements`)."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from or_spatial.perception.statements import between

KNOTS = (-4.0, -3.0, -2.2, -1.5, -0.8, 0.0, 0.8, 1.6, 2.6, 4.0)
"""Denser about 0; silence, stated as 0.1 to a tracker, has one of its own."""
_RANGE = 6.0  # of stated log-odds
_PULL = 0.5  # towards no change, at each knot: as if somebody had seen a little there


def fit_statement(odds: NDArray[np.float64], true: NDArray[np.bool_]) -> tuple[float, ...]:
    """The rising log-odds at KNOTS that are likeliest given deciding log-odds (n,) and what holds (n,)."""
    hats = _hats(odds)
    sign = np.where(true, -1.0, 1.0)
    start = np.array(KNOTS)

    def loss(steps: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        values = np.cumsum(steps)
        z = sign * (hats @ values)
        slope = hats.T @ (sign * expit(z)) + 2 * _PULL * (values - start)
        return float(np.logaddexp(0.0, z).sum() + _PULL * ((values - start) ** 2).sum()), np.cumsum(slope[::-1])[::-1]

    first = np.diff(start, prepend=0.0)
    bounds = [(-_RANGE, _RANGE)] + [(0.0, None)] * (len(start) - 1)
    found = np.cumsum(minimize(loss, first, jac=True, bounds=bounds, method="L-BFGS-B").x)
    return tuple(float(value) for value in np.round(np.clip(found, -_RANGE, _RANGE), 3))


def _hats(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, K) weights of the knots, so that weights @ values interpolates."""
    low, share = between(KNOTS, odds)
    hats = np.zeros((len(odds), len(KNOTS)))
    rows = np.arange(len(odds))
    hats[rows, low], hats[rows, low + 1] = 1 - share, share
    return hats
