"""`or_spatial benchmark tracking`: the tracker alone under the detections of several fast cameras."""

from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from or_spatial.commands.console import err
from or_spatial.commands.learning import show_figures, write_json


def run_tracking_benchmark(load: Any, json_file: Path | None) -> None:
    """Time a load (`evaluation.tracking_latency.TrackingLoad`); the keys are those of the project's limits."""
    from or_spatial.evaluation.tracking_latency import tracking_latency

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(f"{load.cameras} cameras x {load.rate_hz:g} Hz, both ways", total=2 * load.moments)
        figures = tracking_latency(load, lambda: bar.advance(task))
    show_figures(figures)
    write_json(figures, json_file)
