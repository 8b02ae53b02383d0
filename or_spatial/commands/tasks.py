"""`or_spatial evaluate --task`: one part of the suite judged alone, without pictures and without the network."""

import difflib
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from or_spatial.commands.console import err
from or_spatial.commands.learning import flat, show_figures, write_json
from or_spatial.errors import ConfigError

TASKS = ("hazards", "tracking")


def run_task(name: str, split: str | None, clips: int, workers: int, json: Path | None) -> None:
    """Run a task on consecutive seeds of a split (the test split by default) and print its figures.

    Raises:
        ConfigError: no such task or split; the message says which there are.
    """
    from or_spatial.world.splits import split_plan

    if name not in TASKS:
        close = difflib.get_close_matches(name, TASKS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(TASKS)}"
        raise ConfigError(f"no task {name!r}; {hint}")
    if clips < 1:
        raise ConfigError(f"--task {name} needs at least one clip, got --clips {clips}")
    split_plan(split or "test")
    show_figures(_RUNNERS[name](split or "test", clips, workers, json))


def _hazards(split: str, clips: int, workers: int, json: Path | None) -> dict[str, Any]:
    from or_spatial.evaluation.hazard_task import HazardTask, evaluate_hazards

    with err.status(f"{clips} clips of two minutes; minutes each on a busy machine"):
        figures = evaluate_hazards(HazardTask(split=split, clips=clips), workers)
    write_json(figures, json)
    rules = {r["rule_id"]: r for r in figures["hazards"].pop("by_rule")}
    return {key: value for key, value in flat({**figures, "by_rule": rules}).items() if "made_with" not in key}


def _tracking(split: str, clips: int, workers: int, json: Path | None) -> dict[str, Any]:
    from or_spatial.evaluation.tracking_task import TrackingTask, evaluate_tracking

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("procedures of ten minutes", total=clips)
        figures = evaluate_tracking(TrackingTask(split=split, clips=clips), workers, lambda: bar.advance(task))
    write_json(figures, json)
    figures["tracking"].pop("by_clip")
    return flat({"tracking": figures["tracking"]})


_RUNNERS = {"hazards": _hazards, "tracking": _tracking}
