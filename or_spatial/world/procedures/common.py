"""What every procedure is made of: phases, and the habits with which each role fills its time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from or_spatial.world import anchors
from or_spatial.world.layout import Spot
from or_spatial.world.splits import TEST_ONLY_HABITS, split_plan
from or_spatial.world.stage import Stage
from or_spatial.world.timeline import Anchor
from or_spatial.world.walking import Way


@dataclass(frozen=True)
class Phase:
    """One phase: who gets which orders, whether the patient is there and draped, and how often a clip begins here."""

    name: str
    play: Callable[[Stage, float], None]
    draped: bool = True
    patient: bool = True
    weight: float = 1.0
    next_action: str = "none"


@dataclass(frozen=True)
class Procedure:
    """A scripted procedure; `props` are needed besides the furniture of every room, `homes` override first places."""

    name: str
    phases: tuple[Phase, ...]
    props: tuple[str, ...]
    at_work: tuple[str, ...] = ()


def busy(stage: Stage, until: float, *, leave_out: tuple[str, ...] = ()) -> None:
    """Everybody not named spends the time until `until` with the habits of their role."""
    for role in stage.cast:
        if role not in leave_out:
            habit = _HABITS.get(role, _watch)
            while stage.clock[role] < until - 0.8:
                if order := _interrupt(stage, role):
                    order(stage, role)
                elif any(i[0] == role for i in stage.interrupts):
                    _stand(stage, role)
                else:
                    habit(stage, role, until)


def _interrupt(stage: Stage, role: str) -> Callable[[Stage, str], None] | None:
    """The next order on demand for this role whose time has come."""
    due = [i for i in stage.interrupts if i[0] == role and stage.clock[role] >= i[1]]
    if not due:
        return None
    stage.interrupts.remove(due[0])
    return due[0][2]


@dataclass(frozen=True)
class Step:
    """Something the leading role does with some weight; the nurse gets `tool` ready beforehand."""

    weight: float
    play: Callable[[], None]
    tool: str = ""


def lead(stage: Stage, end: float, role: str, steps: list[Step], *others: str) -> None:
    """`role` plays weighted steps until the phase ends, the rest of the room keeps busy in between."""
    if role not in stage.cast:
        busy(stage, end)
        return
    step = _next(stage, steps, None)
    while stage.clock[role] < end - 0.5:
        busy(stage, stage.clock[role], leave_out=(role, *others))
        before = stage.clock[role]
        step.play()
        stage.clock[role] = max(stage.clock[role], before + 0.5)
        step = _next(stage, steps, step)
        if step.tool and role == "head_surgeon" and stage.clock[role] < end - 0.5:
            stage.prefetch(step.tool)
    busy(stage, end)


def _next(stage: Stage, steps: list[Step], last: Step | None) -> Step:
    """Draw a step; the one just done is less likely to come again."""
    p = np.array([s.weight * (0.75 if s is last and len(steps) > 1 else 1.0) for s in steps])
    return steps[int(stage.rng.choice(len(steps), p=p / p.sum()))]


def seconds(stage: Stage, low: float = 2.2, high: float = 4.5) -> float:
    """A duration drawn from the stage's own stream."""
    return float(stage.rng.uniform(low, high))


def hand_on(stage: Stage, thing: str, role: str, height: float | None = None) -> Anchor:
    """A point on the surface of a thing that `role` can reach from where they stand, near a height."""
    prop = stage.props[stage.id(thing)]
    low, high = (0.80, 1.25) if height is None else (height - 0.10, height + 0.06)
    near = _own_frame(stage, prop.id, role)
    return Anchor(prop.id, anchors.touch_point(prop.kind, prop.variant, near, low, high, stage.rng))


def on_table(stage: Stage, role: str, table: str = "instrument_table") -> Anchor:
    """A point on top of a table within reach of `role`."""
    prop = stage.props[stage.id(table)]
    half = np.array(prop.size_m[:2]) / 2 - 0.12
    x, y = np.clip(_own_frame(stage, prop.id, role), -half, half) + stage.rng.uniform(-0.09, 0.09, 2)
    return Anchor(prop.id, (float(x), float(y), prop.size_m[2] + 0.03))


def _own_frame(stage: Stage, thing: str, role: str) -> tuple[float, float]:
    """Where somebody stands in a thing's frame."""
    pose, at = stage.line.tracks[thing].last, stage.line.tracks[stage.id(role)].last
    c, s = np.cos(pose.yaw), np.sin(pose.yaw)
    dx, dy = at.x - pose.x, at.y - pose.y
    return float(dx * c + dy * s), float(-dx * s + dy * c)


# -- habits ------------------------------------------------------------------------------------------------------------


def _watch(stage: Stage, role: str, until: float) -> None:
    """Look on; now and then walk to another free place of the room."""
    if stage.rng.random() < 0.25:
        free = [s for s in stage.layout.spots if s.startswith("visitor")]
        taken = {(p.x, p.y) for r, p in stage._spot.items() if r != role}
        free = [s for s in free if (stage.layout.spots[s].x, stage.layout.spots[s].y) not in taken]
        if free:
            stage.go(role, str(stage.rng.choice(free)))
            return
    _stand(stage, role)


