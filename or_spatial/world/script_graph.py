"""Who does what with whom, from the script alone: no bodies, no meshes, a hundred times as quick as the truth.

Actions are the truth's own. `closeTo` needs surfaces and is estimated: furniture, patient and people are upright boxes
at their exact places without arms, and the limit is a little below `CLOSE_TO_M`. Good enough to count who stands where,
not to judge geometry by; `truth.staff_graph` is the exact one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from or_spatial.geometry.rectangles import RectanglePairs
from or_spatial.scene.graph import Scale, SceneGraph
from or_spatial.scene.objects import SceneObject
from or_spatial.scene.relations import EvidenceSource, Family, SpatialRelation
from or_spatial.scene.values import NAN
from or_spatial.scene.vocabulary import load_vocabulary
from or_spatial.world.layout import MIDDLE_AHEAD_M
from or_spatial.world.simulation import Simulation
from or_spatial.world.timeline import Pose2
from or_spatial.world.truth import CLOSE_OBJECTS, CLOSE_TO_M

_BODY_M = (0.30, 0.48)  # chest to back, shoulder to shoulder, arms left out
_PATIENT_M = (1.75, 0.50)
_NEARER_M = 0.06  # chosen on 7 operations: 92.5 % of all people then have the very cues of the exact graph


@dataclass(frozen=True)
class _Plan:
    """One thing's footprint: where its middle is, which way it points, how long and wide it is."""

    id: str
    label: str
    middle_m: tuple[float, float]
    yaw_rad: float
    size_m: tuple[float, float]


def script_graph(simulation: Simulation, t: float, stamp_ns: int = 0) -> SceneGraph:
    """Everything in the room at t with the actions of its people; objects have a label and an attire, but no box."""
    plans = list(_plans(simulation, t))
    script = simulation.script
    labels = {p.id: p.label for p in plans} | {id: script.props[id].label for id in script.line.carries}
    said = {(s, o): p for s, p, o, _ in simulation.actions(t) if s in labels and o in labels}
    for a, b in _close(plans):
        said.setdefault((a, b), "closeTo")
    people = {id for id, label in labels.items() if label == "person"}
    relations = tuple(_relation(s, p, o) for (s, o), p in said.items() if people & {s, o})
    category = load_vocabulary().category
    attire = {member.id: float(member.sterile) for member in script.cast.values()}
    attire["patient_1"] = float(script.line.held("draped", t) is not None)
    objects = tuple(
        SceneObject(id=id, label=label, category=category(label), sterile=attire.get(id, NAN))
        for id, label in labels.items()
    )
    return SceneGraph(stamp_ns=stamp_ns, scale=Scale.METRIC, model_id="script", objects=objects, relations=relations)


def _plans(simulation: Simulation, t: float) -> Iterator[_Plan]:
    script = simulation.script
    for id, prop in script.props.items():
        if id in script.line.tracks:
            pose = script.line.tracks[id].at(t)
            ahead = MIDDLE_AHEAD_M.get(prop.kind, 0.0)
            yield _plan(id, prop.label, pose, prop.size_m[:2], ahead)
    if script.line.held("patient", t):
        yield _plan("patient_1", "patient", script.line.tracks["operating_table_1"].at(t), _PATIENT_M)
    for member in script.cast.values():
        yield _plan(member.id, "person", simulation.person_pose(member.id, t), _BODY_M)


def _plan(id: str, label: str, pose: Pose2, size_m: tuple[float, ...], ahead_m: float = 0.0) -> _Plan:
    middle = (pose.x + ahead_m * np.cos(pose.yaw), pose.y + ahead_m * np.sin(pose.yaw))
    return _Plan(id, label, middle, pose.yaw, (float(size_m[0]), float(size_m[1])))


def _close(plans: list[_Plan]) -> Iterator[tuple[str, str]]:
    """Ordered pairs of a person and whatever `closeTo` may be said of."""
    people = [p for p in plans if p.label == "person"]
    pairs = [(a, b) for a in people for b in plans if a is not b and b.label in CLOSE_OBJECTS]
    if not pairs:
        return
    half = [np.array([0.5 * np.array(p[k].size_m) for p in pairs]) for k in (0, 1)]
    yaw = [np.array([p[k].yaw_rad for p in pairs]) for k in (0, 1)]
    apart = np.array([np.subtract(a.middle_m, b.middle_m) for a, b in pairs])
    gaps = RectanglePairs.of(half[0], yaw[0], half[1], yaw[1]).distance(apart)
    for (a, b), gap in zip(pairs, gaps, strict=True):
        if gap <= CLOSE_TO_M - _NEARER_M:
            yield a.id, b.id


def _relation(subject: str, predicate: str, other: str) -> SpatialRelation:
    return SpatialRelation(
        subject_id=subject,
        predicate=predicate,
        object_id=other,
        family=Family.ACTION,
        confidence=1.0,
        source=EvidenceSource.TRUTH,
    )
