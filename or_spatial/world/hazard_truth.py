"""Which hazards are real at a moment, from exact geometry; the rule engine uses the same words on what it perceives.

sterile_breach     an unscrubbed person's surface stays within 0.30 m of a sterile surface for 1.0 s
collision_course   a person and a robot or C-arm, one of them moving: at their present velocities the surfaces come
                   within 0.15 m in at most 1.5 s, closing at 0.25 m/s or more
camera_blind       the image has been dark or covered for 1.0 s
stale_graph        no image from any camera for 1.0 s

For the evaluation of rules, each condition is also there without the patience of its rule: what holds right now. More
hold in rooms where somebody scripted them or not; no clip of training or of older figures asks for them:

contamination             a scrubbed person or the instrument table has been touched (surfaces within 0.02 m for 1.0 s)
                          by somebody unscrubbed, or by what had been contaminated before
instrument_on_floor       the middle of an instrument is less than 0.25 m above the floor
crowded_field             six people's surfaces or more are within 0.60 m of that of the operating table
unattended_patient        nobody's surface is within 1.0 m of the patient's
unattended_sharp          an instrument, drill or saw that lies neither on a worktop (of the instrument or secondary
                          table, the anaesthesia equipment, the navigation station) nor on the floor, with no such
                          thing and nobody within 0.60 m of where it lies
unattended_sterile_field  nobody's surface is within 3.0 m of that of the instrument table
between_robot_and_patient somebody's box has its middle in the passage, 0.6 m wide and at most 1.5 m long, from the
                          robot's box to the patient's
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from or_spatial.geometry.boxes import OrientedBox
from or_spatial.scene.alerts import AlertState, HazardAlert, Severity
from or_spatial.scene.values import NAN
from or_spatial.world.contact import Surface
from or_spatial.world.simulation import Entity, Simulation
from or_spatial.world.truth import oriented_box

RULES = ("sterile_breach", "collision_course", "camera_blind", "stale_graph")
BREACH_M, BREACH_HOLD_S = 0.30, 1.0
REACH_M, HORIZON_S, CLOSING_M_S = 0.15, 1.5, 0.25
BLIND_HOLD_S = STALE_HOLD_S = 1.0
TOUCH_M, TOUCH_S = 0.02, 1.0
FALLEN_M = 0.25
CROWD, CROWD_M = 6, 0.60
PATIENT_ALONE_M, SHARP_ALONE_M, FIELD_ALONE_M = 1.0, 0.60, 3.0
PASSAGE_WIDTH_M, PASSAGE_M = 0.6, 1.5
STEP_S = 0.25
_FAR_M = 0.95  # from a person's axis to the edge of a table: nobody reaches 0.30 m from there
_ARMS_M = 1.0  # two people whose axes are farther apart do not touch
_MACHINES = ("mako_robot", "c_arm")
_SHARPS = ("instrument", "drill", "saw")
_WORKTOPS = ("instrument_table_1", "secondary_table_1", "anesthesia_equipment_1", "mps_station_1")


def _kept(judge: Callable[..., Any]) -> Callable[..., Any]:
    """Remember a judgement of (clip, time) while the clip lives: neighbouring moments ask for the same ones."""

    @wraps(judge)
    def asked(simulation: Simulation, t: float) -> Any:
        key = (judge.__name__, round(t, 4))
        if key not in simulation.judged:
            simulation.judged[key] = judge(simulation, t)
        return simulation.judged[key]

    return asked


def hazards_at(simulation: Simulation, t: float, camera_index: int | None = None) -> tuple[str, ...]:
    """Rule ids that are active at t; `camera_index` limits blindness to one camera."""
    found = []
    if breaches(simulation, t):
        found.append("sterile_breach")
    if collisions(simulation, t):
        found.append("collision_course")
    blind = blind_cameras(simulation, t)
    if blind and (camera_index is None or camera_index in blind):
        found.append("camera_blind")
    if is_stale(simulation, t):
        found.append("stale_graph")
    return tuple(found)


def breaches(simulation: Simulation, t: float) -> tuple[tuple[str, str], ...]:
    """(person, sterile thing) pairs that have been too close for the whole last second."""
    steps = np.arange(0.0, BREACH_HOLD_S + 1e-9, STEP_S)
    pairs = None
    for back in steps:
        close = _too_close(simulation, round(t - back, 3))
        pairs = close if pairs is None else pairs & close
        if not pairs:
            return ()
    return tuple(sorted(pairs))


def too_close(simulation: Simulation, t: float) -> frozenset[tuple[str, str]]:
    """(person, sterile thing) pairs within 0.30 m at t, however long they have been."""
    return _too_close(simulation, t)


@_kept
def _too_close(simulation: Simulation, t: float) -> frozenset[tuple[str, str]]:
    script, line = simulation.script, simulation.script.line
    draped = line.held("draped", t) is not None and line.held("patient", t) is not None
    targets = ["instrument_table"] + (["operating_table"] if draped else [])
    near = []
    for member in script.cast.values():
        if member.sterile:
            continue
        at = simulation.person_pose(member.id, t)
        for kind in targets:
            place = script.layout.places[kind]
            if float(place.distance(np.array([at.x, at.y]))) < _FAR_M:
                near.append((member.id, kind))
    if not near:
        return frozenset()
    close = set()
    for person, kind in near:
        body = _body(simulation, person, t)
        things = [f"{kind}_1"] + (["patient_1"] if kind == "operating_table" else [])
        if any(_furniture(simulation, x, t).distance(body, 0.5) <= BREACH_M for x in things):
            close.add((person, f"{kind}_1"))
    return frozenset(close)


def _body(simulation: Simulation, id: str, t: float) -> Surface:
    """The surface of what moves, a person or a machine, covered once for a moment that several truths ask about."""
    kept = simulation.judged.get(("body", id))
    if kept is None or kept[0] != t:
        kept = simulation.judged["body", id] = (t, Surface.of(simulation.solid_at(id, t)))
    return kept[1]


def _furniture(simulation: Simulation, id: str, t: float) -> Surface:
    """The surface of a table or the patient, covered once for each place and drape: they stand still nearly always."""
    line = simulation.script.line
    at = line.tracks["operating_table_1" if id == "patient_1" else id].at(t)
    key = (id, at, line.held("patient", t) is not None, line.held("draped", t) is not None)
    if key not in simulation.judged:
        simulation.judged[key] = Surface.of(simulation.solid_at(id, t))
    return simulation.judged[key]


@_kept
def collisions(simulation: Simulation, t: float) -> tuple[tuple[str, str, float], ...]:
    """(person, machine, seconds until contact) for everyone who will meet a machine if both go on as they do."""
    line = simulation.script.line
    machines = [f"{m}_1" for m in _MACHINES if f"{m}_1" in line.tracks]
    people = [m.id for m in simulation.script.cast.values()]
    candidates = []
    for machine in machines:
        for person in people:
            relative = line.tracks[person].velocity(t) - line.tracks[machine].velocity(t)
            a, b = line.tracks[person].at(t), line.tracks[machine].at(t)
            apart = np.hypot(a.x - b.x, a.y - b.y)
            if np.linalg.norm(relative) >= CLOSING_M_S and apart < 2.0 + HORIZON_S * np.linalg.norm(relative):
                candidates.append((person, machine, relative))
    if not candidates:
        return ()
    found = []
    for person, machine, relative in candidates:
        seconds = _meeting(_body(simulation, person, t), _body(simulation, machine, t), relative)
        if seconds is not None:
            found.append((person, machine, seconds))
    return tuple(found)


def _meeting(body: Surface, steel: Surface, relative: np.ndarray) -> float | None:
    """Seconds until the surfaces are within reach at constant velocity; None when they do not close fast enough."""
    now = body.distance(steel, 3.0)
    soon = body.moved(relative * 0.2).distance(steel, 3.0)
    if (now - soon) / 0.2 < CLOSING_M_S:
        return None
    for ahead in np.arange(0.0, HORIZON_S + 1e-9, STEP_S):
        if body.moved(relative * ahead).distance(steel, 3.0) <= REACH_M:
            return float(ahead)
    return None


def touching(simulation: Simulation, t: float, clean: Sequence[str], unsterile: Sequence[str]) -> set[tuple[str, str]]:
    """(clean, unsterile) pairs of people and instrument tables whose surfaces are within 0.02 m at t."""
    near = ((a, b) for a in clean for b in unsterile if a != b and _may_touch(simulation, a, b, t))
    return {(a, b) for a, b in near if _surface(simulation, a, t).distance(_surface(simulation, b, t), 0.3) <= TOUCH_M}


def _surface(simulation: Simulation, id: str, t: float) -> Surface:
    return _furniture(simulation, id, t) if id in simulation.script.props else _body(simulation, id, t)


def _may_touch(simulation: Simulation, a: str, b: str, t: float) -> bool:
    """Whether two are within arms' reach of each other, from where they stand alone."""
    people = {m.id for m in simulation.script.cast.values()}
    if {a, b} <= people:
        one, other = (simulation.person_pose(id, t) for id in (a, b))
        return bool(np.hypot(one.x - other.x, one.y - other.y) < _ARMS_M)
    person = simulation.person_pose(a if a in people else b, t)
    place = simulation.script.layout.places["instrument_table"]
    return float(place.distance(np.array([person.x, person.y]))) < _FAR_M


