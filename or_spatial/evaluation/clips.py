"""Hazards on whole clips: the perceiver, the tracker and the hazard engine run as they do live, against the script.

A clip is a simulated room seen by its cameras at a steady rate. Truth is what the script made happen, from exact
geometry; an alert counts from its raise to its clear. What happens where no camera looks is true all the same, so the
share that was in view is told beside. Alerts of rules that these scripts have no
truth for are told but not judged: nobody can say here whether they are false. Tracks are set beside everything in the
room whose centre is in a picture, whether it is hidden there or not.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from or_spatial.evaluation.metrics import HazardInterval, intervals_from_active, intervals_from_alerts
from or_spatial.evaluation.metrics.tracks import Moment
from or_spatial.evaluation.tracking_moments import GROUPS, in_picture, moment_of
from or_spatial.hazards.engine import HazardEngine
from or_spatial.perception.perceiver import Frame, Perceiver
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene import Scale, SceneGraph
from or_spatial.world.hazard_truth import RULES, truth_alerts
from or_spatial.world.sample import FrameSample
from or_spatial.world.samples import look
from or_spatial.world.simulation import Simulation, WorldState
from or_spatial.world.truth import oriented_box, scene_object

NS = 1_000_000_000
START_NS = 1_000 * NS  # stamp 0 means "never" on the wire


@dataclass(frozen=True)
class ClipPlan:
    """Which clips: consecutive seeds of a split, as long and as often sampled as live."""

    split: str = "test"
    first_seed: int = 0
    seeds: int = 20
    duration_s: float = 20.0
    rate_hz: float = 5.0
    cameras: int = 2
    width: int = 448
    height: int = 256

    @property
    def times_s(self) -> list[float]:
        """The moments of one clip."""
        return [i / self.rate_hz for i in range(int(self.duration_s * self.rate_hz))]


@dataclass(frozen=True)
class Clip:
    """One rendered clip by moment: frames (none while all cameras are silent), what is in the room, rules that hold;
    `in_view`: those of them that hold for parties whose centres are in a picture.
    """

    seed: int
    frames: tuple[tuple[Frame, ...], ...]
    truth: tuple[SceneGraph, ...]
    holding: tuple[frozenset[str], ...]
    in_view: tuple[frozenset[str], ...]


@dataclass(frozen=True)
class ClipResult:
    """What one clip had and what was raised, s from its start; `in_view`: those of `true` that held in a picture at
    least half of their time; `unjudged` alerts by rule, tracks by group.
    """

    seed: int
    true: tuple[HazardInterval, ...]
    in_view: tuple[HazardInterval, ...]
    raised: tuple[HazardInterval, ...]
    unjudged: Counter[str] = field(default_factory=Counter)
    moments: dict[str, list[Moment]] = field(default_factory=dict)


def render_clip(plan: ClipPlan, seed: int) -> Clip:
    """Draw all moments of one clip."""
    simulation = Simulation(plan.split, seed, cameras=plan.cameras, duration_s=plan.duration_s)
    names = [f"camera {i}" for i in range(plan.cameras)]
    frames, truth, holding, in_view = [], [], [], []
    for t in plan.times_s:
        state = simulation.state(t)
        cameras = () if state.silent else range(plan.cameras)
        views = [look(simulation, state, index, plan.width, plan.height) for index in cameras]
        stamp_ns = START_NS + round(t * NS)
        frames.append(tuple(Frame(v.rig.name, stamp_ns, v.image, v.camera, v.rig.room_from_camera) for v in views))
        truth.append(_everything(state, stamp_ns))
        alerts = truth_alerts(simulation, t, stamp_ns, names)
        shown = in_picture(truth[-1], frames[-1]).union(names)
        holding.append(frozenset(a.rule_id for a in alerts))
        in_view.append(frozenset(a.rule_id for a in alerts if shown.issuperset(a.object_ids)))
    return Clip(seed, tuple(frames), tuple(truth), tuple(holding), tuple(in_view))


def _everything(state: WorldState, stamp_ns: int) -> SceneGraph:
    """All that is in the room, without relations."""
    objects = tuple(scene_object(e, oriented_box(e), stamp_ns) for e in state.entities)
    return SceneGraph(stamp_ns=stamp_ns, scale=Scale.METRIC, model_id="truth", objects=objects)


def run_clip(clip: Clip, plan: ClipPlan, perceiver: Perceiver, config: TrackerConfig) -> ClipResult:
    """Perceive, track and judge one clip, moment by moment."""
    tracker, engine = SceneTracker(config), HazardEngine.from_yaml()
    changes, moments = [], {group: [] for group in GROUPS}
    for t, frames, truth in zip(plan.times_s, clip.frames, clip.truth, strict=True):
        now_ns = START_NS + round(t * NS)
        changes += engine.tick(now_ns)
        if frames:
            graph = tracker.update(frames, perceiver.perceive(frames), now_ns)
            changes += engine.update(graph)
            shown = in_picture(truth, frames)
            for group in GROUPS:
                moments[group].append(moment_of(group, truth, graph, shown, f"{clip.seed}:"))
    end_ns = START_NS + round(plan.duration_s * NS)
    true = intervals_from_active(plan.times_s, clip.holding)
    raised = [_in_clip_time(i) for i in intervals_from_alerts(changes, end_ns)]
    judged = tuple(i for i in raised if i.rule_id in RULES)
    unjudged = Counter(i.rule_id for i in raised if i.rule_id not in RULES)
    return ClipResult(clip.seed, tuple(true), _seen(true, clip, plan), judged, unjudged, moments)


def _seen(true: list[HazardInterval], clip: Clip, plan: ClipPlan) -> tuple[HazardInterval, ...]:
    """The stretches that held in view for at least half of their moments."""
    seen = []
    for stretch in true:
        moments = [
            now for t, now in zip(plan.times_s, clip.in_view, strict=True) if stretch.start_s <= t <= stretch.end_s
        ]
        if 2 * sum(stretch.rule_id in now for now in moments) >= len(moments):
            seen.append(stretch)
    return tuple(seen)


def _in_clip_time(interval: HazardInterval) -> HazardInterval:
    shift = START_NS / NS
    return HazardInterval(interval.rule_id, interval.start_s - shift, interval.end_s - shift, interval.object_ids)


def frame_of(sample: FrameSample, stamp_ns: int) -> Frame:
    """What a perceiver may see of a sample: picture and calibration, no truth."""
    return Frame(sample.camera_name, stamp_ns, sample.image, sample.camera, sample.room_from_camera)


def rendered_clips(plan: ClipPlan, workers: int = 2) -> Iterator[Clip]:
    """Every clip of the plan, rendered in parallel, in order of seed."""
    seeds = range(plan.first_seed, plan.first_seed + plan.seeds)
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(render_clip, [plan] * plan.seeds, seeds)
