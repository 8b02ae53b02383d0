"""Is the world hard enough? The difficulty gates, measured on the frames that training and scoring draw.

A world in which the pair of labels already tells the relation, or the pixel its depth, teaches nothing. Each gate names
a figure, its limit and what was found; `docs/world.md` keeps the figures of the version that is scored on.
"""

import time
from dataclasses import dataclass

import numpy as np

from or_spatial.scene.relations import Family
from or_spatial.scene.vocabulary import load_vocabulary
from or_spatial.world import layout
from or_spatial.world.samples import look
from or_spatial.world.simulation import Simulation
from or_spatial.world.splits import TEST_ONLY_HABITS, TEST_ONLY_PROCEDURE, split_plan, world_version
from or_spatial.world.survey import Survey, mean_depth_error, prior_scores, survey

MAJOR_LABELS = (
    "operating_table",
    "instrument_table",
    "secondary_table",
    "anesthesia_equipment",
    "c_arm",
    "mako_robot",
    "mps_station",
    "monitor",
    "lamp",
    "drill",
    "saw",
    "hammer",
    "instrument",
)


@dataclass(frozen=True)
class Gate:
    """One figure with its limit; `at_least` says on which side of it the figure must lie."""

    name: str
    value: float
    limit: float
    at_least: bool

    @property
    def passed(self) -> bool:
        """Whether the figure keeps the limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass(frozen=True)
class Audit:
    """All gates, and figures that are told but not judged."""

    world_version: int
    frames: tuple[int, int]
    gates: tuple[Gate, ...]
    positives: dict[str, int]
    prior_f1: dict[str, float]
    disagreement: dict[str, float]

    @property
    def passed(self) -> bool:
        """Whether every gate holds."""
        return all(g.passed for g in self.gates)

    def __bool__(self) -> bool:
        return self.passed


def audit(
    split: str = "test", train_frames: int = 800, test_frames: int = 2000, workers: int = 2, speed: bool = True
) -> Audit:
    """Measure the gates of `split` against training, print them as a table, and return them."""
    from rich.console import Console

    console = Console()
    with console.status("looking at training rooms"):
        train = survey(f"train@{world_version(split)}", train_frames, workers=workers)
    with console.status(f"looking at {split} rooms"):
        test = survey(split, test_frames, seed=2, workers=workers)
    found = judge(train, test, split, render_speed() if speed else {})
    print_audit(found, console)
    return found


def judge(train: Survey, test: Survey, split: str, speeds: dict[str, float]) -> Audit:
    """The gates of two surveys."""
    prior = prior_scores(train, test)
    positives = _positives(test)
    gates = [
        Gate("class-pair-prior relation macro F1", _macro(prior), 0.35, False),
        Gate("  actions only", _macro(prior, Family.ACTION), 0.35, False),
        Gate("mean-depth AbsRel", mean_depth_error(train, test), 0.30, True),
        Gate("people more than 40 % occluded", float(np.mean(np.array(test.occlusions) > 0.4)), 0.30, True),
        Gate("layouts planned", layout.LAYOUTS, 40, True),
        Gate("layouts in common with training", len(train.layouts & test.layouts), 0, False),
        Gate("assets of the scarcest major class", min(len(_variants(train, test, k)) for k in MAJOR_LABELS), 12, True),
        Gate("positives of the scarcest predicate", min(positives.values()), 50, True),
        Gate("least pixels of a labelled instrument", min(test.legible_px, default=0), 6, True),
    ]
    if split_plan(split).name == "test":
        elsewhere = sum(TEST_ONLY_PROCEDURE in split_plan(s).procedures for s in ("train", "val"))
        met = TEST_ONLY_HABITS & set(test.habits)
        gates += [
            Gate("frames of the test-only procedure", test.procedures[TEST_ONLY_PROCEDURE], 1, True),
            Gate("  splits that share it", elsewhere, 0, False),
            Gate("test-only role-tool-target habits met", len(met), 4, True),
            Gate("  of them met in training", len(TEST_ONLY_HABITS & set(train.habits)), 0, False),
        ]
    limits = {"320x180": 5.0, "640x360": 1.2}
    gates += [Gate(f"frames/s at {size}, two processes", v, limits[size], True) for size, v in speeds.items()]
    return Audit(
        world_version(split),
        (train.frames, test.frames),
        tuple(gates),
        positives,
        {f"{f.name.lower()} {p}": round(v, 3) for (f, p), v in prior.items()},
        {p: round(n / max(1, test.either[p]), 3) for p, n in test.disagreement.items()},
    )


def _macro(scores: dict[tuple[Family, str], float], family: Family | None = None) -> float:
    return float(np.mean([v for (f, _), v in scores.items() if family in (None, f)]))


def _positives(test: Survey) -> dict[str, int]:
    words, counts = load_vocabulary(), test.predicates()
    found = {f"action {p}": counts[Family.ACTION, p] for p in words.actions}
    return found | {f"geometric {p}": counts[Family.GEOMETRIC, p] for p in words.geometric}


def _variants(train: Survey, test: Survey, label: str) -> set[int]:
    return train.assets.get(label, set()) | test.assets.get(label, set())


def render_speed(seconds: float = 12.0) -> dict[str, float]:
    """Frames per second with full shading when two processes draw at once, by image size."""
    from concurrent.futures import ProcessPoolExecutor

    speeds = {}
    for width, height in ((320, 180), (640, 360)):
        with ProcessPoolExecutor(2) as pool:
            counts = list(pool.map(_draw_for, [seconds / 2] * 2, [width] * 2, [height] * 2, (3, 4)))
        speeds[f"{width}x{height}"] = sum(counts)
    return speeds


def _draw_for(seconds: float, width: int, height: int, seed: int) -> float:
    simulation = Simulation("test", seed)
    look(simulation, simulation.state(0.0), 0, width, height)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        t = 0.2 * count % simulation.duration_s
        look(simulation, simulation.state(t), count % 4, width, height)
        count += 1
    return count / (time.perf_counter() - start)


def print_audit(found: Audit, console=None) -> None:
    """The gates and the figures behind them as tables."""
    from rich.console import Console
    from rich.table import Table

    console = console or Console()
    table = Table(
        title=f"world version {found.world_version}: {found.frames[0]} training, {found.frames[1]} test frames"
    )
    for name, side in (("gate", "left"), ("found", "right"), ("limit", "right"), ("", "left")):
        table.add_column(name, justify=side)
    for g in found.gates:
        limit = f"{'>=' if g.at_least else '<='} {g.limit:g}"
        table.add_row(g.name, f"{g.value:.3g}", limit, "[green]ok" if g.passed else "[red]missed")
    console.print(table)
    detail = Table(title="by predicate: positives on test, F1 of the prior, share of pairs where box rules differ")
    for name, side in (("predicate", "left"), ("positives", "right"), ("prior F1", "right"), ("boxes differ", "right")):
        detail.add_column(name, justify=side)
    for name, n in found.positives.items():
        family, predicate = name.split(" ")
        differ = found.disagreement.get(predicate) if family == "geometric" else None
        detail.add_row(name, str(n), f"{found.prior_f1.get(name, 0):.2f}", "" if differ is None else f"{differ:.2f}")
    console.print(detail)
