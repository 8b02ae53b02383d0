"""`or_spatial evaluate --task`: one part of the suite, or one property of the model, judged alone.

`counterfactual`, `robustness` and `domain` look at pictures with a model, `ablation` trains several; the others run
without.
"""

import difflib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from or_spatial.commands.console import err
from or_spatial.commands.evaluate_options import TAKES, EvaluateOptions
from or_spatial.commands.learning import flat, show_figures, write_json
from or_spatial.errors import ConfigError

TASKS = tuple(what.removeprefix("--task ") for what in TAKES if what.startswith("--task "))
_FRAMES = {"domain": 300}  # 200 elsewhere


@dataclass(frozen=True)
class Sample:
    """How much of a split a task looks at, with how many processes, and where its figures go.

    `bundle` is the model of the tasks with pictures (None: the shipped one), `config` the ablation's recipe (None: the
    shipped one).
    """

    split: str
    clips: int
    scenes: int
    frames: int
    workers: int
    json: Path | None
    report: Path | None
    bundle: Path | None
    config: Path | None
    runs: Path

    @classmethod
    def of(cls, name: str, options: EvaluateOptions) -> "Sample":
        """As asked, with the task's defaults where nothing was.

        Raises:
            ConfigError: an option that the task does not heed, no clips, or no such split.
        """
        from or_spatial.world.splits import split_plan

        options.refuse_unheard(f"--task {name}")
        split_plan(options.split or "test")
        if options.clips == 0:
            raise ConfigError(f"--task {name} needs at least one clip, got --clips 0")
        return cls(
            split=options.split or "test",
            clips=options.clips or 20,
            scenes=options.scenes or 1000,
            frames=options.frames or _FRAMES.get(name, 200),
            workers=options.workers or 2,
            json=options.json,
            report=options.report,
            bundle=options.bundle,
            config=options.config,
            runs=options.runs or Path("runs"),
        )


def run_task(name: str, options: EvaluateOptions) -> None:
    """Run a task on consecutive seeds of a split and print its figures.

    Raises:
        ConfigError: no such task, as `Sample.of`; the message says which there are.
    """
    if name not in TASKS:
        close = difflib.get_close_matches(name, TASKS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(TASKS)}"
        raise ConfigError(f"no task {name!r}; {hint}")
    show_figures(_RUNNERS[name](Sample.of(name, options)))


def _hazards(sample: Sample) -> dict[str, Any]:
    from or_spatial.evaluation.hazard_task import HazardTask, evaluate_hazards

    with err.status(f"{sample.clips} clips of two minutes; minutes each on a busy machine"):
        figures = evaluate_hazards(HazardTask(split=sample.split, clips=sample.clips), sample.workers)
    write_json(figures, sample.json)
    rules = {r["rule_id"]: r for r in figures["hazards"].pop("by_rule")}
    return {key: value for key, value in flat({**figures, "by_rule": rules}).items() if "made_with" not in key}


def _tracking(sample: Sample) -> dict[str, Any]:
    from or_spatial.evaluation.tracking_task import TrackingTask, evaluate_tracking

    task = TrackingTask(split=sample.split, clips=sample.clips)
    with _bar("procedures of ten minutes", sample.clips) as advance:
        figures = evaluate_tracking(task, sample.workers, advance)
    write_json(figures, sample.json)
    figures["tracking"].pop("by_clip")
    return flat({"tracking": figures["tracking"]})


def _cameras(sample: Sample) -> dict[str, Any]:
    from or_spatial.evaluation.cameras_task import CamerasTask, evaluate_cameras

    task = CamerasTask(split=sample.split, clips=sample.clips)
    with _bar("clips with right and wrong cameras", sample.clips) as advance:
        figures = evaluate_cameras(task, sample.workers, advance)
    write_json(figures, sample.json)
    return flat({"cameras": figures["cameras"]})


