"""Where viewing rays meet the floor."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from or_spatial.errors import GeometryError
from or_spatial.geometry.camera import Camera


def pixels_to_floor(
    pixels: ArrayLike, camera: Camera, room_from_camera: ArrayLike, height_m: float = 0.0
) -> NDArray[np.float64]:
    """Follow each pixel's viewing ray down to the floor of the room, or to a level above it.

    Args:
        pixels: (..., 2), px, as seen, distortion included; (0, 0) is the centre of the top-left pixel.
        camera: its intrinsics.
        room_from_camera: (4, 4), m. Room: z up, floor at z = 0.
        height_m: height of the level to meet, such as that of a table top.

    Returns:
        (..., 3), m, in the room; NaN where the ray never comes down that far.

    Raises:
        GeometryError: the camera does not stand above the level.

    Source: Hartley and Zisserman, Multiple View Geometry, 2nd ed., ch. 6 (back-projection to rays).
    """
    pose = np.asarray(room_from_camera, dtype=np.float64)
    eye = pose[:3, 3]
    if not eye[2] > height_m:
        raise GeometryError(f"camera at z = {eye[2]:.2f} m is not above {height_m:.2f} m; is the room frame z up?")
    rays = camera.unproject(pixels, 1.0) @ pose[:3, :3].T
    nowhere = np.full(rays.shape[:-1], np.nan)
    reach = np.divide(height_m - eye[2], rays[..., 2], out=nowhere, where=rays[..., 2] < 0.0)
    return eye + reach[..., None] * rays
