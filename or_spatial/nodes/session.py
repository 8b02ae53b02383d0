"""Replay and record in one process, which is what the demo, `or_spatial replay` and the tests need.

with Suite(LIVE, transport=transport, ...):
    result = replay("room", output="out", transport=transport, every_frame=False)
result.latency_ms(95), result.delivered
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from or_spatial.nodes.bags import Bag
from or_spatial.nodes.recorder import OUTPUTS, Recorded, Recorder
from or_spatial.nodes.replayer import Replayer, ReplayOptions, ReplayReport
from or_spatial.nodes.spinning import spin
from or_spatial.nodes.transport import Transport


@dataclass(frozen=True)
class ReplayResult:
    """What came of a replay. `latencies_s`: one per graph whose image was played by this process."""

    report: ReplayReport
    counts: Mapping[str, int]
    latencies_s: tuple[float, ...] = field(repr=False, default=())
    graphs: int = 0

    @property
    def delivered(self) -> float:
        """Graphs received per moment with images that was played, at most 1."""
        return min(1.0, self.graphs / self.report.moments) if self.report.moments else 0.0

    def latency_ms(self, percentile: float) -> float:
        """A percentile of the end-to-end latency, NaN when no graph came."""
        return float(np.percentile(self.latencies_s, percentile) * 1e3) if self.latencies_s else float("nan")


@contextmanager
def spinning(name: str, transport: Transport | None = None, namespace: str = "") -> Iterator[Node]:
    """A node of this process, spun by a thread of its own until the end of the block.

    A context of its own, so that several can follow each other in one process. `transport` sets this process's DDS
    variables; its images go out through a large segment. What a callback raised is raised at the end of the block.
    """
    if transport is not None:
        transport.apply(publishes_images=True)
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node(name, context=context, namespace=namespace or None)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    thread = _Spinning(executor)
    thread.start()
    try:
        yield node
    finally:
        thread.ended.set()
        executor.shutdown()
        thread.join(timeout=5.0)
        node.destroy_node()
        rclpy.try_shutdown(context=context)
        if thread.fault is not None:
            raise thread.fault


def replay(
    bag: str | Path,
    output: str | Path | None = None,
    *,
    transport: Transport | None = None,
    namespace: str = "",
    options: ReplayOptions | None = None,
    topics: Mapping[str, Recorded] | None = None,
    listeners_within_s: float = 60.0,
    last_graph_within_s: float = 10.0,
    progress: Callable[[float], None] | None = None,
    during: Callable[[Node], None] | None = None,
) -> ReplayResult:
    """Play `bag` to nodes that run already, and record what they say into `output` (an MCAP bag; None: nowhere).

    Waits for listeners, plays, waits for the graph of the last image. `during` is called in this thread after the
    replay and before recording ends: the place for service calls whose answers should be in the bag.

    Raises:
        DatasetError: no recording, no images in it, nobody listens, or something is at `output` already.
    """
    options = options or ReplayOptions()
    with Bag(bag) as source, spinning("replayer", transport, namespace) as node:
        replayer = Replayer(node, source, options)
        recorder = None
        if output is not None:
            recorder = Recorder(node, output, OUTPUTS if topics is None else topics, replayer.published)
        try:
            replayer.wait_for_listeners(listeners_within_s)
            report = replayer.run(progress)
            if recorder is not None and replayer.published:
                recorder.wait_for_graph(max(replayer.published), last_graph_within_s)
            if during is not None:
                during(node)
        finally:
            if recorder is not None:
                recorder.close()
    if recorder is None:
        return ReplayResult(report, {})
    return ReplayResult(report, recorder.counts, tuple(recorder.latencies_s), len(set(recorder.graph_stamps_ns)))


class _Spinning(threading.Thread):
    """Spins until `ended`; keeps what ended it before."""

    def __init__(self, executor: SingleThreadedExecutor) -> None:
        super().__init__(name=f"spin-{executor.get_nodes()[0].get_name()}", daemon=True)
        self.ended = threading.Event()
        self.fault: Exception | None = None
        self._executor = executor

    def run(self) -> None:
        try:
            spin(self._executor, self.ended.is_set)
        except ExternalShutdownException:
            pass
        except Exception as error:
            if self.ended.is_set():  # torn down under its hands
                raise
            self.fault = error
