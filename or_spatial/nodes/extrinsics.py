"""Where each camera stands in the room, from whoever knows: TF at the image's stamp, a latched topic, or a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import yaml
from geometry_msgs.msg import TransformStamped
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from or_spatial.errors import ConfigError, GeometryError, MissingDependency
from or_spatial.geometry.transforms import (
    pose_matrix,
    quaternion_xyzw_from_rotation,
    rotation_from_quaternion_xyzw,
)
from or_spatial.nodes import qos
from or_spatial.nodes.parameters import unknown_key
from or_spatial.paths import share_path

_KEYS = {"frame_id", "position_m", "quaternion_xyzw"}


class PoseSource(Protocol):
    """Anything that may know `room_from_camera` (4, 4)."""

    def pose(self, camera: str, frame_id: str, stamp_ns: int) -> NDArray[np.float64] | None:
        """The pose of a camera when the image was taken, or None when this source does not know it."""
        ...


class TfPoses:
    """TF, at the image's stamp. Raises MissingDependency where tf2_ros is not installed."""

    def __init__(self, node: Node, world_frame: str) -> None:
        try:
            import tf2_ros
        except ImportError:
            raise MissingDependency(
                "tf2_ros is not installed; take camera poses from a topic or a file (parameter extrinsics)"
            ) from None
        self._world_frame = world_frame
        self._buffer = tf2_ros.Buffer()
        self._errors = (tf2_ros.LookupException, tf2_ros.ConnectivityException, tf2_ros.ExtrapolationException)
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def pose(self, camera: str, frame_id: str, stamp_ns: int) -> NDArray[np.float64] | None:
        """See PoseSource; does not wait, for the worker must not."""
        stamp = Time(nanoseconds=stamp_ns)
        try:
            return matrix_from_transform(self._buffer.lookup_transform(self._world_frame, frame_id, stamp))
        except self._errors:
            return None

    def close(self) -> None:
        """End the subscriptions to /tf and /tf_static."""
        self._listener.unregister()


class TopicPoses:
    """The latched TransformStamped on `<camera>/pose` of each camera, parent frame = the room's."""

    def __init__(self, node: Node, cameras: list[str], world_frame: str) -> None:
        self._node, self._world_frame = node, world_frame
        self._poses: dict[str, NDArray[np.float64]] = {}
        self._subscriptions: dict[str, Any] = {}
        for camera in cameras:
            self.watch(camera)

    def watch(self, camera: str) -> None:
        """Begin to listen for this camera's pose, if not yet."""
        if camera not in self._subscriptions:
            self._subscriptions[camera] = self._node.create_subscription(
                TransformStamped,
                f"{camera}/pose",
                lambda message: self._take(camera, message),
                qos.profile("LATCHED"),
            )

    def pose(self, camera: str, frame_id: str, stamp_ns: int) -> NDArray[np.float64] | None:
        """See PoseSource; the last pose that came, whatever its stamp."""
        return self._poses.get(camera)

    def close(self) -> None:
        """End the subscriptions."""
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def _take(self, camera: str, message: TransformStamped) -> None:
        if message.header.frame_id != self._world_frame:
            self._node.get_logger().warning(
                f"{camera}/pose is in frame {message.header.frame_id!r}, expected {self._world_frame!r}; not used",
                throttle_duration_sec=10.0,
            )
            return
        try:
            self._poses[camera] = matrix_from_transform(message)
        except GeometryError as error:
            self._node.get_logger().warning(f"{camera}/pose: {error}", throttle_duration_sec=10.0)


@dataclass(frozen=True)
class FilePoses:
    """Fixed poses of `config/cameras.yaml` or another file of that form."""

    poses: dict[str, NDArray[np.float64]]

    @classmethod
    def load(cls, path: str | Path | None = None) -> "FilePoses":
        """Read `cameras: <name>: {position_m, quaternion_xyzw[, frame_id]}`; an empty path means the shipped file.

        Raises:
            ConfigError: the file is missing, has an unknown key, or a pose that is none.
        """
        path = Path(path) if path else share_path("config", "cameras.yaml")
        if not path.is_file():
            raise ConfigError(f"camera file {path} {'is a folder' if path.is_dir() else 'does not exist'}")
        try:
            data = yaml.safe_load(path.read_text("utf-8")) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"camera file {path} is not YAML in UTF-8: {error}") from None
        if not isinstance(data, dict):
            raise ConfigError(f"camera file {path} holds no mapping; expected 'cameras: name: ...'")
        if unknown := set(data) - {"cameras"}:
            raise unknown_key(min(unknown), {"cameras"}, str(path))
        entries = data.get("cameras") or {}
        if not isinstance(entries, dict):
            raise ConfigError(f"{path}: cameras is {entries!r}; expected a name and a pose for each")
        return cls({name: _pose_of(entry, f"{path}: {name}") for name, entry in entries.items()})

    def pose(self, camera: str, frame_id: str, stamp_ns: int) -> NDArray[np.float64] | None:
        """See PoseSource; names may be written with or without the leading slash of the topic."""
        return self.poses.get(camera.lstrip("/"))


