"""Stage latencies, counts and camera states as /diagnostics at 1 Hz, on a steady clock: they never fall silent."""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

_KEPT = 300  # samples per stage: a minute at 5 Hz


class Level(IntEnum):
    """Levels of DiagnosticStatus, which has them as bytes."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


class StageTimes:
    """The last durations of each stage, ms; `summary` gives median and 95th percentile."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_KEPT))

    def add(self, stage: str, duration_ms: float) -> None:
        """Note one duration."""
        self._times[stage].append(duration_ms)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Note how long the block takes."""
        begun = time.perf_counter()
        yield
        self.add(stage, 1e3 * (time.perf_counter() - begun))

    def summary(self) -> dict[str, str]:
        """`<stage>_p50_ms` and `<stage>_p95_ms`, ready for KeyValue."""
        values = {}
        for stage, times in list(self._times.items()):
            p50, p95 = np.percentile(list(times), [50, 95])
            values[f"{stage}_p50_ms"], values[f"{stage}_p95_ms"] = f"{p50:.1f}", f"{p95:.1f}"
        return values


@dataclass
class Report:
    """One line of diagnostics: the worst level that was said, with every reason for it."""

    level: Level = Level.OK
    reasons: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)

    def say(self, level: Level, reason: str) -> None:
        """Raise the level if this is worse, and keep the reason."""
        self.level = max(self.level, level)
        self.reasons.append(reason)

    def put(self, values: Mapping[str, object]) -> None:
        """Add values under their names."""
        self.values.update({key: str(value) for key, value in values.items()})


class Diagnostics:
    """Publishes what `collect` reports, once a second, under the node's name."""

    def __init__(self, node: Node, collect: Callable[[], Report], hardware_id: str = "or_spatial") -> None:
        self._node, self._collect, self._hardware_id = node, collect, hardware_id
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._timer = node.create_timer(1.0, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def publish(self) -> None:
        """Collect and publish now."""
        report = self._collect()
        status = DiagnosticStatus(name=self._node.get_fully_qualified_name().lstrip("/"))
        status.level = bytes([report.level])
        status.message = "; ".join(report.reasons) or "running"
        status.hardware_id = self._hardware_id
        status.values = [KeyValue(key=k, value=v) for k, v in report.values.items()]
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)
