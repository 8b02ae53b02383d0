"""Rigid transforms as (4, 4) matrices named `target_from_source`, rotations, quaternions, and the levelled viewer.

Convention
    points          column vectors: p_target = target_from_source @ p_source
    room            z up, metres; optical frame x right, y down, z forward
    quaternion      order x, y, z, w, unit length, w >= 0 when made here
    yaw             about room z, counter-clockwise seen from above: yaw pi/2 turns room x onto room y
    viewer          z = room up, y = away from the viewer (horizontal part of the optical axis), x = to the right
    Worked out      quaternion_xyzw_from_rotation(rotation_from_yaw(pi/2)) = (0, 0, 0.7071, 0.7071)
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from or_spatial.errors import GeometryError

_STEEP = np.sin(np.radians(5.0))  # closer than 5 degrees to vertical, the optical axis has no usable heading


def pose_matrix(R: ArrayLike, t: ArrayLike) -> NDArray[np.float64]:
    """(4, 4) transform from a rotation (3, 3) and a translation (3,), m."""
    T = np.eye(4)
    T[:3, :3] = R
    T[:3, 3] = t
    return T


def invert(T: ArrayLike) -> NDArray[np.float64]:
    """Inverse of rigid transforms (..., 4, 4): `source_from_target`."""
    T = np.asarray(T, dtype=np.float64)
    R = np.swapaxes(T[..., :3, :3], -1, -2)
    inverse = np.zeros_like(T)
    inverse[..., :3, :3] = R
    inverse[..., :3, 3] = -(R @ T[..., :3, 3:4])[..., 0]
    inverse[..., 3, 3] = 1.0
    return inverse


def apply(T: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
    """Points (..., 3) in the target frame of T (4, 4), m."""
    T = np.asarray(T, dtype=np.float64)
    return np.asarray(points, dtype=np.float64) @ T[:3, :3].T + T[:3, 3]


def rotation_from_yaw(yaw_rad: float) -> NDArray[np.float64]:
    """(3, 3) turn about room z."""
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def rotation_from_quaternion_xyzw(quaternion: ArrayLike) -> NDArray[np.float64]:
    """(3, 3) rotation of a quaternion (4,) in x, y, z, w order; any length but zero.

    Raises:
        GeometryError: a quaternion of zero or unknown length, such as ROS's default pose carries.
    """
    q = np.asarray(quaternion, dtype=np.float64)
    length = np.linalg.norm(q)
    if q.shape != (4,) or not np.isfinite(length) or length < 1e-9:
        raise GeometryError(f"a quaternion is 4 finite numbers x, y, z, w of non-zero length, got {q.tolist()}")
    x, y, z, w = q / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_xyzw_from_rotation(R: ArrayLike) -> NDArray[np.float64]:
    """Unit quaternion (4,), x, y, z, w with w >= 0, of a rotation (3, 3).

    The largest of the four components is found first, so that no turn divides by a small number (Shepperd 1978).
    """
    R = np.asarray(R, dtype=np.float64)
    squares = 1 + np.array([R[0, 0] - R[1, 1] - R[2, 2], R[1, 1] - R[0, 0] - R[2, 2], R[2, 2] - R[0, 0] - R[1, 1]])
    trace = 1 + np.trace(R)
    i = int(np.argmax(squares))
    if trace >= squares[i]:
        q = np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1], trace])
    else:
        j, k = (i + 1) % 3, (i + 2) % 3
        q = np.empty(4)
        q[i], q[j], q[k] = squares[i], R[j, i] + R[i, j], R[k, i] + R[i, k]
        q[3] = R[k, j] - R[j, k]
    q /= np.linalg.norm(q)
    return -q if q[3] < 0 else q


def look_at(eye: ArrayLike, target: ArrayLike) -> NDArray[np.float64]:
    """`room_from_camera` (4, 4) of an upright camera at `eye` (3,) whose optical axis passes through `target` (3,), m.

    Looking straight down or up, the top of the image points to room +y.

    Raises:
        GeometryError: eye and target coincide.
    """
    eye, target = np.asarray(eye, dtype=np.float64), np.asarray(target, dtype=np.float64)
    forward = target - eye
    length = np.linalg.norm(forward)
    if not length > 1e-9:
        raise GeometryError(f"a camera cannot look at its own place: eye {eye.tolist()}, target {target.tolist()}")
    forward /= length
    right = np.cross(forward, (0.0, 0.0, 1.0))
    if np.linalg.norm(right) < 1e-6:
        right = np.cross(forward, (0.0, 1.0, 0.0))
    right /= np.linalg.norm(right)
    return pose_matrix(np.column_stack([right, np.cross(forward, right), forward]), eye)


def levelled_viewer(room_from_camera: ArrayLike) -> NDArray[np.float64]:
    """`viewer_from_room` (3, 3): the room as somebody standing behind the camera would turn it; see Convention.

    Within 5 degrees of straight down the image's upward direction replaces the optical axis; straight up, the
    image's downward direction does: both are what the heading tends to as an upright camera is tilted there.
    """
    R = np.asarray(room_from_camera, dtype=np.float64)[:3, :3]
    ahead = R[:, 2]
    if np.hypot(ahead[0], ahead[1]) < _STEEP:
        ahead = -R[:, 1] if ahead[2] < 0 else R[:, 1]
    y = np.array([ahead[0], ahead[1], 0.0])
    length = np.linalg.norm(y)
    if not length > 1e-9:
        raise GeometryError(f"not the rotation of a camera pose: {R.tolist()}")
    y /= length
    z = np.array([0.0, 0.0, 1.0])
    return np.stack([np.cross(y, z), y, z])
