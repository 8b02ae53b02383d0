"""One camera as the perception node hears it: image and CameraInfo subscriptions, and what became of its frames."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any, ClassVar

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from or_spatial.errors import GeometryError, ImageError
from or_spatial.geometry.camera import Camera
from or_spatial.nodes import qos
from or_spatial.nodes.extrinsics import PoseSource
from or_spatial.nodes.images import (
    camera_from_info,
    rgb_from_compressed,
    rgb_from_image,
)
from or_spatial.nodes.stamps import StampGuard, Verdict
from or_spatial.perception.perceiver import Frame

_NO_PIXELS = np.zeros((0, 0, 3), np.uint8)


@dataclass
class CameraInput:
    """Takes images of one camera, refuses those whose stamps are wrong, and turns the others into frames.

    The callback only looks at the stamp; `frame_of` does the work and is called by the worker thread.
    """

    name: str
    guard: StampGuard
    received: int = 0
    bad_images: int = 0
    last_error: str = ""
    calibration_error: str = "no CameraInfo yet"
    last_arrival_s: float = field(default_factory=time.monotonic)
    noun: ClassVar[str] = "image"
    _intervals_s: deque[float] = field(default_factory=lambda: deque(maxlen=10))
    _info: CameraInfo | None = None
    _camera: Camera | None = None
    _subscriptions: list[Any] = field(default_factory=list)

    def subscribe(
        self,
        node: Node,
        transport: str,
        profile: QoSProfile,
        offer: Callable[["CameraInput", Any, int, Verdict], None],
    ) -> None:
        """Begin to listen; `offer(self, message, stamp_ns, verdict)` is called for each image whose stamp is good."""
        kind, topic = image_topic(self.name, transport)
        self.subscribe_info(node, profile)
        self._subscriptions.append(
            node.create_subscription(
                kind,
                topic,
                lambda message: self.arrived(message, node, offer),
                profile,
                qos_overriding_options=qos.overridable(),
            )
        )

    def subscribe_info(self, node: Node, profile: QoSProfile) -> None:
        """Listen to CameraInfo alone, where something else subscribes to the images."""
        self._subscriptions.append(
            node.create_subscription(CameraInfo, f"{self.name}/camera_info", self._take_info, profile)
        )

    def unsubscribe(self, node: Node) -> None:
        """Stop listening."""
        for subscription in self._subscriptions:
            node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def arrived(self, message: Any, node: Node, offer: Callable[..., None]) -> None:
        """Judge an image's stamp and hand it on; never looks at the pixels."""
        self.received += 1
        now_s = time.monotonic()
        self._intervals_s.append(now_s - self.last_arrival_s)
        self.last_arrival_s = now_s
        stamp_ns = Time.from_msg(message.header.stamp).nanoseconds
        now_ns = node.get_clock().now().nanoseconds
        verdict = self.guard.judge(stamp_ns, now_ns, node.value("future_tolerance_s"))
        if verdict.usable:
            offer(self, message, stamp_ns, verdict)
            return
        self.last_error = refusal(verdict, stamp_ns, now_ns, self.noun)
        node.get_logger().warning(f"{self.name}: {self.last_error}", throttle_duration_sec=5.0)

    def frame_of(self, message: Any, stamp_ns: int, poses: PoseSource) -> Frame:
        """The frame of an image message. An image that cannot be read has no pixels: its camera is then BAD_IMAGE."""
        try:
            image = (rgb_from_compressed if isinstance(message, CompressedImage) else rgb_from_image)(message)
        except ImageError as error:
            self.bad_images += 1
            self.last_error, image = str(error), _NO_PIXELS
        frame_id = message.header.frame_id or f"{self.name}_optical_frame"
        return Frame(
            name=self.name,
            stamp_ns=stamp_ns,
            image=image,
            camera=self._calibrated(image.shape[1], image.shape[0]) if image.size else None,
            room_from_camera=poses.pose(self.name, frame_id, stamp_ns),
            frame_id=frame_id,
        )

    def counts(self) -> dict[str, object]:
        """What came and what could not be used, for diagnostics."""
        return {"received": self.received, "bad_images": self.bad_images}

    @property
    def usual_interval_s(self) -> float:
        """Median of the last intervals between images, 0 before the second one."""
        return median(list(self._intervals_s)[1:] or [0.0])

    def silent_s(self) -> float:
        """Seconds since the last image came, by this machine's steady clock."""
        return time.monotonic() - self.last_arrival_s

    def _take_info(self, info: CameraInfo) -> None:
        same = self._info is not None and (self._info.k == info.k).all() and list(self._info.d) == list(info.d)
        if not same or (self._info.width, self._info.height) != (info.width, info.height):
            self._info, self._camera = info, None

    def _calibrated(self, width: int, height: int) -> Camera | None:
        if self._camera is not None and (self._camera.width, self._camera.height) == (width, height):
            return self._camera
        if self._info is None:
            self._camera, self.calibration_error = None, f"no CameraInfo has come on {self.name}/camera_info"
            return None
        try:
            self._camera, self.calibration_error = camera_from_info(self._info, width, height), ""
        except GeometryError as error:
            self._camera, self.calibration_error = None, str(error)
        return self._camera


def image_topic(camera: str, transport: str) -> tuple[type, str]:
    """Message type and topic of a camera's images: transport `raw` or `compressed`."""
    if transport == "compressed":
        return CompressedImage, f"{camera}/image_raw/compressed"
    return Image, f"{camera}/image_raw"


def refusal(verdict: Verdict, stamp_ns: int, now_ns: int, noun: str = "image") -> str:
    """Why an image (or what comes in its place) was refused, in words with the likely cause."""
    ahead_s = (stamp_ns - now_ns) * 1e-9
    return {
        Verdict.FUTURE: f"{noun} stamped {ahead_s:.3f} s ahead of this node's clock refused; do the clocks agree?",
        Verdict.OUT_OF_ORDER: f"{noun} stamped {stamp_ns * 1e-9:.3f} s refused: a newer one has come before it",
        Verdict.UNSTAMPED: f"{noun} without a stamp refused; the driver must set header.stamp to the acquisition time",
    }[verdict]
