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

# Places in a flattened 3 x 3 matrix whose products give the entries of its adjugate: [0] x [1] - [2] x [3].
_ADJUGATE = np.array(
    [
        [4, 2, 1, 5, 0, 2, 3, 1, 0],
        [8, 7, 5, 6, 8, 3, 7, 6, 4],
        [5, 1, 2, 3, 2, 0, 4, 0, 1],
        [7, 8, 4, 8, 6, 5, 6, 7, 3],
    ]
)


def predict(means: Array, covariances: Array, dt_s: float, acceleration_m_s2: Array, memory_s: Array) -> tuple:
    """Carry T tracks dt_s into the future; `acceleration_m_s2` (T, 3), `memory_s` (T,). Returns (means, covariances).

    dt_s = 0 returns the input unchanged.
    """
    if dt_s <= 0.0 or len(means) == 0:
        return means, covariances
    F = transition(dt_s, memory_s)
    means = (F @ means[..., None])[..., 0]
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
    """Correct T tracks by one position each: `measured` (T, 3), `noise` (T, 3, 3), its variances well above 0.

    Returns (means, covariances, log-likelihoods (T,) of what was measured, up to a constant). What is subtracted from
    a covariance is the square of one matrix, so it stays symmetric; it stays positive as long as it does not exceed
    the noise by a factor of 1e12.
    """
    if len(means) == 0:
        return means, covariances, np.zeros(0)
    across = covariances[:, :3]
    precision, determinant = invert(across[:, :, :3] + noise)
    weighted = precision @ across  # the gain, transposed
    left = measured - means[:, :3]
    likelihood = -0.5 * (quadratic(left, precision) + np.log(determinant))
    means = means + (left[:, None] @ weighted)[:, 0]
    covariances = covariances - across.transpose(0, 2, 1) @ weighted
    return means, 0.5 * (covariances + covariances.transpose(0, 2, 1)), likelihood


def invert(matrices: Array) -> tuple[Array, Array]:
    """Inverses (..., 3, 3) and determinants (...) of 3 x 3 matrices: for a room's worth quicker than LAPACK."""
    flat = matrices.reshape(*matrices.shape[:-2], 9)
    products = flat[..., _ADJUGATE]
    adjugate = products[..., 0, :] * products[..., 1, :] - products[..., 2, :] * products[..., 3, :]
    determinant = (flat[..., :3] * adjugate[..., ::3]).sum(-1)
    return (adjugate / determinant[..., None]).reshape(matrices.shape), determinant


def mahalanobis_squared(differences: Array, covariances: Array) -> Array:
    """d^T C^-1 d for differences (..., 3) and covariances (..., 3, 3)."""
    return quadratic(differences, invert(covariances)[0])


def quadratic(differences: Array, precisions: Array) -> Array:
    """d^T A d for differences (..., 3) and matrices (..., 3, 3)."""
    return ((precisions @ differences[..., None])[..., 0] * differences).sum(-1)
