"""What is true of a moment: boxes, sterility, velocity, every relation of every ordered pair, roles and phase.

Sources of truth
    left_of ... behind   centres of the boxes in the camera's levelled view
    near, touching       distance of the surfaces, from points on the meshes
    above, below         heights of the meshes over each other's footprint
    on, inside           the script: what bears a thing, what it was stored in; and the meshes touch
    actions              the script, never geometry; only `closeTo` is a distance
The box rules of `or_spatial.geometry` are an approximation of this and disagree now and then: that is wanted.

closeTo (MM-OR) holds from staff to staff, patient, tables and machines, and between tables and machines, whose
surfaces are within 0.60 m while the script has nothing more specific to say about that ordered pair.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.boxes import OrientedBox, footprint_overlap, surface_distance
from or_spatial.geometry.relation_rules import DEFAULT_RULES, DIRECTIONAL, PREDICATES
from or_spatial.geometry.relations import all_pairs_hold
from or_spatial.geometry.transforms import levelled_viewer
from or_spatial.scene.clinical import ClinicalState, RoleEstimate
from or_spatial.scene.graph import Scale, SceneGraph
from or_spatial.scene.objects import Hypothesis, SceneObject
from or_spatial.scene.relations import EvidenceSource, Family, FrameOfReference, SpatialRelation
from or_spatial.scene.values import vec3
from or_spatial.scene.vocabulary import load_vocabulary
from or_spatial.world.contact import Surface
from or_spatial.world.simulation import Entity, WorldState, is_instrument

CLOSE_TO_M = 0.60
_CLOSE_SUBJECTS = {"person", "operating_table", "instrument_table", "mako_robot", "c_arm", "secondary_table"}
CLOSE_OBJECTS = _CLOSE_SUBJECTS | {"patient", "anesthesia_equipment", "mps_station", "monitor"}
_CERTAIN_M2 = 1e-8


@dataclass(frozen=True)
class Bodies:
    """Boxes and covered surfaces of the entities of one state, by id."""

    entities: tuple[Entity, ...]
    boxes: dict[str, OrientedBox]
    surfaces: dict[str, Surface]

    @classmethod
    def of(cls, state: WorldState, keep: set[str] | None = None) -> "Bodies":
        """Cover the entities of a state, or those whose ids are in `keep`."""
        entities = tuple(e for e in state.entities if keep is None or e.id in keep)
        surfaces = {e.id: Surface.of(e.solid) for e in entities}
        return cls(entities, {e.id: oriented_box(e) for e in entities}, surfaces)


def oriented_box(entity: Entity) -> OrientedBox:
    """The smallest box at the entity's own heading around its vertices."""
    c, s = np.cos(entity.pose.yaw), np.sin(entity.pose.yaw)
    room_from_own = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    own = entity.solid.vertices @ room_from_own
    low, high = own.min(0), own.max(0)
    return OrientedBox(room_from_own @ (0.5 * (low + high)), high - low, entity.pose.yaw)


@dataclass(frozen=True)
class PairFacts:
    """What holds between the entities whatever the camera: (N, N) arrays in the order of `ids`."""

    ids: tuple[str, ...]
    distance_m: NDArray[np.float64]
    above: NDArray[np.bool_]
    on: NDArray[np.bool_]
    inside: NDArray[np.bool_]


def pair_facts(state: WorldState, bodies: Bodies) -> PairFacts:
    """Measure every pair of entities once."""
    ids = tuple(e.id for e in bodies.entities)
    n = len(ids)
    distance = np.zeros((n, n))
    above, on, inside = (np.zeros((n, n), bool) for _ in range(3))
    surfaces = [bodies.surfaces[i] for i in ids]
    boxes = [bodies.boxes[i] for i in ids]
    for i in range(n):
        for j in range(i):
            distance[i, j] = distance[j, i] = surfaces[i].distance(surfaces[j])
    low, high = (
        np.array([s.low[:2] for s in surfaces]).reshape(-1, 2),
        np.array([s.high[:2] for s in surfaces]).reshape(-1, 2),
    )
    columns_meet = (low[:, None] < high[None] + 0.05).all(-1) & (low[None] < high[:, None] + 0.05).all(-1)
    for i, a in enumerate(ids):
        for j, b in enumerate(ids):
            if i == j or not columns_meet[i, j]:
                continue
            inside[i, j] = state.stored.get(a) == b
            if footprint_overlap(boxes[i], boxes[j]) < DEFAULT_RULES.overlap:
                continue
            borne = state.carried.get(a) == b or (state.entity(a).label == "patient" and b == "operating_table_1")
            on[i, j] = borne and not inside[i, j] and distance[i, j] <= DEFAULT_RULES.contact_m
            if not on[i, j] and boxes[i].bottom > boxes[j].bottom:
                top = surfaces[j].top_under(boxes[i].corners()[:4, :2])
                above[i, j] = boxes[i].bottom >= top - DEFAULT_RULES.sink_m and np.isfinite(top)
    return PairFacts(ids, distance, above, on, inside)


