"""Records topics into an MCAP bag, and measures how long after its image each graph came.

    recorder = Recorder(node, "output_bag", published=replayer.published)
    ...
    recorder.close()
    recorder.latencies_s        # wall time from the replayer's publish to the graph's receipt, joined on stamp

The latency is honest only when replayer and recorder share one process (one clock, `time.perf_counter`), and when the
thread that spins the node has nothing else to do. Bag log times are the wall clock at receipt.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rclpy.node import Node

from or_spatial.nodes import qos
from or_spatial.nodes.bags import BagWriter, stamp_of
from or_spatial.nodes.replayer import class_of

_GRAPH = "or_spatial/msg/SceneGraph"


@dataclass(frozen=True)
class Recorded:
    """One topic to record: its type and the quality of service by name, with another depth if given."""

    kind: str
    quality: str = "DEFAULT"
    depth: int = 100


OUTPUTS: dict[str, Recorded] = {
    "scene_graph": Recorded(_GRAPH, "LATCHED"),
    "hazards": Recorded("or_spatial/msg/HazardAlert", "LATCHED"),
    "active_hazards": Recorded("or_spatial/msg/HazardAlertArray", "LATCHED"),
    "answers": Recorded("or_spatial/msg/SpatialAnswer", "LATCHED"),
    "markers": Recorded("visualization_msgs/msg/MarkerArray"),
    "/diagnostics": Recorded("diagnostic_msgs/msg/DiagnosticArray"),
}
"""What the running suite publishes and a recording should hold. Heavy topics (depth, points) are on demand."""


class Recorder:
    """Writes what it hears until `close`; a subscription is what makes on-demand topics appear.

    Args:
        topics: name -> what; names are relative to the node's namespace unless they begin with a slash.
        published: image stamp (ns) -> `time.perf_counter` at which it was published; filled by a Replayer.

    Raises:
        DatasetError: something is at `path` already.
    """

    def __init__(
        self,
        node: Node,
        path: str | Path,
        topics: Mapping[str, Recorded] | None = None,
        published: Mapping[int, float] | None = None,
    ) -> None:
        self._writer = BagWriter(path)
        self._published = published if published is not None else {}
        self._lock = threading.Lock()
        self._heard = threading.Condition(self._lock)
        self._open = True
        self.latencies_s: list[float] = []
        self.graph_stamps_ns: list[int] = []
        self._subscriptions = [
            self._subscribe(node, name, what) for name, what in (OUTPUTS if topics is None else topics).items()
        ]

    @property
    def counts(self) -> dict[str, int]:
        """Messages so far, by resolved topic name."""
        return dict(self._writer.counts)

    def wait_for(self, topic: str, count: int, timeout_s: float) -> bool:
        """Block until a topic (resolved name) has this many messages; whether it has."""
        with self._heard:
            return self._heard.wait_for(lambda: self._writer.counts.get(topic, 0) >= count, timeout_s)

    def wait_for_graph(self, stamp_ns: int, timeout_s: float) -> bool:
        """Block until a graph of this stamp or a newer one has come; whether it has."""
        with self._heard:
            return self._heard.wait_for(lambda: max(self.graph_stamps_ns, default=0) >= stamp_ns, timeout_s)

    def close(self) -> None:
        """Finish the bag; what comes later is not written."""
        with self._lock:
            if self._open:
                self._open = False
                self._writer.close()

    def _subscribe(self, node: Node, name: str, what: Recorded) -> object:
        profile = qos.profile(what.quality, what.depth)
        resolved = node.resolve_topic_name(name)
        self._writer.add_topic(resolved, what.kind)
        return node.create_subscription(
            class_of(what.kind), name, lambda data: self._take(resolved, what.kind, data), profile, raw=True
        )

    def _take(self, topic: str, kind: str, data: bytes) -> None:
        received_s, received_ns = time.perf_counter(), time.time_ns()
        with self._heard:
            if not self._open:
                return
            self._writer.write(topic, received_ns, data)
            stamp_ns = stamp_of(kind, data) if kind == _GRAPH else None
            if stamp_ns is not None:
                self.graph_stamps_ns.append(stamp_ns)
                if stamp_ns in self._published:
                    self.latencies_s.append(received_s - self._published[stamp_ns])
            self._heard.notify_all()
