"""One rendered frame with everything that is true of it: what training and evaluation read."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.camera import Camera
from or_spatial.scene.graph import SceneGraph


@dataclass(frozen=True)
class ObjectView:
    """How much of one object a camera sees. `occlusion` is 1 - visible / (visible if alone, clipped to the image)."""

    object_id: str
    visible_px: int
    occlusion: float
    box_xyxy: tuple[float, float, float, float]


@dataclass(frozen=True)
class FrameSample:
    """`image` (H, W, 3) uint8 RGB; `depth_m` (H, W) float32 along optical z, NaN where nothing; `instances` (H, W)
    int16 index into `views`, -1 for scenery. `graph` is the truth in the room frame, every ordered pair, with the
    viewer's predicates meant for this camera; it holds the objects of `views` only. `alerts` are the rule ids active.
    """

    split: str
    seed: int
    time_s: float
    procedure: str
    phase: str
    camera_name: str
    camera: Camera
    room_from_camera: NDArray[np.float64]
    image: NDArray[np.uint8]
    depth_m: NDArray[np.float32]
    instances: NDArray[np.int16]
    views: tuple[ObjectView, ...]
    graph: SceneGraph
    roles: dict[str, str]
    alerts: tuple[str, ...] = ()