def truth_graph(
    state: WorldState,
    facts: PairFacts,
    bodies: Bodies,
    room_from_camera: NDArray[np.float64],
    camera_name: str,
    *,
    legible: set[str] | None = None,
    stamp_ns: int = 0,
    sequence: int = 0,
) -> SceneGraph:
    """The graph in the room frame with the viewer's predicates meant for one camera.

    Its objects are those of `bodies`. `legible` are the instruments that show enough pixels for an action label to
    count (None: all).
    """
    entities = list(bodies.entities)
    index = [facts.ids.index(e.id) for e in entities]
    boxes = [bodies.boxes[e.id] for e in entities]
    relations = _geometric(entities, boxes, facts, index, room_from_camera, camera_name)
    relations += _actions(state, entities, boxes, facts, index, legible)
    return SceneGraph(
        stamp_ns=stamp_ns,
        sequence=sequence,
        scale=Scale.METRIC,
        model_id="truth",
        objects=tuple(scene_object(e, b, stamp_ns) for e, b in zip(entities, boxes, strict=True)),
        relations=tuple(relations),
    )


def staff_graph(state: WorldState, stamp_ns: int = 0) -> SceneGraph:
    """Everything in the room with those actions of `truth_graph` that a person takes part in; no geometry.

    Half the time of the whole truth: only surfaces whose boxes say that they may be close are measured.
    """
    entities = list(state.entities)
    boxes = [oriented_box(e) for e in entities]
    facts = _close_facts(state, entities, boxes)
    objects = tuple(scene_object(e, b, stamp_ns) for e, b in zip(entities, boxes, strict=True))
    people = {e.id for e in entities if e.label == "person"}
    said = _actions(state, entities, boxes, facts, list(range(len(entities))), None)
    relations = tuple(r for r in said if people & {r.subject_id, r.object_id})
    return SceneGraph(stamp_ns=stamp_ns, scale=Scale.METRIC, model_id="truth", objects=objects, relations=relations)


def _close_facts(state: WorldState, entities: list[Entity], boxes: list[OrientedBox]) -> PairFacts:
    """Distances of people to what may be close, and of what the script relates; all others are infinite."""
    ids, n = tuple(e.id for e in entities), len(entities)
    surfaces: dict[int, Surface] = {}
    related = {frozenset(a[:3:2]) for a in state.actions} | {frozenset(pair) for pair in state.lying.items()}
    distance = np.full((n, n), np.inf)
    for i in range(n):
        for j in range(i):
            meant = {entities[i].label, entities[j].label}
            close = "person" in meant and meant <= CLOSE_OBJECTS
            if {ids[i], ids[j]} in related or (close and surface_distance(boxes[i], boxes[j]) <= CLOSE_TO_M):
                for k in (i, j):
                    if k not in surfaces:
                        surfaces[k] = Surface.of(entities[k].solid)
                distance[i, j] = distance[j, i] = surfaces[i].distance(surfaces[j])
    no = np.zeros((n, n), bool)
    return PairFacts(ids, distance, no, no, no)


def scene_object(entity: Entity, box: OrientedBox, stamp_ns: int) -> SceneObject:
    """One entity as an object without doubt."""
    return SceneObject(
        id=entity.id,
        label=entity.label,
        category=load_vocabulary().category(entity.label),
        hypotheses=(Hypothesis(entity.label, 1.0),),
        center_m=vec3(box.center),
        covariance_m2=(_CERTAIN_M2, 0.0, 0.0, 0.0, _CERTAIN_M2, 0.0, 0.0, 0.0, _CERTAIN_M2),
        yaw_rad=float((box.yaw + np.pi) % (2 * np.pi) - np.pi),
        size_m=vec3(box.size),
        velocity_m_s=vec3(entity.velocity),
        existence=1.0,
        sterile=entity.sterile,
        last_seen_ns=stamp_ns,
    )


