"""From a seed to a script: the room, its things and people, and the timeline of one clip."""

from dataclasses import dataclass, replace

import numpy as np

from or_spatial.world import anchors, hazards_on_demand
from or_spatial.world.cast import Member, draw_cast
from or_spatial.world.layout import MIDDLE_AHEAD_M, Layout, Place, build_layout, operator_spot
from or_spatial.world.procedures import PROCEDURES, Phase
from or_spatial.world.procedures.common import busy
from or_spatial.world.splits import draw_variant, split_plan, stream
from or_spatial.world.stage import Prop, Stage
from or_spatial.world.timeline import Anchor, Carry, Pose2, Timeline, Track
from or_spatial.world.walking import FloorPlan

_ALWAYS = ("operating_table", "instrument_table", "secondary_table", "anesthesia_equipment")
_SOMETIMES = {"monitor": 0.8, "mps_station": 0.2, "mako_robot": 0.25, "c_arm": 0.25}
_TOOLS = ("drill", "saw", "hammer")
_SIZED = ("operating_table", "instrument_table", "secondary_table", "mps_station")
_DESKS = ("anesthesia_equipment", "mps_station")
_PHASE_S = (9.0, 16.0)


@dataclass(frozen=True)
class Script:
    """All that random access needs: the room, who and what is in it, and the timeline."""

    split: str
    seed: int
    procedure: str
    layout: Layout
    cast: dict[str, Member]
    props: dict[str, Prop]
    line: Timeline
    hazards: tuple[str, ...]
    duration_s: float
    prone: bool
    lamp_at: tuple[tuple[float, float, float], ...]


def write_script(
    split: str,
    seed: int,
    duration_s: float,
    cameras: int,
    hazards: tuple[str, ...] | None,
    procedure: str | None,
    whole: bool = False,
) -> Script:
    """Direct one clip. `hazards` and `procedure` None are drawn by chance, the former with clean clips among them.

    `whole`: from the first phase to the last, stretched to the length of the clip, instead of a piece of usual pace.
    """
    plan, rng = split_plan(split), stream(split, seed, "script")
    if procedure is None:
        weights = np.array([2.0 if p == "laparoscopic_gallbladder" else 3.0 for p in plan.procedures])
        name = str(rng.choice(plan.procedures, p=weights / weights.sum()))
    else:
        rng.random()
        name = procedure
    layout = build_layout(plan.layouts[int(rng.integers(len(plan.layouts)))])
    drawn = hazards_on_demand.draw_hazards(rng) if hazards is None else hazards
    acted = sum(h in hazards_on_demand.ACTED for h in drawn)
    cast = draw_cast(name, stream(split, seed, "cast"), plan.realism, acted)
    props = _props(split, seed, name, hazards_on_demand.needs_machine(drawn))
    _fit(layout, props)
    start = -float(rng.uniform(2.0, 10.0))
    stage = Stage(split, layout, cast, props, _floor(layout, props, name), rng, start, duration_s)
    lamp_at = _place_props(stage, name, rng)
    hazards_on_demand.schedule(stage, drawn, duration_s, cameras)
    _play(stage, name, duration_s, whole)
    return Script(
        split, seed, name, layout, cast, props, stage.line, drawn, duration_s, name == "vertebroplasty", lamp_at
    )


def _props(split: str, seed: int, procedure: str, needs_machine: bool) -> dict[str, Prop]:
    rng = stream(split, seed, "props")
    wanted = list(_ALWAYS)
    for label, p in _SOMETIMES.items():
        if rng.random() < p or label in PROCEDURES[procedure].props:
            wanted.append(label)
    if needs_machine and not {"mako_robot", "c_arm"} & set(wanted):
        wanted.append("mako_robot" if rng.random() < 0.5 else "c_arm")
    wanted += [t for t in _TOOLS if t in PROCEDURES[procedure].props or rng.random() < 0.3]
    counts = dict.fromkeys(wanted, 1) | {"instrument": int(rng.integers(3, 7)), "lamp": int(rng.integers(1, 3))}
    if "monitor" in counts and rng.random() < 0.2:
        counts["monitor"] = 1
    props = {}
    for label, count in counts.items():
        for k in range(1, count + 1):
            props[f"{label}_{k}"] = Prop(f"{label}_{k}", label, label, draw_variant(split, rng))
    return props


