"""`or_spatial evaluate --split`: everything about a bundle that the synthetic world can tell, in one run.

    relations.*, objects.*, depth.*    single frames of the split, one camera at a time
    calibration.*                      of the same frames: stated probability against frequency
    generalisation.*, slices.*         of the same frames: the procedure that training never saw, and everything by
                                       procedure, lens, mount, distance and occlusion
    intervals.*                        of the headline figures, rooms drawn again (bootstrap, 95 %)
    hazards.*, tracking.*              whole clips of consecutive seeds, two cameras at 5 Hz, tracker and engine as live
    latency.perceive_p50_ms            the network alone, two threads

Nothing here is fitted: thresholds and biases come with the bundle, from the validation split.
"""

import json as json_module
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from or_spatial.evaluation.clips import ClipPlan, rendered_clips, run_clip
from or_spatial.evaluation.evaluation_report import Shown, write_report
from or_spatial.evaluation.frames import FrameScores, look_at
from or_spatial.evaluation.latency import perceive_latency
from or_spatial.evaluation.metrics import HazardAccumulator
from or_spatial.evaluation.metrics.hazards import hazard_intervals
from or_spatial.evaluation.metrics.results import plain
from or_spatial.evaluation.planned_frames import as_planned, planned_frames
from or_spatial.evaluation.tracking_moments import GROUPS
from or_spatial.evaluation.tracking_moments import figures as tracked
from or_spatial.inference.bundle import Bundle
from or_spatial.perception.model import ModelPerceiver
from or_spatial.perception.snapshot import bundle_tracker_config
from or_spatial.world.sample import FrameSample
from or_spatial.world.splits import world_version


def evaluate(
    split: str = "test",
    frames: int = 400,
    *,
    bundle: Path | None = None,
    seed: int = 0,
    clips: int = 20,
    json: Path | None = None,
    report: Path | None = None,
    workers: int = 2,
) -> dict[str, Any]:
    """Score a bundle (the shipped one by default) on a split of the synthetic world and return nested figures.

    `frames` single frames are drawn by the plan of `seed`, `clips` clips from consecutive seeds (0 leaves hazards
    out). `json` receives the figures, `report` a folder with a page of plots and pictures.
    """
    loaded = Bundle.load(bundle).speaking("or_world")
    perceiver = ModelPerceiver(loaded)
    with Progress(console=Console(stderr=True)) as bar:
        drawn = planned_frames(split, frames, as_planned, seed, workers)
        samples = bar.track(drawn, frames, description=f"frames of {split}")
        scores, shown = _single(samples, perceiver, loaded)
        live = _live(split, clips, perceiver, loaded, workers, bar) if clips else {}
    found = scores.figures()
    found["intervals"] |= live.pop("intervals", {})
    figures = plain(
        {
            **found,
            **live,
            "latency": {f"perceive_{k}": v for k, v in asdict(perceive_latency(loaded)).items()},
            "made_with": {
                "command": _command(split, frames, clips, bundle),
                "model": loaded.model_id,
                "split": split,
                "frames": frames,
                "plan_seed": seed,
                "clips": clips,
                "world_version": world_version(split),
            },
        }
    )
    if json:
        json.parent.mkdir(parents=True, exist_ok=True)
        json.write_text(json_module.dumps(figures, indent=1) + "\n")
    if report:
        write_report(report, figures, shown, perceiver)
    return figures


def _command(split: str, frames: int, clips: int, bundle: Path | None) -> str:
    """What makes the same figures again."""
    other = f" --bundle {bundle}" if bundle else ""
    return f"or_spatial evaluate --split {split} --frames {frames} --clips {clips}{other}"


def _single(samples: Iterable[FrameSample], perceiver: ModelPerceiver, bundle: Bundle) -> tuple[FrameScores, Shown]:
    """Scores of single frames, and those that the report shows."""
    scores, shown, config = FrameScores(bundle.vocabulary), Shown(), bundle_tracker_config(bundle)
    for sample in samples:
        look = look_at(sample, perceiver, config)
        shown.consider(look, scores.add(look))
    return scores, shown


def _live(split: str, clips: int, perceiver: ModelPerceiver, bundle: Bundle, workers: int, bar: Progress) -> dict:
    """`hazards` and, of the same clips, `tracking`."""
    plan = ClipPlan(split=split, seeds=clips)
    names = tuple(f"cam{i}" for i in range(plan.cameras))
    task = bar.add_task("hazard clips", total=clips)
    scores, in_view = HazardAccumulator(), HazardAccumulator()
    unjudged, moments = Counter(), {group: [] for group in GROUPS}
    by_clip = []
    for clip in rendered_clips(plan, workers):
        cameras = next((tuple(f.name for f in moment) for moment in clip.frames if moment), names)
        config = bundle_tracker_config(bundle, cameras=cameras)
        result = run_clip(clip, plan, perceiver, config)
        alone = HazardAccumulator()
        for one in (scores, alone):
            one.add(result.true, result.raised, plan.duration_s)
        in_view.add(result.in_view, result.raised, plan.duration_s)
        by_clip.append(alone.result())
        unjudged += result.unjudged
        for group in GROUPS:
            moments[group] += result.moments[group]
        bar.advance(task)
    seen = in_view.result()
    people, *others = (tracked(moments[group], plan.rate_hz) for group in GROUPS)
    return {
        "hazards": {
            **scores.result().to_dict(),
            "in_view": {"recall": seen.recall, "true": seen.true},
            "alerts_without_truth": dict(unjudged),
        },
        "tracking": {**people, **dict(zip(GROUPS[1:], others, strict=True))},
        "intervals": hazard_intervals(by_clip),
    }
