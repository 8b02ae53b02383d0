"""`or_spatial train`, `export`, `evaluate`: thin calls of the rooms that do the work."""

import json as json_module
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from or_spatial.commands.console import command_line, err, out
from or_spatial.commands.docs import MEANINGS
from or_spatial.commands.evaluate_options import EvaluateOptions
from or_spatial.errors import BundleError, ConfigError, MissingDependency
from or_spatial.paths import share_path


def run_train(config: Path | None, resume: bool, minutes: float | None, runs: Path) -> None:
    """Train by a recipe (None: the shipped one); says where the checkpoint lies."""
    recipes = share_path("config", "training")
    config = config or recipes / "tiny.yaml"
    if not config.is_file():
        raise ConfigError(f"recipe {config} does not exist; shipped ones are in {recipes}")
    require_torch()
    from or_spatial.training.processes import rank
    from or_spatial.training.train import train

    folder = train(config, resume=resume, minutes=minutes, runs=runs)
    if rank() > 0:
        return
    picture = write_curves(folder.parent)
    out.print(f"checkpoint: {folder}\ncurves: {picture}, or tensorboard --logdir {runs}", markup=False)
    out.print(f"next: or_spatial export {folder} bundles/{folder.parent.name}", markup=False)


def write_curves(run: Path) -> Path:
    """Draw `curves.png` from the checkpoints of a run: every loss term, training beside validation."""
    import cv2

    from or_spatial.training.journal import read_curves
    from or_spatial.visual.curves import draw_curves

    told, path = read_curves(run), run / "curves.png"
    cv2.imwrite(str(path), draw_curves(told.steps, told.train, told.val)[..., ::-1])
    return path


def run_export(
    checkpoint: Path,
    folder: Path,
    val: Path,
    weights: str = "fp16",
    version: str = "1",
    mean_with: Path | None = None,
    share: float = 0.5,
) -> None:
    """Export a checkpoint, or its mean with another, and calibrate it on the packed frames in `val`; says what the
    bundle is."""
    if not (checkpoint / "config.json").is_file():  # before torch is imported, which takes seconds
        raise BundleError(f"{checkpoint} is no checkpoint: config.json is missing; or_spatial train makes one")
    if weights not in ("fp16", "int8"):
        raise ConfigError(f"--weights {weights!r} is unknown; weights are stored as fp16 or int8")
    require_torch()
    from or_spatial.inference.bundle import Bundle
    from or_spatial.training.averaging import Share
    from or_spatial.training.export import export

    other = Share(mean_with, share) if mean_with else None
    with err.status("exporting and comparing torch with ONNX Runtime"):
        bundle = Bundle.load(export(checkpoint, folder, version=version, weights=weights, other=other))
    from or_spatial.evaluation.calibrate import calibrate_bundle, why_not

    reason = why_not(bundle, val) if val.is_dir() else f"{val} does not exist (--val names other frames)"
    if reason:
        err.print(f"the bundle keeps default thresholds: {reason}", markup=False)
    else:
        bundle = calibrate_bundle(folder, val)
    size_mb = sum(f.stat().st_size for f in bundle.folder.iterdir() if f.is_file()) / 1e6
    out.print(f"{bundle.folder}: {bundle.model_id}, {size_mb:.1f} MB", markup=False)


def run_evaluate(options: EvaluateOptions) -> None:
    """Score on a split, a recording or a data set, and print and write the figures.

    With `record`, the headline figures of a split are kept in the bundle's manifest and model card.

    Raises:
        ConfigError: none or several of these were named, or an option that the one named does not heed.
    """
    options.refuse_unheard(options.source)
    if options.bag:
        from or_spatial.commands.live import score_bag

        score_bag(options.bag, options.json, bundle=options.bundle)
    elif options.dataset:
        from or_spatial.evaluation.dataset_scores import score_dataset

        figures = score_dataset(options.dataset, options.data)
        show_figures({key: value for key, value in flat(figures).items() if not key.startswith("made_with.")})
        write_json(figures, options.json)
    else:
        _score_split(options)


def _score_split(options: EvaluateOptions) -> None:
    from or_spatial.evaluation.harness import evaluate
    from or_spatial.world.splits import split_plan

    split_plan(options.split)  # a wrong name is refused before anything is loaded
    figures = evaluate(
        options.split,
        options.frames or 400,
        bundle=options.bundle,
        clips=20 if options.clips is None else options.clips,
        json=options.json,
        report=options.report,
        workers=options.workers or 2,
    )
    headline = {key: value for key, value in flat(figures).items() if key in MEANINGS}
    show_figures(headline, intervals=figures["intervals"])
    if options.record:
        record_headline(options.bundle, headline, figures["made_with"]["command"])


def record_headline(bundle: Path | None, headline: dict[str, Any], command: str) -> None:
    """Write the figures that are numbers into the bundle, with the command that makes them again."""
    from or_spatial.inference.bundle import Bundle
    from or_spatial.inference.model_card import record_metrics

    figures = {k: v for k, v in headline.items() if isinstance(v, float) and math.isfinite(v)}
    card = record_metrics(Bundle.load(bundle).folder, figures, command)
    out.print(f"recorded in {card}", markup=False)


def pss_mb(pids: list[int] | None = None) -> float:
    """Proportional memory (PSS) of processes in MB, this one by default: shared pages count once, not per process."""
    import psutil

    total = 0
    for pid in pids or [None]:
        try:
            total += psutil.Process(pid).memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total / 1e6


def flat(figures: dict, prefix: str = "") -> dict[str, object]:
    """Nested figures as dotted keys: {"relations": {"action_macro_f1": 0.5}} -> {"relations.action_macro_f1": 0.5}."""
    found: dict[str, object] = {}
    for key, value in figures.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return found


def show_figures(figures: dict, title: str = "", intervals: Mapping[str, Sequence[float | None]] | None = None) -> None:
    """Print figures as a table of dotted keys, with the 95 % interval beside those that have one in `intervals`."""
    table = Table(title=title or None, box=None, pad_edge=False)
    table.add_column("figure")
    table.add_column("value", justify="right")
    if intervals:
        table.add_column("95 %", justify="right")
    for key, value in flat(figures).items():
        if isinstance(value, (int, float, str)):
            bounds = (intervals or {}).get(key, (None,))
            between = "" if None in bounds else " to ".join(f"{b:.3f}" for b in bounds)
            shown = [f"{value:.3f}" if isinstance(value, float) else str(value), between]
            table.add_row(key, *shown[: 1 + bool(intervals)])
    out.print(table)


def write_json(figures: dict, path: Path | None) -> None:
    """Write figures with the command that made them; NaN becomes null, so that any reader accepts the file."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    told = figures | {"made_with": {"command": command_line(), **figures.get("made_with", {})}}
    path.write_text(json_module.dumps(without_nan(told), indent=2) + "\n")
    err.print(f"wrote {path}", markup=False)


def without_nan(value):
    """The same structure with None for every NaN, and for infinities, which JSON has no word for either."""
    if isinstance(value, dict):
        return {str(k): without_nan(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def require_torch() -> None:
    """Refuse to train, naming what is missing and how to get it, before seconds go into imports.

    Raises:
        MissingDependency: torch, transformers or onnx is not installed.
    """
    from importlib.util import find_spec

    missing = [name for name in ("torch", "transformers", "onnx") if find_spec(name) is None]
    if missing:
        raise MissingDependency(f"{', '.join(missing)} not installed; pip install -r requirements/train.txt")
