"""2D boxes of any person detector, from one to six calibrated cameras, become people in the room.

    views = [BoxView("ceiling", camera, room_from_camera, boxes, scores), ...]      one moment, one view per camera
    people = people_in_room(views)                                                  torso, covariance, existence
    perceptions = BoxPerceiver(boxes_for).perceive(frames)                          the same for `SceneTracker`

The geometry is in `box_placing`, the choice of boxes in `box_matching`, the numbers in `config/person_boxes.yaml`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.transforms import apply
from or_spatial.perception.box_matching import Hypotheses, match_boxes, testimony
from or_spatial.perception.box_views import BoxView
from or_spatial.perception.fusion import graph_from_camera
from or_spatial.perception.perceiver import Detection, Frame, Perception
from or_spatial.perception.person_shape import PersonShape, shipped_shape
from or_spatial.scene.objects import Box2D

Array = NDArray[np.float64]

BoxesFor = Callable[[Frame], "tuple[Array, Array] | None"]
"""Gives a frame's boxes (B, 4) px, xmin, ymin, xmax, ymax, and scores (B,); None: the detector has not answered."""

_MOST_BOXES = 24  # per camera, the surest ones


@dataclass(frozen=True, eq=False)
class RoomPerson:
    """One person: `torso_m` (3,), the middle of shoulders and hips, and `covariance_m2` (3, 3) in the room; `existence`
    that somebody is there; `boxes` by camera name, as places in that view."""

    torso_m: Array
    covariance_m2: Array
    existence: float
    boxes: dict[str, int]


def people_in_room(views: Sequence[BoxView], shape: PersonShape | None = None) -> tuple[RoomPerson, ...]:
    """The people of one moment, surest first; every usable box belongs to exactly one of them.

    Boxes with NaN, without area, outside the image or with a score below `shape.least_score` belong to nobody, and of
    two boxes that nearly coincide in one image only the surer one counts. Those who want a list of people rather than
    of possibilities take the ones with an existence of 0.5 or more.
    """
    shape = shape or shipped_shape()
    places = [view.usable(shape.least_score, _MOST_BOXES) for view in views]
    usable = [view.take(at) for view, at in zip(views, places, strict=True)]
    found = match_boxes(usable, shape)
    existence = existence_of(found, usable, shape)
    return tuple(
        RoomPerson(
            found.placed.torsos[n],
            found.placed.covariances[n],
            float(existence[n]),
            {view.name: int(at[i]) for view, at, i in zip(views, places, found.chosen[n], strict=True) if i >= 0},
        )
        for n in np.argsort(-existence, kind="stable")
    )


def existence_of(found: Hypotheses, views: Sequence[BoxView], shape: PersonShape) -> Array:
    """(N,) calibrated probabilities that there is somebody: what the boxes say, and the cameras that have none.

    How well the boxes fit together has decided already who is who; as evidence that somebody is there it adds nothing
    to these two (day 1 of MVOR), and it would speak differently of rooms with one camera and with six.
    """
    boxes, misses = testimony(found, views, shape)
    odds = shape.existence_bias + shape.existence_slope * boxes + shape.existence_per_miss * misses
    return 1.0 / (1.0 + np.exp(-odds.clip(-30.0, 30.0)))


class BoxPerceiver:
    """`Perceiver` fed by somebody else's person detector. All frames of one call count as one moment.

    A person whom several cameras show is told once, by the camera that shows them largest, with the place and doubt
    that all of them give together; so the tracker never counts the same evidence twice.
    """

    model_id = "person-boxes"

    def __init__(self, boxes_for: BoxesFor, shape: PersonShape | None = None, vocabulary: str = "or_world") -> None:
        self._boxes_for, self._shape = boxes_for, shape or shipped_shape()
        self.vocabulary = vocabulary

    def perceive(self, frames: Sequence[Frame]) -> list[Perception]:
        """One perception per frame; empty for cameras without intrinsics, a pose in the room, or boxes."""
        views = {i: view for i, frame in enumerate(frames) if (view := self._view(frame)) is not None}
        told: dict[int, list[Detection]] = {i: [] for i in range(len(frames))}
        by_name = {view.name: i for i, view in views.items()}
        for person in people_in_room(list(views.values()), self._shape):
            best = max(person.boxes, key=lambda name: _height_px(views[by_name[name]], person.boxes[name]))
            told[by_name[best]].append(detection_of(person, views[by_name[best]], self._shape))
        return [Perception(tuple(detections)) for detections in told.values()]

    def _view(self, frame: Frame) -> BoxView | None:
        pose = graph_from_camera(frame)
        seen = self._boxes_for(frame) if frame.camera is not None and pose is not None else None
        if seen is None or frame.camera is None or pose is None:
            return None
        return BoxView(frame.name, frame.camera, pose, *seen)


def detection_of(person: RoomPerson, view: BoxView, shape: PersonShape) -> Detection:
    """The person as a detection in the optical frame of a view that shows them: a box from the floor to the head."""
    top_m = float(np.clip(person.torso_m[2] + shape.top_m, 0.5, 2.2))
    center = np.array([person.torso_m[0], person.torso_m[1], 0.5 * top_m])
    halving = np.array([1.0, 1.0, 0.5])  # the middle of the box rises half as much as the torso
    R = view.camera_from_room[:3, :3]
    at = person.boxes[view.name]
    return Detection(
        label="person",
        existence=person.existence,
        center_m=apply(view.camera_from_room, center),
        covariance_m2=R @ (person.covariance_m2 * np.outer(halving, halving)) @ R.T,
        size_m=np.array([2.0 * shape.half_width_m, 2.0 * shape.half_width_m, top_m]),
        yaw_rad=0.0,
        box=Box2D(view.name, *view.boxes[at].tolist(), score=float(view.scores[at])),
    )


def _height_px(view: BoxView, box: int) -> float:
    return float(view.boxes[box, 3] - view.boxes[box, 1])
