"""A camera of which only boxes come: what a person detector elsewhere saw in its image, instead of the image itself.

One topic per camera, or one topic for several whose messages say which camera they are of. A message becomes a frame
without pixels that brings its boxes along; stamps, CameraInfo and poses are treated as those of images are.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile

from or_spatial.errors import ConfigError
from or_spatial.msg import ObservedBox2DArray
from or_spatial.nodes import qos
from or_spatial.nodes.camera_input import CameraInput
from or_spatial.nodes.extrinsics import PoseSource
from or_spatial.perception.perceiver import Frame

_COMPLAINS_FOR_S = 10.0  # chosen: a stray message is told in a few diagnostics, not for ever
_UNKNOWN_SCORE = 0.5  # NaN means unknown; a detector that gives no scores is believed as one that is half sure


@dataclass(frozen=True)
class BoxedFrame(Frame):
    """A frame that brings boxes (B, 4), xmin, ymin, xmax, ymax, px, and their scores (B,) in [0, 1].

    `image` is black and only has the right size: nobody may look at it.
    """

    boxes: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))
    scores: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


@dataclass
class BoxInput(CameraInput):
    """Turns the boxes of one camera into frames; `labels` are those that mean a person, `warn` says what is wrong."""

    labels: tuple[str, ...] = ("person",)
    warn: Callable[[str], None] = print
    bad_boxes: int = 0
    noun: ClassVar[str] = "boxes"

    def frame_of(self, message: ObservedBox2DArray, stamp_ns: int, poses: PoseSource) -> BoxedFrame:
        """The frame of a message; boxes that cannot be used are left out, counted, and the first of them is named."""
        boxes, scores, faults = usable_boxes(message, self.labels)
        if faults:
            self.bad_boxes += len(faults)
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            self.last_error = f"{faults[0]}{more}; left out"
            self.warn(f"{self.name}: {self.last_error}")
        width, height = self._size(message)
        frame_id = message.header.frame_id or f"{self.name}_optical_frame"
        return BoxedFrame(
            name=self.name,
            stamp_ns=stamp_ns,
            image=np.broadcast_to(np.uint8(0), (height, width, 3)),
            camera=self._calibrated(width, height),
            room_from_camera=poses.pose(self.name, frame_id, stamp_ns),
            frame_id=frame_id,
            boxes=boxes,
            scores=scores,
        )

    def counts(self) -> dict[str, object]:
        """As of a camera with images."""
        return {"received": self.received, "bad_boxes": self.bad_boxes}

    def _size(self, message: ObservedBox2DArray) -> tuple[int, int]:
        """Of the image that the boxes refer to; a detector that does not say means the calibrated size."""
        if message.width and message.height or self._info is None:
            return message.width, message.height
        return self._info.width, self._info.height


def usable_boxes(
    message: ObservedBox2DArray, labels: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    """Boxes (B, 4), scores (B,) of the people in a message, and in words what is wrong with the boxes left out.

    A box without a label is taken for a person's; boxes of other things are left out, which is no fault.
    """
    mine = [box for box in message.boxes if not box.label or box.label in labels]
    boxes = np.array([[b.xmin, b.ymin, b.xmax, b.ymax] for b in mine], dtype=np.float64).reshape(-1, 4)
    scores = np.array([b.score for b in mine], dtype=np.float64)
    scores[np.isnan(scores)] = _UNKNOWN_SCORE
    finite = np.isfinite(boxes).all(axis=1)
    area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    likely = (scores >= 0.0) & (scores <= 1.0)
    good = finite & area & likely
    faults = [_fault(boxes[i], scores[i], finite[i], area[i]) for i in np.flatnonzero(~good)]
    return boxes[good], scores[good], faults


def _fault(box: NDArray[np.float64], score: float, finite: bool, area: bool) -> str:
    edges = ", ".join(f"{v:g}" for v in box)
    if not finite:
        return f"box ({edges}) has an edge that is no number"
    if not area:
        return f"box ({edges}) has no area; expected xmin < xmax and ymin < ymax"
    return f"box ({edges}) has score {score:g}; expected a probability in [0, 1], NaN for unknown"


def topics_of(cameras: Sequence[str], topics: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Each topic of boxes with the cameras that may speak on it.

    No topics: `<camera>/boxes` of each camera. One topic: all cameras. Else one per camera in the order of `cameras`.

    Raises:
        ConfigError: another number of topics.
    """
    given = [topic for topic in topics if topic] or [f"{camera}/boxes" for camera in cameras]
    if len(given) == 1:
        given *= len(cameras)
    if len(given) != len(cameras):
        raise ConfigError(
            f"parameter 'boxes_topics' names {len(given)} topics for {len(cameras)} cameras; "
            "expected one per camera in the order of 'cameras', or one for all"
        )
    found: dict[str, tuple[str, ...]] = {}
    for camera, topic in zip(cameras, given, strict=True):
        found[topic] = (*found.get(topic, ()), camera)
    return found


def speaker(said: str, topic: str, cameras: Sequence[str]) -> str:
    """The camera of a message that says `said` on a topic of these cameras; alone, a camera need not be named.

    Raises:
        ConfigError: another camera, or none where there are several; names the topic and the cameras that it has.
    """
    known = {camera.strip("/"): camera for camera in cameras}
    if not said and len(cameras) == 1:
        return cameras[0]
    if said.strip("/") in known:
        return known[said.strip("/")]
    what = f"of unknown camera {said!r}" if said else "that do not say their camera"
    raise ConfigError(f"boxes {what} on topic {topic!r} refused; its cameras are {', '.join(cameras)}")


class BoxTopics:
    """The subscriptions to boxes. A message goes to its camera's input; one of an unknown camera is refused by name."""

    def __init__(self, node: Node, inputs: Mapping[str, CameraInput], topics: Mapping[str, tuple[str, ...]]) -> None:
        self._node, self._inputs, self.topics = node, inputs, topics
        self._subscriptions: list[Any] = []
        self.refused = 0
        self._last_refusal = ""
        self._refused_s = 0.0

    @property
    def complaint(self) -> str:
        """The last refusal in words while it is news, else empty."""
        return self._last_refusal if time.monotonic() - self._refused_s < _COMPLAINS_FOR_S else ""

    def subscribe(self, profile: QoSProfile, offer: Callable[..., None]) -> None:
        """Begin to listen; `offer` is called as `CameraInput.subscribe` says."""
        for camera in self._inputs.values():
            camera.subscribe_info(self._node, profile)
        for topic in self.topics:
            self._subscriptions.append(
                self._node.create_subscription(
                    ObservedBox2DArray,
                    topic,
                    lambda message, topic=topic: self._take(message, topic, offer),
                    profile,
                    qos_overriding_options=qos.overridable(),
                )
            )

    def unsubscribe(self) -> None:
        """Stop listening to boxes; the inputs end what they listen to themselves."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def topic_of(self, camera: str) -> str:
        """The topic on which this camera's boxes are expected."""
        return next(topic for topic, cameras in self.topics.items() if camera in cameras)

    def _take(self, message: ObservedBox2DArray, topic: str, offer: Callable[..., None]) -> None:
        try:
            name = speaker(message.camera, topic, self.topics[topic])
        except ConfigError as error:
            self.refused += 1
            self._last_refusal, self._refused_s = str(error), time.monotonic()
            self._node.get_logger().warning(str(error), throttle_duration_sec=5.0)
            return
        self._inputs[name].arrived(message, self._node, offer)