def _fit(layout: Layout, props: dict[str, Prop]) -> None:
    """Give places the size of the furniture that came, and move those who work there up to it."""
    nurse, table = layout.spots["nurse"], layout.places["instrument_table"]
    for kind in _SIZED:
        if prop := props.get(f"{kind}_1"):
            p = layout.places[kind]
            layout.places[kind] = Place(p.x, p.y, p.yaw, *prop.size_m[:2])
            if kind in ("secondary_table", "mps_station"):
                layout.spots[kind] = operator_spot(layout.places[kind])
    at = np.array([nurse.x, nurse.y])
    gap = float(layout.places["instrument_table"].distance(at) - table.distance(at))
    away = np.array([table.x, table.y]) - at
    step = away / np.linalg.norm(away) * max(0.0, gap) * 0.9
    layout.spots["nurse"] = replace(nurse, x=float(at[0] + step[0]), y=float(at[1] + step[1]))


def _floor(layout: Layout, props: dict[str, Prop], procedure: str) -> FloorPlan:
    at_work = PROCEDURES[procedure].at_work
    places: list[Place] = []
    for kind, place in layout.places.items():
        base, _, work = kind.partition("@")
        here = base in ("cabinet", "shelf_cart") or f"{base}_1" in props
        if here and bool(work) == (base in at_work):
            places.append(place)
    sterile = [layout.places["operating_table"], layout.places["instrument_table"]]
    return FloorPlan(layout.width_m, layout.depth_m, places, sterile)


def _place_props(stage: Stage, procedure: str, rng: np.random.Generator) -> tuple[tuple[float, float, float], ...]:
    """Put furniture, machines, lamps and tools where the clip finds them."""
    at_work = PROCEDURES[procedure].at_work
    for prop in stage.props.values():
        kind = f"{prop.kind}@work" if prop.kind in at_work else prop.kind
        if kind in stage.layout.places:
            p = stage.layout.places[kind]
            jitter = rng.normal(0, 0.02, 3) * (0 if prop.kind == "operating_table" else 1)
            back = MIDDLE_AHEAD_M.get(kind, 0.0)
            x, y = p.x - back * np.cos(p.yaw), p.y - back * np.sin(p.yaw)
            pose = Pose2(float(x + jitter[0]), float(y + jitter[1]), float(p.yaw + jitter[2]))
            stage.line.tracks[prop.id] = Track(pose)
    _lay_tools(stage, rng, PROCEDURES[procedure].props)
    lamps = []
    for k, (x, y, z) in enumerate(stage.layout.lamps):
        if f"lamp_{k + 1}" in stage.props:
            parked = rng.random() < 0.25
            dx, dy = rng.normal(0, 0.9 if parked else 0.15, 2)
            at = (x + dx, y + dy, z + (0.15 if parked else 0.0))
            lamps.append(tuple(float(v) for v in at))
            stage.line.tracks[f"lamp_{k + 1}"] = Track(Pose2(at[0], at[1], float(rng.uniform(-np.pi, np.pi)), at[2]))
    return tuple(lamps)


def _on_patient(stage: Stage, rng: np.random.Generator) -> Anchor:
    """A place on the patient's trunk or thighs; the cloth's height is found when the tool is drawn."""
    return Anchor("patient_1", (float(rng.uniform(-0.3, 0.3)), float(stage.layout.side * rng.uniform(-0.1, 0.1)), 0.0))


def _on_desk(stage: Stage, kind: str, rng: np.random.Generator) -> Anchor:
    """The worktop of a machine, which stands within the machine's bounds: what lies there was put away inside."""
    prop = stage.props[f"{kind}_1"]
    depth = anchors.desk_y(prop.kind)
    x = float(rng.uniform(-0.25, 0.25) * prop.size_m[0])
    return Anchor(prop.id, (x, depth, anchors.resting_height(prop.kind, prop.variant, x, depth)))


