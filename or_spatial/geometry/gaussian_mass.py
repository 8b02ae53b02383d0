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
    return polygon_masses((vertices, mean, covariance))[0]


def polygon_masses(*parts: tuple[NDArray, NDArray, NDArray]) -> list[NDArray[np.float64]]:
    """`polygon_mass` of several (vertices, mean, covariance) at once: for a few polygons as quick as of one of them."""
    edges = [_white_edges(*part) for part in parts]
    height, start, length = (np.concatenate([e[k].ravel() for e in edges]) for k in range(3))
    short = length < _SHORT
    if short.all():
        mass = _short_triangle(height, start, length)
    else:
        mass = np.empty_like(height)
        mass[short] = _short_triangle(height[short], start[short], length[short])
        mass[~short] = _triangle(height[~short], start[~short], length[~short])
    ends = np.cumsum([e[0].size for e in edges])[:-1]
    shares = (m.reshape(e[0].shape).sum(-1) for m, e in zip(np.split(mass, ends), edges, strict=True))
    return [np.minimum(np.maximum(share, 0.0), 1.0) for share in shares]


def _white_edges(vertices: NDArray, mean: NDArray, covariance: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Distance from the mean, place of the start along itself and length (..., V) of edges, in standard deviations."""
    sx = np.sqrt(np.maximum(covariance[..., 0, 0], _SMALLEST_VARIANCE))[..., None]  # Cholesky factor, written out
    c = covariance[..., 1, 0, None] / sx
    sy = np.sqrt(np.maximum(covariance[..., 1, 1, None] - c * c, _SMALLEST_VARIANCE))
    x = (vertices[..., 0] - mean[..., 0, None]) / sx
    y = (vertices[..., 1] - mean[..., 1, None] - c * x) / sy
    along_x = np.concatenate([x[..., 1:], x[..., :1]], axis=-1) - x
    along_y = np.concatenate([y[..., 1:], y[..., :1]], axis=-1) - y
    length = np.sqrt(along_x * along_x + along_y * along_y)
    safe = np.maximum(length, 1e-300)  # an edge without length: 0 / safe
    return (x * along_y - y * along_x) / safe, (x * along_x + y * along_y) / safe, length


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


def height_nodes(
    low: NDArray, high: NDArray, mean: NDArray, variance: NDArray, counts: tuple[int, ...]
) -> tuple[NDArray, NDArray]:
    """Heights and weights (P, K) that integrate one-dimensional Gaussians over S stretches [low, high] (P, S) each.

    `mean`, `variance` (P,); `counts` (S,) nodes of each stretch, K in all. The weights of a stretch add up to its exact
    mass; the heights are Gauss-Legendre nodes in probability, so that a function that is smooth within the stretch is
    integrated well however wide the Gaussian is.
    """
    stretch, nodes, weights = _stretches(counts)
    sigma = np.sqrt(np.maximum(variance, _SMALLEST_VARIANCE))[:, None]
    mean = mean[:, None]
    lower = ndtr((low - mean) / sigma)
    mass = np.maximum(ndtr((high - mean) / sigma) - lower, 0.0)[:, stretch]
    shares = lower[:, stretch] + mass * nodes
    heights = mean + sigma * ndtri(np.minimum(np.maximum(shares, 1e-12), 1 - 1e-12))
    return np.minimum(np.maximum(heights, low[:, stretch]), high[:, stretch]), mass * weights


@cache
def _stretches(counts: tuple[int, ...]) -> tuple[NDArray, NDArray, NDArray]:
    """Stretch, node and weight (K,) of all nodes."""
    rules = [_legendre(count) for count in counts]
    nodes, weights = (np.concatenate(part) for part in zip(*rules, strict=True))
    return np.repeat(np.arange(len(counts)), counts), nodes, weights


@cache
def _legendre(count: int) -> tuple[NDArray, NDArray]:
    """Gauss-Legendre nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * (nodes + 1), 0.5 * weights
