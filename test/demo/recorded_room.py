"""A recording of a few seconds, written without the simulator: a nurse walks up to the table and takes the drill."""

import math
from pathlib import Path

import cv2
import numpy as np

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import look_at, quaternion_xyzw_from_rotation
from or_spatial.paths import share_path
from or_spatial.scene import (
    AlertState,
    Category,
    EvidenceSource,
    Family,
    HazardAlert,
    Scale,
    SceneGraph,
    SceneObject,
    Severity,
    Source,
    SpatialRelation,
)

START_NS = 1_700_000_000_000_000_000
RATE_HZ = 5
CAMERA = Camera.from_fov(320, 180, math.radians(80))
ROOM_FROM_CAMERA = look_at(np.array([2.9, -2.4, 2.5]), np.array([0.0, 0.2, 0.8]))


def truth_at(time_s: float) -> SceneGraph:
    """The room at a moment; all that is true of it."""
    stamp = START_NS + round(time_s * 1e9)
    walk = min(time_s / 2.0, 1.0)
    nurse = (1.8 - 0.9 * walk, 0.3 - 0.2 * walk, 0.86)
    objects = (
        thing("table_1", "operating_table", Category.FURNITURE, (0.0, 0.2, 0.45), (2.0, 0.6, 0.9), 0.3, 0.9),
        thing("patient_1", "patient", Category.PERSON, (0.0, 0.2, 1.02), (1.7, 0.5, 0.24), 0.3),
        thing("nurse_1", "person", Category.PERSON, nurse, (0.5, 0.6, 1.72), 1.1, 0.1, velocity=(-0.45, -0.1, 0.0)),
        thing("surgeon_1", "person", Category.PERSON, (-0.4, 0.9, 0.9), (0.5, 0.6, 1.8), -0.4, 0.95),
        thing("drill_1", "drill", Category.INSTRUMENT, (-0.2, 0.6, 1.15), (0.25, 0.08, 0.2), 0.2),
    )
    relations = (
        relation("surgeon_1", "holding", "drill_1"),
        relation("patient_1", "lyingOn", "table_1"),
        relation("patient_1", "on", "table_1", Family.GEOMETRIC),
        *((relation("surgeon_1", "drilling", "patient_1"),) if time_s > 1.0 else ()),
    )
    source = Source("camera_1", "camera_1_optical_frame", stamp)
    return SceneGraph(
        stamp_ns=stamp, objects=objects, relations=relations, sources=(source,), scale=Scale.METRIC, model_id="truth"
    )


def thing(name, label, category, center, size, yaw, sterile=math.nan, velocity=(0.0, 0.0, 0.0)):
    return SceneObject(
        id=name,
        label=label,
        category=category,
        center_m=center,
        size_m=size,
        yaw_rad=yaw,
        covariance_m2=(1e-4, 0.0, 0.0, 0.0, 1e-4, 0.0, 0.0, 0.0, 1e-4),
        velocity_m_s=velocity,
        existence=1.0,
        sterile=sterile,
    )


def relation(subject, predicate, target, family=Family.ACTION):
    return SpatialRelation(
        subject_id=subject,
        predicate=predicate,
        object_id=target,
        family=family,
        confidence=1.0,
        source=EvidenceSource.TRUTH,
    )


def breach_at(time_s: float) -> tuple[HazardAlert, ...]:
    if time_s < 2.0:
        return ()
    stamp = START_NS + round(time_s * 1e9)
    return (
        HazardAlert(
            id="truth_1",
            rule_id="sterile_breach",
            hazard_type="sterile_breach",
            stamp_ns=stamp,
            severity=Severity.MEDIUM,
            state=AlertState.RAISED,
            object_ids=("nurse_1",),
            first_detected_ns=START_NS + 2_000_000_000,
        ),
    )


def picture_at(graph: SceneGraph) -> np.ndarray:
    """The boxes as flat colours: enough to be a picture with edges in it."""
    from or_spatial.visual.overlay import OverlayStyle, draw_graph

    floor = np.linspace(90, 160, 180, dtype=np.uint8)[:, None, None].repeat(320, axis=1).repeat(3, axis=2)
    style = OverlayStyle(labels=False, width_px=320, max_relations=0)
    return draw_graph(floor, graph, CAMERA, ROOM_FROM_CAMERA, style=style)