class Touches:
    """Who and what has been contaminated in a clip that is looked at from time to time: id to when the touch began."""

    def __init__(self, simulation: Simulation) -> None:
        members = simulation.script.cast.values()
        self.simulation = simulation
        self.found: dict[str, float] = {}
        self._unsterile = [m.id for m in members if not m.sterile]
        self._clean = [m.id for m in members if m.sterile] + ["instrument_table_1"]
        self._began: dict[tuple[str, str], float] = {}

    def look(self, t: float) -> None:
        """Take in the next moment."""
        pairs = touching(self.simulation, t, self._clean, self._unsterile)
        self._began = {pair: self._began.get(pair, t) for pair in pairs}
        for (id, _), since in self._began.items():
            if t - since >= TOUCH_S and id in self._clean:
                self.found[id] = since
                self._clean.remove(id)
                self._unsterile.append(id)


def contaminated(simulation: Simulation, times_s: Sequence[float]) -> dict[str, float]:
    """Who and what is contaminated in a clip that is looked at these times (rising): id to when the touch began."""
    touches = Touches(simulation)
    for t in times_s:
        touches.look(t)
    return touches.found


def fallen(simulation: Simulation, t: float) -> frozenset[str]:
    """Ids of the instruments that lie on the floor at t."""
    line = simulation.script.line
    resting = {tool: line.carrier(tool, t) for tool in line.carries}
    return frozenset(
        tool for tool, c in resting.items() if not c.holder and not c.anchor.entity and c.anchor.local[2] < FALLEN_M
    )


