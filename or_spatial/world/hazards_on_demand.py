"""Hazards and near misses that a clip is given on purpose; whether they count is decided by geometry, not here."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from or_spatial.world.layout import Place, Spot
from or_spatial.world.procedures.common import glide
from or_spatial.world.stage import Stage
from or_spatial.world.timeline import Anchor, Carry

SCRIPTS = ("sterile_breach", "collision_course", "camera_blind", "stale_graph")
NEAR_MISSES = ("near_sterile", "near_machine")
BY_NAME = ("contaminating_touch", "dropped_instrument")
"""Only ever played when asked for by name: chance never draws them, so that old seeds stay what they were."""
ACTED = frozenset({"sterile_breach", "collision_course", "contaminating_touch", *NEAR_MISSES})
"""What somebody of the cast has to do."""


def draw_hazards(rng: np.random.Generator) -> tuple[str, ...]:
    """What a clip gets by chance: clean in 40 %, near misses in 20 %, else one or two hazards."""
    pick = rng.random()
    if pick < 0.40:
        return ()
    if pick < 0.60:
        return (str(rng.choice(NEAR_MISSES)),)
    count = 1 if rng.random() < 0.75 else 2
    return tuple(str(h) for h in rng.choice(SCRIPTS, count, replace=False, p=(0.38, 0.38, 0.16, 0.08)))


def needs_machine(hazards: tuple[str, ...]) -> bool:
    """Whether somebody must be able to walk into a robot or C-arm."""
    return bool({"collision_course", "near_machine"} & set(hazards))


def schedule(stage: Stage, hazards: tuple[str, ...], duration_s: float, cameras: int) -> None:
    """Give orders that interrupt somebody's habits, or blind a camera, within the clip."""
    actors = [r for r, m in stage.cast.items() if not m.sterile and r not in ("anaesthetist", "radiographer", "mps")]
    actors = actors or [r for r, m in stage.cast.items() if not m.sterile]
    for k, hazard in enumerate(hazards):
        slot = duration_s / max(1, len(hazards))
        at = slot * k + float(stage.rng.uniform(0.05, 0.35)) * slot
        if hazard == "camera_blind":
            camera = int(stage.rng.integers(cameras))
            length = float(stage.rng.uniform(2.0, 4.0))
            how = "dark" if stage.rng.random() < 0.5 else "covered"
            stage.span(f"blind:{camera}:{how}", at, min(at + length, duration_s))
        elif hazard == "stale_graph":
            stage.span("silence", at, min(at + float(stage.rng.uniform(1.8, 3.0)), duration_s))
        elif hazard == "dropped_instrument":
            stage.interrupts.append((actors[-1] if actors else next(iter(stage.cast)), at, _drop))
        elif actors:
            idle = [r for r in actors if r.startswith("visitor")]
            chosen = idle if idle and stage.rng.random() < 0.75 else actors
            actor = chosen[int(stage.rng.integers(len(chosen)))]
            actors = [r for r in actors if r != actor] or actors
            _wait_nearby(stage, actor, hazard)
            stage.interrupts.append((actor, at - 1.5 if k == 0 else at, _ORDERS[hazard]))


def _wait_nearby(stage: Stage, role: str, hazard: str) -> None:
    """Have somebody begin at the free waiting place nearest to where they will be needed."""
    place = stage.layout.places["instrument_table"]
    if needs_machine((hazard,)) and (machine := _machine(stage)):
        place = stage.footprint(stage.id(machine))
    taken = {m.home for r, m in stage.cast.items() if r != role}
    free = {n: s for n, s in stage.layout.spots.items() if n.startswith("visitor") and n not in taken}
    if free and role != "anaesthetist":
        stage.begin_at(role, min(free, key=lambda n: float(place.distance(np.array([free[n].x, free[n].y])))))


def _beside(stage: Stage, place: Place, off_m: float, near: tuple[float, float] | None = None) -> Spot | None:
    """A free spot `off_m` from the edge of a footprint, facing it; the nearest to a point, or any."""
    a, c = place.length_m / 2, place.width_m / 2
    options = []
    for along in (-0.7, -0.35, 0.0, 0.35, 0.7):
        options += [(along * a, c + off_m, -np.pi / 2), (along * a, -c - off_m, np.pi / 2)]
    options += [(a + off_m, 0.0, np.pi), (-a - off_m, 0.0, 0.0)]
    co, si = np.cos(place.yaw), np.sin(place.yaw)
    spots = [(place.x + lx * co - ly * si, place.y + lx * si + ly * co, yaw) for lx, ly, yaw in options]
    order = stage.rng.permutation(len(spots))
    if near is not None:
        order = sorted(order, key=lambda i: np.hypot(spots[i][0] - near[0], spots[i][1] - near[1]))
    for i in order:
        x, y, yaw = spots[i]
        if stage.is_free(x, y, ignore=place, clear_m=0.22):
            return Spot(float(x), float(y), float(place.yaw + yaw))
    return None


def _later(stage: Stage, role: str, order: str) -> None:
    """No room for it now: try again in a moment, while the clip lasts."""
    stage.wait(role, 1.0)
    if stage.clock[role] < stage.end_s - 5.0:
        stage.interrupts.append((role, stage.clock[role] + 0.5, _ORDERS[order]))


