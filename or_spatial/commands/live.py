"""`or_spatial run` and `replay`: the nodes as processes, and a recording played to them."""

import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from or_spatial.commands.console import err, one_thread_for_blas, out
from or_spatial.errors import ConfigError


def run_nodes(
    nodes: Sequence[str] | None,
    simulation: bool,
    files: Sequence[Path],
    assignments: Sequence[str],
    namespace: str,
    domain: int | None,
    loopback: bool,
    log_folder: Path | None,
) -> int:
    """Run nodes in the foreground until Ctrl-C; the exit code.

    Raises:
        ConfigError: an unknown node or parameter, or a value out of range.
    """
    from or_spatial.nodes.runner import run
    from or_spatial.nodes.table import LIVE, SIMULATION
    from or_spatial.nodes.transport import Transport

    chosen = tuple(nodes or (SIMULATION if simulation else LIVE))
    return run(
        chosen,
        parameters=parse_assignments(assignments),
        parameter_files=files,
        defaults={"perception_node": {"cameras": ["camera_1", "camera_2"]}} if simulation else {},
        namespace=namespace,
        transport=Transport(domain=domain, loopback=loopback),
        log_folder=log_folder,
        say=lambda line: err.print(line, markup=False),
    )


def parse_assignments(assignments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """{"node": {"parameter": value}} of `node.parameter=value` texts; values are YAML, `perception` is perception_node.

    Raises:
        ConfigError: a text of another form, or an unknown node.
    """
    from or_spatial.nodes.table import entry

    found: dict[str, dict[str, Any]] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        node, dot, parameter = key.strip().partition(".")
        if not (equals and dot and node and parameter):
            raise ConfigError(f"-p {text!r} is not of the form node.parameter=value, such as perception.cameras=[wall]")
        try:
            found.setdefault(entry(node).name, {})[parameter] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ConfigError(f"-p {text!r}: {value!r} is no YAML value") from None
    return found


def replay_bag(bag: Path, rate: float, loop: bool, domain: int | None, loopback: bool) -> None:
    """Publish a recording until its end or Ctrl-C, to whoever listens."""
    from or_spatial.nodes.bags import Bag
    from or_spatial.nodes.replayer import Replayer, ReplayOptions
    from or_spatial.nodes.session import spinning
    from or_spatial.nodes.transport import Transport

    Bag(bag).close()  # before DDS starts: what is no recording is refused at once
    with Bag(bag) as source, spinning("replayer", Transport(domain=domain, loopback=loopback)) as node:
        replayer = Replayer(node, source, ReplayOptions(rate=rate, clock=True))
        previous = signal.signal(signal.SIGINT, lambda *_: replayer.stop())
        try:
            while True:
                with err.status(f"playing {bag}"):
                    report = replayer.run()
                if report.stopped or not loop:
                    break
        finally:
            signal.signal(signal.SIGINT, previous)
    out.print(f"{sum(report.counts.values())} messages on {len(report.counts)} topics in {report.wall_s:.1f} s")


def score_bag(bag: Path, json_file: Path | None, bundle: Path | None = None) -> dict[str, Any]:
    """Hand every frame of a recording to fresh nodes on a domain of their own and compare with the truth in it.

    Raises:
        DatasetError: no recording, no images, or no truth.
    """
    one_thread_for_blas()
    from or_spatial.commands import demo_report, demo_run, demo_score
    from or_spatial.commands.demo import DemoOptions, choose
    from or_spatial.commands.learning import show_figures, write_json
    from or_spatial.commands.recordings import read_recording

    options = DemoOptions(bag=bag, bundle=bundle)
    recording = read_recording(bag).require(images=True, truth=True)
    choice = choose(options)
    if choice.notice:
        err.print(f"notice: {choice.notice}", markup=False)
    err.print("every frame waits for its graph, so latencies and alerts of a late graph are not judged")
    with tempfile.TemporaryDirectory(prefix="or_spatial_score_") as place:
        folder = Path(place)
        live = demo_run.run_live(choice, recording, folder, demo_run.Play(every_frame=True))
        heard = read_recording(folder / "bag")
        figures = demo_score.score(recording, heard, live)
        figures["made_with"] = demo_report.made_with(choice, heard)
    show_figures({key: demo_score.dig(figures, key) for _, _, key in demo_score.lines(figures)})
    write_json(figures, json_file)
    return figures