def _stand(stage: Stage, role: str) -> None:
    """Stay and look about."""
    dt = seconds(stage, 1.2, 2.8)
    stage.bend(role, dt, 0.05, float(stage.rng.uniform(0, 0.4)), float(stage.rng.uniform(-0.5, 0.5)))
    stage.wait(role, dt)


def _nurse(stage: Stage, role: str, until: float) -> None:
    held = stage.holding(role)
    pick = 1.0 if held and held[0] == stage.awaited else stage.rng.random()
    stage.go(role, "nurse")
    if pick < 0.5:
        table = stage.layout.places["instrument_table"]
        stage.turn_to(role, table.x, table.y)
        dt = seconds(stage, 2.0, 3.5)
        left = on_table(stage, role)
        if held:
            stage.lay_down(role, held[0])
        stage.act(role, "preparing", "instrument_table", dt, on_table(stage, role), left=left, lean=0.2)
    elif pick < 0.75 and not held and stage.start_s < stage.clock[role]:
        tools = [t for t in stage.props if _is_instrument(t) and not stage.holder(t)]
        tools = [t for t in tools if stage.allowed(role, "holding", t.split("_")[0])]
        if tools:
            stage.fetch(role, str(stage.rng.choice(tools)))
        stage.wait(role, 0.8)
    else:
        stage.turn_to(role, *stage.layout.room_from_table(-0.2, 0.0))
        stage.wait(role, seconds(stage, 1.0, 2.5))


def _is_instrument(id: str) -> bool:
    return id.split("_")[0] in ("instrument", "drill", "saw", "hammer") and "table" not in id


def _anaesthetist(stage: Stage, role: str, until: float) -> None:
    if stage.rng.random() < 0.3:
        stage.turn_to(role, *stage.layout.room_from_table(0.9, 0.0))
        stage.wait(role, seconds(stage, 1.0, 2.0))
        return
    stage.go(role, "anaesthetist")
    anchor = hand_on(stage, "anesthesia_equipment", role)
    left = hand_on(stage, "anesthesia_equipment", role) if stage.rng.random() < 0.4 else None
    predicate = "preparing" if stage.rng.random() < 0.2 else "manipulating"
    stage.act(role, predicate, "anesthesia_equipment", seconds(stage), anchor, left=left, lean=0.15)


def _circulator(stage: Stage, role: str, until: float) -> None:
    pick = stage.rng.random()
    if pick < 0.35:
        stage.go(role, "secondary_table")
        stage.act(
            role, "preparing", "secondary_table", seconds(stage), on_table(stage, role, "secondary_table"), lean=0.2
        )
    elif pick < 0.5 and stage.allowed(role, "manipulating", "anesthesia_equipment") and not stage.has("anaesthetist"):
        stage.go(role, "anaesthetist")
        stage.act(
            role,
            "manipulating",
            "anesthesia_equipment",
            seconds(stage),
            hand_on(stage, "anesthesia_equipment", role),
        )
    elif pick < 0.65 and stage.has("monitor"):
        stage.go(role, "monitor")
        stage.act(role, "manipulating", "monitor", seconds(stage), hand_on(stage, "monitor", role, 1.4), lean=0.1)
    else:
        _watch(stage, role, until)


def _mps(stage: Stage, role: str, until: float) -> None:
    stage.go(role, "mps_station")
    if stage.rng.random() < 0.75:
        anchor = hand_on(stage, "mps_station", role, 1.0)
        stage.act(role, "manipulating", "mps_station", seconds(stage), anchor, lean=0.1)
    else:
        stage.wait(role, seconds(stage, 1.0, 2.0))


def _radiographer(stage: Stage, role: str, until: float) -> None:
    stage.wait(role, seconds(stage, 0.8, 1.6))


def _scrubbed_wait(stage: Stage, role: str, until: float) -> None:
    """Stand with hands in sight above the waist and look at the field."""
    dt = seconds(stage, 0.8, 2.0)
    stage.bend(role, dt, 0.1, 0.4)
    stage.wait(role, dt)


_HABITS = {
    "nurse": _nurse,
    "anaesthetist": _anaesthetist,
    "circulator": _circulator,
    "mps": _mps,
    "radiographer": _radiographer,
    "head_surgeon": _scrubbed_wait,
    "assistant_surgeon": _scrubbed_wait,
}


def assist(stage: Stage, dt: float, x: float, y: float) -> None:
    """The assistant helps at the field while the surgeon works: hands on the limb, or suction and swab."""
    role = "assistant_surgeon"
    if role not in stage.cast:
        return
    busy(stage, stage.clock["head_surgeon"], leave_out=("head_surgeon",))
    stage.until(stage.clock["head_surgeon"], role)
    t = stage.clock[role]
    if stage.rng.random() < 0.4 and stage.has("instrument"):
        tools = [i for i in stage.props if i.startswith("instrument_") and i[11:].isdigit() and not stage.holder(i)]
        clean = stage.rng.random() < 0.5
        if tools and not stage.holding(role) and stage.clock[role] < 0:
            stage.fetch(role, tools[0])
        if clean:
            stage.act(role, "cleaning", "patient", dt, stage.field(x + 0.08, y - 0.10, 0.08), motion="sweep")
            stage.note(role, "assisting", "head_surgeon", t + 0.3, t + dt)
            return
    left = stage.field(x - 0.20, y - 0.06, 0.02)
    stage.act(role, "touching", "patient", dt, stage.field(x + 0.16, y - 0.08, 0.02), motion="still", left=left)
    stage.note(role, "assisting", "head_surgeon", t + 0.3, t + dt)


