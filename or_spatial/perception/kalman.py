"""Position and velocity of many tracks at once: a linear Kalman filter on stacked arrays.

Convention
    state        (x, y, z, vx, vy, vz), m and m/s, in the graph's frame; T tracks are (T, 6) and (T, 6, 6)
    motion       velocity fades with time constant `memory_s` (infinite: constant velocity), driven by continuous
                 white acceleration: its integral over one second has standard deviation `acceleration_m_s2` m/s
    Worked out   v = 1 m/s, dt = 0.5 s, memory infinite: the mean moves 0.5 m and keeps its velocity

Source: Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking and Navigation, 2001, ch. 5 (filter),
6.2 (continuous white acceleration), 8.2 (exponentially correlated motion).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def predict(means: Array, covariances: Array, dt_s: float, acceleration_m_s2: Array, memory_s: Array) -> tuple:
    """Carry T tracks dt_s into the future; `acceleration_m_s2` (T, 3), `memory_s` (T,). Returns (means, covariances).

    dt_s = 0 returns the input unchanged.
    """
    if dt_s <= 0.0 or len(means) == 0:
        return means, covariances
    F = transition(dt_s, memory_s)
    means = np.einsum("tij,tj->ti", F, means)
    covariances = F @ covariances @ F.transpose(0, 2, 1) + process_noise(dt_s, acceleration_m_s2)
    return means, covariances


def transition(dt_s: float, memory_s: Array) -> Array:
    """(T, 6, 6): how far a fading velocity carries in dt_s."""
    fade = np.exp(-dt_s / memory_s)
    finite = np.where(np.isinf(memory_s), 1.0, memory_s)
    travel = np.where(np.isinf(memory_s), dt_s, finite * (1.0 - fade))
    F = np.zeros((len(memory_s), 6, 6))
    i = np.arange(3)
    F[:, i, i] = 1.0
    F[:, i, i + 3] = travel[:, None]
    F[:, i + 3, i + 3] = fade[:, None]
    return F


def process_noise(dt_s: float, acceleration_m_s2: Array) -> Array:
    """(T, 6, 6) of continuous white acceleration: after one second the velocity is uncertain by `acceleration_m_s2`.

    Its growth over a second does not depend on the frame rate.
    """
    density = acceleration_m_s2**2
    Q = np.zeros((len(density), 6, 6))
    i = np.arange(3)
    Q[:, i, i] = density * dt_s**3 / 3.0
    Q[:, i, i + 3] = Q[:, i + 3, i] = density * dt_s**2 / 2.0
    Q[:, i + 3, i + 3] = density * dt_s
    return Q


def update(means: Array, covariances: Array, measured: Array, noise: Array) -> tuple:
    """Correct T tracks by one position each: `measured` (T, 3), `noise` (T, 3, 3). Returns (means, covariances).

    Joseph's form: the covariance stays symmetric and positive however often it is applied.
    """
    if len(means) == 0:
        return means, covariances
    S = covariances[:, :3, :3] + noise
    gain = np.linalg.solve(S, covariances[:, :3, :]).transpose(0, 2, 1)
    means = means + np.einsum("tij,tj->ti", gain, measured - means[:, :3])
    keep = np.broadcast_to(np.eye(6), covariances.shape).copy()
    keep[:, :, :3] -= gain
    covariances = keep @ covariances @ keep.transpose(0, 2, 1) + gain @ noise @ gain.transpose(0, 2, 1)
    return means, covariances


def mahalanobis_squared(differences: Array, covariances: Array) -> Array:
    """d^T C^-1 d for differences (..., 3) and covariances (..., 3, 3)."""
    return np.einsum("...i,...i->...", differences, np.linalg.solve(covariances, differences[..., None])[..., 0])
