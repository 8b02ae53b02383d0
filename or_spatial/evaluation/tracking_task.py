"""`or_spatial evaluate --task tracking`: do identities last through whole procedures, without pictures?

Clips of consecutive seeds of a split, each one procedure from its first phase to its last in ten minutes. Detections
are the truth of four cameras with noise, misses and dropouts (`noisy_room`; occlusion is not computed), the tracker
behind them runs as it does live. A thing counts while its centre is in the picture of at least one camera; tracks of
what is in none are left out, neither right nor wrong.

The headline is about people. Everything else that is tracked stands beside it: instruments, and things (furniture,
machines, the patient). Only tracks of the right label can be right.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from or_spatial.evaluation.clips import NS, START_NS
from or_spatial.evaluation.metrics.hota import hota
from or_spatial.evaluation.metrics.results import plain
from or_spatial.evaluation.metrics.tracks import Moment, clear, identity
from or_spatial.evaluation.noisy_room import Noise, NoisyRoom
from or_spatial.geometry.transforms import apply, invert
from or_spatial.perception.perceiver import Frame
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene import Category, SceneGraph, SceneObject
from or_spatial.world.simulation import Simulation
from or_spatial.world.splits import WORLD_VERSION

GROUPS = ("people", "instruments", "things")
REACH_M = 1.0  # distance of similarity 0: the radius of 3D people tracking on WILDTRACK (Chavdarova et al. 2018)
WITHIN_M = 0.5  # of CLEAR and IDF1: similarity one half


@dataclass(frozen=True)
class TrackingTask:
    """Which procedures, how often looked at, through what noise."""

    split: str = "test"
    first_seed: int = 0
    clips: int = 20
    duration_s: float = 600.0
    rate_hz: float = 5.0
    cameras: int = 4
    noise: Noise = field(default_factory=Noise)

    @property
    def seeds(self) -> range:
        """Consecutive seeds."""
        return range(self.first_seed, self.first_seed + self.clips)

    @property
    def times_s(self) -> list[float]:
        """The moments of one clip."""
        return [i / self.rate_hz for i in range(1, int(self.duration_s * self.rate_hz))]


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
    clips = []
    for clip in _run_all(task, workers):
        clips.append(clip)
        done()
    pooled = {group: [m for clip in clips for m in clip.moments[group]] for group in GROUPS}
    people = _scores(pooled["people"], task)
    beside = {group: _scores(pooled[group], task) for group in GROUPS if group != "people"}
    return plain(
        {
            "tracking": {
                **people,
                "id_switches_per_person_min": people["switches"] / max(people["minutes"], 1e-9),
                **beside,
                "by_clip": {str(c.seed): _brief(c, task) for c in clips},
            },
            "made_with": {**asdict(task), "reach_m": REACH_M, "within_m": WITHIN_M, "occlusion": "none",
                          "world_version": WORLD_VERSION},
        }
    )  # fmt: skip


def _scores(moments: list[Moment], task: TrackingTask) -> dict[str, Any]:
    """All figures of one group; `minutes` is how long its members were there, added up."""
    whole, counted, named = hota(moments, REACH_M), clear(moments, WITHIN_M), identity(moments, WITHIN_M)
    higher = {k: v for k, v in whole.to_dict().items() if k != "by_alpha"}
    minutes = sum(len(m.true) for m in moments) / task.rate_hz / 60.0
    return {**higher, **counted.to_dict(), "idf1": named.idf1, "minutes": minutes}


def _brief(clip: Told, task: TrackingTask) -> dict[str, Any]:
    scores = _scores(clip.moments["people"], task)
    return {"procedure": clip.procedure, **{k: scores[k] for k in ("hota", "switches", "missed", "false", "minutes")}}


def _run_all(task: TrackingTask, workers: int) -> Iterator[Told]:
    if workers == 1:
        yield from (run_seed(task, seed) for seed in task.seeds)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(run_seed, [task] * task.clips, task.seeds)


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


def group_of(thing: SceneObject) -> str:
    """Which of `GROUPS` an object counts with; a patient, a person by category, lies among the things."""
    if thing.label == "person":
        return "people"
    return "instruments" if thing.category == Category.INSTRUMENT else "things"


def in_picture(truth: SceneGraph, frames: list[Frame]) -> frozenset[str]:
    """Ids of the true objects whose centre is in the picture of at least one camera; `frames` have camera and pose."""
    centers = np.array([o.center_m for o in truth.objects])
    seen = np.zeros(len(centers), dtype=bool)
    for frame in frames:
        pixels = frame.camera.project(apply(invert(frame.room_from_camera), centers))
        with np.errstate(invalid="ignore"):  # NaN behind the camera
            seen |= ((pixels >= -0.5) & (pixels <= (frame.camera.width - 0.5, frame.camera.height - 0.5))).all(-1)
    return frozenset(o.id for o, s in zip(truth.objects, seen, strict=True) if s)


def moment_of(group: str, truth: SceneGraph, graph: SceneGraph, shown: frozenset[str], prefix: str = "") -> Moment:
    """One group at one moment, names with a prefix; what is not `shown`, and its tracks, are left out."""
    true = [o for o in truth.objects if group_of(o) == group]
    said = [o for o in graph.objects if group_of(o) == group]
    apart_m = _apart_m(true, said)
    there = np.array([o.id in shown for o in true], dtype=bool)
    judged = ~_belongs_to(apart_m, ~there)
    return Moment(
        tuple(prefix + o.id for o, kept in zip(true, there, strict=True) if kept),
        tuple(prefix + o.id for o, kept in zip(said, judged, strict=True) if kept),
        apart_m[there][:, judged],
    )


def _apart_m(true: list[SceneObject], said: list[SceneObject]) -> NDArray[np.float64]:
    """(T, S) distances of centres, infinite between different labels."""
    a = np.array([o.center_m for o in true]).reshape(-1, 1, 3)
    b = np.array([o.center_m for o in said]).reshape(1, -1, 3)
    same = np.array([[x.label == y.label for y in said] for x in true], dtype=bool).reshape(len(true), len(said))
    return np.where(same, np.linalg.norm(a - b, axis=-1), np.inf)


def _belongs_to(apart_m: NDArray[np.float64], which: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(S,): whether a track is that of one of these true things, when all are matched one to one within reach."""
    found = np.zeros(apart_m.shape[1], dtype=bool)
    rows, columns = linear_sum_assignment(np.minimum(apart_m, REACH_M))
    for r, c in zip(rows.tolist(), columns.tolist(), strict=True):
        found[c] = which[r] and apart_m[r, c] < REACH_M
    return found
