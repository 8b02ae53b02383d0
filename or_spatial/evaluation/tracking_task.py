"""`or_spatial evaluate --task tracking`: do identities last through whole procedures, without pictures?

Clips of consecutive seeds of a split, each one procedure from its first phase to its last in ten minutes. Detections
are the truth of four cameras with noise, misses and dropouts (`noisy_room`; occlusion is not computed), the tracker
behind them runs as it does live. A thing counts while its centre is in the picture of at least one camera; tracks of
what is in none are left out, neither right nor wrong.

The headline is about people. Everything else that is tracked stands beside it: instruments, and things (furniture,
machines, the patient). Only tracks of the right label can be right.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from or_spatial.evaluation.clips import NS, START_NS
from or_spatial.evaluation.metrics.results import plain
from or_spatial.evaluation.metrics.tracks import Moment
from or_spatial.evaluation.noisy_room import Noise, NoisyRoom
from or_spatial.evaluation.seeds import WatchedClips, each_seed
from or_spatial.evaluation.tracking_moments import GROUPS, REACH_M, WITHIN_M, figures, in_picture, moment_of
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.world.simulation import Simulation
from or_spatial.world.splits import world_version


@dataclass(frozen=True)
class TrackingTask(WatchedClips):
    """Which procedures, how often looked at, through what noise."""

    duration_s: float = 600.0
    noise: Noise = field(default_factory=Noise)


@dataclass
class Told:
    """The moments of one clip, by group."""

    seed: int
    procedure: str
    moments: dict[str, list[Moment]]


def evaluate_tracking(
    task: TrackingTask | None = None, workers: int = 1, done: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Run the task and return nested figures, `tracking.*`; `done` is called after each clip."""
    task = task or TrackingTask()
    clips = list(each_seed(run_seed, task, task.seeds, workers, done))
    pooled = {group: [m for clip in clips for m in clip.moments[group]] for group in GROUPS}
    people = figures(pooled["people"], task.rate_hz)
    beside = {group: figures(pooled[group], task.rate_hz) for group in GROUPS if group != "people"}
    return plain(
        {
            "tracking": {
                **people,
                **beside,
                "by_clip": {str(c.seed): _brief(c, task) for c in clips},
            },
            "made_with": {**asdict(task), "reach_m": REACH_M, "within_m": WITHIN_M, "occlusion": "none",
                          "world_version": world_version(task.split)},
        }
    )  # fmt: skip


def _brief(clip: Told, task: TrackingTask) -> dict[str, Any]:
    scores = figures(clip.moments["people"], task.rate_hz)
    return {"procedure": clip.procedure, **{k: scores[k] for k in ("hota", "switches", "missed", "false", "minutes")}}


def run_seed(task: TrackingTask, seed: int) -> Told:
    """Track one procedure and set each graph beside the truth of its moment."""
    simulation = Simulation(task.split, seed, task.cameras, task.duration_s, hazards=(), whole=True)
    room = NoisyRoom(simulation, task.noise)
    tracker = SceneTracker(TrackerConfig(cameras=room.names))
    told = Told(seed, simulation.procedure, {group: [] for group in GROUPS})
    for t in task.times_s:
        frames = room.frames(t)
        graph = tracker.update(frames, room.perceiver.perceive(frames), START_NS + round(t * NS))
        truth = room.truth(t)
        shown = in_picture(truth, frames)
        for group in GROUPS:
            told.moments[group].append(moment_of(group, truth, graph, shown, f"{seed}:"))
    return told
