"""The graph's objects as vision_msgs/Detection3DArray, for tools that know nothing of ours; where it is installed.

Field meanings are those of vision_msgs 4: class_id is the label, id the tracking id, sizes are full extents in metres.
"""

import math
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode

from or_spatial.geometry.transforms import quaternion_xyzw_from_rotation, rotation_from_yaw
from or_spatial.nodes import conversions, qos
from or_spatial.scene import SceneGraph, SceneObject


class DetectionMirror:
    """Publishes `detections` while somebody listens; does nothing at all without vision_msgs."""

    def __init__(self, node: LifecycleNode) -> None:
        self._node, self._publisher = node, None
        try:
            from vision_msgs import msg
        except ImportError:
            return
        self._msg = msg
        self._publisher = node.create_lifecycle_publisher(msg.Detection3DArray, "detections", qos.profile("DEFAULT"))

    def publish(self, graph: SceneGraph) -> None:
        """The objects of a graph whose place is known."""
        if self._publisher is None or not self._publisher.get_subscription_count():
            return
        header = conversions.header_to_message(graph.stamp_ns, graph.frame_id)
        placed = [o for o in graph.objects if all(math.isfinite(v) for v in o.center_m)]
        detections = [detection_from_object(self._msg, header, o) for o in placed]
        self._publisher.publish(self._msg.Detection3DArray(header=header, detections=detections))

    def close(self) -> None:
        """Take the publisher down."""
        if self._publisher is not None:
            self._node.destroy_lifecycle_publisher(self._publisher)


def detection_from_object(msg: Any, header: Any, item: SceneObject) -> Any:
    """A Detection3D of one object; `msg` is the module vision_msgs.msg. Unknown covariances stay NaN, sizes are 0."""
    detection = msg.Detection3D(header=header, id=item.id)
    hypotheses = [(h.label, h.score) for h in item.hypotheses] or [(item.label, item.existence)]
    for label, score in hypotheses:
        result = msg.ObjectHypothesisWithPose()
        result.hypothesis.class_id, result.hypothesis.score = label, float(score)
        _place(result.pose.pose, item)
        covariance = np.full((6, 6), math.nan)
        covariance[:3, :3] = np.reshape(item.covariance_m2, (3, 3))
        result.pose.covariance = covariance.ravel()
        detection.results.append(result)
    _place(detection.bbox.center, item)
    known = all(math.isfinite(v) for v in item.size_m)
    detection.bbox.size = conversions.vector_to_message(item.size_m if known else (0.0, 0.0, 0.0))
    return detection


def _place(pose: Any, item: SceneObject) -> None:
    pose.position = conversions.point_to_message(item.center_m)
    yaw = item.yaw_rad if math.isfinite(item.yaw_rad) else 0.0
    x, y, z, w = quaternion_xyzw_from_rotation(rotation_from_yaw(yaw))
    pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = map(float, (x, y, z, w))
