"""Scene graphs in, hazard alerts out. The judgement lives in `or_spatial.hazards`; this keeps it fed and heard.

An awareness aid, not a certified medical alarm.
"""

import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from rclpy.clock import Clock, ClockType

from or_spatial.hazards.engine import HazardEngine, UnknownAlert
from or_spatial.msg import HazardAlert as HazardAlertMessage
from or_spatial.msg import HazardAlertArray
from or_spatial.msg import SceneGraph as SceneGraphMessage
from or_spatial.nodes import conversions, qos
from or_spatial.nodes.base import TabledNode, guarded, run_node
from or_spatial.nodes.diagnostics import Diagnostics, Level, Report, StageTimes
from or_spatial.nodes.queries import Status
from or_spatial.nodes.stamps import StreamClock
from or_spatial.paths import cache_path
from or_spatial.scene import AlertState, HazardAlert, Severity
from or_spatial.srv import AcknowledgeHazard, ListHazards

_CLEARED_KEPT = 50
_GRAPH_DEPTH = 10  # a busy moment must not cost a graph: who judges or remembers wants them all
_JUMP_BACK_NS = 1_000_000_000
_SAVE_EVERY_S = 5.0  # chosen: a restarted node must find that somebody contaminated was seen just now


class HazardNode(TabledNode):
    """Publishes every transition on `hazards` and the active set on `active_hazards`; see docs/nodes.md."""

    def __init__(self) -> None:
        super().__init__("hazard_node")
        self._engine = HazardEngine.from_yaml(self.value("rules_file") or None)
        self._state_file = self._place_of_state()
        if self._state_file is not None:
            self.get_logger().info(self._engine.load(self._state_file))
        self._stream = StreamClock(self.value("live_within_s"))
        self._cleared: deque[HazardAlert] = deque(maxlen=_CLEARED_KEPT)
        self._graph_ns, self._frame_id = 0, "map"
        self._ticked_ns = 0
        self._saved_s = 0.0
        self._times = StageTimes()
        overridable = {"qos_overriding_options": qos.overridable()}
        self._transitions = self.create_publisher(
            HazardAlertMessage, "hazards", qos.profile("LATCHED", 20), **overridable
        )
        self._active = self.create_publisher(HazardAlertArray, "active_hazards", qos.profile("LATCHED"), **overridable)
        self.create_subscription(
            SceneGraphMessage,
            "scene_graph",
            self._on_graph,
            qos.profile(self.value("graph_qos"), _GRAPH_DEPTH),
            **overridable,
        )
        self.create_service(ListHazards, "list_hazards", self._list_hazards)
        self.create_service(AcknowledgeHazard, "acknowledge_hazard", self._acknowledge_hazard)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0 / self.value("repeat_hz"), self._repeat, clock=steady)
        self._diagnostics = Diagnostics(self, self._report, "or_spatial hazards")

    @guarded
    def _on_graph(self, message: SceneGraphMessage) -> None:
        with self._times.measure("judge"):
            graph = conversions.scene_graph_from_message(message)
            self._stream.received(graph.stamp_ns, self._node_now_ns())
            self._let_time_jump()
            self._graph_ns, self._frame_id = graph.stamp_ns, graph.frame_id
            self._tell(self._engine.update(graph))

    @guarded
    def _repeat(self) -> None:
        """Notice silence, and say what is active even when it is nothing."""
        self._ticked_ns = self._stream.now_ns(self._node_now_ns())
        self._tell(self._engine.tick(self._ticked_ns))
        self._publish_active()
        if self._engine.contaminated and time.monotonic() - self._saved_s >= _SAVE_EVERY_S:
            self._save()

    def _let_time_jump(self) -> None:
        """The first graph of a replay takes the clock from this machine's to the recording's, years back perhaps."""
        now_ns = self._stream.now_ns(self._node_now_ns())
        if now_ns < self._ticked_ns - _JUMP_BACK_NS:
            self._ticked_ns = now_ns
            self._tell(self._engine.tick(now_ns))

    def _tell(self, transitions: list[HazardAlert]) -> None:
        for alert in transitions:
            self._transitions.publish(conversions.hazard_alert_to_message(alert))
            self.get_logger().info(f"{alert.state.name} {alert.id} ({alert.severity.name}): {alert.message}")
            if alert.state == AlertState.CLEARED:
                self._cleared.append(alert)
        if transitions:
            self._publish_active()
            self._save()

    def _publish_active(self) -> None:
        active = self._engine.active()
        self._active.publish(conversions.hazard_alerts_to_message(active, self._graph_ns, self._frame_id))

    def _list_hazards(self, request: Any, response: Any) -> Any:
        response.stamp = conversions.time_to_message(self._graph_ns)
        if request.min_severity > max(Severity):
            text = f"min_severity is {request.min_severity}; expected 0 to {int(max(Severity))}"
            response.status, response.message = int(Status.INVALID_REQUEST), text
            return response
        if not self._graph_ns:
            response.status, response.message = int(Status.NOT_READY), "no scene graph has come yet"
        alerts = [*self._engine.active(), *(reversed(self._cleared) if request.include_cleared else ())]
        response.alerts = [
            conversions.hazard_alert_to_message(alert)
            for alert in alerts
            if alert.severity >= request.min_severity
            and (not request.hazard_types or alert.hazard_type in request.hazard_types)
            and not (request.only_unacknowledged and alert.acknowledged_by)
        ]
        return response

    def _acknowledge_hazard(self, request: Any, response: Any) -> Any:
        nothing = HazardAlert(id=request.id, rule_id="", hazard_type="", stamp_ns=0)
        response.alert = conversions.hazard_alert_to_message(nothing)
        response.stamp = conversions.time_to_message(self._graph_ns)
        if not request.by.strip():
            text = "by is empty; expected who acknowledges the hazard"
            response.status, response.message = int(Status.INVALID_REQUEST), text
            return response
        try:
            alert = self._engine.acknowledge(request.id, request.by)
        except UnknownAlert as error:
            response.status, response.message = int(Status.NO_DATA), str(error)
            return response
        response.alert = conversions.hazard_alert_to_message(alert)
        self._tell([alert])
        return response

    def _place_of_state(self) -> Path | None:
        given = self.value("state_file")
        if given == "none":
            return None
        space = self.get_namespace().strip("/").replace("/", "_") or "root"
        return Path(given) if given else cache_path("hazards", f"{space}.json")

    def _save(self) -> None:
        if self._state_file is None:
            return
        self._saved_s = time.monotonic()
        try:
            self._engine.save(self._state_file)
        except OSError as error:
            text = f"active hazards cannot be kept over a restart: {error}"
            self.get_logger().warning(text, throttle_duration_sec=60.0)

    def _node_now_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _report(self) -> Report:
        report = Report()
        report.put({"active": len(self._engine.active()), "rules": len(self._engine.rules)} | self._times.summary())
        if not self._graph_ns:
            report.say(Level.WARN, "no scene graph has come yet: nothing is watched")
        else:
            age_s = 1e-9 * (self._stream.now_ns(self._node_now_ns()) - self._graph_ns)
            report.put({"graph_age_s": f"{age_s:.3f}"})
        return report


def main() -> None:
    """Run the node until it is told to end."""
    sys.exit(run_node(HazardNode))


if __name__ == "__main__":
    main()
