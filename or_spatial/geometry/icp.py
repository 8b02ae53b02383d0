"""Point-to-plane ICP: two point clouds of one room, seen from two places, are moved onto each other.

NumPy and SciPy's k-d tree do it; where Open3D is installed, `backend="open3d"` does the same through the same function.

Convention
    target_from_source   (4, 4); the start must be right to about `reach_m`, or the nearest point is the wrong one
    turn, shift          as in `rigid_fit`: covariance (6, 6) of (turn rad, shift m) about the matched points' centroid

Source: Chen and Medioni, Image and Vision Computing 10(3), 1992; Tukey's biweight against what only one side sees.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from or_spatial.errors import GeometryError, MissingDependency
from or_spatial.geometry.transforms import apply, pose_matrix

Array = NDArray[np.float64]

BACKENDS = ("numpy", "open3d")
_NEIGHBOURS = 16
_LEAST = 50  # matched points; six unknowns need far fewer, a trustworthy answer does not
_NARROWER, _FINEST = 0.8, 0.1  # from step to step: all surfaces have a say before some are called wrong
_STILL = 1e-7  # rad and m: smaller steps change nothing any more


@dataclass(frozen=True)
class IcpResult:
    """`overlap` in [0, 1]: share of source points with a target point within reach; `rms_m` of their distances to the
    target's planes; `covariance` (6, 6), see Convention, as if planes were as far off as `rms_m`; steps taken."""

    target_from_source: Array
    overlap: float
    rms_m: float
    covariance: Array
    steps: int


def normals_of(points: ArrayLike, neighbours: int = _NEIGHBOURS) -> Array:
    """Unit normals (N, 3) of the planes through each point's nearest neighbours, of either sign; (N, 3) points, m.

    Raises:
        GeometryError: fewer points than neighbours.
    """
    p = np.asarray(points, dtype=np.float64)
    if len(p) < neighbours:
        raise GeometryError(f"normals need at least {neighbours} points, got {len(p)}")
    _, near = cKDTree(p).query(p, k=neighbours)
    patch = p[near] - p[near].mean(axis=1, keepdims=True)
    _, vectors = np.linalg.eigh(patch.transpose(0, 2, 1) @ patch)
    return vectors[:, :, 0]


def icp(
    source: ArrayLike,
    target: ArrayLike,
    start: ArrayLike,
    reach_m: float = 0.3,
    steps: int = 60,
    backend: str = "numpy",
) -> IcpResult:
    """Move `source` (N, 3) onto `target` (M, 3), m, from `start` (4, 4), a first guess of `target_from_source`.

    Raises:
        GeometryError: clouds too small, too little within reach, or surfaces that leave a direction open (one wall).
        MissingDependency: backend open3d without Open3D.
        ValueError: an unknown backend.
    """
    a, b = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if backend not in BACKENDS:
        raise ValueError(f"backend is one of {', '.join(BACKENDS)}, got {backend!r}")
    if min(len(a), len(b)) < _LEAST:
        raise GeometryError(f"ICP needs clouds of at least {_LEAST} points, got {len(a)} and {len(b)}")
    normals, tree = normals_of(b), cKDTree(b)
    T, taken = np.array(start, dtype=np.float64), 0
    if backend == "open3d":
        T = _open3d(a, b, normals, T, reach_m, steps)
    else:
        width_m = reach_m
        for taken in range(1, steps + 1):  # noqa: B007 - told in the result
            motion = _step(*_matched(a, b, normals, tree, T, reach_m), width_m)
            T = motion @ T
            if width_m == _FINEST * reach_m and np.abs(motion - np.eye(4)).max() < _STILL:
                break
            width_m = max(_NARROWER * width_m, _FINEST * reach_m)
    return _described(a, b, normals, tree, T, reach_m, taken)


def _matched(
    a: Array, b: Array, normals: Array, tree: cKDTree, T: Array, reach_m: float
) -> tuple[Array, Array, Array]:
    """Moved source points, their nearest target points and those points' normals, (K, 3) each."""
    moved = apply(T, a)
    distance, at = tree.query(moved, distance_upper_bound=reach_m)
    near = np.isfinite(distance)
    if near.sum() < _LEAST:
        raise GeometryError(
            f"{int(near.sum())} of {len(a)} points lie within {reach_m} m of the other cloud; at least {_LEAST} must: "
            "the first guess is too far off, or the two see different things"
        )
    return moved[near], b[at[near]], normals[at[near]]


def _step(p: Array, q: Array, n: Array, width_m: float) -> Array:
    """One Gauss-Newton step, as a (4, 4) motion; points farther from their plane than `width_m` have no say."""
    J, r = _linearised(p, q, n)
    width_m = max(width_m, 3.0 * 1.4826 * float(np.median(np.abs(r))))  # noise wider than that must not starve it
    w = (1.0 - np.minimum(np.abs(r) / width_m, 1.0) ** 2) ** 2  # Tukey
    A = (w[:, None] * J).T @ J
    if np.linalg.eigvalsh(A)[0] < 1e-4 * len(p):
        raise GeometryError("the shared surfaces leave a direction open (a single plane?); show the cameras more")
    x = np.linalg.solve(A, -(w * r) @ J)
    middle = p.mean(0)
    R = Rotation.from_rotvec(x[:3]).as_matrix()
    return pose_matrix(R, middle + x[3:] - R @ middle)


def _linearised(p: Array, q: Array, n: Array) -> tuple[Array, Array]:
    """Jacobian (K, 6) by (turn about the centroid, shift) and distances (K,) to the target's planes."""
    lever = p - p.mean(0)
    return np.concatenate([np.cross(lever, n), n], axis=1), ((p - q) * n).sum(1)


def _described(
    a: Array, b: Array, normals: Array, tree: cKDTree, T: Array, reach_m: float, taken: int
) -> IcpResult:
    p, q, n = _matched(a, b, normals, tree, T, reach_m)
    J, r = _linearised(p, q, n)
    rms_m = float(np.sqrt((r**2).mean()))
    return IcpResult(T, len(p) / len(a), rms_m, rms_m**2 * np.linalg.pinv(J.T @ J), taken)


def _open3d(a: Array, b: Array, normals: Array, start: Array, reach_m: float, steps: int) -> Array:
    try:
        import open3d
    except ImportError as error:
        raise MissingDependency(
            f"Open3D is not installed, or lacks a library of the system ({error}); take --icp numpy, or: "
            "pip install open3d (on Debian also: apt install libusb-1.0-0 libgl1)"
        ) from None
    registration = open3d.pipelines.registration
    clouds = []
    for points in (a, b):
        cloud = open3d.geometry.PointCloud()
        cloud.points = open3d.utility.Vector3dVector(points)
        clouds.append(cloud)
    clouds[1].normals = open3d.utility.Vector3dVector(normals)
    method = registration.TransformationEstimationPointToPlane(registration.TukeyLoss(k=0.5 * reach_m))
    until = registration.ICPConvergenceCriteria(max_iteration=steps)
    return np.array(registration.registration_icp(*clouds, reach_m, start, method, until).transformation)
