"""How a camera hangs in its room, as the network reads it: the levelled viewer and the height above the floor."""

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.transforms import levelled_viewer

# A camera of unknown mount is taken as level: x right, y forward (optical z), z up (against optical y).
_LEVEL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def mounting(room_from_camera: NDArray[np.float64] | None) -> tuple[NDArray[np.float32], float]:
    """`viewer_from_camera` (3, 3), optical frame to levelled viewer, and the height in m; 0.0 m when unknown."""
    if room_from_camera is None:
        return _LEVEL.astype(np.float32), 0.0
    viewer_from_room = levelled_viewer(room_from_camera)
    viewer_from_camera = viewer_from_room @ np.asarray(room_from_camera)[:3, :3]
    return viewer_from_camera.astype(np.float32), max(float(room_from_camera[2][3]), 0.0)


def viewer_yaw(yaw_rad: float, viewer_from_room: NDArray[np.float64]) -> float:
    """A room yaw as seen in the levelled viewer, rad."""
    axis = viewer_from_room @ (np.cos(yaw_rad), np.sin(yaw_rad), 0.0)
    return float(np.arctan2(axis[1], axis[0]))


def room_yaw(yaw_rad: float, viewer_from_room: NDArray[np.float64]) -> float:
    """A yaw of the levelled viewer as a room yaw, rad; undoes `viewer_yaw`."""
    axis = viewer_from_room.T @ (np.cos(yaw_rad), np.sin(yaw_rad), 0.0)
    return float(np.arctan2(axis[1], axis[0]))
