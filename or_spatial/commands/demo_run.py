"""The live part of the demo: start nodes, play, record, ask, weigh, stop."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from or_spatial.commands.console import err
from or_spatial.commands.recorded_cameras import told_to_a_suite, transport_of
from or_spatial.commands.recordings import Recording
from or_spatial.errors import DatasetError, OrSpatialError

READY_WITHIN_S = 60.0
ASK_AT = 0.5  # of the recording: by then there is a past to ask about, and time for answers to change


@dataclass(frozen=True, kw_only=True)
class Play:
    """How a recording is played: speed, how much of it, and whether it waits for the graph of every frame.

    `every_frame` is for scoring: no frame is dropped however slow the machine is, so latencies mean nothing.
    """

    rate: float = 1.0
    seconds: float | None = None
    every_frame: bool = False


@dataclass
class Live:
    """What happened: counts, latencies and answers, as the recorder in this process saw them."""

    played: int = 0
    graphs: int = 0
    latencies_s: list[float] = field(default_factory=list)
    pss_mb: dict[str, float] = field(default_factory=dict)
    exchanges: list[Any] = field(default_factory=list)
    restarts: dict[str, int] = field(default_factory=dict)
    topics: dict[str, str] = field(default_factory=dict)
    depth: Any = None
    ready_s: float = 0.0
    end_ns: int = 0
    every_frame: bool = False

    @property
    def delivered(self) -> float:
        """Share of the moments with images that became a graph."""
        return min(1.0, self.graphs / self.played) if self.played else float("nan")


def run_live(choice: Any, recording: Recording, folder: Path, play: Play) -> Live:
    """Run the nodes on a domain of their own and play the recording to them.

    Raises:
        OrSpatialError: a node refuses to start (its last words are in the message), or nobody listens.
    """
    from or_spatial.nodes.runner import Suite
    from or_spatial.nodes.table import LIVE
    from or_spatial.nodes.transport import Transport, reserved_domain

    live = Live(every_frame=play.every_frame)
    with reserved_domain() as domain:
        transport = Transport(domain=domain, loopback=True)
        suite = Suite(
            LIVE,
            transport=transport,
            parameters=parameters(choice, recording, play.every_frame),
            log_folder=folder / "logs",
            say=lambda line: err.print(line, markup=False),
        )
        with suite:
            _play(suite, transport, choice, recording, folder, live, play)
            live.restarts = dict(suite.restarts)
    return live


def parameters(choice: Any, recording: Recording, every_frame: bool = False) -> dict[str, dict[str, Any]]:
    """Parameters of the nodes for this recording: its cameras, its transport, its perceiver."""
    perception = {
        "cameras": list(recording.image_stamps),
        "transport": transport_of(recording.picture_topics),
        "perceiver": choice.perceiver,
    }
    if every_frame:
        perception["processing"] = "every_frame"
    if choice.bundle:
        perception["model_bundle"] = str(choice.bundle)
    return {"perception_node": perception, "hazard_node": {"state_file": "none"}}


def _play(suite: Any, transport: Any, choice: Any, recording: Recording, folder: Path, live: Live, play: Play) -> None:
    from or_spatial.nodes.bags import Bag
    from or_spatial.nodes.client import Client
    from or_spatial.nodes.recorder import Recorder
    from or_spatial.nodes.replayer import Replayer, ReplayOptions
    from or_spatial.nodes.session import spinning

    with (
        Bag(choice.bag) as bag,
        spinning("demo", transport) as node,
        spinning("demo_client", transport) as asking,
    ):
        told = told_to_a_suite(recording.kinds, recording.picture_topics)
        replayer = Replayer(node, bag, ReplayOptions(rate=play.rate, topics=told, every_frame=play.every_frame))
        recorder = Recorder(node, folder / "bag", published=replayer.published)
        client = Client(asking)
        try:
            live.ready_s = _wait_ready(suite, replayer, client, folder)
            halfway = threading.Event()
            watcher = threading.Thread(
                target=_ask_and_weigh, args=(halfway, suite, client, recording, live), name="ask", daemon=True
            )
            watcher.start()
            report = _replay(replayer, bag.duration_s, play.seconds, halfway)
            live.end_ns = max(replayer.published, default=0)
            recorder.wait_for_graph(live.end_ns, timeout_s=10.0)
            halfway.set()
            watcher.join(timeout=30.0)
            live.played, live.graphs = report.moments, len(set(recorder.graph_stamps_ns))
            live.latencies_s = [] if play.every_frame else list(recorder.latencies_s)
        finally:
            recorder.close()


def _wait_ready(suite: Any, replayer: Any, client: Any, folder: Path) -> float:
    """Wait until images are listened to and services are there; the seconds it took."""
    begun = time.monotonic()
    with err.status("starting the nodes"):
        while True:
            if suite.failed:
                raise OrSpatialError(_last_words(suite.failed, folder))
            try:
                replayer.wait_for_listeners(0.5)
                if client.wait_ready(0.5):
                    return time.monotonic() - begun
            except DatasetError:
                if time.monotonic() - begun > READY_WITHIN_S:
                    raise
            if time.monotonic() - begun > READY_WITHIN_S:
                missing = ", ".join(client.missing())
                raise OrSpatialError(
                    f"no {missing} after {READY_WITHIN_S:g} s; the nodes' logs are in {folder / 'logs'}"
                )


def _last_words(failed: dict[str, int], folder: Path) -> str:
    name, code = next(iter(failed.items()))
    log = folder / "logs" / f"{name}.log"
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.is_file() else []
    said = next((line for line in reversed(lines) if "rror" in line), lines[-1] if lines else "nothing")
    return f"{name} ended with code {code}; its log ({log}) says: {said}"


def _replay(replayer: Any, duration_s: float, seconds: float | None, halfway: threading.Event) -> Any:
    wanted_s = min(seconds or duration_s, duration_s)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[at]}"), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("playing over DDS", total=wanted_s, at="")

        def tell(fraction: float) -> None:
            at_s = fraction * duration_s
            bar.update(task, completed=min(at_s, wanted_s), at=f"{at_s:.1f} of {wanted_s:.1f} s")
            if at_s >= ASK_AT * wanted_s:
                halfway.set()
            if at_s >= wanted_s and seconds is not None:
                replayer.stop()

        return replayer.run(tell)


def _ask_and_weigh(halfway: threading.Event, suite: Any, client: Any, recording: Recording, live: Live) -> None:
    """In a thread of its own: at half time weigh the processes and ask every service once."""
    from or_spatial.commands.learning import pss_mb

    halfway.wait()
    live.topics = client.topics()
    live.depth = client.depth_of(next(iter(recording.cameras), ""), timeout_s=2.0)
    live.exchanges = client.ask_everything()
    live.pss_mb = {name: pss_mb([pid]) for name, pid in suite.pids.items()}
