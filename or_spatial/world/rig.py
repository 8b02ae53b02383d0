"""Room cameras and light of one clip: where cameras hang, what they see of the table, how the room is lit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import look_at
from or_spatial.world.script import Script
from or_spatial.world.sensor import Sensor, random_sensor
from or_spatial.world.splits import split_plan, stream

CAMERAS = 4


@dataclass(frozen=True)
class RoomCamera:
    """One camera of the rig: `name`, pose, horizontal field of view (rad) and electronics."""

    name: str
    room_from_camera: NDArray[np.float64]
    horizontal_fov_rad: float
    sensor: Sensor

    def at(self, width: int, height: int) -> Camera:
        """Its pinhole model at an image size."""
        return Camera.from_fov(width, height, self.horizontal_fov_rad)


def camera_rig(script: Script) -> tuple[RoomCamera, ...]:
    """Four cameras; a clip with fewer uses the first ones. Kinds and angles follow six published views (section 5.1):
    three oblique at 2.2-2.8 m, some near-vertical, some level at table height behind the team.
    """
    rig, realism = [], split_plan(script.split).realism
    for k in range(CAMERAS):
        rng = stream(script.split, script.seed, "camera", k)
        kind = str(rng.choice(["oblique", "steep", "level"], p=(0.57, 0.12, 0.31)))
        eye, target = _mount(script, kind, rng)
        fov = np.radians(rng.uniform(*realism.lens_deg))
        rig.append(RoomCamera(f"camera_{k + 1}", look_at(eye, target), float(fov), random_sensor(rng, realism)))
    return tuple(rig)


def _mount(script: Script, kind: str, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Eye and target of a camera; draws again until nothing solid is at the lens."""
    layout = script.layout
    for _ in range(80):
        x, y = layout.room_from_table(rng.uniform(-1.0, 0.7), rng.uniform(-0.5, 0.7))
        target = np.array([x, y, rng.uniform(0.7, 1.15)])
        a = rng.uniform(0, 2 * np.pi)
        if kind == "steep":
            reach, height = rng.uniform(0.25, 0.9), rng.uniform(2.3, min(2.8, layout.height_m - 0.15))
        elif kind == "level":
            reach, height = rng.uniform(1.7, 3.2), rng.uniform(0.95, 1.45)
            target[2] = height + rng.uniform(-0.15, 0.2)
        else:
            reach, height = rng.uniform(1.5, 3.4), rng.uniform(2.1, min(2.8, layout.height_m - 0.15))
        eye = np.array([x + reach * np.cos(a), y + reach * np.sin(a), height])
        if (np.abs(eye[:2]) < np.array([layout.width_m, layout.depth_m]) / 2 - 0.25).all() and _clear(script, eye):
            return eye, target
    return np.array([0.3, 0.3, 2.3]), np.array([*layout.room_from_table(-0.3, 0.0), 0.9])


def _clear(script: Script, eye: NDArray[np.float64]) -> bool:
    """Whether the lens is 0.3 m off everything as tall as it, and off where people stand."""
    for kind, place in script.layout.places.items():
        tall = kind.split("@")[0] in (
            "c_arm",
            "mako_robot",
            "anesthesia_equipment",
            "shelf_cart",
            "monitor",
            "mps_station",
        )
        if (eye[2] < 1.6 or tall) and float(place.distance(eye[:2])) < 0.35 and eye[2] < 2.2:
            return False
    lamps = np.array(script.lamp_at)
    if len(lamps) and np.linalg.norm(lamps - eye, axis=1).min() < 0.55:
        return False
    people = np.array([(s.x, s.y) for s in script.layout.spots.values()])
    return bool(eye[2] > 2.15 or np.hypot(*(people - eye[:2]).T).min() > 0.62)
