"""One seeded scene of `--task calibration`: a room is tracked for some seconds, then every stated probability is set
beside what is exactly true at that moment.

A scene is one clip of 20 s with two things scripted that hazards (or near misses) are made of. Four cameras look at it
at 5 Hz, from 2 to 6 s before the moment that is scored; noise as in `noisy_room`, tracker as live. Moment and length
are drawn from the seed; the moment is a full second, at which the detections' boxes are exact.

Truth is that of the meshes and the script (`world.truth`), at that moment. A track is the thing of its label that is
nearest, one to one (`metrics.matching`); tracks of nothing are counted, and a hazard about one of them is false.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from or_spatial.evaluation.calibration_hazards import HazardSamples, judge_hazards
from or_spatial.evaluation.clips import NS, START_NS
from or_spatial.evaluation.metrics.matching import Match, match_objects
from or_spatial.evaluation.noisy_room import Noise, NoisyRoom
from or_spatial.geometry.relation_rules import PREDICATES
from or_spatial.geometry.transforms import levelled_viewer
from or_spatial.perception.relations_on_request import asked_of
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene import SceneGraph, SceneObject
from or_spatial.scene.relations import Family
from or_spatial.world.hazards_on_demand import BY_NAME, NEAR_MISSES
from or_spatial.world.simulation import Simulation
from or_spatial.world.splits import stream
from or_spatial.world.truth import Bodies, pair_facts, truth_graph

Array = NDArray[np.float64]

SCRIPTED = ("sterile_breach", "collision_course", *NEAR_MISSES, *BY_NAME)
_SCRIPTED_AT_ONCE = 2
_WALKING_M_S = 0.2


@dataclass(frozen=True)
class SceneTask:
    """How each scene is made and looked at."""

    split: str = "test"
    duration_s: float = 20.0
    rate_hz: float = 5.0
    cameras: int = 4
    shortest_s: int = 2
    longest_s: int = 6
    noise: Noise = field(default_factory=Noise)


@dataclass(frozen=True)
class PlaceSamples:
    """P tracks that are something: `offsets_m` (P, 3) track minus truth, `covariances_m2` (P, 3, 3), `groups` (P,)."""

    offsets_m: Array
    covariances_m2: Array
    groups: tuple[str, ...]


@dataclass(frozen=True)
class RelationSamples:
    """Q ordered pairs of tracks that are something: what is said of `PREDICATES` (Q, 10), on request of any pair and
    in the published graph (NaN where nothing is published), and what is true (Q, 10)."""

    asked: Array
    published: Array
    true: NDArray[np.bool_]


@dataclass(frozen=True)
class Scene:
    """Everything that one scene tells."""

    seed: int
    places: PlaceSamples
    relations: RelationSamples
    hazards: HazardSamples
    missed: int
    invented: int


def moment_of(task: SceneTask, seed: int) -> tuple[int, int]:
    """(start, moment) of tracking, full seconds of the clip."""
    rng = stream(task.split, seed, "calibration")
    moment = int(rng.integers(task.shortest_s, int(task.duration_s) + 1))
    return max(moment - int(rng.integers(task.shortest_s, task.longest_s + 1)), 0), moment


def simulation_of(task: SceneTask, seed: int) -> Simulation:
    """The clip of a seed."""
    rng = stream(task.split, seed, "calibration hazards")
    scripted = tuple(str(h) for h in rng.choice(SCRIPTED, _SCRIPTED_AT_ONCE, replace=False))
    return Simulation(task.split, seed, task.cameras, task.duration_s, hazards=scripted)


def run_scene(task: SceneTask, seed: int) -> Scene:
    """Track one clip until its moment, and compare."""
    simulation = simulation_of(task, seed)
    start, moment = moment_of(task, seed)
    room = NoisyRoom(simulation, task.noise)
    graph = _tracked(room, start, moment, task.rate_hz)
    state = simulation.state(float(moment))
    bodies = Bodies.of(state)
    facts = pair_facts(state, bodies)
    viewer = room.rig[0]
    truth = truth_graph(state, facts, bodies, viewer.room_from_camera, viewer.name)
    match = match_objects(truth, graph)
    return Scene(
        seed,
        place_samples(truth, graph, match),
        relation_samples(truth, graph, match, levelled_viewer(viewer.room_from_camera)),
        judge_hazards(simulation, float(moment), truth, facts, graph, match),
        missed=len(truth.objects) - len(match),
        invented=len(graph.objects) - len(match),
    )


def _tracked(room: NoisyRoom, start: int, moment: int, rate_hz: float) -> SceneGraph:
    tracker = SceneTracker(TrackerConfig(cameras=room.names))
    for t in np.arange(start, moment + 0.5 / rate_hz, 1.0 / rate_hz).tolist():
        frames = room.frames(t)
        graph = tracker.update(frames, room.perceiver.perceive(frames), START_NS + round(t * NS))
    return graph


def place_samples(truth: SceneGraph, graph: SceneGraph, match: Match) -> PlaceSamples:
    """Errors of the centres beside the covariances that the graph publishes."""
    pairs = _pairs(truth, graph, match)
    offsets = [np.subtract(said.center_m, true.center_m) for true, said in pairs]
    covariances = [said.covariance_m2 for _, said in pairs]
    return PlaceSamples(
        np.array(offsets).reshape(-1, 3),
        np.array(covariances).reshape(-1, 3, 3),
        tuple(_group(true) for true, _ in pairs),
    )


def _pairs(truth: SceneGraph, graph: SceneGraph, match: Match) -> list[tuple[SceneObject, SceneObject]]:
    said = {o.id: o for o in graph.objects}
    return [(o, said[match[o.id]]) for o in truth.objects if o.id in match]


def _group(thing: SceneObject) -> str:
    """People by whether they walk, everything else by category."""
    if thing.label != "person":
        return thing.label if thing.label == "patient" else thing.category.name.lower()
    return "walking people" if np.linalg.norm(thing.velocity_m_s) > _WALKING_M_S else "standing people"


def relation_samples(truth: SceneGraph, graph: SceneGraph, match: Match, viewer_from_room: Array) -> RelationSamples:
    """Every ordered pair of what was found; a graph's own converses are not worked out."""
    pairs = _pairs(truth, graph, match)
    n = len(pairs)
    true = told([o.id for o, _ in pairs], truth) > 0.5
    published = told([s.id for _, s in pairs], graph)
    off = ~np.eye(n, dtype=bool)
    asked = asked_of([s for _, s in pairs], viewer_from_room)
    return RelationSamples(asked[off], published[off], true[off])


def told(ids: Sequence[str], graph: SceneGraph) -> Array:
    """(N, N, 10): confidence of each geometric relation that a graph holds between these ids, NaN of all others."""
    index = {id: k for k, id in enumerate(ids)}
    table = np.full((len(ids), len(ids), len(PREDICATES)), np.nan)
    for r in graph.relations:
        if r.family == Family.GEOMETRIC and r.subject_id in index and r.object_id in index:
            table[index[r.subject_id], index[r.object_id], PREDICATES.index(r.predicate)] = r.confidence
    return table
