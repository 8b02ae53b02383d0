"""Which hazards are real at a moment, from exact geometry; the rule engine uses the same words on what it perceives.

sterile_breach     an unscrubbed person's surface stays within 0.30 m of a sterile surface for 1.0 s
collision_course   a person and a robot or C-arm, one of them moving: at their present velocities the surfaces come
                   within 0.15 m in at most 1.5 s, closing at 0.25 m/s or more
camera_blind       the image has been dark or covered for 1.0 s
stale_graph        no image from any camera for 1.0 s

For the evaluation of rules, each condition is also there without the patience of its rule: what holds right now. Two
more hold in rooms where somebody scripted them or not; no clip of training or of older figures asks for them:

contamination        a scrubbed person or the instrument table has been touched (surfaces within 0.02 m for 1.0 s) by
                     somebody unscrubbed, or by what had been contaminated before
instrument_on_floor  the middle of an instrument is less than 0.25 m above the floor
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from or_spatial.scene.alerts import AlertState, HazardAlert, Severity
from or_spatial.scene.values import NAN
from or_spatial.world.contact import Surface
from or_spatial.world.parts import Solid
from or_spatial.world.simulation import Simulation

RULES = ("sterile_breach", "collision_course", "camera_blind", "stale_graph")
BREACH_M, BREACH_HOLD_S = 0.30, 1.0
REACH_M, HORIZON_S, CLOSING_M_S = 0.15, 1.5, 0.25
BLIND_HOLD_S = STALE_HOLD_S = 1.0
TOUCH_M, TOUCH_S = 0.02, 1.0
FALLEN_M = 0.25
STEP_S = 0.25
_FAR_M = 0.95  # from a person's axis to the edge of a table: nobody reaches 0.30 m from there
_ARMS_M = 1.0  # two people whose axes are farther apart do not touch
_MACHINES = ("mako_robot", "c_arm")


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
        body = Surface.of(simulation.solid_at(person, t))
        things = [f"{kind}_1"] + (["patient_1"] if kind == "operating_table" else [])
        if any(_furniture(simulation, x, t).distance(body, 0.5) <= BREACH_M for x in things):
            close.add((person, f"{kind}_1"))
    return frozenset(close)


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
        seconds = _meeting(simulation.solid_at(person, t), simulation.solid_at(machine, t), relative)
        if seconds is not None:
            found.append((person, machine, seconds))
    return tuple(found)


def _meeting(person: Solid, machine: Solid, relative: np.ndarray) -> float | None:
    """Seconds until the surfaces are within reach at constant velocity; None when they do not close fast enough."""
    body, steel = Surface.of(person), Surface.of(machine)
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
    return _furniture(simulation, id, t) if id in simulation.script.props else Surface.of(simulation.solid_at(id, t))


def _may_touch(simulation: Simulation, a: str, b: str, t: float) -> bool:
    """Whether two are within arms' reach of each other, from where they stand alone."""
    people = {m.id for m in simulation.script.cast.values()}
    if {a, b} <= people:
        one, other = (simulation.person_pose(id, t) for id in (a, b))
        return bool(np.hypot(one.x - other.x, one.y - other.y) < _ARMS_M)
    person = simulation.person_pose(a if a in people else b, t)
    place = simulation.script.layout.places["instrument_table"]
    return float(place.distance(np.array([person.x, person.y]))) < _FAR_M


def contaminated(simulation: Simulation, times_s: Sequence[float]) -> dict[str, float]:
    """Who and what is contaminated in a clip that is looked at these times (rising): id to when the touch began."""
    members = simulation.script.cast.values()
    unsterile = [m.id for m in members if not m.sterile]
    clean = [m.id for m in members if m.sterile] + ["instrument_table_1"]
    began: dict[tuple[str, str], float] = {}
    found: dict[str, float] = {}
    for t in times_s:
        pairs = touching(simulation, t, clean, unsterile)
        began = {pair: began.get(pair, t) for pair in pairs}
        for (id, _), since in began.items():
            if t - since >= TOUCH_S and id in clean:
                found[id] = since
                clean.remove(id)
                unsterile.append(id)
    return found


def fallen(simulation: Simulation, t: float) -> frozenset[str]:
    """Ids of the instruments that lie on the floor at t."""
    line = simulation.script.line
    resting = {tool: line.carrier(tool, t) for tool in line.carries}
    return frozenset(
        tool for tool, c in resting.items() if not c.holder and not c.anchor.entity and c.anchor.local[2] < FALLEN_M
    )


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
