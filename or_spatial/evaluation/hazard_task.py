"""`or_spatial evaluate --task hazards`: tracker and hazard engine on scripts that nobody has seen, without pictures.

Clips of consecutive seeds of a split, each with every hazard that can be scripted. Detections are the truth of four
cameras with noise, misses and dropouts (`noisy_room`; occlusion is not computed), everything behind them runs as it
does live: `SceneTracker`, the shipped rules, `HazardEngine`. Truth is exact geometry of meshes and script, as often as
the images, each condition in the words of its rule but without its patience, which the score takes from the rule.

An alert is compared by who it is about: its first object, which is the true one of that kind nearest to the track.
Rules without a truth of their own, such as areas of a room, are not judged; how often they were raised is told beside.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from or_spatial.evaluation.clips import NS, START_NS
from or_spatial.evaluation.metrics.hazard_timing import Patience, TimingAccumulator
from or_spatial.evaluation.metrics.hazards import HazardInterval, intervals_from_active
from or_spatial.evaluation.metrics.results import plain
from or_spatial.evaluation.noisy_room import Noise, NoisyRoom
from or_spatial.evaluation.seeds import WatchedClips, each_seed
from or_spatial.hazards.engine import HazardEngine
from or_spatial.hazards.schema import Contamination, Rule, Silence
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene import AlertState, HazardAlert, SceneGraph
from or_spatial.world import hazard_truth
from or_spatial.world.hazards_on_demand import SCRIPTS
from or_spatial.world.simulation import Simulation
from or_spatial.world.splits import world_version

JUDGED = (
    *hazard_truth.RULES,
    "contamination",
    "instrument_on_floor",
    "crowded_field",
    "unattended_patient",
    "unattended_sharp",
    "unattended_sterile_field",
    "between_robot_and_patient",
)
_SAME_M = 1.0  # a track farther from everybody of its kind is nobody


@dataclass(frozen=True)
class HazardTask(WatchedClips):
    """Which clips, how often looked at, what is scripted in them, through what noise."""

    scripted: tuple[str, ...] = SCRIPTS
    noise: Noise = field(default_factory=Noise)


@dataclass(frozen=True)
class ClipTimes:
    """What one clip had and what was raised, s from its start; `unjudged` counts alerts of rules without a truth."""

    seed: int
    true: tuple[HazardInterval, ...]
    raised: tuple[HazardInterval, ...]
    unjudged: dict[str, int]


def evaluate_hazards(task: HazardTask | None = None, workers: int = 1) -> dict[str, Any]:
    """Run the task and return nested figures, `hazards.*`."""
    task = task or HazardTask()
    scores = TimingAccumulator(patience_of(HazardEngine.from_yaml().rules))
    unjudged: Counter[str] = Counter()
    for clip in each_seed(run_seed, task, task.seeds, workers):
        scores.add(clip.true, clip.raised, task.duration_s)
        unjudged.update(clip.unjudged)
    made = {k: v for k, v in asdict(task).items() if k != "noise"}
    return plain(
        {
            "hazards": {**scores.result().to_dict(), "unjudged": dict(unjudged)},
            "made_with": {
                **made,
                "noise": asdict(task.noise),
                "occlusion": "none",
                "world_version": world_version(task.split),
            },
        }
    )


def patience_of(rules: dict[str, Rule]) -> dict[str, Patience]:
    """What each judged rule waits for by design."""
    return {rule_id: _patience(rule) for rule_id, rule in rules.items() if rule_id in JUDGED}


def _patience(rule: Rule) -> Patience:
    match rule.condition:
        case Silence():
            return Patience(rule.condition.after_s, 0.0)  # the next graph clears it
        case Contamination():
            return Patience(rule.condition.touch_s + rule.for_s, rule.clear_after_s)
    return Patience(rule.for_s, rule.clear_after_s)


def run_seed(task: HazardTask, seed: int) -> ClipTimes:
    """Track and judge one clip, moment by moment, and compare nothing yet."""
    simulation = Simulation(task.split, seed, task.cameras, task.duration_s, hazards=task.scripted)
    room = NoisyRoom(simulation, task.noise)
    engine, tracker = HazardEngine.from_yaml(), SceneTracker(TrackerConfig(cameras=room.names))
    heard = Heard(engine.rules)
    for t in task.times_s:
        now_ns = START_NS + round(t * NS)
        heard.add(engine.tick(now_ns), None, None, t)
        if frames := room.frames(t):
            graph = tracker.update(frames, room.perceiver.perceive(frames), now_ns)
            heard.add(engine.update(graph), graph, room.truth(t), t)
    raised = heard.until(task.duration_s)
    true = true_stretches(simulation, task.times_s)
    return ClipTimes(seed, tuple(true), raised, dict(heard.unjudged))


class Heard:
    """Alerts as stretches, by whom they are truly about."""

    def __init__(self, rules: dict[str, Rule]) -> None:
        self.rules = rules
        self.unjudged: Counter[str] = Counter()
        self._open: dict[str, tuple[str, float, set[str]]] = {}
        self._done: list[HazardInterval] = []

    def add(self, alerts: Sequence[HazardAlert], graph: SceneGraph | None, truth: SceneGraph | None, t: float) -> None:
        """Take in the transitions of one moment."""
        for alert in alerts:
            if alert.rule_id not in JUDGED or _follows_a_touch(alert):
                self.unjudged[alert.rule_id] += alert.state is AlertState.RAISED
            elif alert.state is AlertState.CLEARED:
                self._close(alert.id, t)
            else:
                about = self._open.setdefault(alert.id, (alert.rule_id, t, set()))[2]
                if graph is not None and truth is not None and alert.object_ids:
                    about |= true_ids(alert.object_ids[0], graph, truth)

    def until(self, end_s: float) -> tuple[HazardInterval, ...]:
        """All stretches; what still stands ends with the clip."""
        for id in [*self._open]:
            self._close(id, end_s)
        return tuple(self._done)

    def _close(self, id: str, t: float) -> None:
        if id in self._open:
            rule_id, start_s, about = self._open.pop(id)
            self._done.append(HazardInterval(rule_id, start_s, t, frozenset(about)))


def _follows_a_touch(alert: HazardAlert) -> bool:
    """A breach by somebody scrubbed who was touched: right or wrong as the alert of contamination before it was."""
    return alert.rule_id == "sterile_breach" and "touched:" in alert.message


def true_ids(id: str, graph: SceneGraph, truth: SceneGraph) -> set[str]:
    """Id of the true thing of that kind nearest to a track; a name nobody bears where there is none within 1 m."""
    track = graph.find(id)
    if track is None:
        return set()
    near = {
        o.id: float(np.linalg.norm(np.subtract(o.center_m, track.center_m)))
        for o in truth.objects
        if o.label == track.label
    }
    best = min(near, key=near.get, default="")
    return {best} if best and near[best] <= _SAME_M else {f"nobody:{id}"}


def true_stretches(simulation: Simulation, times_s: Sequence[float]) -> list[HazardInterval]:
    """What truly holds in a clip, one stretch per rule and subject; gaps that no rule would notice are closed."""
    touches = hazard_truth.Touches(simulation)
    active: list[list[str]] = []
    for t in times_s:  # all judges of one moment together: they share its bodies
        active.append([f"{rule_id}:{id}" for rule_id, judge in _JUDGES.items() for id in judge(simulation, t)])
        touches.look(t)
    found = []
    for s in intervals_from_active(times_s, active, _GAP_S):
        rule_id, id = s.rule_id.split(":", 1)
        found.append(HazardInterval(rule_id, s.start_s, s.end_s, frozenset({id} - {""})))
    for id, since_s in touches.found.items():
        found.append(HazardInterval("contamination", since_s, times_s[-1], frozenset({id})))
    return found + _spans(simulation)


def _spans(simulation: Simulation) -> list[HazardInterval]:
    """Blind cameras and silence as the script has them, to the moment; alerts about them name no object."""
    names = {"blind": "camera_blind", "silence": "stale_graph"}
    return [
        HazardInterval(names[s.name.split(":")[0]], s.start_s, s.end_s)
        for s in simulation.script.line.spans
        if s.name.split(":")[0] in names
    ]


_GAP_S = 0.8  # shorter than clearing takes at five images a second: the alert rightly stands on
_JUDGES = {
    "sterile_breach": lambda simulation, t: {person for person, _ in hazard_truth.too_close(simulation, t)},
    "collision_course": lambda simulation, t: {person for person, *_ in hazard_truth.collisions(simulation, t)},
    "instrument_on_floor": hazard_truth.fallen,
    "crowded_field": hazard_truth.crowded,
    "unattended_patient": hazard_truth.unattended_patient,
    "unattended_sharp": hazard_truth.unattended_sharps,
    "unattended_sterile_field": hazard_truth.unattended_field,
    "between_robot_and_patient": hazard_truth.between,
}
