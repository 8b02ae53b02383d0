"""Waiting for conditions, and a node that talks to the suite: what every integration test needs."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from or_spatial.msg import HazardAlert, HazardAlertArray, SceneGraph, SpatialAnswer
from rclpy.action import ActionClient
from rclpy.node import Node

from or_spatial.nodes import qos
from or_spatial.nodes.calls import answer_of
from or_spatial.nodes.conversions import scene_graph_from_message
from or_spatial.nodes.session import spinning
from or_spatial.nodes.transport import Transport

PATIENCE_S = 30.0


def wait_until(condition: Callable[[], Any], timeout_s: float = PATIENCE_S, what: str = "") -> Any:
    """The condition's first true value; fails with `what` when it stays false."""
    deadline, pause = time.monotonic() + timeout_s, threading.Event()
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what or condition} did not come true within {timeout_s} s"
        pause.wait(0.01)
    return found


class Listener:
    """Hears what the suite publishes, keeps it, and calls its services."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.graphs: list[Any] = []
        self.hazards: list[HazardAlert] = []
        self.active: list[HazardAlertArray] = []
        self.answers: list[SpatialAnswer] = []
        self.status: dict[str, Any] = {}
        self._listen(SceneGraph, "scene_graph", lambda m: self.graphs.append(scene_graph_from_message(m)))
        self._listen(HazardAlert, "hazards", self.hazards.append)
        self._listen(HazardAlertArray, "active_hazards", self.active.append)
        self._listen(SpatialAnswer, "answers", self.answers.append)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._take_diagnostics, 10)

    @classmethod
    @contextmanager
    def spun(cls, transport: Transport) -> Iterator["Listener"]:
        """A listener whose node is spun by a thread."""
        with spinning("listener", transport) as node:
            yield cls(node)

    def _listen(self, kind: type, topic: str, take: Callable[[Any], None]) -> None:
        self.node.create_subscription(kind, topic, take, qos.profile("LATCHED", 100))

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.status[status.name] = status

    def values(self, node: str) -> dict[str, str]:
        """The newest diagnostic values of a node; empty before there are any."""
        status = self.status.get(node)
        return {pair.key: pair.value for pair in status.values} if status else {}

    def forget(self) -> None:
        """Start to listen afresh."""
        for kept in (self.graphs, self.hazards, self.active, self.answers):
            kept.clear()

    def graph_at(self, stamp_ns: int) -> Any:
        """The graph of exactly this stamp, or None."""
        return next((g for g in list(self.graphs) if g.stamp_ns == stamp_ns), None)

    def call(self, kind: type, name: str, timeout_s: float = PATIENCE_S, **request: Any) -> Any:
        """A service's response."""
        client = self.node.create_client(kind, name)
        try:
            assert client.wait_for_service(timeout_s), f"no service {name}"
            response = answer_of(lambda: client.call_async(kind.Request(**request)), timeout_s)
            assert response is not None, f"no answer of {name} within {timeout_s} s"
            return response
        finally:
            self.node.destroy_client(client)

    @contextmanager
    def action(self, kind: type, name: str) -> Iterator[ActionClient]:
        """A client of an action whose server is there."""
        client = ActionClient(self.node, kind, name)
        try:
            assert client.wait_for_server(PATIENCE_S), f"no action {name}"
            yield client
        finally:
            client.destroy()
