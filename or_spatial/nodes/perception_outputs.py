"""What the perception node publishes: the graph always, everything heavier only while somebody listens."""

import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from or_spatial.geometry.pointmap import point_map
from or_spatial.msg import ObservedBox2DArray, SceneGraph, VisualTokens
from or_spatial.nodes import conversions, qos
from or_spatial.nodes.images import (
    cloud_from_points,
    image_from_array,
    info_from_camera,
)
from or_spatial.nodes.mirror import DetectionMirror
from or_spatial.perception.perceiver import Frame, Perception
from or_spatial.scene import graph as scene_graph

_PER_CAMERA = {
    "depth/image": Image,
    "depth/confidence": Image,
    "depth/camera_info": CameraInfo,
    "points": PointCloud2,
}


class PerceptionOutputs:
    """Publishers of one perception node. `wants_*` tell whether the work for a topic is worth doing."""

    def __init__(self, node: LifecycleNode, cameras: Sequence[str], model_id: str) -> None:
        self._node, self._model_id = node, model_id
        self._graph = self._publisher(SceneGraph, "scene_graph", "LATCHED")
        self._boxes = self._publisher(ObservedBox2DArray, "observed_boxes", "DEFAULT")
        self._tokens = self._publisher(VisualTokens, "visual_tokens", "DEFAULT")
        self._mirror = DetectionMirror(node)
        self._per_camera = {
            (camera, topic): self._publisher(kind, f"{camera}/{topic}", "DEFAULT", depth=2)
            for camera in cameras
            for topic, kind in _PER_CAMERA.items()
        }

    @property
    def wants_tokens(self) -> bool:
        """Whether anybody listens to visual tokens."""
        return self._tokens.get_subscription_count() > 0

    def publish(
        self, graph: scene_graph.SceneGraph, frames: Sequence[Frame], perceptions: Sequence[Perception], stride_px: int
    ) -> None:
        """Publish the graph, then what is listened to of each frame, with the image's own header."""
        self._graph.publish(conversions.scene_graph_to_message(graph))
        self._mirror.publish(graph)
        for frame, perception in zip(frames, perceptions, strict=True):
            header = header_of(frame)
            if self._boxes.get_subscription_count():
                self._boxes.publish(boxes_message(graph, frame, header))
            if perception.tokens is not None and self.wants_tokens:
                self._tokens.publish(self._tokens_message(graph, frame, perception.tokens, header))
            self._publish_depth(frame, perception, header, stride_px)

    def close(self) -> None:
        """Take the publishers down; a latched graph must not outlive the node's activity."""
        for publisher in (self._graph, self._boxes, self._tokens, *self._per_camera.values()):
            self._node.destroy_lifecycle_publisher(publisher)
        self._mirror.close()

    def _publisher(self, kind: type, topic: str, quality: str, depth: int | None = None) -> Any:
        profile = qos.profile(quality, depth)
        return self._node.create_lifecycle_publisher(kind, topic, profile, qos_overriding_options=qos.overridable())

    def _listened(self, camera: str, topic: str) -> Any | None:
        publisher = self._per_camera[camera, topic]
        return publisher if publisher.get_subscription_count() else None

    def _publish_depth(self, frame: Frame, perception: Perception, header: Header, stride_px: int) -> None:
        """Depth and its confidence at one size, with one camera: what is not listened to is not worked out."""
        camera = perception.fine_camera
        if perception.depth_m is None:
            return
        if to := self._listened(frame.name, "depth/image"):
            to.publish(image_from_array(perception.fine_depth_m.astype(np.float32, copy=False), header))
        if perception.depth_confidence is not None and (to := self._listened(frame.name, "depth/confidence")):
            to.publish(image_from_array(perception.fine_confidence.astype(np.float32, copy=False), header))
        if camera is None:
            return
        if to := self._listened(frame.name, "depth/camera_info"):
            to.publish(info_from_camera(camera, header))
        if to := self._listened(frame.name, "points"):
            points = point_map(perception.fine_depth_m, camera)[::stride_px, ::stride_px].reshape(-1, 3)
            to.publish(cloud_from_points(points, colours_of(points, frame), header))

    def _tokens_message(
        self, graph: scene_graph.SceneGraph, frame: Frame, tokens: NDArray[np.float16], header: Header
    ) -> VisualTokens:
        message = VisualTokens(header=header, schema_version=VisualTokens.SCHEMA_VERSION, camera=frame.name)
        message.model_id, message.sequence = self._model_id, graph.sequence
        message.tokens, message.channels = tokens.shape
        message.data = array.array("B", tokens.astype("<f2").tobytes())
        return message


def header_of(frame: Frame) -> Header:
    """The header that the frame's image came with."""
    return conversions.header_to_message(frame.stamp_ns, frame.frame_id)


def boxes_message(graph: scene_graph.SceneGraph, frame: Frame, header: Header) -> ObservedBox2DArray:
    """The graph's objects as this frame's camera sees them."""
    height, width = frame.image.shape[:2]
    message = ObservedBox2DArray(header=header, schema_version=ObservedBox2DArray.SCHEMA_VERSION, camera=frame.name)
    message.width, message.height = width, height
    for item in graph.objects:
        mine = (box for box in item.boxes if box.camera == frame.name)
        message.boxes.extend(conversions.box_to_message(box, item.id, item.label) for box in mine)
    return message


def colours_of(points: NDArray[np.float64], frame: Frame) -> NDArray[np.uint8]:
    """(N, 3) RGB of `points` (N, 3) in the camera's optical frame; grey for those outside the image."""
    colours = np.full(points.shape, 128, np.uint8)
    if frame.camera is None:
        return colours
    pixels = frame.camera.project(points)
    height, width = frame.image.shape[:2]
    with np.errstate(invalid="ignore"):
        inside = ((pixels > -0.5) & (pixels < (width - 0.5, height - 0.5))).all(axis=1)
    columns, rows = np.rint(pixels[inside]).astype(np.int64).T
    colours[inside] = frame.image[np.minimum(rows, height - 1), np.minimum(columns, width - 1)]
    return colours
