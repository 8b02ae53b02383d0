"""A rosbag2 recording as values: cameras, images, graphs, alerts, with the truth that the simulator wrote.

Read with `rosbags`, so no ROS is needed for the file itself; message definitions come from the bag.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from or_spatial.commands.recorded_cameras import COMPRESSED, IMAGE_TYPES, RAW, camera_of, picture_topics
from or_spatial.errors import DatasetError, GeometryError, ImageError
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import pose_matrix, rotation_from_quaternion_xyzw
from or_spatial.scene import ClinicalState, HazardAlert, SceneGraph


@dataclass(frozen=True)
class Received:
    """A graph and when the recorder got it (wall clock, ns); the graph's own stamp is the image's."""

    graph: SceneGraph
    received_ns: int


@dataclass
class Recording:
    """What one bag holds, each list in order of time. Pixels stay in the file: see `images_at`.

    `picture_topics` is the topic of every camera's pictures, `topics` and `kinds` count and type of every topic.
    """

    path: Path
    cameras: dict[str, tuple[Camera, NDArray[np.float64] | None]] = field(default_factory=dict)
    picture_topics: dict[str, str] = field(default_factory=dict)
    image_stamps: dict[str, list[int]] = field(default_factory=dict)
    truth: list[SceneGraph] = field(default_factory=list)
    truth_alerts: list[tuple[int, tuple[HazardAlert, ...]]] = field(default_factory=list)
    truth_clinical: list[ClinicalState] = field(default_factory=list)
    graphs: list[Received] = field(default_factory=list)
    alerts: list[HazardAlert] = field(default_factory=list)
    markers: int = 0
    topics: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """Why a camera's calibration is of no use, by camera."""

    @property
    def start_ns(self) -> int:
        """Stamp of the first image, or of the first graph where there are no images."""
        stamps = [s for every in self.image_stamps.values() for s in every]
        return min(stamps or [g.stamp_ns for g in self.truth] or [r.graph.stamp_ns for r in self.graphs] or [0])

    @property
    def end_ns(self) -> int:
        """Stamp of the last image, truth or graph."""
        stamps = [s for every in self.image_stamps.values() for s in every]
        return max([*stamps, *(g.stamp_ns for g in self.truth), *(r.graph.stamp_ns for r in self.graphs)] or [0])

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return (self.end_ns - self.start_ns) * 1e-9

    def require(self, images: bool = False, truth: bool = False) -> "Recording":
        """The recording itself when it holds what is needed.

        Raises:
            DatasetError: what is missing, and which topics there are.
        """
        if images and self.image_stamps and not self.cameras and self.refused:
            why = "; ".join(f"{name}: {reason}" for name, reason in self.refused.items())
            raise DatasetError(f"{self.path} holds no usable camera_info: {why}")
        wanted = [("images (<camera>/image_raw/compressed)", images, self.image_stamps)]
        wanted += [("camera_info", images, self.cameras), ("/truth/scene_graph", truth, self.truth)]
        missing = [name for name, needed, have in wanted if needed and not have]
        if missing:
            there = ", ".join(sorted(self.topics)) or "nothing"
            raise DatasetError(f"{self.path} holds no {' and no '.join(missing)}; its topics are: {there}")
        return self


def read_recording(path: Path) -> Recording:
    """Read everything but the pixels.

    Raises:
        DatasetError: no bag, a damaged one, or messages of a version that this one cannot read.
    """
    from or_spatial.nodes.bags import Bag

    found = Recording(path)
    poses: dict[str, NDArray[np.float64]] = {}
    with Bag(path) as bag:
        found.topics = {name: topic.count for name, topic in bag.topics.items()}
        found.kinds = {name: topic.kind for name, topic in bag.topics.items()}
        found.picture_topics = picture_topics(bag)
    for topic, kind, received_ns, message in messages(path, _is_read):
        _take(found, poses, topic, kind, received_ns, message)
    for name, (camera, _) in found.cameras.items():
        found.cameras[name] = (camera, poses.get(name))
    found.truth.sort(key=lambda g: g.stamp_ns)
    found.graphs.sort(key=lambda r: r.graph.stamp_ns)
    return found


def messages(path: Path, wanted: Callable[[str, str], bool]) -> Iterator[tuple[str, str, int, Any]]:
    """(topic, type, receive time in ns, message) of those (topic, type) that are wanted, in order of receipt.

    Raises:
        DatasetError: no bag, or a damaged one.
    """
    from or_spatial.nodes.bags import Bag, typestore

    types = typestore()
    with Bag(path) as bag:
        chosen = [name for name, topic in bag.topics.items() if wanted(name, topic.kind)]
        try:
            for m in bag.messages(chosen):
                yield m.topic, m.kind, m.logged_ns, types.deserialize_cdr(m.data, m.kind)
        except (OSError, ValueError, KeyError, AssertionError, struct.error) as error:
            raise DatasetError(f"{path} is damaged: {type(error).__name__}: {error}") from error