def _lay_tools(stage: Stage, rng: np.random.Generator, needed: tuple[str, ...]) -> None:
    """Tools lie on the instrument table, some on the patient's drape, the secondary table or a machine's desk."""
    table = stage.props["instrument_table_1"]
    half = np.array(table.size_m[:2]) / 2
    slots = [(x, y) for x in np.linspace(-0.62, 0.62, 5) for y in (-0.5, 0.42)]
    order = rng.permutation(len(slots))
    tools = [p for p in stage.props.values() if p.label in ("instrument", *_TOOLS)]
    for prop, slot in zip(tools, order, strict=False):
        x, y = slots[slot]
        at = (float(x * half[0] + rng.normal(0, 0.02)), float(y * half[1] + rng.normal(0, 0.02)), table.size_m[2])
        anchor, yaw = Anchor(table.id, at), float(rng.uniform(-np.pi, np.pi))
        number = int(prop.id.rsplit("_", 1)[1])
        pick = rng.random()
        spare = prop.label in _TOOLS and prop.label not in needed
        if (prop.label == "instrument" and number > 3) or (spare and pick > 0.4):
            if pick < 0.35:
                anchor = _on_patient(stage, rng)
            elif pick > 0.6:
                desks = [d for d in _DESKS if stage.has(d)]
                anchor = _on_desk(stage, str(rng.choice(desks)), rng)
                stage.line.carries[prop.id] = [Carry(-1e3, "", "", anchor, yaw, stored=True)]
                continue
            else:
                top = stage.props["secondary_table_1"]
                reach = np.array(top.size_m[:2]) * 0.35
                dx, dy = rng.uniform(-1, 1, 2) * reach
                anchor = Anchor(top.id, (float(dx), float(dy), top.size_m[2]))
        stage.line.carries[prop.id] = [Carry(-1e3, "", "", anchor, yaw)]


def _play(stage: Stage, name: str, duration_s: float, whole: bool) -> None:
    phases = PROCEDURES[name].phases
    weights = np.array([p.weight for p in phases])
    index = int(stage.rng.choice(len(phases), p=weights / weights.sum()))
    stretch = 1.0
    if whole:
        index, stretch = 0, (duration_s - stage.start_s) / (len(phases) * np.mean(_PHASE_S))
    t = stage.start_s
    while t < duration_s:
        phase = phases[min(index, len(phases) - 1)]
        end = t + float(stage.rng.uniform(*_PHASE_S) * stretch) + (-stage.start_s * 0.5 if t == stage.start_s else 0.0)
        _play_phase(stage, phase, t, end)
        t, index = end, index + 1
        if index >= len(phases):
            busy(stage, duration_s)
            _hold(stage, phase, end, max(duration_s, end) + 60.0)
            break


def _hold(stage: Stage, phase: Phase, start: float, end: float) -> None:
    """Nothing follows the last phase: the room stays as it left it."""
    stage.span(f"phase:{phase.name}:{phase.next_action}", start, end)
    for name, holds in (("patient", phase.patient), ("draped", phase.draped)):
        if holds:
            stage.span(name, start, end)


def _play_phase(stage: Stage, phase: Phase, start: float, end: float) -> None:
    stage.until(start)
    stage.span(f"phase:{phase.name}:{phase.next_action}", start, end)
    if phase.patient:
        stage.span("patient", start, end + (60.0 if end > stage.end_s else 0.0))
    if phase.draped:
        laid = _all_clear(stage, start)
        stage.until(laid - 0.5, *(r for r, m in stage.cast.items() if m.sterile))
        stage.span("draped", laid, end + (60.0 if end > stage.end_s else 0.0))
    phase.play(stage, end)


def _all_clear(stage: Stage, start: float) -> float:
    """Send the unscrubbed to their places; the drape counts as laid once they are there."""
    if start <= stage.start_s + 1e-6 or stage.draped_now(start - 0.01):
        return start
    away = [r for r, m in stage.cast.items() if not m.sterile and not r.startswith("visitor")]
    for role in away:
        stage.go(role, stage.cast[role].home)
    return max([start, *(stage.clock[r] for r in away)])
