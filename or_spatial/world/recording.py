"""A clip as a rosbag2 recording (MCAP): compressed images, calibration, poses, and the truth, on one clock.

    /<camera>/image_raw/compressed   sensor_msgs/CompressedImage, jpeg
    /<camera>/camera_info            sensor_msgs/CameraInfo
    /<camera>/pose                   geometry_msgs/TransformStamped, latched: map <- <camera>_optical_frame
    /truth/scene_graph               or_spatial/SceneGraph: what all cameras see together, every ordered pair
    /truth/clinical                  or_spatial/ClinicalState
    /truth/hazards                   or_spatial/HazardAlertArray: the active ones

Stamps begin at START_NS, the same for every bag of a seed: a bag is rebuilt bit for bit in its values.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Connection, Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer

from or_spatial.errors import ConfigError, DatasetError
from or_spatial.geometry.transforms import quaternion_xyzw_from_rotation
from or_spatial.world import ros_values
from or_spatial.world.hazard_truth import truth_alerts
from or_spatial.world.renderer import Quality
from or_spatial.world.samples import FULL, View, graph_of, look
from or_spatial.world.simulation import Simulation, WorldState
from or_spatial.world.truth import truth_clinical

START_NS = 1_767_225_600_000_000_000  # 2026-01-01 00:00 UTC: bags need a time, this one is nobody's
_FOREVER = QosTime(9223372036, 854775807)


@dataclass(frozen=True)
class Moment:
    """One instant of a recording: `views` empty while the script withholds the pictures."""

    stamp_ns: int
    state: WorldState
    views: tuple[View, ...]


def moments(
    simulation: Simulation, rate_hz: float, cameras: int, width: int, height: int, quality: Quality = FULL
) -> Iterator[Moment]:
    """All instants of a clip at a rate, drawn one after the other."""
    for k in range(int(round(simulation.duration_s * rate_hz))):
        t = k / rate_hz
        state = simulation.state(t)
        views = [] if state.silent else [look(simulation, state, c, width, height, quality) for c in range(cameras)]
        yield Moment(START_NS + int(round(t * 1e9)), state, tuple(views))


def record(
    split: str,
    seed: int,
    seconds: float,
    rate_hz: float,
    cameras: int,
    out: Path,
    width: int = 640,
    height: int = 360,
    *,
    hazards: tuple[str, ...] | None = None,
    procedure: str | None = None,
    jpeg_quality: int = 85,
    quality: Quality = FULL,
    progress: bool = True,
) -> Path:
    """Write one clip as a bag folder `out` (which must not exist) and return it.

    Raises:
        ConfigError: a length, rate or number of cameras that cannot be, or the folder exists.
    """
    out = Path(out)
    if out.exists():
        raise ConfigError(f"{out} exists; name a new folder or delete it")
    if not (seconds > 0 and 0 < rate_hz <= 60):
        raise ConfigError(f"a recording needs seconds > 0 and a rate in (0, 60] Hz, got {seconds} s at {rate_hz} Hz")
    simulation = Simulation(split, seed, cameras, seconds, hazards=hazards, procedure=procedure)
    steps = moments(simulation, rate_hz, cameras, width, height, quality)
    folder = out.with_name(f".{out.name}.part")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    part = folder / out.name  # the writer names its file after its folder
    writer = Writer(part, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with writer:
        bag = _Bag(writer, simulation, cameras, jpeg_quality)
        for sequence, moment in enumerate(_shown(steps, int(round(seconds * rate_hz)), progress, f"{split} {seed}")):
            bag.write(moment, sequence)
    part.rename(out)
    folder.rmdir()
    return out


def _shown(steps: Iterator[Moment], count: int, progress: bool, name: str) -> Iterator[Moment]:
    if not progress:
        yield from steps
        return
    from rich.progress import track

    yield from track(steps, description=f"recording {name}", total=count)


class _Bag:
    """The connections of one recording."""

    def __init__(self, writer: Writer, simulation: Simulation, cameras: int, jpeg_quality: int) -> None:
        self.writer, self.simulation, self.jpeg_quality = writer, simulation, jpeg_quality
        self.posed: set[str] = set()
        self.names = [f"camera_{k + 1}" for k in range(cameras)]
        self.topics: dict[str, Connection] = {}
        for name in self.names:
            self._add(f"/{name}/image_raw/compressed", "sensor_msgs/msg/CompressedImage", latched=False)
            self._add(f"/{name}/camera_info", "sensor_msgs/msg/CameraInfo", latched=False)
            self._add(f"/{name}/pose", "geometry_msgs/msg/TransformStamped", latched=True)
        self._add("/truth/scene_graph", "or_spatial/msg/SceneGraph", latched=True)
        self._add("/truth/clinical", "or_spatial/msg/ClinicalState", latched=True)
        self._add("/truth/hazards", "or_spatial/msg/HazardAlertArray", latched=True)

    def _add(self, topic: str, kind: str, latched: bool) -> None:
        durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
        qos = Qos(
            QosHistory.KEEP_LAST,
            1 if latched else 10,
            QosReliability.RELIABLE,
            durability,
            _FOREVER,
            _FOREVER,
            QosLiveliness.AUTOMATIC,
            _FOREVER,
            False,
        )
        self.topics[topic] = self.writer.add_connection(
            topic, kind, typestore=ros_values.typestore(), offered_qos_profiles=[qos]
        )

    def _put(self, topic: str, stamp_ns: int, message: Any) -> None:
        connection = self.topics[topic]
        self.writer.write(connection, stamp_ns, ros_values.typestore().serialize_cdr(message, connection.msgtype))

    def write(self, moment: Moment, sequence: int) -> None:
        """All messages of one instant."""
        stamp = moment.stamp_ns
        for view in moment.views:
            name = view.rig.name
            if name not in self.posed:
                self._put(f"/{name}/pose", stamp, camera_pose(view, stamp))
                self.posed.add(name)
            self._put(f"/{name}/camera_info", stamp, camera_info(view, stamp))
            self._put(f"/{name}/image_raw/compressed", stamp, compressed_image(view, stamp, self.jpeg_quality))
        alerts = truth_alerts(self.simulation, moment.state.time_s, stamp, self.names)
        if moment.views:
            graph = graph_of(moment.state, moment.views, stamp, sequence)
            self._put("/truth/scene_graph", stamp, ros_values.message("or_spatial/msg/SceneGraph", graph))
        clinical = truth_clinical(moment.state, self.simulation.roles, stamp)
        self._put("/truth/clinical", stamp, ros_values.message("or_spatial/msg/ClinicalState", clinical))
        self._put("/truth/hazards", stamp, hazard_array(alerts, stamp))


def hazard_array(alerts: tuple, stamp_ns: int) -> Any:
    """or_spatial/HazardAlertArray of alert values."""
    kind = ros_values.typestore().types["or_spatial/msg/HazardAlertArray"]
    values = [ros_values.message("or_spatial/msg/HazardAlert", a) for a in alerts]
    return kind(ros_values.header(stamp_ns, "map"), 1, values)


def compressed_image(view: View, stamp_ns: int, jpeg_quality: int) -> Any:
    """sensor_msgs/CompressedImage of a view, jpeg."""
    _, data = cv2.imencode(".jpg", view.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    kind = ros_values.typestore().types["sensor_msgs/msg/CompressedImage"]
    return kind(ros_values.header(stamp_ns, f"{view.rig.name}_optical_frame"), "jpeg", data.ravel())


def camera_info(view: View, stamp_ns: int) -> Any:
    """sensor_msgs/CameraInfo of a view: rectified, no distortion."""
    types, camera = ros_values.typestore().types, view.camera
    return types["sensor_msgs/msg/CameraInfo"](
        header=ros_values.header(stamp_ns, f"{view.rig.name}_optical_frame"),
        height=camera.height,
        width=camera.width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=np.asarray(camera.K, float).ravel(),
        r=np.eye(3).ravel(),
        p=np.column_stack([camera.K, np.zeros(3)]).ravel(),
        binning_x=0,
        binning_y=0,
        roi=types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False),
    )


def camera_pose(view: View, stamp_ns: int) -> Any:
    """geometry_msgs/TransformStamped: the optical frame in the room."""
    types = ros_values.typestore().types
    pose: NDArray[np.float64] = view.rig.room_from_camera
    transform = types["geometry_msgs/msg/Transform"](
        types["geometry_msgs/msg/Vector3"](*(float(v) for v in pose[:3, 3])),
        types["geometry_msgs/msg/Quaternion"](*(float(v) for v in quaternion_xyzw_from_rotation(pose[:3, :3]))),
    )
    frame = f"{view.rig.name}_optical_frame"
    return types["geometry_msgs/msg/TransformStamped"](ros_values.header(stamp_ns, "map"), frame, transform)


def read_bag_topics(bag: Path, wanted: tuple[str, ...]) -> Iterator[tuple[str, int, Any]]:
    """(topic, stamp_ns, message) of the wanted topics in order of time.

    Raises:
        DatasetError: no bag there, or topics are missing; the message lists those that the bag has.
    """
    if not (Path(bag) / "metadata.yaml").is_file():
        raise DatasetError(f"{bag} is no rosbag2 folder: there is no metadata.yaml in it")
    with Reader(Path(bag)) as reader:
        there = {c.topic for c in reader.connections}
        if missing := [t for t in wanted if t not in there]:
            raise DatasetError(f"{bag} has no topic {', '.join(missing)}; it has {', '.join(sorted(there))}")
        for connection, stamp_ns, data in reader.messages([c for c in reader.connections if c.topic in wanted]):
            yield connection.topic, stamp_ns, ros_values.typestore().deserialize_cdr(data, connection.msgtype)
