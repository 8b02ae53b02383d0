"""The border between images and graphs: what every perceiver takes and gives.

Contract of `Perceiver.perceive(frames)`, one `Perception` per frame in the same order:

    frame.image            (H, W, 3) uint8 RGB
    frame.camera           geometry.Camera at the image's own size, or None when uncalibrated (scale is then RELATIVE)
    frame.room_from_camera (4, 4) m, optical frame (x right, y down, z forward) to room (z up), or None when unknown
    detection.center_m     (3,) m, optical frame of its camera
    relations              index into `detections` of the same perception
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.camera import Camera
from or_spatial.perception.upsampling import upsampled
from or_spatial.scene.objects import Box2D
from or_spatial.scene.relations import EvidenceSource, Family


@dataclass(frozen=True)
class Frame:
    """One image with its camera and the time at which it was taken."""

    name: str
    stamp_ns: int
    image: NDArray[np.uint8]
    camera: Camera | None = None
    room_from_camera: NDArray[np.float64] | None = None
    frame_id: str = ""


@dataclass(frozen=True)
class Detection:
    """One object as one camera sees it.

    `center_m` (3,), `covariance_m2` (3, 3) in the camera's optical frame; `size_m` full extents of the box
    (length, width, height) whose x axis is turned by `yaw_rad` about the room's z (about camera up when the pose is
    unknown). `scores` (labels,) are probabilities over the vocabulary's objects; `existence` that there is one.
    """

    label: str
    existence: float
    center_m: NDArray[np.float64]
    covariance_m2: NDArray[np.float64]
    size_m: NDArray[np.float64]
    yaw_rad: float
    box: Box2D
    sterile: float = float("nan")
    scores: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class RelationEvidence:
    """Probability of one predicate from detection `subject` to detection `object` (indices)."""

    subject: int
    object: int
    predicate: str
    family: Family
    probability: float
    source: EvidenceSource = EvidenceSource.MODEL


@dataclass(frozen=True)
class Perception:
    """All that one frame gave: `depth_m` (h, w) along optical z, `depth_camera` its pinhole, tokens for language.

    `guide` (H, W, 3) is the picture that a coarse depth was told of, as it was told: scaled, framed, straightened.
    `depth_factor` is what the floor made the perceiver multiply its depth with; NaN where no floor was asked.
    """

    detections: tuple[Detection, ...] = ()
    relations: tuple[RelationEvidence, ...] = ()
    depth_m: NDArray[np.float32] | None = None
    depth_confidence: NDArray[np.float32] | None = None
    depth_camera: Camera | None = None
    depth_factor: float = float("nan")
    guide: NDArray[np.uint8] | None = None
    tokens: NDArray[np.float16] | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)

    @cached_property
    def fine_depth_m(self) -> NDArray[np.float32] | None:
        """The depth at the size of the guide, its edges where the guide's are; as it is without one."""
        if self.depth_m is None or self.guide is None:
            return self.depth_m
        return upsampled(self.depth_m, self.guide)

    @property
    def fine_confidence(self) -> NDArray[np.float32] | None:
        """The confidence at the size of `fine_depth_m`, straight lines between its cells."""
        if self.depth_confidence is None or self.guide is None:
            return self.depth_confidence
        return cv2.resize(self.depth_confidence, self.guide.shape[1::-1], interpolation=cv2.INTER_LINEAR)

    @property
    def fine_camera(self) -> Camera | None:
        """The pinhole of `fine_depth_m`."""
        if self.depth_camera is None or self.guide is None:
            return self.depth_camera
        return self.depth_camera.scaled(self.guide.shape[1], self.guide.shape[0])


class Perceiver(Protocol):
    """Anything that turns frames into perceptions: the model, the rule baseline, a test double."""

    model_id: str
    vocabulary: str

    def perceive(self, frames: Sequence[Frame]) -> list[Perception]:
        """One perception per frame, in order; a frame that cannot be used gives an empty perception, no exception."""
        ...
