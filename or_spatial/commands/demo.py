"""`or_spatial demo`: nodes as processes, a recording over real topics, questions, figures against the truth, a report.

Everything happens on a DDS domain of its own, bound to the loopback interface. What it does is in four steps: choose
(`choose`), run (`demo_run.run_live`), score (`demo_score.score`), tell (`demo_report.write`).
"""

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

from rich.panel import Panel
from rich.table import Table

from or_spatial.commands.console import err, out
from or_spatial.errors import BundleError, ConfigError, MissingDependency

DEMO_BAG = ("resource", "demo")
OURS = "metrics.json"


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What to play, who looks at it, how fast, and where the results go."""

    out: Path = Path("demo_output")
    bag: Path | None = None
    bundle: Path | None = None
    perceiver: str = "model"
    rate: float = 1.0
    seconds: float | None = None
    rerun: bool = False


@dataclass(frozen=True)
class Choice:
    """The recording and the perceiver that were chosen; `notice` is said loudly when it is not what was expected."""

    bag: Path
    perceiver: str
    bundle: Path | None
    notice: str = ""


def run_demo(options: DemoOptions) -> int:
    """The whole demo; returns the exit code.

    Raises:
        BundleError, DatasetError, ConfigError: what is missing or damaged, by name.
    """
    from or_spatial.commands import demo_report, demo_run, demo_score
    from or_spatial.commands.learning import write_json
    from or_spatial.commands.recordings import read_recording

    begun = time.monotonic()
    if options.rerun:
        require_rerun()
    choice = choose(options)
    recording = read_recording(choice.bag).require(images=True, truth=choice.perceiver == "rules")
    folder = fresh_folder(options.out)
    if choice.notice:
        err.print(Panel(choice.notice, title="notice", border_style="yellow"))
    live = demo_run.run_live(choice, recording, folder, demo_run.Play(rate=options.rate, seconds=options.seconds))
    with err.status("comparing with the truth, drawing the report"):
        heard = read_recording(folder / "bag")
        figures = demo_score.score(recording, heard, live)
        figures["made_with"] = demo_report.made_with(choice, heard)
        demo_report.write(folder, choice, recording, heard, live, figures)
        write_json(figures, folder / OURS)
        if options.rerun:
            write_rerun(folder / "room.rrd", recording, heard)
    summary(folder, live, figures, time.monotonic() - begun)
    return 0 if live.graphs else 1


def choose(options: DemoOptions) -> Choice:
    """Find the recording and the perceiver.

    The rule baseline is taken when it is asked for, or when no bundle comes with this installation; never instead of
    a bundle that is damaged.

    Raises:
        BundleError: a named bundle is missing, or one is damaged.
        DatasetError: a named recording is missing.
    """
    from or_spatial.inference.bundle import Bundle, shipped_bundle

    bag = options.bag or shipped_bag()
    if options.perceiver == "rules":
        return Choice(bag, "rules", None, "The rule baseline READS THE TRUTH. Its figures say nothing about seeing.")
    if options.bundle is None:
        try:
            shipped_bundle()
        except BundleError:
            return Choice(
                bag,
                "rules",
                None,
                "No model bundle comes with this installation, so the rule baseline stands in. It READS THE TRUTH: its "
                "figures say nothing about seeing. `or_spatial doctor` says how to get a bundle.",
            )
    return Choice(bag, "model", Bundle.load(options.bundle).folder)


def shipped_bag() -> Path:
    """The recording that comes with the package, else one rendered now and kept in the cache.

    Raises:
        ConfigError: there is none, and the world cannot be rendered here.
    """
    from or_spatial.paths import cache_path, share_path

    try:
        found = sorted(share_path(*DEMO_BAG).rglob("metadata.yaml"))
    except ConfigError:
        found = []
    if found:
        return found[0].parent
    kept = cache_path("demo_bag")
    if not (kept / "metadata.yaml").is_file():
        from or_spatial.commands.simulate import WorldOptions, record_world

        err.print("resource/demo holds no recording; rendering one (once, about a minute)")
        record_world(replace(WorldOptions(), seconds=12.0), kept)
    return kept


def fresh_folder(folder: Path) -> Path:
    """An empty output folder; an older demo's is replaced, anything else is left alone.

    Raises:
        ConfigError: the folder holds something that no demo made.
    """
    if folder.exists():
        strangers = folder.is_file() or (any(folder.iterdir()) and not made_by_demo(folder))
        if strangers:
            raise ConfigError(f"{folder} exists and was not made by a demo; name another place with --out")
        shutil.rmtree(folder)
    (folder / "logs").mkdir(parents=True)
    return folder


def made_by_demo(folder: Path) -> bool:
    """Whether everything in a folder has a name that a demo gives."""
    names = {OURS, "report.html", "bag", "logs", "frames", "picture.png", "room.rrd"}
    return all(item.name in names for item in folder.iterdir())


def require_rerun() -> None:
    """Refuse before anything runs: MissingDependency when rerun-sdk is not installed."""
    from importlib.util import find_spec

    if find_spec("rerun") is None:
        raise MissingDependency("--rerun needs rerun-sdk; pip install rerun-sdk")


def write_rerun(path: Path, source, heard) -> None:
    """The pictures of the recording and what was published, for the Rerun viewer."""
    from or_spatial.commands.demo_report import active_at
    from or_spatial.commands.recordings import images_at
    from or_spatial.visual.rerun_export import RerunFile

    with RerunFile(path) as file:
        for name, (camera, pose) in source.cameras.items():
            if pose is not None:
                file.camera(name, camera, pose)
        wanted = {name: set(stamps) for name, stamps in source.image_stamps.items()}
        for (name, stamp), image in sorted(images_at(source.path, wanted).items(), key=lambda item: item[0][1]):
            file.image(name, stamp, image)
        for received in heard.graphs:
            file.graph(received.graph, active_at(heard.alerts, received.graph.stamp_ns))


def summary(folder: Path, live, figures: dict, took_s: float) -> None:
    """Print the answers, the figures and where to look."""
    from or_spatial.commands.demo_score import lines

    asked = Table(title="what the services said", title_justify="left", box=None, pad_edge=False)
    for heading in ("service", "asked", "status", "answer"):
        asked.add_column(heading, overflow="fold")
    asked.add_column("ms", justify="right")
    for exchange in live.exchanges:
        asked.add_row(exchange.service, exchange.asked, exchange.status, exchange.answer, f"{exchange.took_ms:.0f}")
    out.print(asked, "")
    table = Table(title="figures of this recording", title_justify="left", box=None, pad_edge=False)
    table.add_column("what")
    table.add_column("value", justify="right")
    table.add_column("key", style="dim")
    for meaning, value, key in lines(figures):
        table.add_row(meaning, value, key)
    out.print(table, "")
    out.print(f"[bold]{folder / 'report.html'}[/]  annotated frames, map, timelines, figures")
    out.print(f"{folder / OURS}  the figures for scripts", markup=False)
    out.print(f"{folder / 'bag'}  graphs, alerts, markers for RViz, Foxglove, Rerun", markup=False)
    out.print(f"done in {took_s:.0f} s")
