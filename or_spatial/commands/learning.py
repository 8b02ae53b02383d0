"""`or_spatial train`, `export`, `evaluate`, `benchmark`: thin calls of the rooms that do the work."""

import json
import math
import time
from pathlib import Path

from rich.table import Table

from or_spatial.commands.console import err, out
from or_spatial.errors import ConfigError, MissingDependency


def run_train(config: Path, resume: bool, minutes: float | None, runs: Path) -> None:
    """Train by a recipe; says where the checkpoint lies."""
    if not config.is_file():
        raise ConfigError(f"recipe {config} does not exist; the shipped one is config/training/tiny.yaml")
    _require_torch()
    from or_spatial.training.train import train

    folder = train(config, resume=resume, minutes=minutes, runs=runs)
    out.print(f"checkpoint: {folder}\nnext: or_spatial export {folder} bundles/{folder.parent.name}", markup=False)


def run_export(checkpoint: Path, folder: Path) -> None:
    """Export a checkpoint; says what the bundle is."""
    _require_torch()
    from or_spatial.inference.bundle import Bundle
    from or_spatial.training.export import export

    with err.status("exporting and comparing torch with ONNX Runtime"):
        bundle = Bundle.load(export(checkpoint, folder))
    size_mb = sum(f.stat().st_size for f in bundle.folder.iterdir() if f.is_file()) / 1e6
    out.print(f"{bundle.folder}: {bundle.model_id}, {size_mb:.1f} MB", markup=False)


def run_evaluate(
    split: str | None,
    bag: Path | None,
    dataset: str | None,
    data: Path | None,
    frames: int,
    bundle: Path | None,
    json_file: Path | None,
    report: Path | None,
) -> None:
    """Score on one of three sources.

    Raises:
        ConfigError: no source, or more than one.
    """
    chosen = [name for name, value in (("--split", split), ("--bag", bag), ("--dataset", dataset)) if value]
    if len(chosen) != 1:
        raise ConfigError(
            f"say what to evaluate on: one of --split, --bag, --dataset (got {', '.join(chosen) or 'none'})"
        )
    if bag:
        from or_spatial.commands.live import score_bag

        score_bag(bag, 1.0, json_file, bundle=bundle)
    elif dataset:
        show_dataset(dataset, data, json_file)
    else:
        from or_spatial.evaluation.harness import evaluate

        show_figures(evaluate(split, frames, bundle=bundle, json=json_file, report=report))


def show_dataset(name: str, folder: Path | None, json_file: Path | None) -> None:
    """Count what a dataset's annotations hold: without its images, which nobody may ship, a model cannot be scored."""
    raise ConfigError(
        f"--dataset {name}: the images of {name} are needed and are not in {folder or 'the annotation files'}; "
        "ask its authors for them, turn them into a bag, and use --bag"
    )


def run_benchmark(bundle: Path | None, runs: int, threads: int, json_file: Path | None) -> None:
    """Time the perceive graph of a bundle on the CPU; the keys are those of the issue's table of limits."""
    import numpy as np

    from or_spatial.inference.bundle import Bundle
    from or_spatial.inference.session import OnnxSession, example_input

    loaded = Bundle.load(bundle)
    session = OnnxSession(loaded.perceive, threads=threads)
    feed = example_input(loaded.image_height, loaded.image_width)
    for _ in range(3):
        session.run(feed)
    times_ms = []
    for _ in range(runs):
        start = time.perf_counter()
        session.run(feed)
        times_ms.append(1e3 * (time.perf_counter() - start))
    p50, p95 = np.percentile(times_ms, (50, 95))
    figures = {
        "latency": {"perceive_p50_ms": round(float(p50), 2), "perceive_p95_ms": round(float(p95), 2)},
        "memory": {"pss_mb": round(pss_mb(), 1)},
        "made_with": {
            "model": loaded.model_id,
            "size": f"{loaded.image_width}x{loaded.image_height}",
            "threads": threads,
            "runs": runs,
            "backend": session.backend,
        },
    }
    show_figures(figures)
    write_json(figures, json_file)


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


def show_figures(figures: dict, title: str = "") -> None:
    """Print figures as a table of dotted keys."""
    table = Table(title=title or None, box=None, pad_edge=False)
    table.add_column("figure")
    table.add_column("value", justify="right")
    for key, value in flat(figures).items():
        if isinstance(value, (int, float, str)):
            table.add_row(key, f"{value:.3f}" if isinstance(value, float) else str(value))
    out.print(table)


def write_json(figures: dict, path: Path | None) -> None:
    """Write figures; NaN becomes null, so that any reader accepts the file."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(without_nan(figures), indent=2) + "\n")
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


def _require_torch() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("torch", "transformers", "onnx") if find_spec(name) is None]
    if missing:
        raise MissingDependency(f"{', '.join(missing)} not installed; pip install -r requirements/train.txt")
