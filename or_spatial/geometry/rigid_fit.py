"""The rigid motion that best carries one set of points onto another, with its covariance; outliers by consensus.

Convention
    target_from_source   (4, 4); target ~ target_from_source @ source
    covariance           (6, 6) of a small motion (turn rad, shift m), turn about the centroid of the target points:
                         p + turn x (p - centroid) + shift. Turn and shift are then nearly uncorrelated
    about_z              the motion keeps z upright: yaw and shift only (4 degrees of freedom)
    Worked out           source (1, 0, 0) and target (0, 1, 0) about the origin, about_z: yaw = pi/2

Source: Umeyama, IEEE PAMI 13(4), 1991 (with known scale 1); Fischler and Bolles, CACM 24(6), 1981 (RANSAC).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from or_spatial.errors import GeometryError
from or_spatial.geometry.transforms import apply, pose_matrix, rotation_from_yaw

Array = NDArray[np.float64]

_FLAT = 1e-9  # m2: points on one line leave the turn about it open


@dataclass(frozen=True)
class RigidFit:
    """A motion with what speaks for it: `rms_m` over the inliers, `inliers` (N,) bool, `covariance` (6, 6)."""

    target_from_source: Array
    rms_m: float
    inliers: NDArray[np.bool_]
    covariance: Array

    @property
    def turn_sigma_rad(self) -> float:
        """Standard deviation of the turn, root of the summed variances."""
        return float(np.sqrt(np.trace(self.covariance[:3, :3])))


def fit_rigid(source: ArrayLike, target: ArrayLike, weights: ArrayLike | None = None, about_z: bool = False) -> Array:
    """`target_from_source` (4, 4) that minimises the weighted squared distances of points (N, 3), m; scale is 1.

    Raises:
        GeometryError: shapes that differ, weights that are no weights, or points that leave the turn open: fewer than
            three, or all on one line (about_z: fewer than two, or all on one upright line).
    """
    a, b, w = _checked(source, target, weights, 2 if about_z else 3)
    w = w / w.sum()
    middle_a, middle_b = w @ a, w @ b
    a, b = a - middle_a, b - middle_b
    if about_z:
        across, along = (w * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])).sum(), (w * (a[:, :2] * b[:, :2]).sum(1)).sum()
        if np.hypot(across, along) < _FLAT:
            raise GeometryError("the points lie on one upright line: their turn about it cannot be told")
        R = rotation_from_yaw(float(np.arctan2(across, along)))
    else:
        U, spread, Vt = np.linalg.svd((w[:, None] * b).T @ a)
        if spread[1] < _FLAT:
            raise GeometryError("the points lie on one line: the turn about it cannot be told")
        R = U @ np.diag([1.0, 1.0, np.sign(np.linalg.det(U) * np.linalg.det(Vt))]) @ Vt
    return pose_matrix(R, middle_b - R @ middle_a)


def fit_rigid_robustly(
    source: ArrayLike,
    target: ArrayLike,
    within_m: float,
    rng: np.random.Generator,
    weights: ArrayLike | None = None,
    about_z: bool = False,
    rounds: int = 300,
) -> RigidFit:
    """The motion that most weight agrees with to `within_m`, fitted to all that agrees (RANSAC, then refits).

    `rng` draws the samples: the same generator state gives the same answer.

    Raises:
        GeometryError: as `fit_rigid`, or no sample of points gives a motion that more points agree with.
    """
    a, b, w = _checked(source, target, weights, 2 if about_z else 3)
    size, best, support = (2 if about_z else 3), None, 0.0
    for _ in range(rounds):
        chosen = rng.choice(len(a), size, replace=False)
        try:
            T = fit_rigid(a[chosen], b[chosen], w[chosen], about_z)
        except GeometryError:
            continue
        near = np.linalg.norm(apply(T, a) - b, axis=1) <= within_m
        if near.sum() > size and w[near].sum() > support:
            best, support = near, float(w[near].sum())
    if best is None:
        raise GeometryError(f"no motion brings more than {size} of {len(a)} points within {within_m} m of each other")
    for _ in range(10):
        T = fit_rigid(a[best], b[best], w[best], about_z)
        near = np.linalg.norm(apply(T, a) - b, axis=1) <= within_m
        if (near == best).all() or near.sum() <= size:
            break
        best = near
    return _described(T, a, b, w, best, about_z)


def _described(T: Array, a: Array, b: Array, w: Array, near: NDArray[np.bool_], about_z: bool) -> RigidFit:
    """Residuals of the inliers say how well points are known, and so how well the motion is (linearised)."""
    left = b[near] - apply(T, a[near])
    share = w[near] / w[near].mean()
    freedom = max(3 * len(left) - (4 if about_z else 6), 1)
    variance = float((share[:, None] * left**2).sum()) / freedom
    lever = b[near] - np.average(b[near], axis=0, weights=share)
    J = np.concatenate([-skew(lever), np.broadcast_to(np.eye(3), (len(lever), 3, 3))], axis=2)
    information = np.einsum("n,nki,nkj->ij", share, J, J)
    free = [2, 3, 4, 5] if about_z else list(range(6))
    covariance = np.zeros((6, 6))
    covariance[np.ix_(free, free)] = variance * np.linalg.pinv(information[np.ix_(free, free)])
    return RigidFit(T, float(np.sqrt((left**2).sum(1).mean())), near, covariance)


def skew(v: Array) -> Array:
    """(..., 3, 3) with skew(v) @ u = v x u."""
    out = np.zeros((*v.shape, 3))
    out[..., 0, 1], out[..., 0, 2] = -v[..., 2], v[..., 1]
    out[..., 1, 0], out[..., 1, 2] = v[..., 2], -v[..., 0]
    out[..., 2, 0], out[..., 2, 1] = -v[..., 1], v[..., 0]
    return out


def _checked(source: ArrayLike, target: ArrayLike, weights: ArrayLike | None, least: int) -> tuple[Array, Array, Array]:
    a, b = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if a.ndim != 2 or a.shape[1:] != (3,) or a.shape != b.shape:
        raise GeometryError(f"expected two sets of points (N, 3) of the same length, got {a.shape} and {b.shape}")
    if len(a) < least:
        raise GeometryError(f"a rigid motion needs {least} points or more, got {len(a)}")
    w = np.ones(len(a)) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (len(a),) or not np.isfinite(w).all() or (w < 0).any() or not w.sum() > 0:
        raise GeometryError("weights are one finite number of 0 or more per point, not all of them 0")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise GeometryError("points with NaN or infinity cannot be fitted; leave them out")
    return a, b, w
