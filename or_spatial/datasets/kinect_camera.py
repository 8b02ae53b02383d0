"""Cameras as 4D-OR and MM-OR store them (`camera01.json` ...): Azure Kinects with a depth and a colour sensor.

Convention
    root `value0`; matrices are stored by COLUMN then row: m10 is column 1, row 0
    `camera_pose`             depth sensor in the world of the recording, m; axes x right, y UP, z BACKWARD
    `color2depth_transform`   colour sensor in the depth sensor's frame
    distortion                radial m00..m50 = k1..k6, tangential m00, m10 = p1, p2 (the rational model)
    The colour sensor's optical frame (x right, y down, z forward) is that pose turned by 180 degrees about x.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from or_spatial.datasets.annotation_files import parse_one, read_json
from or_spatial.errors import GeometryError
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import pose_matrix, rotation_from_quaternion_xyzw

Z_UP_FROM_Y_UP: NDArray[np.float64] = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
"""Turn by 90 degrees about x: MM-OR's world has y up, a room of ours z."""

_OPTICAL_FROM_SENSOR = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True, eq=False)
class KinectCamera:
    """The colour camera and its pose, `room_from_camera` (4, 4), m, optical frame."""

    camera: Camera
    room_from_camera: NDArray[np.float64]


def read_camera(path: str | Path, room_from_world: NDArray[np.float64] | None = None) -> KinectCamera:
    """Read one camera file; `room_from_world` (4, 4) levels the world of the recording, identity when None.

    Do not trust the shipped extrinsics blindly: arXiv 2603.00560 found views that disagree by far.

    Raises:
        DatasetError: the file is missing, damaged or of another kind.
    """
    data = read_json(path)
    leveled = np.eye(4) if room_from_world is None else np.asarray(room_from_world, dtype=np.float64)
    return parse_one(path, "camera", data, lambda root: _camera(root["value0"], leveled))


def _camera(value: dict[str, Any], room_from_world: NDArray) -> KinectCamera:
    world_from_sensor = _pose(value["camera_pose"]) @ _pose(value["color2depth_transform"])
    try:
        camera = _intrinsics(value["color_parameters"])
    except GeometryError as error:
        raise ValueError(str(error)) from error
    return KinectCamera(camera, room_from_world @ world_from_sensor @ _OPTICAL_FROM_SENSOR)


def _intrinsics(parameters: dict[str, Any]) -> Camera:
    # The files call the focal lengths `fov_x`, `fov_y`; they are in px.
    K = np.array([[parameters["fov_x"], 0, parameters["c_x"]], [0, parameters["fov_y"], parameters["c_y"]], [0, 0, 1]])
    k1, k2, k3, k4, k5, k6 = (parameters["radial_distortion"][f"m{i}0"] for i in range(6))
    p1, p2 = (parameters["tangential_distortion"][f"m{i}0"] for i in range(2))
    return Camera(K, int(parameters["width"]), int(parameters["height"]), (k1, k2, p1, p2, k3, k4, k5, k6))


def _pose(value: dict[str, Any]) -> NDArray[np.float64]:
    q, t = value["rotation"], value["translation"]
    rotation = rotation_from_quaternion_xyzw([q[axis] for axis in "xyzw"])
    return pose_matrix(rotation, [t["m00"], t["m10"], t["m20"]])