def images_at(path: Path, wanted: dict[str, set[int]]) -> dict[tuple[str, int], NDArray[np.uint8]]:
    """The pictures (H, W, 3) uint8 RGB of cameras at exact stamps, by (camera, stamp_ns)."""
    return dict(each_image(path, wanted))


def each_image(path: Path, wanted: dict[str, set[int]]) -> Iterator[tuple[tuple[str, int], NDArray[np.uint8]]]:
    """The same one after the other, for more pictures than memory holds."""
    topics = {f"/{name}/image_raw{tail}" for name in wanted for tail in ("", "/compressed")}
    left = {name: set(stamps) for name, stamps in wanted.items()}
    for topic, kind, _, message in messages(path, lambda name, _: name in topics):
        name, stamp = camera_of(topic), stamp_of(message)
        if kind in IMAGE_TYPES and stamp in left.get(name, ()):
            left[name].remove(stamp)  # a camera may be recorded raw and compressed
            try:
                yield (name, stamp), decode(message, kind)
            except ImageError as error:
                raise ImageError(f"{path}: {topic} at {stamp} ns: {error}") from None


def depth_images(path: Path, cameras: list[str]) -> Iterator[tuple[str, int, NDArray[np.float32]]]:
    """(camera, stamp_ns, depth (H, W) m along optical z) of topics aligned with the pictures, in order of receipt.

    Read are `<camera>/depth/image` and `<camera>/depth/image_raw`, 32FC1 (m) or 16UC1 (mm).
    """
    from or_spatial.nodes.images import depth_from_image

    topics = {f"/{name}/depth/{last}": name for name in cameras for last in ("image", "image_raw")}
    for topic, _, _, message in messages(path, lambda name, kind: name in topics and kind == RAW):
        yield topics[topic], stamp_of(message), depth_from_image(message)


def decode(message: Any, kind: str) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) uint8 RGB of an image message, as the live nodes read it.

    Raises:
        ImageError: damaged, or an encoding that cannot be read.
    """
    from or_spatial.nodes.images import rgb_from_compressed, rgb_from_image

    return rgb_from_compressed(message) if kind == COMPRESSED else rgb_from_image(message)


def stamp_of(message: Any) -> int:
    """Acquisition time of a stamped message, ns."""
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec


def camera_from_info(message: Any) -> Camera:
    """The camera of a CameraInfo, as the live nodes read it.

    Raises:
        GeometryError: not calibrated (K[0] = 0), or of a kind that the live nodes refuse.
    """
    from or_spatial.nodes import images

    camera = images.camera_from_info(message, message.width, message.height)
    return camera if any(camera.distortion) else replace(camera, distortion=())


def pose_from_transform(message: Any) -> NDArray[np.float64]:
    """room_from_camera (4, 4) of a TransformStamped from the room to a camera's optical frame."""
    t, q = message.transform.translation, message.transform.rotation
    return pose_matrix(rotation_from_quaternion_xyzw((q.x, q.y, q.z, q.w)), (t.x, t.y, t.z))


_READ_KINDS = {
    *IMAGE_TYPES,
    "sensor_msgs/msg/CameraInfo",
    "geometry_msgs/msg/TransformStamped",
    "visualization_msgs/msg/MarkerArray",
    "or_spatial/msg/SceneGraph",
    "or_spatial/msg/HazardAlert",
    "or_spatial/msg/HazardAlertArray",
    "or_spatial/msg/ClinicalState",
}


def _is_read(topic: str, kind: str) -> bool:
    return kind in _READ_KINDS


def _take(
    found: Recording, poses: dict[str, NDArray[np.float64]], topic: str, kind: str, received_ns: int, message: Any
) -> None:
    from or_spatial.nodes import conversions

    name = camera_of(topic)
    last = topic.rsplit("/", 1)[-1]
    if kind in IMAGE_TYPES and found.picture_topics.get(name) == topic:
        found.image_stamps.setdefault(name, []).append(stamp_of(message))
    elif kind == "sensor_msgs/msg/CameraInfo" and name:
        try:
            found.cameras.setdefault(name, (camera_from_info(message), None))
        except GeometryError as error:
            found.refused[name] = str(error)
    elif kind == "geometry_msgs/msg/TransformStamped" and name:
        poses[name] = pose_from_transform(message)
    elif topic == "/truth/scene_graph":
        found.truth.append(conversions.scene_graph_from_message(message))
    elif topic == "/truth/hazards":
        found.truth_alerts.append((stamp_of(message), conversions.hazard_alerts_from_message(message)))
    elif topic == "/truth/clinical":
        found.truth_clinical.append(conversions.clinical_state_from_message(message))
    elif last == "scene_graph":
        found.graphs.append(Received(conversions.scene_graph_from_message(message), received_ns))
    elif kind == "or_spatial/msg/HazardAlert":
        found.alerts.append(conversions.hazard_alert_from_message(message))
    elif last == "markers":
        found.markers += len(message.markers)
