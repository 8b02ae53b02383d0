"""Putting asset parts where they belong: on the floor, in a hand."""

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.transforms import pose_matrix, rotation_from_yaw
from or_spatial.world.meshing import sphere
from or_spatial.world.parts import Material, Part
from or_spatial.world.timeline import Pose2


def moved_parts(parts: tuple[Part, ...], pose: Pose2) -> tuple[Part, ...]:
    """Parts of an own frame placed at a pose of the room."""
    matrix = pose_matrix(rotation_from_yaw(pose.yaw), (pose.x, pose.y, pose.z))
    return tuple(p.moved(matrix) for p in parts)


def held_pose(joints: dict[str, NDArray[np.float64]], hand: str, yaw: float) -> NDArray[np.float64]:
    """`room_from_tool` of a tool in a hand: its x axis goes on from the forearm, tipped down."""
    tip = joints[f"{hand}_hand"]
    ahead = tip - joints[f"{hand}_elbow"]
    ahead = ahead / (np.linalg.norm(ahead) + 1e-9)
    ahead = ahead + np.array([0.0, 0.0, -0.35])
    ahead /= np.linalg.norm(ahead)
    side = np.cross((0.0, 0.0, 1.0), ahead)
    if np.linalg.norm(side) < 1e-3:
        side = np.array([-np.sin(yaw), np.cos(yaw), 0.0])
    side /= np.linalg.norm(side)
    return pose_matrix(np.column_stack([ahead, side, np.cross(ahead, side)]), tip)


def exposure_lamp(top_m: float) -> tuple[Part, ...]:
    """The yellow lamp on the column that C-arms show while they expose."""
    vertices, faces = sphere((0.05, 0.05, 0.07), (-0.12, 0.0, top_m + 0.05))
    amber = Material((1.0, 0.72, 0.08), 0.4, emission=2.5)
    return (Part(vertices, faces, amber, "exposure lamp"),)
