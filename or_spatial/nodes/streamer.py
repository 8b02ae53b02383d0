"""Publishes a few pictures per camera over and over at a steady rate, stamped now: a load of any length.

The pictures are shown there and back again, so that nothing in them ever jumps. Like a Replayer, a Streamer keeps in
`published` when the images of each stamp went out; with a `Recorder` in the same process that gives the latency of
each graph.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import TransformStamped
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from or_spatial.errors import DatasetError
from or_spatial.geometry.camera import Camera
from or_spatial.nodes import qos
from or_spatial.nodes.conversions import header_to_message
from or_spatial.nodes.extrinsics import transform_from_matrix
from or_spatial.nodes.images import image_from_array, info_from_camera

_POLL_S = 0.05
_SETTLE_S = 0.5  # discovery is not symmetric: what is sent in the first moment may be lost


@dataclass(frozen=True)
class Feed:
    """One camera: its pictures (H, W, 3) uint8 RGB in order of time, its calibration for their size, its pose."""

    images: Sequence[NDArray[np.uint8]]
    camera: Camera
    room_from_camera: NDArray[np.float64]


class Streamer:
    """Raw images, calibration and pose of each camera of `feeds`, by name."""

    def __init__(self, node: Node, feeds: Mapping[str, Feed], world_frame: str = "map") -> None:
        self._node, self._feeds = node, dict(feeds)
        self._images = {n: node.create_publisher(Image, f"{n}/image_raw", qos.profile("DEFAULT")) for n in feeds}
        self._infos = {n: node.create_publisher(CameraInfo, f"{n}/camera_info", qos.profile("DEFAULT")) for n in feeds}
        self._poses = {n: self._pose(n, world_frame) for n in feeds}
        self._stop = threading.Event()
        self.published: dict[int, float] = {}

    def wait_for_listeners(self, timeout_s: float) -> None:
        """Block until somebody listens to every camera's images.

        Raises:
            DatasetError: nobody does in time; names the topics.
        """
        deadline = time.monotonic() + timeout_s
        while deaf := [p.topic_name for p in self._images.values() if not p.get_subscription_count()]:
            if time.monotonic() > deadline:
                raise DatasetError(f"nobody listens to {', '.join(deaf)} after {timeout_s:g} s")
            self._stop.wait(_POLL_S)
        self._stop.wait(_SETTLE_S)

    def run(self, rate_hz: float, seconds: float, progress: Callable[[float], None] | None = None) -> int:
        """Publish for so long; the number of moments that went out. Returns early after `stop`."""
        begun = time.perf_counter()
        moments = round(rate_hz * seconds)
        for k in range(moments):
            if self._stop.wait(max(0.0, begun + k / rate_hz - time.perf_counter())):
                return k
            self._publish(k)
            if progress is not None:
                progress(k / rate_hz)
        return moments

    def stop(self) -> None:
        """End `run` soon; may be called from any thread."""
        self._stop.set()

    def _pose(self, name: str, world_frame: str):
        publisher = self._node.create_publisher(TransformStamped, f"{name}/pose", qos.profile("LATCHED"))
        stamp_ns = self._node.get_clock().now().nanoseconds
        header = header_to_message(stamp_ns, world_frame)
        publisher.publish(transform_from_matrix(self._feeds[name].room_from_camera, header, f"{name}_optical_frame"))
        return publisher

    def _publish(self, k: int) -> None:
        stamp_ns = self._node.get_clock().now().nanoseconds
        for name, feed in self._feeds.items():
            header = header_to_message(stamp_ns, f"{name}_optical_frame")
            self._infos[name].publish(info_from_camera(feed.camera, header))
            message = image_from_array(feed.images[there_and_back(k, len(feed.images))], header)
            self.published.setdefault(stamp_ns, time.perf_counter())
            self._images[name].publish(message)


def there_and_back(k: int, count: int) -> int:
    """Index of step k of a walk 0, 1 ... count - 1, count - 2 ... 0, 1 ..."""
    if count == 1:
        return 0
    at = k % (2 * count - 2)
    return min(at, 2 * count - 2 - at)
