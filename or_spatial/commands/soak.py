"""`or_spatial benchmark soak`: a simulated day through everything that remembers, and whether the memory stays flat.

A room in which people come and go (`evaluation.moving_room`) runs through tracker and relation memory, hazard engine,
graph history and watched questions, as fast as this machine can and without pictures of any size. The process's
resident memory and its number of Python objects are taken every simulated hour, after a garbage collection: the
first figure is what a machine feels, the second finds a leak that is too small to show beside the loaded libraries.
"""

import gc
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from or_spatial.commands.console import err
from or_spatial.commands.learning import show_figures, write_json
from or_spatial.errors import ConfigError

_HOUR_S = 3600.0
_SAVE_S = 60.0  # how often the hazard engine writes its state file
_QUESTIONS = ("Who is near the operating table?", "How many people are in the room?")
_LEAST_SAMPLES = 4


@dataclass(frozen=True)
class SoakPlan:
    """How long a day, how often looked at, how much of it is kept. One graph a second, so that a day takes minutes.

    Raises:
        ConfigError: a day too short to take `_LEAST_SAMPLES` of it.
    """

    hours: float = 12.0
    rate_hz: float = 1.0
    cameras: int = 2
    people: int = 6
    history_graphs: int = 600
    day_graphs: int = 360

    def __post_init__(self) -> None:
        if self.moments < _LEAST_SAMPLES:
            raise ConfigError(
                f"benchmark soak: --hours {self.hours:g} at --rate {self.rate_hz:g} makes {self.moments} graphs; "
                f"at least {_LEAST_SAMPLES} are needed"
            )

    @property
    def moments(self) -> int:
        """Graphs of the whole day."""
        return int(self.hours * _HOUR_S * self.rate_hz)

    @property
    def sample_every(self) -> int:
        """Graphs between two samples: an hour, less in a day shorter than four hours."""
        return min(round(_HOUR_S * self.rate_hz), self.moments // _LEAST_SAMPLES)


@dataclass(frozen=True)
class Sample:
    """What the process held at one time."""

    hour: float
    rss_mb: float
    objects: int


class Day:
    """All parts of the suite that keep something from graph to graph."""

    def __init__(self, plan: SoakPlan, folder: Path) -> None:
        from or_spatial.evaluation.moving_room import MovingRoom
        from or_spatial.hazards.engine import HazardEngine
        from or_spatial.nodes.watching import WatchList
        from or_spatial.perception.tracker import SceneTracker
        from or_spatial.perception.tracker_config import TrackerConfig
        from or_spatial.scene import GraphHistory

        self.room = MovingRoom(plan.cameras, plan.people, picture_px=(64, 36), come_and_go=True)
        self.tracker = SceneTracker(TrackerConfig(cameras=self.room.names))
        self.engine = HazardEngine.from_yaml()
        self.history = GraphHistory(plan.history_graphs, plan.day_graphs)
        self.watched = WatchList()
        for question in _QUESTIONS:
            self.watched.start(question, "", 0, "", len(_QUESTIONS))
        self.counts = {"graphs": 0, "ids": 0, "alerts": 0, "answers": 0}
        self._ids: set[str] = set()
        self._state, self._saved_s = folder / "hazards.json", 0.0

    def live(self, t: float) -> None:
        """One graph and all that follows from it."""
        from or_spatial.answering.symbolic import answer

        frames, seen, stamp_ns = self.room.look(t)
        graph = self.tracker.update(frames, seen, stamp_ns)
        self.history.add(graph)
        alerts = [*self.engine.tick(stamp_ns), *self.engine.update(graph)]
        if t - self._saved_s >= _SAVE_S:
            self.engine.save(self._state)
            self._saved_s = t
        answers = self.watched.changed(graph, lambda question, _: answer(question, graph, self.history))
        new = {o.id for o in graph.objects} - self._ids
        self._ids = {o.id for o in graph.objects}  # of this moment only: the ledger must not be the leak
        for name, count in (("graphs", 1), ("ids", len(new)), ("alerts", len(alerts)), ("answers", len(answers))):
            self.counts[name] += count


def soak(plan: SoakPlan, lived: Callable[[int], None] = lambda _: None) -> dict[str, Any]:
    """Live through the day and return figures `soak.*`; `lived` is told the number of graphs so far."""
    samples = []
    with tempfile.TemporaryDirectory(prefix="or_spatial_soak_") as folder:
        day = Day(plan, Path(folder))
        for k in range(1, plan.moments + 1):
            day.live(k / plan.rate_hz)
            if k % plan.sample_every == 0:
                samples.append(_sample(k / plan.rate_hz / _HOUR_S))
                lived(k)
    return {
        "soak": {
            "rss_growth": growth([s.rss_mb for s in samples]),
            "objects_growth": growth([float(s.objects) for s in samples]),
            "rss_first_mb": samples[0].rss_mb,
            "rss_last_mb": samples[-1].rss_mb,
            **day.counts,
        },
        "samples": [asdict(s) for s in samples],
        "made_with": asdict(plan),
    }


def growth(values: Sequence[float]) -> float:
    """By which fraction of the first sample, that of the first hour, the largest later one lies above it."""
    return max(values) / values[0] - 1.0


def _sample(hour: float) -> Sample:
    import psutil

    gc.collect()
    return Sample(hour, psutil.Process().memory_info().rss / 1e6, len(gc.get_objects()))


def run_soak(plan: SoakPlan, json_file: Path | None) -> None:
    """The day under a progress bar; figures on the terminal and as JSON, every sample in the latter."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(f"{plan.hours:g} hours at {plan.rate_hz:g} Hz", total=plan.moments)
        figures = soak(plan, lambda done: bar.update(task, completed=done))
    show_figures({"soak": figures["soak"]})
    write_json(figures, json_file)
