"""The director: procedures tell it who does what, it writes tracks, hands, tools and actions into a timeline.

Each member of the cast has a clock of their own; an order given to somebody begins when their last one ends.
Before time 0 (the clip is not shown yet) tools change hands without a walk.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from or_spatial.world.assets import asset_size
from or_spatial.world.cast import Member
from or_spatial.world.layout import MIDDLE_AHEAD_M, SWEPT_M, Layout, Place, Spot
from or_spatial.world.splits import habit_allowed
from or_spatial.world.timeline import Action, Anchor, Carry, HandCue, Pose2, PostureCue, Span, Timeline, Track
from or_spatial.world.walking import FloorPlan, Way

_SETTLE_S = 0.35  # an action counts once the hand has arrived


@dataclass(frozen=True)
class Prop:
    """One thing of the room: its id, label, asset kind and variant."""

    id: str
    label: str
    kind: str
    variant: int

    @property
    def size_m(self) -> tuple[float, float, float]:
        """Length, width, height of the asset that came; the height of a table is that of its surface."""
        return asset_size(self.kind, self.variant)


class Stage:
    """Takes orders and writes them down. `names` map short names (a role, a label) to entity ids."""

    def __init__(
        self,
        split: str,
        layout: Layout,
        cast: dict[str, Member],
        props: dict[str, Prop],
        plan: FloorPlan,
        rng: np.random.Generator,
        start_s: float,
        end_s: float,
    ) -> None:
        self.split, self.layout, self.cast, self.props = split, layout, cast, props
        self.plan, self.rng, self.start_s, self.end_s = plan, rng, start_s, end_s
        self.line = Timeline()
        self.clock = dict.fromkeys(cast, start_s)
        self.interrupts: list[tuple[str, float, Callable[[Stage, str], None]]] = []
        self.awaited = ""
        self._spot: dict[str, Spot] = {}
        for role, member in cast.items():
            spot = layout.spots[member.home]
            self.line.tracks[member.id] = Track(Pose2(spot.x, spot.y, spot.yaw))
            self.line.hands[member.id], self.line.postures[member.id] = [], []
            self._spot[role] = spot

    # -- who and what ---------------------------------------------------------------------------------------------

    def has(self, *names: str) -> bool:
        """Whether all these roles or things are in the room."""
        return all(n in self.cast or f"{n}_1" in self.props for n in names)

    def id(self, name: str) -> str:
        """Entity id of a role, a label, or an id itself."""
        if name in self.cast:
            return self.cast[name].id
        return name if name in self.props else f"{name}_1"

    def allowed(self, role: str, predicate: str, target: str) -> bool:
        """Whether this split's rooms may show the habit."""
        return habit_allowed(self.split, role, predicate, target)

    def draped_now(self, t: float) -> bool:
        """Whether the patient is draped at t, as far as the script goes."""
        return any(s.name == "draped" and s.holds(t) for s in self.line.spans)

    def footprint(self, id: str) -> Place | None:
        """Where a piece of furniture stands after all orders so far; None for what does not stand on the floor."""
        prop, track = self.props[id], self.line.tracks.get(id)
        if track is None or prop.kind not in self.layout.places:
            return None
        p, nominal = track.last, self.layout.places[prop.kind]
        ahead = MIDDLE_AHEAD_M.get(prop.kind, 0.0)
        return Place(p.x + ahead * np.cos(p.yaw), p.y + ahead * np.sin(p.yaw), p.yaw, nominal.length_m, nominal.width_m)

    def machines(self) -> list[Place]:
        """What robot and C-arm cover now, arms included."""
        found = []
        for kind, (low, high, width) in SWEPT_M.items():
            if track := self.line.tracks.get(f"{kind}_1"):
                p, ahead = track.last, (low + high) / 2
                x, y = p.x + ahead * np.cos(p.yaw), p.y + ahead * np.sin(p.yaw)
                found.append(Place(x, y, p.yaw, high - low, width))
        return found

    def is_free(self, x: float, y: float, ignore: Place | None = None, clear_m: float = 0.30) -> bool:
        """Whether somebody could stand there: no furniture, wall or person's place."""
        at = np.array([x, y])
        if abs(x) > self.layout.width_m / 2 - 0.35 or abs(y) > self.layout.depth_m / 2 - 0.35:
            return False
        for prop in self.props.values():
            place = self.footprint(prop.id)
            if place is None:
                continue
            same = ignore is not None and np.hypot(place.x - ignore.x, place.y - ignore.y) < 0.1
            if not same and float(place.distance(at)) < clear_m:
                return False
        return all(np.hypot(s.x - x, s.y - y) > 0.50 for s in self._spot.values())

    @property
    def top_m(self) -> float:
        """Height at which things change hands over the operating table."""
        return self.props["operating_table_1"].size_m[2] + 0.22

    def field(self, x: float, y: float = 0.0, z: float = 0.0) -> Anchor:
        """A place `z` m above the patient (or the bare table), table frame: x to the head, y to the surgeon."""
        return Anchor("patient_1", (x, y * self.layout.side, z))

    # -- moving -----------------------------------------------------------------------------------------------------

    def begin_at(self, role: str, spot: str) -> None:
        """Put somebody somewhere before their first order."""
        place = self.layout.spots[spot]
        self.line.tracks[self.id(role)].place(Pose2(place.x, place.y, place.yaw))
        self._spot[role] = place

    def go(
        self, role: str, spot: str | Spot, speed_m_s: float | None = None, side_step: bool = False, bold: bool = False
    ) -> float:
        """Walk to a spot, `bold` even where the unscrubbed should not be; returns the time of arrival."""
        to = self.layout.spots[spot] if isinstance(spot, str) else spot
        at = self.line.tracks[self.id(role)].last
        member = self.cast[role]
        speed = speed_m_s or float(self.rng.uniform(0.45, 0.9))
        others = [(s.x, s.y) for r, s in self._spot.items() if r != role]
        way = self.plan.way(
            (at.x, at.y, at.yaw),
            (to.x, to.y, to.yaw),
            scrubbed=member.sterile or bold,
            speed_m_s=speed,
            people=others,
            machines=self.machines(),
            hold_yaw=side_step,
        )
        return self._follow(role, way, to)

    def walk_straight(self, role: str, to: Spot, speed_m_s: float) -> float:
        """Walk a straight line whatever stands there, at a constant speed: for hazards on demand."""
        at = self.line.tracks[self.id(role)].last
        length = float(np.hypot(to.x - at.x, to.y - at.y))
        n = max(3, int(length / 0.05))
        f = np.linspace(0, 1, n)
        points = np.array([at.x, at.y]) + f[:, None] * (to.x - at.x, to.y - at.y)
        return self._follow(role, Way(f * length / speed_m_s, points, np.full(n, at.yaw)), to)

    def turn_to(self, role: str, x: float, y: float) -> float:
        """Turn on the spot towards a room point."""
        at = self.line.tracks[self.id(role)].last
        return self.go(role, Spot(at.x, at.y, float(np.arctan2(y - at.y, x - at.x))))

    def roll(self, thing: str, start_s: float, way: Way) -> float:
        """Move equipment along a way; returns the end."""
        self.line.tracks[self.id(thing)].follow(start_s, way)
        return start_s + way.duration_s

    def _follow(self, role: str, way: Way, to: Spot) -> float:
        self.line.tracks[self.id(role)].follow(self.clock[role], way)
        self.clock[role] += way.duration_s
        self._spot[role] = to
        return self.clock[role]

    # -- time -------------------------------------------------------------------------------------------------------

    def wait(self, role: str, seconds: float) -> None:
        """Do nothing for a while."""
        self.clock[role] += seconds

    def until(self, t: float, *roles: str) -> None:
        """Nobody of these starts anything before t."""
        for role in roles or self.cast:
            self.clock[role] = max(self.clock[role], t)

    def sync(self, *roles: str) -> float:
        """Wait for each other; returns the common time."""
        t = max(self.clock[r] for r in roles)
        self.until(t, *roles)
        return t

    def span(self, name: str, start_s: float, end_s: float) -> None:
        """Write down a named interval."""
        self.line.spans.append(Span(name, start_s, end_s))

    # -- hands ------------------------------------------------------------------------------------------------------

    def reach(
        self,
        role: str,
        anchor: Anchor,
        seconds: float,
        *,
        hand: str = "right",
        motion: str = "work",
        start: float | None = None,
    ) -> None:
        """A hand goes to an anchor; the clock does not move."""
        t = self.clock[role] if start is None else start
        self.line.hands[self.id(role)].append(HandCue(t, t + seconds, hand, anchor, motion))

    def bend(self, role: str, seconds: float, lean: float, pitch: float = 0.5, head_yaw: float = 0.0) -> None:
        """Lean and look down for a while; the clock does not move."""
        t = self.clock[role]
        self.line.postures[self.id(role)].append(PostureCue(t, t + seconds, lean, pitch, head_yaw))

    def note(self, subject: str, predicate: str, object: str, start_s: float, end_s: float, tool: str = "") -> None:
        """Write an action down for the truth."""
        tool_id = self.id(tool) if tool else ""
        self.line.actions.append(Action(start_s, end_s, self.id(subject), predicate, self.id(object), tool_id))

    def act(
        self,
        role: str,
        predicate: str,
        target: str,
        seconds: float,
        anchor: Anchor,
        *,
        tool: str = "",
        motion: str = "work",
        left: Anchor | None = None,
        lean: float = 0.28,
    ) -> float:
        """Do something to a target with the right hand (and a tool); the left hand helps at `left`. Returns the end."""
        if tool:
            self.fetch(role, tool)
        t = self.clock[role]
        self.reach(role, anchor, seconds, motion=motion)
        if left is not None:
            self.reach(role, left, seconds, hand="left", motion="still")
        self.bend(role, seconds, lean * float(self.rng.uniform(0.7, 1.2)), float(self.rng.uniform(0.35, 0.7)))
        if predicate:
            self.note(role, predicate, target, t + _SETTLE_S, t + seconds - _SETTLE_S / 2, tool)
        self.clock[role] = t + seconds
        return self.clock[role]

    # -- tools ------------------------------------------------------------------------------------------------------

    def holder(self, tool: str) -> str:
        """Role that holds the tool after all orders so far, or empty."""
        held_by = self.line.carries[self.id(tool)][-1].holder
        return next((r for r, m in self.cast.items() if m.id == held_by), "")

    def holding(self, role: str) -> list[str]:
        """Ids of the things in somebody's hands after all orders so far."""
        return [tool for tool, carries in self.line.carries.items() if carries[-1].holder == self.id(role)]

    def fetch(self, role: str, tool: str) -> None:
        """Get a tool into somebody's right hand: from the nurse if she is there, else from where it lies."""
        tool_id = self.id(tool)
        if self.holder(tool_id) == role:
            return
        for other in self.holding(role):
            self.put_aside(role, other)
        if self.clock[role] < 0.0:
            self.line.carries[tool_id].append(Carry(self.clock[role], self.id(role)))
        elif not self.holder(tool_id) and self._distance(role, self.line.carries[tool_id][-1].anchor) < 0.85:
            self._pick_up(role, tool_id)
        elif self.holder(tool_id):
            self._hand_over(self.holder(tool_id), role, tool_id)
        elif role != "nurse" and self.has("nurse") and self.cast[role].sterile:
            self._pick_up("nurse", tool_id)
            self._hand_over("nurse", role, tool_id)
        else:
            self._pick_up(role, tool_id)

    def prefetch(self, tool: str) -> None:
        """The nurse takes what the surgeon will ask for next, while there is time."""
        tool_id = self.id(tool)
        if "nurse" not in self.cast or self.holder(tool_id) or self.clock["nurse"] < 0.0:
            return
        if self._distance("head_surgeon", self.line.carries[tool_id][-1].anchor) >= 0.85:
            self._pick_up("nurse", tool_id)
            self.awaited = tool_id

    def put_aside(self, role: str, tool: str) -> None:
        """Free the hand: surgeons lay a tool onto the drape beside the wound, others put it back."""
        if self.clock[role] < 0.0 or role not in ("head_surgeon", "assistant_surgeon"):
            return self.lay_down(role, tool)
        at, table = self.line.tracks[self.id(role)].last, self.line.tracks["operating_table_1"].last
        c, s = np.cos(table.yaw), np.sin(table.yaw)
        x = (at.x - table.x) * c + (at.y - table.y) * s + float(self.rng.uniform(0.10, 0.28))
        y = np.clip(-(at.x - table.x) * s + (at.y - table.y) * c, -0.11, 0.11)
        rest = Anchor("patient_1", (float(np.clip(x, -0.75, 0.3)), float(y), 0.0))
        t = self.clock[role]
        self.reach(role, rest, 0.9, motion="still")
        turn = float(self.rng.uniform(-np.pi, np.pi))
        self.line.carries[self.id(tool)].append(Carry(t + 0.45, "", "", rest, turn))
        self.clock[role] = t + 0.9
        return None

    def _distance(self, role: str, anchor: Anchor) -> float:
        at = self.line.tracks[self.id(role)].last
        return float(np.hypot(*(self.place_of(anchor)[:2] - (at.x, at.y))))

    def lay_down(self, role: str, tool: str) -> None:
        """Put a tool back where it lay: on its table, through the nurse's hand when somebody else has it."""
        tool_id = self.id(tool)
        rest = self.line.carries[tool_id][0]
        if self.clock[role] < 0.0:
            self.line.carries[tool_id].append(Carry(self.clock[role], "", "", rest.anchor, rest.yaw))
            return
        if role != "nurse" and self.has("nurse") and rest.anchor.entity == "instrument_table_1":
            self._hand_over(role, "nurse", tool_id)
            role = "nurse"
        self._stand_by(role, rest.anchor)
        t = self.clock[role]
        self.reach(role, rest.anchor, 1.1, motion="still")
        self.line.carries[tool_id].append(Carry(t + 0.55, "", "", rest.anchor, rest.yaw))
        self.clock[role] = t + 1.1

    def _pick_up(self, role: str, tool_id: str) -> None:
        for other in self.holding(role):
            if other != tool_id:
                self.lay_down(role, other)
        rest = self.line.carries[tool_id][-1]
        self._stand_by(role, rest.anchor)
        t = self.clock[role]
        self.reach(role, rest.anchor, 1.1, motion="still")
        self.bend(role, 1.1, 0.3)
        self.line.carries[tool_id].append(Carry(t + 0.55, self.id(role)))
        self.clock[role] = t + 1.1

    def _stand_by(self, role: str, anchor: Anchor) -> None:
        """Step to within reach of an anchor that is too far off."""
        point = self.place_of(anchor)
        at = self.line.tracks[self.id(role)].last
        away = np.array([at.x, at.y]) - point[:2]
        distance = float(np.hypot(*away))
        if distance > 0.72:
            if role == "nurse":
                self.go("nurse", "nurse", 0.9)
                at = self.line.tracks[self.id(role)].last
                away = np.array([at.x, at.y]) - point[:2]
                distance = float(np.hypot(*away))
            if distance > 0.8:
                to = point[:2] + away / distance * 0.6
                self.go(role, Spot(float(to[0]), float(to[1]), float(np.arctan2(*-away[::-1]))))
                return
        self.turn_to(role, float(point[0]), float(point[1]))

    def _hand_over(self, giver: str, taker: str, tool_id: str) -> None:
        for other in self.holding(taker):
            if other != tool_id and taker == "nurse":
                self.lay_down(taker, other)
        self.sync(giver, taker)
        a, b = (self.line.tracks[self.id(r)].last for r in (giver, taker))
        distance = float(np.hypot(b.x - a.x, b.y - a.y))
        mover, still = (giver, b) if giver == "nurse" else (taker, a) if taker == "nurse" else (giver, b)
        if distance > 1.15:
            m = self.line.tracks[self.id(mover)].last
            d = np.array([m.x - still.x, m.y - still.y]) / distance
            to = np.array([still.x, still.y]) + d * 0.95
            self.go(mover, Spot(float(to[0]), float(to[1]), float(np.arctan2(-d[1], -d[0]))), 0.9)
        self.turn_to(mover, still.x, still.y)
        t = self.sync(giver, taker)
        a, b = (self.line.tracks[self.id(r)].last for r in (giver, taker))
        meet = Anchor("", (0.5 * (a.x + b.x), 0.5 * (a.y + b.y), self.top_m))
        self.reach(giver, meet, 1.5, motion="still")
        self.reach(taker, meet, 1.5, motion="still")
        self.bend(taker, 1.5, 0.08, 0.15, 0.4)
        self.line.carries[tool_id].append(Carry(t + 0.75, self.id(taker)))
        self.until(t + 1.5, giver, taker)

    def place_of(self, anchor: Anchor) -> np.ndarray:
        """Room point (3,) of an anchor at the end of all orders so far."""
        if not anchor.entity:
            return np.array(anchor.local)
        on = "operating_table_1" if anchor.entity == "patient_1" else anchor.entity
        return self.line.tracks[on].last.to_room(anchor.local)
