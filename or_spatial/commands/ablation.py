"""`or_spatial evaluate --task ablation`: render, train what is missing, score, in one command that can be repeated."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from or_spatial.commands.console import err, out
from or_spatial.commands.learning import require_torch
from or_spatial.errors import ConfigError
from or_spatial.paths import share_path
from or_spatial.world.splits import split_plan, world_version

if TYPE_CHECKING:
    from or_spatial.evaluation.ablation_task import Network
    from or_spatial.training.ablation import AblationConfig

Bar = Callable[[str, int], Any]
"""Opens a progress bar: what, how many; gives what moves it on by one."""


@dataclass(frozen=True)
class AblationOptions:
    """Where the recipe and the runs are (None: the shipped recipe), and what is looked at."""

    split: str = "test"
    frames: int = 200
    config: Path | None = None
    runs: Path = Path("runs")
    workers: int = 2
    report: Path | None = None


def run_ablation(options: AblationOptions, bar: Bar) -> dict[str, Any]:
    """Nested figures; a report too, where one is asked for.

    Raises:
        MissingDependency: torch is not installed; says what to install.
        ConfigError: no such recipe, one with a mistake, the training split, or runs by another recipe.
    """
    if split_plan(options.split).name == "train":
        raise ConfigError("the arms were trained on the train split; judge them on --split test, or val")
    recipe = options.config or share_path("config", "training", "ablation.yaml")
    if not recipe.is_file():
        raise ConfigError(f"recipe {recipe} does not exist; without --config the shipped ablation.yaml is taken")
    require_torch()
    from or_spatial.datasets.packed import shards, unstack
    from or_spatial.evaluation.ablation_report import write_ablation_report
    from or_spatial.evaluation.ablation_task import Sets, evaluate_ablation, looks
    from or_spatial.evaluation.planned_frames import as_planned, planned_frames
    from or_spatial.training.ablation import AblationConfig, runs_of, trained
    from or_spatial.training.config import load
    from or_spatial.training.train import prepare

    config = load(recipe, AblationConfig)
    runs = runs_of(config, options.runs / config.name)
    prepare(config)
    # Pictures are drawn by processes of their own, which start before torch has threads that a fork would lose.
    with bar(f"frames of {options.split}", options.frames) as advance:
        draw = partial(as_planned, size=(config.size.width, config.size.height))
        drawn = planned_frames(options.split, options.frames, draw, workers=options.workers)
        test = [_told(sample, advance) for sample in drawn]
    checkpoints = {}
    for number, run in enumerate(runs, 1):
        err.print(f"run {number} of {len(runs)}: {run.arm}, seed {run.seed}", markup=False)
        checkpoints[run.arm, run.seed] = trained(run)
    sets = Sets([one for shard in shards(config.data.val_folder) for one in unstack(shard)], test)
    made = _made_with(recipe, config, options)
    with bar("looks", looks(sets, len(config.seeds))) as advance:
        found = evaluate_ablation(checkpoints, _shipped(config), sets, made, config.threads, advance)
    if options.report:
        write_ablation_report(options.report, found)
    return found


def _shipped(config: "AblationConfig") -> "Network":
    """The shipped model as it was before its export, at the size of the comparison."""
    from or_spatial.evaluation.ablation_task import Network
    from or_spatial.inference.bundle import Bundle
    from or_spatial.model.session import TorchSession
    from or_spatial.scene.vocabulary import load_vocabulary
    from or_spatial.training.warm_start import warm_started

    bundle = Bundle.load()
    model = warm_started(bundle.folder, load_vocabulary(bundle.vocabulary), {})
    described = replace(bundle, image_height=config.size.height, image_width=config.size.width, calibration={})
    return Network(described, TorchSession(model, config.threads))


_SHOWN = {
    "spatial": "spatial_macro_f1",
    "order": "depth_ordered_macro_f1",
    "contact": "contact_macro_f1",
    "action": "action_macro_f1",
    "geometric": "geometric_macro_f1",
    "strict": "strict_macro_f1",
    "centre m": "center_error_median_m",
    "AbsRel": "abs_rel",
}


def show_ablation(found: dict[str, Any]) -> None:
    """Print the figures of each row, then what fused has over each other row with its interval."""
    rows = {row: [values[key] for key in _SHOWN.values()] for row, values in found["by_row"].items()}
    _print("macro F1 of depth order and contact (spatial), and the rest", _SHOWN, rows)
    against = {row: [one[key] for key in ("difference", "low", "high")] for row, one in found["fused_minus"].items()}
    _print("fused minus each row, 95 %", ("spatial", "low", "high"), against)
    shipped = {row: [values[key] for key in _SHOWN.values()] for row, values in found["shipped"]["by_row"].items()}
    _print("the shipped model, its fusion reading the same", _SHOWN, shipped)


def _print(title: str, headings: Iterable[str], rows: Mapping[str, Sequence[float | None]]) -> None:
    table = Table(title=title, box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right")
    for row, values in rows.items():
        table.add_row(row, *map(_number, values))
    out.print(table)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _told(thing: Any, advance: Callable[[], None]) -> Any:
    advance()
    return thing


def _made_with(recipe: Path, config: "AblationConfig", options: AblationOptions) -> dict[str, Any]:
    """What tells these figures from those of another recipe, other data or other frames."""
    from or_spatial.inference.bundle import sha256
    from or_spatial.training import cache, warm_start

    return {
        "recipe": recipe.name,
        "recipe_sha256": sha256(recipe),
        "seeds": list(config.seeds),
        "steps": config.steps,
        "batch": config.stages[0].batch,
        "picture": f"{config.size.width}x{config.size.height}",
        "warm_start_sha256": warm_start.digest(config.warm_start) if config.warm_start else None,
        "data": cache.digest(config.data.folder),
        "train_frames": config.data.frames,
        "train_pairs": config.data.pairs,
        "val_frames": config.data.val_frames,
        "val_data": cache.digest(config.data.val_folder),
        "split": options.split,
        "frames": options.frames,
        "plan_seed": 0,
        "world_version": world_version(options.split),
    }