def surgeon_step(
    stage: Stage,
    predicate: str,
    tool: str,
    motion: str,
    x: float,
    y: float,
    weight: float = 1.0,
    helped: float = 0.75,
    spot: str = "head_surgeon",
) -> Step:
    """A step of the surgeon: fetch the tool, do the action at table place (x, y), maybe with the assistant."""

    def play() -> None:
        role = "head_surgeon"
        swapped = stage.has("assistant_surgeon") and split_plan(stage.split).name == "test"
        if swapped and stage.rng.random() < 0.3 and ("assistant_surgeon", predicate, "patient") in TEST_ONLY_HABITS:
            role = "assistant_surgeon"
        stage.go(role, spot if role == "head_surgeon" else stage.cast[role].home)
        side = -0.02 if role == "head_surgeon" else -0.08
        if tool:
            stage.fetch(role, tool)
            stage.go(role, spot if role == "head_surgeon" else stage.cast[role].home)
        dt = seconds(stage, 2.4, 5.0)
        t = stage.clock[role]
        jx, jy = stage.rng.uniform(-0.06, 0.06, 2)
        left = stage.field(x + jx + 0.18, y + jy + side, 0.02) if stage.rng.random() < 0.7 else None
        if role == "head_surgeon" and stage.rng.random() < helped:
            assist(stage, dt, x, y)
        stage.clock[role] = max(t, stage.clock[role])
        at = stage.field(x + jx, y + jy, 0.09 if tool else 0.02)
        stage.act(role, predicate, "patient", dt, at, tool=tool, motion=motion, left=left)
        if role != "head_surgeon":
            stage.until(stage.clock[role], "head_surgeon")

    return Step(weight, play, tool)


def glide(stage: Stage, names: list[str], start: float, by: tuple[float, float], speed_m_s: float) -> float:
    """Things and people slide together by a room vector with ease at both ends: beds, carts and who pushes them."""
    length = float(np.hypot(*by))
    f = np.linspace(0, 1, max(6, int(length / 0.05)))
    eased = f * f * (3 - 2 * f)
    times = f * length * 1.5 / speed_m_s
    for name in names:
        track = stage.line.tracks[stage.id(name)]
        at = track.last
        points = np.array([at.x, at.y]) + eased[:, None] * np.array(by)
        track.follow(start, Way(times, points, np.full(len(f), at.yaw)))
        if name in stage.cast:
            stage.clock[name] = start + float(times[-1])
    return start + float(times[-1])


def table_vector(stage: Stage, x: float, y: float) -> tuple[float, float]:
    """A room vector from one of the table frame."""
    ox, oy = stage.layout.room_from_table(0.0, 0.0)
    px, py = stage.layout.room_from_table(x, y)
    return (px - ox, py - oy)


def aside(stage: Stage, *roles: str) -> None:
    """Send people to the wall: their places at the table must be free."""
    for k, role in enumerate(roles):
        if role in stage.cast:
            spot = f"visitor_{5 - k}"
            if stage.clock[role] <= stage.start_s + 1e-6:
                stage.begin_at(role, spot)
            else:
                stage.go(role, spot)


def to_table(stage: Stage, *roles: str) -> None:
    """Send people to their places."""
    for role in roles:
        if role in stage.cast:
            stage.go(role, stage.cast[role].home)


def assist_spot(stage: Stage) -> Spot | None:
    """A place behind the nurse, 0.8 m from her and clear of everything sterile."""
    nurse = stage.line.tracks[stage.id("nurse")].last
    sterile = [stage.layout.places[k] for k in ("instrument_table", "operating_table")]
    for a in stage.rng.permutation(np.linspace(0, 2 * np.pi, 16, endpoint=False)):
        x, y = nurse.x + 0.85 * np.cos(a), nurse.y + 0.85 * np.sin(a)
        inside = abs(x) < stage.layout.width_m / 2 - 0.4 and abs(y) < stage.layout.depth_m / 2 - 0.4
        if inside and min(float(p.distance(np.array([x, y]))) for p in sterile) > 0.95:
            return Spot(float(x), float(y), float(a + np.pi))
    return None


def hand_towards(stage: Stage, role: str, other: str) -> Anchor:
    """A point in the air between two people."""
    a, b = (stage.line.tracks[stage.id(r)].last for r in (role, other))
    f = 0.42
    return Anchor("", (a.x + f * (b.x - a.x), a.y + f * (b.y - a.y), float(stage.rng.uniform(1.0, 1.25))))
