"""How much of a Gaussian lies in a polygon (plane) or in a stretch of height: the integrals behind every relation."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, owens_t

_SMALLEST_VARIANCE = 1e-8  # m^2: 0.1 mm; certain positions are treated as this sure
_FAR = 6.5  # standard deviations: beyond, Owen's T is below 1e-11 and not worth its time
_SHORT = 2.5  # standard deviations: up to here four nodes per edge are exact to 1e-5


def polygon_mass(vertices: NDArray, mean: NDArray, covariance: NDArray) -> NDArray[np.float64]:
    """Probability (...) that a planar Gaussian falls into a simple polygon.

    Args:
        vertices: (..., V, 2), counter-clockwise.
        mean: (..., 2).
        covariance: (..., 2, 2).

    After whitening, the mass is the sum over the edges of signed triangles with the mean as apex, each of which has
    a closed form in Owen's T function (Owen, Annals of Mathematical Statistics 27, 1956).
    """
    white = _whiten(vertices - mean[..., None, :], covariance)
    edges = np.roll(white, -1, axis=-2) - white
    lengths = np.sqrt((edges * edges).sum(-1))
    safe = np.where(lengths > 0, lengths, 1.0)
    height = (white[..., 0] * edges[..., 1] - white[..., 1] * edges[..., 0]) / safe
    start = (white * edges).sum(-1) / safe
    short = lengths < _SHORT
    mass = np.empty_like(height)
    mass[short] = _short_triangle(height[short], start[short], lengths[short])
    mass[~short] = _triangle(height[~short], start[~short], lengths[~short])
    return np.clip(mass.sum(-1), 0.0, 1.0)


def _triangle(height: NDArray, start: NDArray, length: NDArray) -> NDArray:
    """Signed standard normal mass of triangles with the mean as apex and an edge at distance `height` as base."""
    tall = np.maximum(np.abs(height), 1e-12)
    return np.sign(height) * (_wedge(tall, (start + length) / tall) - _wedge(tall, start / tall))


def _wedge(height: NDArray, slope: NDArray) -> NDArray:
    """Standard normal mass between the foot of an edge at distance `height` and the ray of that slope."""
    tail = owens_t(height, slope, out=np.zeros_like(slope), where=height < _FAR)
    return np.arctan(slope) / (2 * np.pi) - tail


def _short_triangle(height: NDArray, start: NDArray, length: NDArray) -> NDArray:
    """As `_triangle`, by quadrature along the base: for short edges as exact and three times as quick."""
    nodes, weights = _legendre(4)
    q = (height * height)[:, None] + (start[:, None] + length[:, None] * nodes) ** 2 + 1e-12
    return height * length * ((-np.expm1(-0.5 * q) / q) @ weights) / (2 * np.pi)


def _whiten(points: NDArray, covariance: NDArray) -> NDArray:
    """Solve the Cholesky factor of (..., 2, 2) against points (..., V, 2)."""
    sx = np.sqrt(np.maximum(covariance[..., 0, 0], _SMALLEST_VARIANCE))
    c = covariance[..., 1, 0] / sx
    sy = np.sqrt(np.maximum(covariance[..., 1, 1] - c * c, _SMALLEST_VARIANCE))
    x = points[..., 0] / sx[..., None]
    return np.stack([x, (points[..., 1] - c[..., None] * x) / sy[..., None]], axis=-1)


def height_nodes(low: NDArray, high: NDArray, mean: NDArray, variance: NDArray, count: int) -> tuple[NDArray, NDArray]:
    """Heights and weights (P, count) that integrate a one-dimensional Gaussian over [low, high] (P,).

    The weights add up to the exact mass of the stretch; the heights are Gauss-Legendre nodes in probability, so that a
    function that is smooth within the stretch is integrated well however wide the Gaussian is.
    """
    sigma = np.sqrt(np.maximum(variance, _SMALLEST_VARIANCE))
    lower = ndtr((low - mean) / sigma)
    mass = np.maximum(ndtr((high - mean) / sigma) - lower, 0.0)
    nodes, weights = _legendre(count)
    shares = lower[:, None] + mass[:, None] * nodes
    heights = mean[:, None] + sigma[:, None] * ndtri(np.clip(shares, 1e-12, 1 - 1e-12))
    return np.clip(heights, low[:, None], high[:, None]), mass[:, None] * weights


@cache
def _legendre(count: int) -> tuple[NDArray, NDArray]:
    """Gauss-Legendre nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * (nodes + 1), 0.5 * weights