def _geometric(entities, boxes, facts, index, room_from_camera, camera_name) -> list[SpatialRelation]:
    if not entities:
        return []
    viewer_from_room = levelled_viewer(room_from_camera)
    centers, sizes = np.array([b.center for b in boxes]), np.array([b.size for b in boxes])
    held = all_pairs_hold(centers, sizes, [b.yaw for b in boxes], viewer_from_room)
    directional = [k for k, p in enumerate(PREDICATES) if p in DIRECTIONAL]
    rules = DEFAULT_RULES
    relations = []
    for i, a in enumerate(index):
        for j, b in enumerate(index):
            if i == j:
                continue
            d = facts.distance_m[a, b]
            names = [PREDICATES[k] for k in directional if held[i, j, k]]
            names += ["above"] if facts.above[a, b] else []
            names += ["below"] if facts.above[b, a] or facts.on[b, a] else []
            names += ["on"] if facts.on[a, b] else []
            names += ["inside"] if facts.inside[a, b] else []
            names += ["touching"] if d <= rules.touching_m else ["near"] if d <= rules.near_m else []
            for name in names:
                viewer = name in DIRECTIONAL
                relations.append(_relation(entities[i], name, entities[j], boxes[i], boxes[j], d, viewer, camera_name))
    return relations


def _relation(a, predicate, b, box_a, box_b, distance, viewer, camera, family=Family.GEOMETRIC) -> SpatialRelation:
    d = box_b.center - box_a.center
    length = float(np.linalg.norm(d))
    return SpatialRelation(
        subject_id=a.id,
        predicate=predicate,
        object_id=b.id,
        family=family,
        confidence=1.0,
        source=EvidenceSource.TRUTH,
        frame_of_reference=FrameOfReference.VIEWER if viewer else FrameOfReference.NONE,
        reference_frame_id=camera if viewer else "",
        center_distance_m=length,
        surface_distance_m=float(distance),
        surface_distance_stddev_m=0.0,
        direction=vec3(d / length) if length > 1e-9 else vec3((0.0, 0.0, 0.0)),
    )


def _actions(state, entities, boxes, facts, index, legible) -> list[SpatialRelation]:
    position = {e.id: k for k, e in enumerate(entities)}
    said: dict[tuple[str, str], str | None] = {}
    for s, p, o, tool in state.actions:
        if s in position and o in position:
            needed = {x for x in (tool, o if is_instrument(o) else "") if x}
            counts = legible is None or needed <= legible
            said[s, o] = p if counts else None
    for thing, by in state.lying.items():
        readable = legible is None or not is_instrument(thing) or thing in legible
        if thing in position and by in position and (thing, by) not in said and readable:
            said[thing, by] = "lyingOn"
    for i, a in enumerate(entities):
        for j, b in enumerate(entities):
            meant = i != j and a.label in _CLOSE_SUBJECTS and b.label in CLOSE_OBJECTS and (a.id, b.id) not in said
            if meant and facts.distance_m[index[i], index[j]] <= CLOSE_TO_M:
                said[a.id, b.id] = "closeTo"
    relations = []
    for (s, o), p in said.items():
        if p is not None:
            i, j = position[s], position[o]
            d = facts.distance_m[index[i], index[j]]
            relations.append(_relation(entities[i], p, entities[j], boxes[i], boxes[j], d, False, "", Family.ACTION))
    return relations


def truth_clinical(state: WorldState, roles: dict[str, str], stamp_ns: int) -> ClinicalState:
    """Phase, next action and everybody's role, all certain."""
    people = [e for e in state.entities if e.label in ("person", "patient")]
    return ClinicalState(
        stamp_ns=stamp_ns,
        procedure=state.procedure,
        procedure_confidence=1.0,
        phase=state.phase,
        phase_confidence=1.0,
        next_action=state.next_action,
        next_action_confidence=1.0,
        roles=tuple(RoleEstimate(e.id, roles[e.id], 1.0, e.sterile) for e in people),
        model_id="truth",
    )