class FirstThatKnows:
    """Asks several sources in turn."""

    def __init__(self, sources: list[Any]) -> None:
        self.sources = sources

    def pose(self, camera: str, frame_id: str, stamp_ns: int) -> NDArray[np.float64] | None:
        """See PoseSource."""
        for source in self.sources:
            found = source.pose(camera, frame_id, stamp_ns)
            if found is not None:
                return found
        return None

    def watch(self, camera: str) -> None:
        """Listen for a camera that was not known at the start."""
        for source in self.sources:
            if hasattr(source, "watch"):
                source.watch(camera)

    def close(self) -> None:
        """End what the sources subscribe to."""
        for source in self.sources:
            if hasattr(source, "close"):
                source.close()


def poses_for(node: Node, kind: str, cameras: list[str], world_frame: str, file: str = "") -> FirstThatKnows:
    """The sources that the parameter `extrinsics` names: auto, tf, topic or file."""
    sources: list[Any] = []
    if kind in ("auto", "tf"):
        try:
            sources.append(TfPoses(node, world_frame))
        except MissingDependency:
            if kind == "tf":
                raise
    if kind in ("auto", "topic"):
        sources.append(TopicPoses(node, cameras, world_frame))
    if kind in ("auto", "file"):
        sources.append(FilePoses.load(file))
    return FirstThatKnows(sources)


def matrix_from_transform(message: TransformStamped) -> NDArray[np.float64]:
    """`parent_from_child` (4, 4) m of a TransformStamped.

    Raises:
        GeometryError: a quaternion of length zero, as an unset message has, or a position that is not finite.
    """
    t, q = message.transform.translation, message.transform.rotation
    return _matrix((t.x, t.y, t.z), (q.x, q.y, q.z, q.w))


def transform_from_matrix(parent_from_child: NDArray[np.float64], header: Header, child: str) -> TransformStamped:
    """The TransformStamped of a pose (4, 4) m; `header` names the parent frame. Undone by `matrix_from_transform`."""
    message = TransformStamped(header=header, child_frame_id=child)
    t, r = message.transform.translation, message.transform.rotation
    t.x, t.y, t.z = (float(v) for v in parent_from_child[:3, 3])
    r.x, r.y, r.z, r.w = (float(v) for v in quaternion_xyzw_from_rotation(parent_from_child[:3, :3]))
    return message


def _matrix(position: tuple[float, ...], quaternion: tuple[float, ...]) -> NDArray[np.float64]:
    if not np.isfinite(position).all():
        raise GeometryError(f"camera position {position} is not finite")
    return pose_matrix(rotation_from_quaternion_xyzw(quaternion), position)


def _pose_of(entry: dict[str, Any], where: str) -> NDArray[np.float64]:
    if not isinstance(entry, dict):
        raise ConfigError(f"{where} is {entry!r}; a camera has position_m and quaternion_xyzw")
    if unknown := set(entry) - _KEYS:
        raise unknown_key(min(unknown), _KEYS, where)
    try:
        position, quaternion = entry["position_m"], entry["quaternion_xyzw"]
    except KeyError as missing:
        raise ConfigError(f"{where} lacks {missing}; a camera has position_m and quaternion_xyzw") from None
    numbers = [_numbers(position), _numbers(quaternion)]
    if [len(n) for n in numbers] != [3, 4]:
        raise ConfigError(f"{where}: position_m has 3 numbers and quaternion_xyzw 4, got {position} and {quaternion}")
    try:
        return _matrix(*numbers)
    except GeometryError as error:
        raise ConfigError(f"{where}: {error}") from None


def _numbers(values: Any) -> tuple[float, ...]:
    """A list as numbers, nothing where it is none."""
    try:
        return tuple(map(float, values))
    except (TypeError, ValueError):
        return ()
