"""`or_spatial benchmark live`: the whole suite, each node a process, under a steady stream of raw images over DDS.

The pictures are those of the shipped recording at the size asked for. What is measured: the time from an image's
publication to its graph's receipt, whether it grows, how many images reached the perception node, memory.
"""

import tempfile
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from or_spatial.commands.console import err
from or_spatial.errors import ConfigError, OrSpatialError

READY_WITHIN_S = 60.0
_LAST_GRAPH_WITHIN_S = 10.0
_REPORT_WITHIN_S = 5.0
_PICTURES = 40  # per camera: enough to move, few enough to hold


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is streamed: so many cameras of this size, so often, so long."""

    cameras: int = 1
    width: int = 640
    height: int = 360
    rate_hz: float = 5.0
    seconds: float = 300.0


@dataclass
class Outcome:
    """What became of it. `latencies_s` in order of the images; `received` counts images of all cameras."""

    sent: int = 0
    moments: int = 0
    received: int = 0
    graphs: int = 0
    latencies_s: list[float] = field(default_factory=list)
    pss_mb: dict[str, float] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of a text such as 640x360.

    Raises:
        ConfigError: another form, or a size below 16 px.
    """
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and min(int(width), int(height)) >= 16):
        raise ConfigError(f"--size {text!r} is not of the form 640x360, in px from 16x16")
    return int(width), int(height)


def benchmark_live(load: Load, bundle: Path | None) -> dict[str, Any]:
    """Run the suite under the load; figures under the keys of the project's limits.

    Raises:
        ConfigError: more cameras than the recording has.
        OrSpatialError: the nodes do not start.
    """
    outcome = _run(load, bundle, _feeds(load))
    return figures(load, outcome)


