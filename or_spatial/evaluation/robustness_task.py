"""`or_spatial evaluate --task robustness`: what bad pictures and other lenses cost a model.

The same planned frames are looked at as they are and under each of the named severities (`severities`). A loss is
relative, 1 - F1 under the severity / F1 without, over the classes that the truth holds in both; the headline
`robustness.worst_relative_loss` is the largest loss of strict macro F1.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from or_spatial.evaluation.frames import Look
from or_spatial.evaluation.metrics.bootstrap import interval
from or_spatial.evaluation.metrics.results import plain
from or_spatial.evaluation.planned_frames import planned_frames
from or_spatial.evaluation.severities import LENSES_DEG, NAMES, suffered
from or_spatial.evaluation.slices import FIGURES, FrameRecord, headline, once
from or_spatial.evaluation.versions import Versions, loss, version_records
from or_spatial.inference.bundle import Bundle
from or_spatial.world.plan import PlannedFrame, planned_simulation
from or_spatial.world.sample import FrameSample
from or_spatial.world.samples import render_sample
from or_spatial.world.splits import world_version

CLEAN = "clean"


def evaluate_robustness(
    split: str = "test",
    bundle: Bundle | None = None,
    frames: int = 200,
    seed: int = 0,
    workers: int = 2,
    each: Callable[[dict[str, Look]], None] = lambda _: None,
) -> dict[str, Any]:
    """Run it on planned frames of a split and return nested figures, `robustness.*`; `each` gets a frame's looks."""
    bundle = bundle or Bundle.load()
    records = version_records((CLEAN, *NAMES), planned_frames(split, frames, _suffered, seed, workers), bundle, each)
    made = {"model": bundle.model_id, "split": split, "frames": frames, "plan_seed": seed}
    return plain({"robustness": figures(records), "made_with": made | {"world_version": world_version(split)}})


def _suffered(plan: list[PlannedFrame]) -> list[Versions]:
    return [_suffering(frame) for frame in plan]


def _suffering(frame: PlannedFrame) -> Versions:
    """The frame under every severity, by name; `clean` is the frame as it is."""
    simulation = planned_simulation(frame)

    def draw(fov_rad: float | None = None) -> FrameSample:
        return render_sample(simulation, frame.time_s, frame.camera_index, alerts=(), fov_rad=fov_rad)

    clean = draw()
    lenses = {name: draw(np.radians(degrees)) for name, degrees in LENSES_DEG.items()}
    return {CLEAN: clean} | {name: lenses.get(name) or suffered(clean, name) for name in NAMES}


def figures(records: dict[str, list[FrameRecord]]) -> dict[str, Any]:
    """Headline figures and losses under each severity, the worst of them by name, and its 95 % interval."""
    clean = records[CLEAN]
    losses = {name: {f: loss(clean, records[name], f) for f in FIGURES} for name in NAMES}
    by_severity = {
        name: headline(records[name]) | {f"{f}_loss": lost(once(clean)) for f, lost in losses[name].items()}
        for name in NAMES
    }
    worst = max(NAMES, key=lambda name: by_severity[name]["strict_loss"])
    low, high = interval(losses[worst]["strict"], [r.room for r in clean])
    return {
        "worst_relative_loss": by_severity[worst]["strict_loss"],
        "worst_relative_loss_low": low,
        "worst_relative_loss_high": high,
        "worst": worst,
        "clean": headline(clean),
        "by_severity": by_severity,
    }