def _linger(stage: Stage, role: str, off_m: float, order: str) -> None:
    kinds = ["instrument_table"] + (["operating_table"] if stage.draped_now(stage.clock[role]) else [])
    kind = str(stage.rng.choice(kinds))
    at = stage.line.tracks[stage.id(role)].last
    spot = _beside(stage, stage.layout.places[kind], off_m, (at.x, at.y))
    if spot is None:
        return _later(stage, role, order)
    stage.go(role, spot, 0.85, bold=True)
    dt = float(stage.rng.uniform(2.5, 4.5))
    stage.bend(role, dt, 0.12, 0.4)
    stage.wait(role, dt)
    stage.go(role, stage.cast[role].home)


def _sterile_breach(stage: Stage, role: str) -> None:
    """Lingers within reach of a sterile surface: the body's front is about 0.15 m before its axis."""
    _linger(stage, role, float(stage.rng.uniform(0.26, 0.36)), "sterile_breach")


def _near_sterile(stage: Stage, role: str) -> None:
    """Stops at a distance that is close but allowed."""
    _linger(stage, role, float(stage.rng.uniform(0.74, 0.85)), "near_sterile")


def _machine(stage: Stage) -> str:
    machines = [m for m in ("mako_robot", "c_arm") if stage.has(m)]
    return str(stage.rng.choice(machines)) if machines else ""


def _collision_course(stage: Stage, role: str) -> None:
    """Walks briskly straight at a machine and stops just before it, or has the machine roll at them."""
    _charge(stage, role, float(stage.rng.uniform(0.75, 1.1)), 0.42, may_roll=True)


def _near_machine(stage: Stage, role: str) -> None:
    """Walks slowly up to a machine: never predicted to touch it."""
    _charge(stage, role, 0.2, 0.62, may_roll=False)


def _charge(stage: Stage, role: str, speed_m_s: float, stop_m: float, may_roll: bool) -> None:
    machine = _machine(stage)
    if not machine:
        return
    order = "collision_course" if may_roll else "near_machine"
    run = 1.2 if may_roll else 0.5
    at = stage.line.tracks[stage.id(role)].last
    found = _run_up(stage, stage.footprint(stage.id(machine)), stop_m, run, (at.x, at.y))
    if found is None:
        return _later(stage, role, order)
    near, far, back = found
    stage.go(role, far, 0.85)
    if may_roll and stage.rng.random() < 0.35:
        t = stage.clock[role] + 0.4
        glide(stage, [machine], t, tuple(-back * 0.65), float(stage.rng.uniform(0.5, 0.7)))
        stage.wait(role, 2.5)
        glide(stage, [machine], stage.clock[role] + 1.0, tuple(back * 0.65), 0.2)
        return
    stage.walk_straight(role, near, speed_m_s)
    stage.wait(role, float(stage.rng.uniform(0.8, 1.6)))
    stage.go(role, stage.cast[role].home, 0.5)


def _run_up(
    stage: Stage, place: Place, stop_m: float, run_m: float, at: tuple[float, float]
) -> tuple[Spot, Spot, np.ndarray] | None:
    """A spot before a machine, one from which to run at it, and the vector between them; None when all is taken."""
    for k in range(12):
        near = _beside(stage, place, stop_m, at if k == 0 else None)
        if near is None:
            continue
        back = np.array([np.cos(near.yaw), np.sin(near.yaw)]) * run_m
        far = Spot(near.x - float(back[0]), near.y - float(back[1]), near.yaw)
        if stage.is_free(far.x, far.y, clear_m=0.22):
            return near, far, back
    return None


def _drop(stage: Stage, role: str) -> None:
    """An instrument that lies on a table slips off and is put back a while later; nobody needs to be near."""
    t = stage.clock[role]
    lying = {tool: c[-1] for tool, c in stage.line.carries.items() if not c[-1].holder and not c[-1].stored}
    for kind in ("secondary_table", "instrument_table"):
        for tool in [i for i, c in lying.items() if c.anchor.entity == f"{kind}_1" and c.start_s < t]:
            if spot := _beside(stage, stage.layout.places[kind], 0.35):
                stay_s = float(stage.rng.uniform(6.0, 9.0))
                floor = Anchor("", (spot.x, spot.y, 0.0))
                stage.line.carries[tool].append(Carry(t, "", "", floor, spot.yaw))
                stage.line.carries[tool].append(replace(lying[tool], start_s=t + stay_s))
                return


def _touch(stage: Stage, role: str) -> None:
    """Walks up to the scrub nurse and stays leaning on her for some seconds."""
    if "nurse" not in stage.cast:
        return
    nurse = stage.line.tracks[stage.id("nurse")].last
    for angle in np.linspace(-np.pi, np.pi, 12, endpoint=False) + nurse.yaw + np.pi:
        away = np.array([np.cos(angle), np.sin(angle)])
        far, near = (Spot(*(np.array([nurse.x, nurse.y]) + d * away), angle - np.pi) for d in (0.75, 0.24))
        if not stage.is_free(far.x, far.y, clear_m=0.22):
            continue
        stage.go(role, far, 0.85, bold=True)
        stage.sync(role, "nurse")
        stage.walk_straight(role, near, 0.5)
        stay_s = float(stage.rng.uniform(3.0, 4.5))
        stage.bend(role, stay_s, 0.2, 0.4)
        stage.wait(role, stay_s)
        stage.until(stage.clock[role], "nurse")
        stage.walk_straight(role, far, 0.5)
        stage.go(role, stage.cast[role].home)
        return
    _later(stage, role, "contaminating_touch")


_ORDERS: dict[str, Callable[[Stage, str], None]] = {
    "sterile_breach": _sterile_breach,
    "collision_course": _collision_course,
    "near_sterile": _near_sterile,
    "near_machine": _near_machine,
    "contaminating_touch": _touch,
}