def figures(load: Load, outcome: Outcome) -> dict[str, Any]:
    """Percentiles, growth from the first to the last fifth, shares, memory."""
    times_ms = 1e3 * np.asarray(outcome.latencies_s)
    fifth = max(len(times_ms) // 5, 1)
    p50, p95 = np.percentile(times_ms, [50, 95]) if times_ms.size else (np.nan, np.nan)
    growth = np.median(times_ms[-fifth:]) - np.median(times_ms[:fifth]) if times_ms.size else np.nan
    return {
        "latency": {
            "graph_p50_ms": round(float(p50), 1),
            "graph_p95_ms": round(float(p95), 1),
            "graph_growth_ms": round(float(growth), 1),
        },
        "transport": {
            "delivered": round(outcome.received / max(outcome.sent, 1), 4),
            "sent": outcome.sent,
            "received": outcome.received,
            "graphs_per_moment": round(outcome.graphs / max(outcome.moments, 1), 4),
        },
        "memory": {"pss_mb": round(sum(outcome.pss_mb.values()), 1), "by_node": outcome.pss_mb},
        "made_with": asdict(load) | {"restarts": sum(outcome.restarts.values())},
    }


def _feeds(load: Load) -> dict[str, Any]:
    """The first cameras of the shipped recording, enlarged or reduced to the size."""
    from or_spatial.commands.demo import shipped_bag
    from or_spatial.commands.recordings import images_at, read_recording
    from or_spatial.nodes.streamer import Feed

    recording = read_recording(shipped_bag()).require(images=True)
    names = [n for n, (_, pose) in recording.cameras.items() if pose is not None and n in recording.image_stamps]
    if load.cameras > len(names):
        raise ConfigError(f"--cameras {load.cameras}: the recording {recording.path} has {len(names)}")
    stamps = {n: recording.image_stamps[n][:_PICTURES] for n in names[: load.cameras]}
    pictures = images_at(recording.path, {n: set(s) for n, s in stamps.items()})
    size = (load.width, load.height)
    feeds = {}
    for name, when in stamps.items():
        camera, pose = recording.cameras[name]
        images = [cv2.resize(pictures[name, s], size, interpolation=cv2.INTER_LINEAR) for s in when]
        feeds[name] = Feed(images, camera.scaled(*size), pose)
    return feeds


def _run(load: Load, bundle: Path | None, feeds: dict[str, Any]) -> Outcome:
    from or_spatial.nodes.runner import Suite
    from or_spatial.nodes.table import LIVE
    from or_spatial.nodes.transport import Transport, reserved_domain

    perception = {"cameras": list(feeds), "transport": "raw"} | ({"model_bundle": str(bundle)} if bundle else {})
    outcome = Outcome()
    with reserved_domain() as domain, tempfile.TemporaryDirectory(prefix="or_spatial_load_") as place:
        transport = Transport(domain=domain, loopback=True)
        suite = Suite(
            LIVE,
            transport=transport,
            parameters={"perception_node": perception, "hazard_node": {"state_file": "none"}},
            log_folder=Path(place) / "logs",
            say=lambda line: err.print(line, markup=False),
        )
        with suite:
            _stream(suite, transport, load, feeds, Path(place), outcome)
            outcome.restarts = dict(suite.restarts)
    return outcome


def _stream(suite: Any, transport: Any, load: Load, feeds: dict[str, Any], folder: Path, outcome: Outcome) -> None:
    from or_spatial.commands.learning import pss_mb
    from or_spatial.nodes.recorder import Recorder
    from or_spatial.nodes.session import spinning
    from or_spatial.nodes.streamer import Streamer

    with spinning("load", transport) as node, spinning("load_listener", transport) as listener:
        streamer = Streamer(node, feeds)
        reports = Reports(listener, "perception_node")
        recorder = Recorder(listener, folder / "bag", published=streamer.published)
        try:
            with err.status("starting the nodes"):
                streamer.wait_for_listeners(READY_WITHIN_S)
                _warm_up(streamer, recorder)
            before, heard = reports.received(), len(recorder.graph_stamps_ns)
            told = len(recorder.latencies_s)
            outcome.moments = _with_bar(streamer, load)
            outcome.sent = outcome.moments * len(feeds)
            outcome.pss_mb = {name: round(pss_mb([pid]), 1) for name, pid in suite.pids.items()}
            recorder.wait_for_graph(max(streamer.published), _LAST_GRAPH_WITHIN_S)
            outcome.received = reports.received_at_least(before + outcome.sent, _REPORT_WITHIN_S) - before
            outcome.graphs = len(recorder.graph_stamps_ns) - heard
            outcome.latencies_s = list(recorder.latencies_s[told:])
        finally:
            recorder.close()


def _warm_up(streamer: Any, recorder: Any) -> None:
    """A few images until the first graph: loading the model is not part of the load."""
    for _ in range(int(READY_WITHIN_S)):
        streamer.run(2.0, 1.0)
        if recorder.wait_for_graph(max(streamer.published), 1.0):
            return
    raise OrSpatialError(f"no graph within {READY_WITHIN_S:g} s of images; or_spatial run shows what the nodes say")


def _with_bar(streamer: Any, load: Load) -> int:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        what = f"{load.cameras} x {load.width}x{load.height} at {load.rate_hz:g} Hz"
        task = bar.add_task(what, total=load.seconds)
        return streamer.run(load.rate_hz, load.seconds, lambda at_s: bar.update(task, completed=at_s))


class Reports:
    """What one node last said on /diagnostics."""

    def __init__(self, node: Any, name: str) -> None:
        from diagnostic_msgs.msg import DiagnosticArray

        self._name, self._values = name, {}
        self._came = threading.Condition()
        self._subscription = node.create_subscription(DiagnosticArray, "/diagnostics", self._take, 10)

    def received(self) -> int:
        """Images of all cameras that the node has taken in, from a report that comes after this call."""
        with self._came:
            self._values = {}
            self._came.wait_for(lambda: self._values, _REPORT_WITHIN_S)
            return self._sum()

    def received_at_least(self, count: int, timeout_s: float) -> int:
        """Wait for so many; how many there are by then."""
        with self._came:
            self._came.wait_for(lambda: self._sum() >= count, timeout_s)
            return self._sum()

    def _sum(self) -> int:
        return sum(int(value) for key, value in self._values.items() if key.endswith(".received"))

    def _take(self, message: Any) -> None:
        for status in message.status:
            if status.name.split("/")[-1] == self._name:
                with self._came:
                    self._values = {pair.key: pair.value for pair in status.values}
                    self._came.notify_all()
