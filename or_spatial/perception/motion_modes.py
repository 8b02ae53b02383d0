"""Standing or moving: two Kalman filters per track that share what they know (interacting multiple models).

Staff stand most of the time, and a filter quick enough to follow somebody who starts to walk takes the noise of a
standing person for steps. Two modes solve it: `rest` hardly lets the velocity change, `move` lets it; how well each
explains the measurements says which it is. People who stand get a velocity near zero, walkers their own.

Convention: T tracks, M = 2 modes in the order (rest, move); means (T, M, 6), covariances (T, M, 6, 6), weights (T, M).

Source: Blom and Bar-Shalom, IEEE Transactions on Automatic Control 33(8), 1988; Bar-Shalom, Li, Kirubarajan 2001, 11.6.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.perception import kalman

Array = NDArray[np.float64]

_MODES = 2
_REST_MEMORY_S = 0.3  # chosen: who comes to rest has stopped within half a second
_REST_SPEED_M_S = 0.05  # chosen: swaying


@dataclass(frozen=True)
class Driving:
    """How T tracks move, per track: white acceleration at rest and moving (T, 3), speed that it starts with (T, 3),
    memory of the velocity moving (T,), and how long each mode usually lasts (T,), s."""

    rest_m_s2: Array
    move_m_s2: Array
    start_m_s: Array
    memory_s: Array
    rests_s: Array
    moves_s: Array


@dataclass(frozen=True)
class Modes:
    """The states of T tracks in both modes; see Convention."""

    means: Array
    covariances: Array
    weights: Array

    @classmethod
    def stack(cls, rows: list["Modes"]) -> "Modes":
        """Many single tracks (each without the leading T) as one."""
        if not rows:
            return cls(np.zeros((0, _MODES, 6)), np.zeros((0, _MODES, 6, 6)), np.zeros((0, _MODES)))
        parts = [r.means for r in rows], [r.covariances for r in rows], [r.weights for r in rows]
        return cls(*(np.array(part) for part in parts))

    @classmethod
    def born(cls, center: Array, covariance: Array) -> "Modes":
        """One new track (no leading T) at `center` (3,) with `covariance` (3, 3): at rest or walking, nobody knows."""
        means = np.zeros((_MODES, 6))
        means[:, :3] = center
        P = np.zeros((_MODES, 6, 6))
        P[:, :3, :3] = covariance
        P[0, 3:, 3:] = np.diag([0.01, 0.01, 0.01])
        P[1, 3:, 3:] = np.diag([0.6, 0.6, 0.05])  # a walk of 0.8 m/s in any direction
        return cls(means, P, np.array([0.6, 0.4]))

    def __getitem__(self, which: object) -> "Modes":
        return Modes(self.means[which], self.covariances[which], self.weights[which])

    def combined(self) -> tuple[Array, Array]:
        """Mean (T, 6) and covariance (T, 6, 6) of the mixture."""
        return _moments(self.means, self.covariances, self.weights)


def _moments(means: Array, covariances: Array, weights: Array) -> tuple[Array, Array]:
    mean = (weights[..., None, :] @ means)[..., 0, :]
    apart = means - mean[..., None, :]
    spread = covariances + apart[..., :, None] * apart[..., None, :]
    return mean, (weights[..., None, None] * spread).sum(-3)


def predict(modes: Modes, dt_s: float, driving: Driving) -> Modes:
    """Carry all tracks dt_s ahead: first some change their mode, then each mode moves by its own law.

    Whoever starts has a walking speed at once, in any direction; whoever stops has none: without these two jumps a
    start would be taken for a slow acceleration, and noticed a second later.
    """
    if dt_s <= 0.0 or len(modes.weights) == 0:
        return modes
    joint = modes.weights[:, :, None] * _switching(dt_s, driving)  # (T, from, to)
    weights = joint.sum(1)
    shares = joint / np.maximum(weights, 1e-12)[:, None, :]
    rest = _moments(*_stopping(modes), shares[:, :, 0])
    move = _moments(*_starting(modes, driving), shares[:, :, 1])
    means, covariances = (np.concatenate(both) for both in zip(rest, move, strict=True))
    driven = np.concatenate([driving.rest_m_s2, driving.move_m_s2])
    memory_s = np.concatenate([np.full(len(weights), _REST_MEMORY_S), driving.memory_s])
    means, covariances = kalman.predict(means, covariances, dt_s, driven, memory_s)
    shape = (_MODES, len(weights))
    return Modes(
        means.reshape(*shape, 6).transpose(1, 0, 2), covariances.reshape(*shape, 6, 6).transpose(1, 0, 2, 3), weights
    )


def _stopping(modes: Modes) -> tuple[Array, Array]:
    """Both modes as they enter `rest`: the mover loses its velocity."""
    means, covariances = modes.means.copy(), modes.covariances.copy()
    means[:, 1, 3:] = 0.0
    covariances[:, 1, 3:, :] = covariances[:, 1, :, 3:] = 0.0
    covariances[:, 1, 3:, 3:] = _REST_SPEED_M_S**2 * np.eye(3)
    return means, covariances


def _starting(modes: Modes, driving: Driving) -> tuple[Array, Array]:
    """Both modes as they enter `move`: the one at rest may get any velocity of its starting speed."""
    covariances = modes.covariances.copy()
    i = np.arange(3, 6)
    covariances[:, 0, i, i] += driving.start_m_s**2
    return modes.means, covariances


def _switching(dt_s: float, driving: Driving) -> Array:
    """(T, from, to) probabilities of a two-state Markov process after dt_s, exact for any dt_s."""
    leave, stop = 1.0 / driving.rests_s, 1.0 / driving.moves_s
    gone = 1.0 - np.exp(-(leave + stop) * dt_s)
    starts, stops = leave / (leave + stop) * gone, stop / (leave + stop) * gone
    return np.stack([np.stack([1.0 - starts, starts], -1), np.stack([stops, 1.0 - stops], -1)], 1)


def update(modes: Modes, measured: Array, noise: Array) -> Modes:
    """Correct T tracks by one position each, `measured` (T, 3) with `noise` (T, 3, 3), and re-weigh the modes."""
    tracks = len(modes.weights)
    if tracks == 0:
        return modes
    flat = modes.means.reshape(-1, 6), modes.covariances.reshape(-1, 6, 6)
    means, covariances, fit = kalman.update(*flat, np.repeat(measured, _MODES, 0), np.repeat(noise, _MODES, 0))
    shape = (tracks, _MODES)
    fit = fit.reshape(shape)
    weights = modes.weights * np.exp(fit - fit.max(1, keepdims=True))
    weights = np.maximum(weights / weights.sum(1, keepdims=True), 1e-3)
    weights /= weights.sum(1, keepdims=True)
    return Modes(means.reshape(*shape, 6), covariances.reshape(*shape, 6, 6), weights)


def misfit(modes: Modes, measured: Array, noise: Array) -> Array:
    """(T, D): -2 ln likelihood, but for a constant, of D positions under each of T tracks, over both modes.

    `measured` (T, D, 3) and `noise` (T, D, 3, 3) may differ from track to track.
    """
    S = modes.covariances[:, None, :, :3, :3] + noise[:, :, None]
    precision, determinant = kalman.invert(S)
    surprise = kalman.quadratic(measured[:, :, None] - modes.means[:, None, :, :3], precision)
    fit = -0.5 * (surprise + np.log(determinant)) + np.log(modes.weights)[:, None]
    best = fit.max(-1)
    return -2.0 * (best + np.log(np.exp(fit - best[..., None]).sum(-1)))