def crowded(simulation: Simulation, t: float) -> frozenset[str]:
    """The operating table while too many people stand around it."""
    table = "operating_table_1"
    if len(simulation.script.cast) < CROWD:
        return frozenset()
    there = _company(simulation, _furniture(simulation, table, t), CROWD_M, t, CROWD)
    return frozenset({table} if there >= CROWD else ())


def unattended_patient(simulation: Simulation, t: float) -> frozenset[str]:
    """The patient while nobody is near."""
    if simulation.script.line.held("patient", t) is None:
        return frozenset()
    near = _company(simulation, _furniture(simulation, "patient_1", t), PATIENT_ALONE_M, t)
    return frozenset(() if near else {"patient_1"})


def unattended_field(simulation: Simulation, t: float) -> frozenset[str]:
    """The instrument table while nobody is in its half of the room."""
    near = _company(simulation, _furniture(simulation, "instrument_table_1", t), FIELD_ALONE_M, t)
    return frozenset(() if near else {"instrument_table_1"})


def unattended_sharps(simulation: Simulation, t: float) -> frozenset[str]:
    """Instruments that lie away from every worktop, and from everybody."""
    line, props = simulation.script.line, simulation.script.props
    alone = set()
    for tool in line.carries:
        carry = line.carrier(tool, t)
        if carry.holder or props[tool].label not in _SHARPS or carry.anchor.entity in ("", *_WORKTOPS):
            continue
        place = Surface(simulation.resting(carry.anchor, t)[2][None])
        worktops = (_furniture(simulation, id, t) for id in _WORKTOPS if id in line.tracks)
        if all(place.distance(worktop, 2.0) > SHARP_ALONE_M for worktop in worktops):
            alone |= set() if _company(simulation, place, SHARP_ALONE_M, t) else {tool}
    return frozenset(alone)


def _company(simulation: Simulation, thing: Surface, reach_m: float, t: float, enough: int = 1) -> int:
    """How many people's surfaces are within reach of a thing, counted up to `enough`; bodies are made only where the
    axis that somebody stands on leaves it open."""
    apart = {}
    for member in simulation.script.cast.values():
        at = simulation.person_pose(member.id, t)
        apart[member.id] = float(np.hypot(*(thing.points[:, :2] - (at.x, at.y)).T).min())
    count = 0
    for id in sorted(apart, key=apart.__getitem__):
        if count < enough and apart[id] - reach_m < _FAR_M:
            count += apart[id] <= reach_m or _body(simulation, id, t).distance(thing, reach_m + 0.5) <= reach_m
    return count


