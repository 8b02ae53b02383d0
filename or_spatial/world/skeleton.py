"""Where the joints of a posed person are: proportions after Drillis and Contini, arms and legs by two-bone IK.

Body frame: x forward, y to the person's left, z towards the head; origin at the pelvis. A lying person rests on the
back: the body's x turns up, the feet point along the yaw direction and the head the other way.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.world.meshing import rotation

Vector = NDArray[np.float64]

UPPER_ARM, FOREARM_AND_GRIP = 0.186, 0.146 + 0.055
THIGH, SHANK, ANKLE = 0.245, 0.246, 0.039
HIP_HEIGHT, SEAT_HEIGHT_M = 0.53, 0.50
SHOULDER, NECK, HEAD = 0.266, 0.325, 0.400  # along the spine from the pelvis


@dataclass(frozen=True)
class Skeleton:
    """Joints in the body frame, m: `left` and `right` map hip, knee, ankle, shoulder, elbow, wrist, hand. `torso` and
    `head_rotation` are (3, 3) rotations body_from_part; `room_from_body` (4, 4).
    """

    room_from_body: NDArray[np.float64]
    torso: NDArray[np.float64]
    head_rotation: NDArray[np.float64]
    head: Vector
    neck: Vector
    chest: Vector
    left: dict[str, Vector]
    right: dict[str, Vector]

    def side(self, name: str) -> dict[str, Vector]:
        """Joints of "left" or "right"."""
        return self.left if name == "left" else self.right

    def in_room(self, point: Vector) -> Vector:
        """A body-frame point (..., 3) in the room."""
        return point @ self.room_from_body[:3, :3].T + self.room_from_body[:3, 3]


def two_bones(root: Vector, target: Vector, first: float, second: float, pole: Vector) -> tuple[Vector, Vector]:
    """Middle and end of a two-bone chain that reaches for `target`; the middle bends towards `pole` (a direction).

    A target out of reach is approached as far as 99.5 % of the stretched chain; the law of cosines does the rest.
    """
    ahead = target - root
    distance = np.linalg.norm(ahead)
    ahead = ahead / distance if distance > 1e-6 else np.array([1.0, 0, 0])
    reach = float(np.clip(distance, abs(first - second) + 0.02, 0.995 * (first + second)))
    along = (first**2 - second**2 + reach**2) / (2 * reach)
    out = pole - ahead * (pole @ ahead)
    length = np.linalg.norm(out)
    out = out / length if length > 1e-6 else np.array([0.0, 0, -1])
    middle = root + along * ahead + np.sqrt(max(first**2 - along**2, 0)) * out
    return middle, root + reach * ahead


def spine_point(s: float, lean: float) -> Vector:
    """Point (3,) at length `s` up the spine: it bends forward evenly, a little more towards the top."""
    angle = lean * min(1.0, 0.75 + 0.35 * s)
    return s * np.array([np.sin(angle), 0, np.cos(angle)])


def solve(height: float, pose: "object", resting: tuple[Vector, Vector]) -> Skeleton:
    """Joints of a person of `height` m in a `BodyPose`; `resting`: hands without target (torso frame, / height)."""
    lying = pose.lying
    lean = float(pose.lean_rad)
    legs, drop = _legs(height, pose)
    room_from_body = _root(height, pose, drop)
    torso = rotation(pitch=lean)
    neck = spine_point(NECK, lean) * height
    head_rotation = torso @ rotation(yaw=pose.head_yaw_rad, pitch=pose.head_pitch_rad)
    head = neck + head_rotation @ np.array([0.012, 0, HEAD - NECK]) * height
    inverse = np.linalg.inv(room_from_body)
    for k, side in enumerate(("left", "right")):
        sign = 1 - 2 * k
        target = pose.left_hand if side == "left" else pose.right_hand
        if target is None:
            target = torso @ (resting[k] * height) if not lying else np.array([-0.015, sign * 0.136, -0.113]) * height
        else:
            target = inverse[:3, :3] @ np.asarray(target, float) + inverse[:3, 3]
        shoulder = spine_point(SHOULDER, lean) * height + np.array([0, sign * 0.104 * height, 0])
        shoulder = shoulder + 0.03 * height * _pulled(target - shoulder)
        pole = torso @ np.array([-0.5, sign * 0.75, -0.8])
        if lying:
            pole = np.array([0.8, 0.5 * sign, 0.0])
        elbow, hand = two_bones(shoulder, target, UPPER_ARM * height, FOREARM_AND_GRIP * height, pole)
        legs[side] |= {"shoulder": shoulder, "elbow": elbow, "hand": hand, "wrist": _wrist(elbow, hand, height)}
    chest = spine_point(0.2, lean) * height
    return Skeleton(room_from_body, torso, head_rotation, head, neck, chest, legs["left"], legs["right"])


def _wrist(elbow: Vector, hand: Vector, height: float) -> Vector:
    ahead = hand - elbow
    return hand - 0.055 * height * ahead / max(np.linalg.norm(ahead), 1e-9)


def _pulled(reach: Vector) -> Vector:
    """Shoulders follow a far hand a little."""
    return reach / max(np.linalg.norm(reach), 1e-6) * 0.6


def _root(height: float, pose: "object", drop: float) -> NDArray[np.float64]:
    T = np.eye(4)
    T[:3, 3] = np.asarray(pose.position, float)
    if pose.lying:
        T[:3, :3] = rotation(yaw=pose.yaw_rad) @ np.array([[0, 0, -1.0], [0, 1, 0], [1, 0, 0]])
        T[2, 3] += 0.072 * height
    else:
        T[:3, :3] = rotation(yaw=pose.yaw_rad)
        T[2, 3] += SEAT_HEIGHT_M + 0.055 * height if pose.seated else HIP_HEIGHT * height - drop
    return T


def _legs(height: float, pose: "object") -> tuple[dict[str, dict[str, Vector]], float]:
    """Hip, knee and ankle of both legs in the body frame, and how far the pelvis sinks below standing, m."""
    if pose.lying:
        return {"left": _lying_leg(height, 1, 0.0), "right": _lying_leg(height, -1, pose.knee_flexion_rad)}, 0.0
    if pose.seated:
        floor = -(SEAT_HEIGHT_M + 0.055 * height)
        return {s: _leg(height, k, 0.27 * height, 0.0, floor) for s, k in (("left", 1), ("right", -1))}, 0.0
    swing = 0.13 * height * np.sin(pose.stride)
    flexion = float(pose.knee_flexion_rad)
    span = height * np.sqrt(THIGH**2 + SHANK**2 + 2 * THIGH * SHANK * np.cos(flexion))
    limit = (THIGH + SHANK) * height
    drop = limit - min(span, np.sqrt(max(0.01, (0.992 * limit) ** 2 - swing**2)))
    floor = -(HIP_HEIGHT * height - drop)
    lift = [0.06 * max(0.0, k * np.cos(pose.stride)) if pose.stride else 0.0 for k in (1, -1)]
    legs = {
        "left": _leg(height, 1, swing, lift[0], floor),
        "right": _leg(height, -1, -swing, lift[1], floor),
    }
    return legs, drop


def _leg(height: float, sign: int, ahead: float, lift: float, floor: float) -> dict[str, Vector]:
    hip = np.array([0, sign * 0.05 * height, 0])
    target = np.array([ahead, sign * 0.062 * height, floor + ANKLE * height + lift])
    knee, ankle = two_bones(hip, target, THIGH * height, SHANK * height, np.array([1, 0.15 * sign, 0.1]))
    return {"hip": hip, "knee": knee, "ankle": ankle}


def _lying_leg(height: float, sign: int, flexion: float) -> dict[str, Vector]:
    hip = np.array([0, sign * 0.05 * height, 0])
    span = height * np.sqrt(THIGH**2 + SHANK**2 + 2 * THIGH * SHANK * np.cos(flexion))
    target = np.array([-0.035 * height, sign * 0.075 * height, -span])
    knee, ankle = two_bones(hip, target, THIGH * height, SHANK * height, np.array([1.0, 0.1 * sign, 0]))
    return {"hip": hip, "knee": knee, "ankle": ankle}
