"""What a detector of people saw in one image: boxes, scores, and the camera that took it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import GeometryError
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import invert
from or_spatial.perception.fusion import boxes_iou

Array = NDArray[np.float64]

_LEAST_PX = 2.0  # narrower or flatter boxes are damage, not people
_SAME_IOU = 0.6  # chosen: two boxes that overlap this much in one image show one person


@dataclass(frozen=True, eq=False)
class BoxView:
    """Boxes of people in one calibrated camera's image.

    `boxes` (B, 4): xmin, ymin, xmax, ymax, px of the full-size image; `scores` (B,) in [0, 1];
    `room_from_camera` (4, 4) m, room z up with the floor at z = 0.

    Raises:
        GeometryError: shapes that do not belong together, or a pose that is none.
    """

    name: str
    camera: Camera
    room_from_camera: Array
    boxes: Array
    scores: Array

    def __post_init__(self) -> None:
        boxes = np.asarray(self.boxes, dtype=np.float64).reshape(-1, 4)
        scores = np.asarray(self.scores, dtype=np.float64).ravel()
        pose = np.asarray(self.room_from_camera, dtype=np.float64)
        if len(boxes) != len(scores):
            raise GeometryError(f"camera {self.name}: {len(boxes)} boxes with {len(scores)} scores; one each expected")
        if pose.shape != (4, 4) or not np.isfinite(pose).all():
            raise GeometryError(f"camera {self.name}: its pose must be a finite (4, 4), got shape {pose.shape}")
        for name, value in (("boxes", boxes), ("scores", scores), ("room_from_camera", pose)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.boxes)

    @cached_property
    def camera_from_room(self) -> Array:
        """(4, 4), m."""
        return invert(self.room_from_camera)

    def usable(self, least_score: float, most: int) -> NDArray[np.int64]:
        """Places of the boxes worth a thought, surest first: finite, of some size, not a double, `most` at most."""
        width, height = self.boxes[:, 2] - self.boxes[:, 0], self.boxes[:, 3] - self.boxes[:, 1]
        good = np.isfinite(self.boxes).all(1) & (self.scores >= least_score)
        good &= (width >= _LEAST_PX) & (height >= _LEAST_PX) & self._overlaps_image()
        order = np.flatnonzero(good)
        order = order[np.argsort(-self.scores[order], kind="stable")]
        overlap = boxes_iou(self.boxes[order]) > _SAME_IOU
        keep: list[int] = []
        for i in range(len(order)):
            if not overlap[i, keep].any():
                keep.append(i)
        return order[keep[:most]]

    def take(self, places: NDArray[np.int64]) -> "BoxView":
        """The same view with these boxes alone, in this order."""
        return BoxView(self.name, self.camera, self.room_from_camera, self.boxes[places], self.scores[places])

    def _overlaps_image(self) -> NDArray[np.bool_]:
        far = np.array([self.camera.width, self.camera.height]) - 0.5
        with np.errstate(invalid="ignore"):
            return (self.boxes[:, 2:] > -0.5).all(1) & (self.boxes[:, :2] < far).all(1)