def between(simulation: Simulation, t: float) -> frozenset[str]:
    """Who is in the passage from the robot to the patient."""
    line = simulation.script.line
    if "mako_robot_1" not in line.tracks or line.held("patient", t) is None:
        return frozenset()
    robot, patient = (_box(simulation, id, t) for id in ("mako_robot_1", "patient_1"))
    way = patient.center[:2] - robot.center[:2]
    length = float(np.linalg.norm(way))
    u = way / max(length, 1e-9)
    start, end = _exit(robot, u), length - _exit(patient, u)
    if not 0.0 < end - start <= PASSAGE_M:
        return frozenset()
    return frozenset(
        m.id for m in simulation.script.cast.values() if _stands_in(simulation, m.id, t, robot.center, u, start, end)
    )


def _stands_in(
    simulation: Simulation, id: str, t: float, origin: np.ndarray, u: np.ndarray, start: float, end: float
) -> bool:
    """Whether somebody's box has its middle from start to end along u from the origin, and not too far aside."""
    at = simulation.person_pose(id, t)
    if np.hypot(at.x - origin[0], at.y - origin[1]) > end + _FAR_M:
        return False
    off = _box(simulation, id, t).center[:2] - origin[:2]
    return bool(start <= off @ u <= end and abs(off @ (-u[1], u[0])) <= 0.5 * PASSAGE_WIDTH_M)


def _box(simulation: Simulation, id: str, t: float) -> OrientedBox:
    pose = simulation.script.line.tracks["operating_table_1" if id == "patient_1" else id].at(t)
    return oriented_box(Entity(id, "", "", NAN, pose, np.zeros(3), simulation.solid_at(id, t)))


def _exit(box: OrientedBox, u: np.ndarray) -> float:
    """How far it is from the middle of a box to its border in direction u (2,), m."""
    c, s = np.cos(box.yaw), np.sin(box.yaw)
    own = np.abs([c * u[0] + s * u[1], -s * u[0] + c * u[1]])
    return float((0.5 * box.size[:2] / np.maximum(own, 1e-9)).min())


def blind_cameras(simulation: Simulation, t: float) -> tuple[int, ...]:
    """Indices of the cameras that have shown nothing for a second."""
    spans = [s for s in simulation.script.line.spans if s.name.startswith("blind:")]
    return tuple(int(s.name.split(":")[1]) for s in spans if s.start_s + BLIND_HOLD_S <= t < s.end_s)


def is_stale(simulation: Simulation, t: float) -> bool:
    """Whether no camera has delivered for a second."""
    spans = [s for s in simulation.script.line.spans if s.name == "silence"]
    return any(s.start_s + STALE_HOLD_S <= t < s.end_s for s in spans)


def truth_alerts(
    simulation: Simulation, t: float, stamp_ns: int, camera_names: Sequence[str]
) -> tuple[HazardAlert, ...]:
    """The active hazards as values, most severe first; ids stay the same while the same parties are involved."""
    found = []
    for person, machine, seconds in collisions(simulation, t):
        found.append(_alert("collision_course", Severity.HIGH, (person, machine), stamp_ns, seconds))
    for person, thing in breaches(simulation, t):
        found.append(_alert("sterile_breach", Severity.MEDIUM, (person, thing), stamp_ns))
    for index in blind_cameras(simulation, t):
        if index < len(camera_names):
            found.append(_alert("camera_blind", Severity.MEDIUM, (camera_names[index],), stamp_ns))
    if is_stale(simulation, t):
        found.append(_alert("stale_graph", Severity.MEDIUM, (), stamp_ns))
    return tuple(found)


def _alert(rule: str, severity: Severity, ids: tuple[str, ...], stamp_ns: int, seconds: float = NAN) -> HazardAlert:
    return HazardAlert(
        id=":".join(("truth", rule, *ids)),
        rule_id=rule,
        hazard_type=rule,
        stamp_ns=stamp_ns,
        severity=severity,
        state=AlertState.UPDATED,
        confidence=1.0,
        object_ids=ids,
        time_to_event_s=seconds,
        message=f"truth: {rule} {' and '.join(ids)}".strip(),
    )
