"""Scene graphs in, what the team is doing out: procedure, phase, roles, next action. Read by `or_spatial.clinical`.

An awareness aid for research, not a medical device.
"""

import sys
from typing import Any

from rclpy.clock import Clock, ClockType
from std_srvs.srv import Trigger

from or_spatial.clinical import ClinicalReader, Repertoire
from or_spatial.errors import OrSpatialError
from or_spatial.msg import ClinicalState as ClinicalStateMessage
from or_spatial.msg import SceneGraph as SceneGraphMessage
from or_spatial.nodes import conversions, qos
from or_spatial.nodes.base import TabledNode, guarded, run_node
from or_spatial.nodes.diagnostics import Diagnostics, Level, Report, StageTimes
from or_spatial.nodes.stamps import StreamClock
from or_spatial.paths import share_path
from or_spatial.scene import ClinicalState, SceneGraph

_GRAPH_DEPTH = 10  # a busy moment must not cost a graph: who reads a course of events wants them all
_NS = 1_000_000_000


class ClinicalNode(TabledNode):
    """Publishes a reading on `clinical` for every graph, and an abstention when graphs stop; see docs/nodes.md."""

    def __init__(self) -> None:
        super().__init__("clinical_node")
        file = self.value("model_file") or share_path("config", "clinical", "or_world.json")
        self._reader = ClinicalReader(Repertoire.load(file))
        self._stream = StreamClock(self.value("live_within_s"))
        self._newest = ClinicalState(stamp_ns=0)
        self._silent = False
        self._graphs, self._refused = 0, ""
        self._times = StageTimes()
        overridable = {"qos_overriding_options": qos.overridable()}
        self._states = self.create_publisher(ClinicalStateMessage, "clinical", qos.profile("LATCHED"), **overridable)
        self.create_subscription(
            SceneGraphMessage,
            "scene_graph",
            self._on_graph,
            qos.profile(self.value("graph_qos"), _GRAPH_DEPTH),
            **overridable,
        )
        self.create_service(Trigger, "restart_reading", self._restart)
        self.create_timer(0.5, self._notice_silence, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._diagnostics = Diagnostics(self, self._report, "or_spatial clinical")
        known = ", ".join(m.procedure for m in self._reader.repertoire.models)
        self.get_logger().info(f"{self._reader.repertoire.model_id} reads {known}")

    @guarded
    def _on_graph(self, message: SceneGraphMessage) -> None:
        try:
            with self._times.measure("read"):
                graph = conversions.scene_graph_from_message(message)
                self._take(graph)
            self._refused = ""
        except OrSpatialError as error:  # a graph of a newer sender, or of a vocabulary that nobody knows here
            self._refused = f"graph refused: {error}"
            self.get_logger().warning(self._refused, throttle_duration_sec=5.0)

    def _take(self, graph: SceneGraph) -> None:
        if graph.stamp_ns < self._newest.stamp_ns:
            text = f"time jumped back to {graph.stamp_ns / _NS:.3f} s: the operation is read anew"
            self.get_logger().warning(text, throttle_duration_sec=1.0)
        self._newest = self._reader.read(graph)
        self._stream.received(graph.stamp_ns, self._now_ns())
        self._graphs, self._silent = self._graphs + 1, False
        self._publish(self._newest.abstaining_below(self.value("min_confidence")))

    @guarded
    def _notice_silence(self) -> None:
        """The last reading is latched: when graphs stop, it must not pass for the present."""
        if self._graphs and not self._silent and self._age_s() > self.value("stale_after_s"):
            self._silent = True
            self._publish(ClinicalState(stamp_ns=self._newest.stamp_ns, model_id=self._newest.model_id))

    def _restart(self, request: Any, response: Any) -> Any:
        """The next operation begins: forget who was who and how far the last one had come."""
        self._reader.reset()
        response.success, response.message = True, "the next graph begins a new operation"
        return response

    def _publish(self, state: ClinicalState) -> None:
        self._states.publish(conversions.clinical_state_to_message(state))

    def _age_s(self) -> float:
        return 1e-9 * (self._stream.now_ns(self._now_ns()) - self._newest.stamp_ns)

    def _now_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _report(self) -> Report:
        report = Report()
        report.put({"model_id": self._reader.repertoire.model_id, "graphs": self._graphs} | self._times.summary())
        if self._refused:
            report.say(Level.WARN, self._refused)
        if not self._graphs:
            report.say(Level.WARN, "no scene graph has come yet: nothing is read")
        else:
            report.put({"graph_age_s": f"{self._age_s():.3f}", "phase": self._newest.phase})
            if self._silent:
                report.say(Level.WARN, f"no scene graph for {self._age_s():.1f} s: the reading abstains")
        return report


def main() -> None:
    """Run the node until it is told to end."""
    sys.exit(run_node(ClinicalNode))


if __name__ == "__main__":
    main()
