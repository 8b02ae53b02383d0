"""Which hazards are real at a moment, from exact geometry; the rule engine uses the same words on what it perceives.

sterile_breach     an unscrubbed person's surface stays within 0.30 m of a sterile surface for 1.0 s
collision_course   a person and a robot or C-arm, one of them moving: at their present velocities the surfaces come
                   within 0.15 m in at most 1.5 s, closing at 0.25 m/s or more
camera_blind       the image has been dark or covered for 1.0 s
stale_graph        no image from any camera for 1.0 s
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
STEP_S = 0.25
_FAR_M = 0.95  # from a person's axis to the edge of a table: nobody reaches 0.30 m from there
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
        if any(Surface.of(simulation.solid_at(x, t)).distance(body, 0.5) <= BREACH_M for x in things):
            close.add((person, f"{kind}_1"))
    return frozenset(close)


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
