"""`or_spatial evaluate --task domain`: what another renderer costs a model that learnt from ours.

The same planned frames are drawn by our renderer and by path tracing in Mitsuba: same rooms, moments, cameras, sensors
and truth, other light and surfaces. A loss is relative, 1 - F1 there / F1 here, over the classes that the truth holds;
the headline `domain.strict_loss` is that of strict macro F1.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from or_spatial.evaluation.frames import Look
from or_spatial.evaluation.metrics.bootstrap import interval
from or_spatial.evaluation.metrics.results import plain
from or_spatial.evaluation.planned_frames import planned_frames
from or_spatial.evaluation.slices import FIGURES, FrameRecord, headline, intervals, once
from or_spatial.evaluation.versions import Versions, loss, version_records
from or_spatial.inference.bundle import Bundle
from or_spatial.world.path_tracing import PathQuality, path_trace, require_mitsuba
from or_spatial.world.plan import PlannedFrame, planned_simulation
from or_spatial.world.samples import Painter, render_sample
from or_spatial.world.splits import world_version

OURS, TRACED = "ours", "path_traced"
QUALITY = PathQuality()


def evaluate_domain(
    split: str = "test",
    bundle: Bundle | None = None,
    frames: int = 300,
    seed: int = 0,
    workers: int = 2,
    quality: PathQuality = QUALITY,
    each: Callable[[dict[str, Look]], None] = lambda _: None,
) -> dict[str, Any]:
    """Run it on planned frames of a split and return nested figures, `domain.*`; `each` gets both looks of a frame.

    Raises:
        MissingDependency: Mitsuba is not installed.
    """
    require_mitsuba()
    bundle = bundle or Bundle.load()
    drawn = planned_frames(split, frames, partial(_drawn, quality=quality), seed, workers)
    found = figures(version_records((OURS, TRACED), drawn, bundle, each))
    made = {"model": bundle.model_id, "split": split, "frames": frames, "plan_seed": seed, "paths": quality.paths}
    return plain({"domain": found, "made_with": made | {"world_version": world_version(split)}})


def _drawn(plan: list[PlannedFrame], quality: PathQuality) -> list[Versions]:
    return [_pair(frame, partial(path_trace, quality=quality)) for frame in plan]


def _pair(frame: PlannedFrame, painter: Painter) -> Versions:
    simulation, at = planned_simulation(frame), (frame.time_s, frame.camera_index)
    traced = render_sample(simulation, *at, alerts=(), painter=painter)
    return {OURS: render_sample(simulation, *at, alerts=()), TRACED: traced}


def figures(records: dict[str, list[FrameRecord]]) -> dict[str, Any]:
    """Headline figures by renderer, with intervals of the traced ones, and what each relation figure loses."""
    ours, traced = records[OURS], records[TRACED]
    found: dict[str, Any] = {}
    for name in FIGURES:
        lost = loss(ours, traced, name)
        low, high = interval(lost, [r.room for r in ours])
        found |= {f"{name}_loss": lost(once(ours)), f"{name}_loss_low": low, f"{name}_loss_high": high}
    spans = {key.split(".")[1]: span for key, span in intervals(traced).items()}
    return found | {OURS: headline(ours), TRACED: headline(traced), "intervals": spans}
