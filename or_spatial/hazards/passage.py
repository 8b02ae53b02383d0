"""Who stands in the straight passage between two things, as a probability over the posterior of all three."""

import numpy as np
from scipy.special import ndtr

from or_spatial.hazards.closeness import Bodies


def in_passage(bodies: Bodies, i: int, a: int, b: int, width_m: float, within_m: float) -> tuple[float, float]:
    """(length of the passage in m, probability that the centre of object i is in it), on the floor plan.

    The passage leads from the surface of a to that of b along the line of their centres and is `width_m` wide; a
    passage longer than `within_m` is none. Along and across are taken as independent; the line's own doubt is that of
    its ends, shared by how near i is to each.
    """
    line = bodies.centers[b, :2] - bodies.centers[a, :2]
    length = float(np.linalg.norm(line))
    if length < 1e-6:
        return 0.0, 0.0
    u = line / length
    start, end = _exit(bodies, a, u), length - _exit(bodies, b, -u)
    if end <= start:
        return 0.0, 0.0
    at = bodies.centers[i, :2] - bodies.centers[a, :2]
    along, across = float(at @ u), float(at @ (-u[1], u[0]))
    near_b = float(np.clip(along / length, 0.0, 1.0))
    doubt = bodies.covariances[:, :2, :2]
    doubt = doubt[i] + (1.0 - near_b) ** 2 * doubt[a] + near_b**2 * doubt[b]
    lengthwise, sideways = (max(float(np.sqrt(v @ doubt @ v)), 1e-6) for v in (u, np.array([-u[1], u[0]])))
    p = ndtr((end - along) / lengthwise) - ndtr((start - along) / lengthwise)
    p *= ndtr((0.5 * width_m - across) / sideways) - ndtr((-0.5 * width_m - across) / sideways)
    ends = bodies.covariances[a, :2, :2] + bodies.covariances[b, :2, :2]
    p *= ndtr((within_m - (end - start)) / max(float(np.sqrt(u @ ends @ u)), 1e-6))
    return end - start, float(p)


def _exit(bodies: Bodies, k: int, u: np.ndarray) -> float:
    """How far it is from the centre of box k to its border in direction u (2,), m."""
    c, s = np.cos(bodies.yaws[k]), np.sin(bodies.yaws[k])
    own = np.abs([c * u[0] + s * u[1], -s * u[0] + c * u[1]])
    return float((0.5 * bodies.sizes[k, :2] / np.maximum(own, 1e-9)).min())