def _calibration(sample: Sample) -> dict[str, Any]:
    from or_spatial.evaluation.calibration_report import write_calibration_report
    from or_spatial.evaluation.calibration_scene import SceneTask
    from or_spatial.evaluation.calibration_task import CalibrationTask, evaluate_calibration

    task = CalibrationTask(SceneTask(split=sample.split), scenes=sample.scenes)
    with _bar("scenes", sample.scenes) as advance:
        figures = evaluate_calibration(task, sample.workers, advance)
    write_json(figures, sample.json)
    if sample.report:
        write_calibration_report(sample.report, figures)
    found = figures["calibration"]
    headline = {key: value for key, value in found.items() if not isinstance(value, (dict, list))}
    by_class = {
        f"{family}.{name}.ece": row["ece"]
        for family in ("relations", "hazards")
        for name, row in found[family].items()
        if row["counts"]
    }
    return flat({"calibration": headline | by_class})


def _counterfactual(sample: Sample) -> dict[str, Any]:
    from or_spatial.evaluation.counterfactual_report import write_counterfactual_report
    from or_spatial.evaluation.counterfactual_task import evaluate_counterfactual
    from or_spatial.world.counterfactual import listed

    pairs = len(listed(sample.split))
    figures = _seen_by_a_model(
        sample, ("pairs", pairs, pairs), partial(evaluate_counterfactual, sample.split), write_counterfactual_report
    )
    return flat({"counterfactual": figures["counterfactual"]})


def _robustness(sample: Sample) -> dict[str, Any]:
    from or_spatial.evaluation.robustness_report import FRAMES, write_robustness_report
    from or_spatial.evaluation.robustness_task import evaluate_robustness

    evaluate = partial(evaluate_robustness, sample.split, frames=sample.frames)
    watched = ("frames under every severity", sample.frames, FRAMES)
    figures = _seen_by_a_model(sample, watched, evaluate, write_robustness_report)
    return flat({"robustness": figures["robustness"]})


def _domain(sample: Sample) -> dict[str, Any]:
    from or_spatial.evaluation.domain_report import FRAMES, write_domain_report
    from or_spatial.evaluation.domain_task import evaluate_domain

    evaluate = partial(evaluate_domain, sample.split, frames=sample.frames)
    watched = ("frames by both renderers", sample.frames, FRAMES)
    figures = _seen_by_a_model(sample, watched, evaluate, write_domain_report)
    return flat({"domain": {key: value for key, value in figures["domain"].items() if key != "intervals"}})


def _seen_by_a_model(
    sample: Sample,
    watched: tuple[str, int, int],
    evaluate: Callable[..., dict[str, Any]],
    report: Callable[[Path, dict[str, Any], list[Any]], Path],
) -> dict[str, Any]:
    """The figures of a task that shows pictures to a model, written where they were asked for; `watched` says what is
    counted, up to how many, and how many of the first the report is given.
    """
    from or_spatial.inference.bundle import Bundle

    with _watching(*watched) as (shown, each):
        bundle = Bundle.load(sample.bundle).speaking("or_world")
        figures = evaluate(bundle=bundle, workers=sample.workers, each=each)
    write_json(figures, sample.json)
    if sample.report:
        report(sample.report, figures, shown)
    return figures


def _ablation(sample: Sample) -> dict[str, Any]:
    from or_spatial.commands.ablation import AblationOptions, run_ablation, show_ablation

    options = AblationOptions(
        sample.split, sample.frames, sample.config, sample.runs, workers=sample.workers, report=sample.report
    )
    figures = run_ablation(options, _bar)
    write_json(figures, sample.json)
    show_ablation(figures["ablation"])
    headline = ("gain", "gain_low", "gain_high", "controls_lose")
    return flat({"ablation": {key: figures["ablation"][key] for key in headline}})


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on the terminal while the figures are made; gives what moves it on by one."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        at = bar.add_task(what, total=total)
        yield lambda: bar.advance(at)


@contextmanager
def _watching(what: str, total: int, keep: int) -> Iterator[tuple[list[Any], Callable[[Any], None]]]:
    """A bar, and what to call with each thing that is done: the first `keep` of them come to lie in the list."""
    shown: list[Any] = []
    with _bar(what, total) as advance:

        def each(one: Any) -> None:
            if len(shown) < keep:
                shown.append(one)
            advance()

        yield shown, each


_RUNNERS = {
    "hazards": _hazards,
    "tracking": _tracking,
    "cameras": _cameras,
    "calibration": _calibration,
    "counterfactual": _counterfactual,
    "robustness": _robustness,
    "domain": _domain,
    "ablation": _ablation,
}
