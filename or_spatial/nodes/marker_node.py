"""Graphs and hazards as a MarkerArray for RViz and Foxglove. What is drawn is decided in `visual/markers.py`."""

import sys
import time

from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from or_spatial.msg import HazardAlertArray, SceneGraph
from or_spatial.nodes import conversions, qos
from or_spatial.nodes.base import TabledNode, guarded, run_node
from or_spatial.scene import HazardAlert
from or_spatial.visual import markers


class MarkerNode(TabledNode):
    """Draws the newest graph with the active hazards; see docs/nodes.md."""

    def __init__(self) -> None:
        super().__init__("marker_node")
        self._scene = markers.MarkerScene(markers.MarkerStyle(lifetime_s=self.value("lifetime_s")))
        self._alerts: tuple[HazardAlert, ...] = ()
        self._drawn_s = 0.0
        self._publisher = self.create_publisher(
            MarkerArray, "markers", qos.profile("DEFAULT", 5), qos_overriding_options=qos.overridable()
        )
        profile = qos.profile(self.value("graph_qos"))
        options = {"qos_overriding_options": qos.overridable()}
        self.create_subscription(SceneGraph, "scene_graph", self._on_graph, profile, **options)
        self.create_subscription(HazardAlertArray, "active_hazards", self._on_hazards, profile, **options)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._on_second, clock=steady)

    @guarded
    def _on_graph(self, message: SceneGraph) -> None:
        now_s = time.monotonic()
        if now_s - self._drawn_s < 0.9 / self.value("max_rate_hz") or not self._publisher.get_subscription_count():
            return
        self._drawn_s = now_s
        self._publish(self._scene.update(conversions.scene_graph_from_message(message), self._alerts))

    @guarded
    def _on_hazards(self, message: HazardAlertArray) -> None:
        self._alerts = conversions.hazard_alerts_from_message(message)

    @guarded
    def _on_second(self) -> None:
        """Take everything away once graphs have stopped: an old picture must not pass for a new one."""
        if self._drawn_s and time.monotonic() - self._drawn_s > self.value("lifetime_s"):
            self._drawn_s = 0.0
            self._publish(self._scene.clear())

    def _publish(self, shapes: tuple[markers.Marker, ...]) -> None:
        if shapes:
            self._publisher.publish(MarkerArray(markers=[marker_to_message(shape) for shape in shapes]))


def marker_to_message(shape: markers.Marker) -> Marker:
    """A visualization_msgs/Marker with the same fields; its stamp is zero, which means 'now' to every viewer."""
    x, y, z, w = shape.orientation
    sx, sy, sz = shape.scale
    r, g, b, a = shape.color
    message = Marker(ns=shape.ns, id=shape.id, type=int(shape.type), action=int(shape.action), text=shape.text)
    message.header.frame_id = shape.frame_id
    message.pose = Pose(position=_point(shape.position), orientation=Quaternion(x=x, y=y, z=z, w=w))
    message.scale = Vector3(x=float(sx), y=float(sy), z=float(sz))
    message.color = ColorRGBA(r=float(r), g=float(g), b=float(b), a=float(a))
    message.points = [_point(point) for point in shape.points]
    message.lifetime = Duration(seconds=shape.lifetime_s).to_msg()
    return message


def _point(position: tuple[float, ...]) -> Point:
    return conversions.point_to_message(position)


def main() -> None:
    """Run the node until it is told to end."""
    sys.exit(run_node(MarkerNode))


if __name__ == "__main__":
    main()
