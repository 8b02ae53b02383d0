"""The synthetic operating room as live cameras: what integrators develop against when they have no room.

A thread of its own draws each moment ahead of its time and publishes it when that time has come, so that stamps are
true although drawing takes long. A machine too slow for the rate gives fewer pictures, not older ones.
"""

import sys
import threading
import time
import traceback
from dataclasses import replace
from typing import Any

from geometry_msgs.msg import TransformStamped
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from or_spatial.msg import ClinicalState, HazardAlertArray, SceneGraph
from or_spatial.nodes import conversions, qos
from or_spatial.nodes.base import TabledNode, run_node
from or_spatial.nodes.diagnostics import Diagnostics, Level, Report, StageTimes
from or_spatial.nodes.extrinsics import transform_from_matrix
from or_spatial.nodes.images import compressed_from_rgb, image_from_array, info_from_camera
from or_spatial.world.hazard_truth import truth_alerts
from or_spatial.world.rig import camera_rig
from or_spatial.world.samples import View, graph_of, look
from or_spatial.world.simulation import Simulation, WorldState
from or_spatial.world.truth import truth_clinical

_JPEG_QUALITY = 85


class WorldNode(TabledNode):
    """Publishes cameras and truth of one scripted procedure; see docs/nodes.md."""

    def __init__(self) -> None:
        super().__init__("world_node")
        split, seed, count = self.value("split"), self.value("seed"), self.value("camera_count")
        self._simulation = Simulation(split, seed, count, self.value("duration_s"))
        self._rig = camera_rig(self._simulation.script)[:count]
        self._images = {camera.name: self._image_publishers(camera.name) for camera in self._rig}
        self._infos = {c.name: self._open(CameraInfo, f"{c.name}/camera_info") for c in self._rig}
        self._poses = [self._publish_pose(camera) for camera in self._rig]
        self._truth: tuple[Any, ...] = ()
        if self.value("publish_truth"):
            self._truth = (
                self._open(SceneGraph, "/truth/scene_graph", "LATCHED"),
                self._open(ClinicalState, "/truth/clinical", "LATCHED"),
                self._open(HazardAlertArray, "/truth/hazards", "LATCHED"),
            )
        self._times = StageTimes()
        self._moments = 0
        self._drawn_in_s = 0.0
        self._trouble = ""
        self._closing = threading.Event()
        self._diagnostics = Diagnostics(self, self._report, "or_spatial world")
        self._artist = threading.Thread(target=self._draw, name="draw", daemon=True)
        self._artist.start()
        self.get_logger().info(f"{split} {seed}: {self._simulation.procedure}, {count} cameras")

    def close(self) -> None:
        """End the drawing thread."""
        self._closing.set()
        self._artist.join(timeout=10.0)

    def _open(self, kind: type, topic: str, quality: str = "DEFAULT") -> Any:
        return self.create_publisher(kind, topic, qos.profile(quality), qos_overriding_options=qos.overridable())

    def _image_publishers(self, camera: str) -> dict[str, Any]:
        kinds = {
            "raw": (Image, f"{camera}/image_raw"),
            "compressed": (CompressedImage, f"{camera}/image_raw/compressed"),
        }
        transport = self.value("transport")
        wanted = kinds if transport == "both" else {transport: kinds[transport]}
        return {name: self._open(kind, topic) for name, (kind, topic) in wanted.items()}

    def _publish_pose(self, camera: Any) -> Any:
        publisher = self._open(TransformStamped, f"{camera.name}/pose", "LATCHED")
        stamp_ns = self.get_clock().now().nanoseconds
        header = conversions.header_to_message(stamp_ns, self.value("world_frame"))
        publisher.publish(transform_from_matrix(camera.room_from_camera, header, f"{camera.name}_optical_frame"))
        return publisher

    def _draw(self) -> None:
        period_s, begun = 1.0 / self.value("rate_hz"), time.monotonic()
        shown, ahead_s = begun, 0.0
        while not self._closing.is_set():
            started = time.monotonic()
            shown = max(shown + period_s, started + ahead_s)
            if shown - begun > self._simulation.duration_s and not self.value("loop"):
                self.get_logger().info("the procedure has ended")
                return
            try:
                self._show((shown - begun) % self._simulation.duration_s, shown)
                ahead_s = max(0.9 * ahead_s, 1.1 * self._drawn_in_s)
                self._trouble = ""
            except Exception as error:  # one moment is lost, the next one is drawn
                self._trouble = f"{type(error).__name__}: {error}"
                text = f"a moment was not drawn:\n{traceback.format_exc()}"
                self.get_logger().error(text, throttle_duration_sec=5.0)

    def _show(self, t: float, at_s: float) -> None:
        """Draw the moment `t` of the procedure and publish it when the steady clock says `at_s`."""
        started = time.monotonic()
        state = self._simulation.state(t)
        views: list[View] = []
        if not state.silent:
            width, height = self.value("width_px"), self.value("height_px")
            with self._times.measure("draw"):
                views = [look(self._simulation, state, i, width, height) for i in range(len(self._rig))]
        self._drawn_in_s = time.monotonic() - started
        late_s = time.monotonic() - at_s
        if self._closing.wait(max(0.0, -late_s)):
            return
        stamp_ns = self.get_clock().now().nanoseconds - int(max(0.0, late_s) * 1e9)
        self._publish_truth(state, views, stamp_ns)
        for view in views:
            self._publish_view(view, stamp_ns)
        self._moments += 1

    def _publish_view(self, view: View, stamp_ns: int) -> None:
        name = view.rig.name
        header = conversions.header_to_message(stamp_ns, f"{name}_optical_frame")
        self._infos[name].publish(info_from_camera(view.camera, header))
        for transport, publisher in self._images[name].items():
            if transport == "compressed":
                publisher.publish(compressed_from_rgb(view.image, header, _JPEG_QUALITY))
            else:
                publisher.publish(image_from_array(view.image, header))

    def _publish_truth(self, state: WorldState, views: list[View], stamp_ns: int) -> None:
        if not self._truth:
            return
        graphs, clinical, hazards = self._truth
        frame_id = self.value("world_frame")
        if views:
            graph = replace(graph_of(state, views, stamp_ns, self._moments), frame_id=frame_id)
            graphs.publish(conversions.scene_graph_to_message(graph))
        reading = truth_clinical(state, self._simulation.roles, stamp_ns)
        clinical.publish(conversions.clinical_state_to_message(reading))
        alerts = truth_alerts(self._simulation, state.time_s, stamp_ns, [camera.name for camera in self._rig])
        hazards.publish(conversions.hazard_alerts_to_message(alerts, stamp_ns, frame_id))

    def _report(self) -> Report:
        report = Report()
        report.put({"moments": self._moments, "procedure": self._simulation.procedure} | self._times.summary())
        if self._trouble:
            report.say(Level.ERROR, self._trouble)
        return report


def main() -> None:
    """Run the node until it is told to end."""
    sys.exit(run_node(WorldNode))


if __name__ == "__main__":
    main()
