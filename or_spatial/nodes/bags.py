"""Recordings as bytes: which topics a rosbag2 holds, its messages in order, and a writer that knows our types.

Bytes pass from file to DDS and back without being understood, so stamps cannot change. No rclpy here.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from or_spatial.errors import DatasetError
from or_spatial.paths import share_path

_STAMP = struct.Struct("<iI")
_ENCAPSULATION = 4  # bytes of CDR before the first field
IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
# Types that begin with a std_msgs/Header, so that the stamp can be read off the bytes.
_STAMPED = {
    *IMAGE_TYPES,
    "sensor_msgs/msg/CameraInfo",
    "sensor_msgs/msg/PointCloud2",
    "geometry_msgs/msg/TransformStamped",
    "diagnostic_msgs/msg/DiagnosticArray",
    *(
        f"or_spatial/msg/{n}"
        for n in ("SceneGraph", "HazardAlert", "HazardAlertArray", "SpatialAnswer", "ClinicalState")
    ),
    *(f"or_spatial/msg/{n}" for n in ("ObservedBox2DArray", "VisualTokens")),
}


@dataclass(frozen=True)
class BagTopic:
    """One topic of a recording: its type, how many messages, and whether its publisher latched them."""

    name: str
    kind: str
    count: int
    latched: bool


@dataclass(frozen=True)
class BagMessage:
    """One message as it lies in the file. `logged_ns` is when it was recorded, `data` its CDR bytes."""

    topic: str
    kind: str
    logged_ns: int
    data: bytes

    @property
    def stamp_ns(self) -> int | None:
        """The header's stamp, None for types without one."""
        return stamp_of(self.kind, self.data)


def stamp_of(kind: str, data: bytes) -> int | None:
    """Stamp (ns) in the CDR bytes of a message whose first field is a Header; None for other types.

    Little-endian CDR, as every x86 and ARM sender writes it (DDSI-RTPS 10.5: the second byte is 1).
    """
    if kind not in _STAMPED or len(data) < _ENCAPSULATION + _STAMP.size or data[1] != 1:
        return None
    sec, nanosec = _STAMP.unpack_from(data, _ENCAPSULATION)
    return sec * 1_000_000_000 + nanosec


class Bag:
    """A rosbag2 recording (MCAP or SQLite), open for reading.

    Raises:
        DatasetError: there is no recording at `path`, or it is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        from rosbags.highlevel import AnyReader, AnyReaderError

        self.path = Path(path)
        if not self.path.exists():
            raise DatasetError(f"there is no recording at {path}")
        try:
            self._reader = AnyReader([self.path], default_typestore=typestore())
            self._reader.open()
        except (AnyReaderError, OSError, ValueError, KeyError, AssertionError) as error:
            raise DatasetError(f"{path} cannot be read as a rosbag2 recording: {error}") from None
        self.topics = {c.topic: _topic(c) for c in self._reader.connections}

    @property
    def duration_s(self) -> float:
        """From the first to the last message."""
        return max(0.0, (self._reader.end_time - self._reader.start_time) * 1e-9)

    @property
    def image_topics(self) -> tuple[str, ...]:
        """Topics that carry images."""
        return tuple(name for name, topic in self.topics.items() if topic.kind in IMAGE_TYPES)

    def require(self, *topics: str) -> None:
        """Make sure that these topics are there.

        Raises:
            DatasetError: one is missing; the message says which are there.
        """
        missing = [topic for topic in topics if topic not in self.topics]
        if missing:
            there = ", ".join(sorted(self.topics)) or "nothing"
            raise DatasetError(f"{self.path} holds no {' and no '.join(missing)}; its topics are: {there}")

    def messages(self, topics: Sequence[str] | None = None) -> Iterator[BagMessage]:
        """Messages in the order in which they were recorded."""
        chosen = [c for c in self._reader.connections if topics is None or c.topic in topics]
        for connection, logged_ns, data in self._reader.messages(chosen) if chosen else ():
            yield BagMessage(connection.topic, connection.msgtype, logged_ns, bytes(data))

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def __enter__(self) -> "Bag":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class BagWriter:
    """Writes CDR bytes into a new MCAP recording that any reader understands: the definitions go in with them.

    Raises:
        DatasetError: something is at `path` already.
    """

    def __init__(self, path: str | Path) -> None:
        from rosbags.rosbag2 import StoragePlugin, Writer, WriterError

        self.path = Path(path)
        self._store = typestore()
        self._connections: dict[str, Any] = {}
        self.counts: dict[str, int] = {}
        try:
            self._writer = Writer(self.path, version=9, storage_plugin=StoragePlugin.MCAP)
            self._writer.open()
        except WriterError as error:
            raise DatasetError(f"{path} cannot be written: {error}") from None

    def add_topic(self, topic: str, kind: str) -> None:
        """Announce a topic, so that it is listed even when nothing comes."""
        self._connections[topic] = self._writer.add_connection(topic, kind, typestore=self._store)
        self.counts[topic] = 0

    def write(self, topic: str, logged_ns: int, data: bytes) -> None:
        """Append one message of an announced topic."""
        self._writer.write(self._connections[topic], logged_ns, data)
        self.counts[topic] += 1

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


def typestore() -> Any:
    """ROS 2 Kilted's message definitions with ours added."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_KILTED)
    types: dict[str, Any] = {}
    for path in sorted(share_path("msg").glob("*.msg")):
        types.update(get_types_from_msg(path.read_text(), f"or_spatial/msg/{path.stem}"))
    store.register(types)
    return store


def _topic(connection: Any) -> BagTopic:
    profiles = getattr(connection.ext, "offered_qos_profiles", ())
    latched = any(getattr(p.durability, "name", "") == "TRANSIENT_LOCAL" for p in profiles)
    return BagTopic(connection.topic, connection.msgtype, connection.msgcount, latched)
