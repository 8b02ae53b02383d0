"""A small room for tests: pictures drawn with OpenCV, exact truth, and the same as a rosbag2 recording.

Two cameras look at an operating table with a patient, a robot and two people. One person stands until `walks_at_s` and
then walks towards the robot at 1.0 m/s, which is a collision course; before that nothing is a hazard.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.serialization import serialize_message

from or_spatial.geometry.boxes import OrientedBox
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import apply, invert, look_at, quaternion_xyzw_from_rotation
from or_spatial.nodes.bags import BagWriter
from or_spatial.nodes.conversions import header_to_message, scene_graph_to_message
from or_spatial.nodes.images import compressed_from_rgb, image_from_array, info_from_camera
from or_spatial.scene import Category, Scale, SceneGraph, SceneObject

START_NS = 1_600_000_000_000_000_000  # long ago: a replay, not a live stream
CAMERA = Camera(np.array([[300.0, 0, 161.0], [0, 305.0, 88.0], [0, 0, 1]]), 320, 180)
EYES = {"camera_1": (2.6, -2.2, 2.5), "camera_2": (-2.4, -2.0, 2.4)}
_COLOURS = {"person": (60, 160, 90), "mako_robot": (220, 220, 225), "operating_table": (40, 90, 160)}


@dataclass(frozen=True)
class SyntheticRoom:
    """The room over `seconds` at `rate_hz`; times count from 0, stamps from `start_ns`."""

    seconds: float = 4.0
    rate_hz: float = 5.0
    walks_at_s: float = 1e9
    cameras: tuple[str, ...] = ("camera_1",)
    start_ns: int = START_NS

    @property
    def times_s(self) -> list[float]:
        """The moments at which pictures are taken."""
        return [i / self.rate_hz for i in range(round(self.seconds * self.rate_hz))]

    def stamp_ns(self, t: float) -> int:
        """Acquisition time of the moment t."""
        return self.start_ns + round(t * 1e9)

    def pose(self, camera: str) -> np.ndarray:
        """room_from_camera (4, 4)."""
        return look_at(EYES[camera], (0.0, 0.0, 0.8))

    def truth(self, t: float) -> SceneGraph:
        """Everything in the room at t."""
        walked_m = np.clip(1.0 * (t - self.walks_at_s), 0.0, 1.5)
        objects = (
            thing("operating_table_1", "operating_table", Category.FURNITURE, (0.0, 0.0, 0.4), (2.0, 0.6, 0.8), 0.3),
            thing("patient_1", "patient", Category.ANATOMY, (0.1, 0.0, 0.92), (1.7, 0.5, 0.24), 0.3),
            thing("mako_robot_1", "mako_robot", Category.ROBOT, (1.2, 0.9, 0.7), (0.6, 0.6, 1.4), 0.1),
            thing("person_1", "person", Category.PERSON, (-1.2 + walked_m, 0.95, 0.88), (0.4, 0.5, 1.76), 0.0),
            thing("person_2", "person", Category.PERSON, (-0.3, -0.9, 0.86), (0.4, 0.5, 1.72), 0.5, sterile=0.98),
        )
        return SceneGraph(stamp_ns=self.stamp_ns(t), scale=Scale.METRIC, model_id="truth", objects=objects)

    def picture(self, camera: str, t: float) -> np.ndarray:
        """(180, 320, 3) uint8 RGB: boxes as filled hulls before a tiled wall, with the noise of a sensor."""
        rows, columns = np.mgrid[0:180, 0:320]
        image = np.where(((rows // 12 + columns // 16) % 2)[..., None], (150, 170, 165), (95, 120, 118))
        image = np.ascontiguousarray(image.astype(np.uint8))
        eye = np.array(EYES[camera])
        for o in sorted(self.truth(t).objects, key=lambda o: -np.linalg.norm(np.array(o.center_m) - eye)):
            corners = OrientedBox(o.center_m, o.size_m, o.yaw_rad).corners()
            pixels = CAMERA.project(apply(invert(self.pose(camera)), corners))
            hull = cv2.convexHull(np.round(pixels).astype(np.int32))
            cv2.fillConvexPoly(image, hull, _COLOURS.get(o.label, (200, 170, 150)))
            cv2.polylines(image, [hull], True, (20, 20, 25), 1)
        noise = np.random.default_rng([round(t * 1e6), len(camera), ord(camera[-1])]).normal(0, 4, image.shape)
        return np.clip(image + noise, 0, 255).astype(np.uint8)

    def image_message(self, camera: str, t: float, transport: str = "compressed"):
        """The picture as an Image or CompressedImage."""
        header = header_to_message(self.stamp_ns(t), f"{camera}_optical_frame")
        make = compressed_from_rgb if transport == "compressed" else image_from_array
        return make(self.picture(camera, t), header)

    def info_message(self, camera: str, t: float):
        """The CameraInfo beside it."""
        return info_from_camera(CAMERA, header_to_message(self.stamp_ns(t), f"{camera}_optical_frame"))

    def pose_message(self, camera: str) -> TransformStamped:
        """The camera's pose as the latched topic carries it."""
        message = TransformStamped(header=header_to_message(self.start_ns, "map"))
        message.child_frame_id = f"{camera}_optical_frame"
        pose = self.pose(camera)
        t, r = message.transform.translation, message.transform.rotation
        t.x, t.y, t.z = (float(v) for v in pose[:3, 3])
        r.x, r.y, r.z, r.w = (float(v) for v in quaternion_xyzw_from_rotation(pose[:3, :3]))
        return message

    def write_bag(self, folder: Path, transport: str = "compressed") -> Path:
        """The whole as an MCAP recording with truth, poses and calibrations."""
        writer = BagWriter(folder)
        tail = "/compressed" if transport == "compressed" else ""
        kind = "sensor_msgs/msg/CompressedImage" if tail else "sensor_msgs/msg/Image"
        writer.add_topic("/truth/scene_graph", "or_spatial/msg/SceneGraph")
        for camera in self.cameras:
            writer.add_topic(f"/{camera}/image_raw{tail}", kind)
            writer.add_topic(f"/{camera}/camera_info", "sensor_msgs/msg/CameraInfo")
            writer.add_topic(f"/{camera}/pose", "geometry_msgs/msg/TransformStamped")
            writer.write(f"/{camera}/pose", self.start_ns, serialize_message(self.pose_message(camera)))
        for t in self.times_s:
            at_ns = self.stamp_ns(t)
            truth = scene_graph_to_message(self.truth(t))
            writer.write("/truth/scene_graph", at_ns, serialize_message(truth))
            for camera in self.cameras:
                info, image = self.info_message(camera, t), self.image_message(camera, t, transport)
                writer.write(f"/{camera}/camera_info", at_ns, serialize_message(info))
                writer.write(f"/{camera}/image_raw{tail}", at_ns, serialize_message(image))
        writer.close()
        return folder


def thing(id, label, category, center_m, size_m, yaw_rad, sterile=float("nan")) -> SceneObject:
    """An object known exactly."""
    return SceneObject(
        id=id,
        label=label,
        category=category,
        center_m=center_m,
        covariance_m2=(1e-6, 0, 0, 0, 1e-6, 0, 0, 0, 1e-6),
        size_m=size_m,
        yaw_rad=yaw_rad,
        existence=1.0,
        sterile=sterile,
    )