def write_bag(path: Path, seconds: float, truth: bool = True, images: bool = True, more=()) -> Path:
    """`more`: (topic, type, CDR bytes, time in ns) that something else published meanwhile."""
    from rclpy.serialization import serialize_message
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    types = get_typestore(Stores.ROS2_KILTED)
    ours = {}
    for file in share_path("msg").glob("*.msg"):
        ours |= get_types_from_msg(file.read_text(), f"or_spatial/msg/{file.stem}")
    types.register(ours)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {}
        for topic, message, stamp in recorded(seconds, truth, images):
            kind = f"{type(message).__module__.split('.')[0]}/msg/{type(message).__name__}"
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=types)
            writer.write(connections[topic], stamp, serialize_message(message))
        for topic, kind, data, stamp in more:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=types)
            writer.write(connections[topic], stamp, data)
    return path


def of_another_suite():
    """What a suite that ran during the recording left in it, and a transform of a type that is not installed here."""
    from rclpy.serialization import serialize_message

    from or_spatial.nodes import conversions

    stamp = START_NS + 1_000_000_001
    alert = HazardAlert(id="theirs", rule_id="collision_course", hazard_type="collision_course", stamp_ns=stamp)
    graph = conversions.scene_graph_to_message(SceneGraph(stamp_ns=stamp, model_id="theirs"))
    yield "/scene_graph", "or_spatial/msg/SceneGraph", serialize_message(graph), stamp
    alert = conversions.hazard_alert_to_message(alert)
    yield "/hazards", "or_spatial/msg/HazardAlert", serialize_message(alert), stamp
    yield "/tf", "tf2_msgs/msg/TFMessage", b"\0\1\0\0" + bytes(4), stamp


def recorded(seconds: float, truth: bool, images: bool):
    """(topic, message, time in ns) of the whole recording."""
    from geometry_msgs.msg import TransformStamped
    from sensor_msgs.msg import CameraInfo, CompressedImage

    from or_spatial.nodes import conversions

    def header(stamp, frame):
        return conversions.header_to_message(stamp, frame)

    optical = "camera_1_optical_frame"
    pose = TransformStamped(header=header(START_NS, "map"), child_frame_id=optical)
    x, y, z, w = (float(v) for v in quaternion_xyzw_from_rotation(ROOM_FROM_CAMERA[:3, :3]))
    place = pose.transform
    place.translation.x, place.translation.y, place.translation.z = (float(v) for v in ROOM_FROM_CAMERA[:3, 3])
    place.rotation.x, place.rotation.y, place.rotation.z, place.rotation.w = x, y, z, w
    if images:
        yield "/camera_1/pose", pose, START_NS
    for i in range(int(seconds * RATE_HZ)):
        graph = truth_at(i / RATE_HZ)
        stamp = graph.stamp_ns
        if truth:
            yield "/truth/scene_graph", conversions.scene_graph_to_message(graph), stamp
            alerts = breach_at(i / RATE_HZ)
            yield "/truth/hazards", conversions.hazard_alerts_to_message(alerts, stamp), stamp
        if images:
            K = CAMERA.K
            info = CameraInfo(header=header(stamp, optical), width=320, height=180, distortion_model="plumb_bob")
            info.k, info.d = [float(v) for v in K.ravel()], [0.0] * 5
            info.p = [K[0, 0], 0.0, K[0, 2], 0.0, 0.0, K[1, 1], K[1, 2], 0.0, 0.0, 0.0, 1.0, 0.0]
            yield "/camera_1/camera_info", info, stamp
            _, jpeg = cv2.imencode(".jpg", picture_at(graph)[..., ::-1])
            data = CompressedImage(header=header(stamp, optical), format="jpeg", data=jpeg.tobytes())
            yield "/camera_1/image_raw/compressed", data, stamp
