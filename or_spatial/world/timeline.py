"""What a script comes down to: tracks, hand cues, carried things, actions and phases, each readable at any time t.

Times are seconds from the start of the clip; scripts begin before 0, so that a clip starts in the middle of work.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from or_spatial.world.walking import Way


@dataclass(frozen=True)
class Pose2:
    """A place on the floor with heading, room frame; `z` lifts what is not standing on it."""

    x: float
    y: float
    yaw: float
    z: float = 0.0

    def to_room(self, local: tuple[float, float, float]) -> NDArray[np.float64]:
        """Room point (3,) of a point in this pose's own frame."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        x, y, z = local
        return np.array([self.x + x * c - y * s, self.y + x * s + y * c, self.z + z])


class Track:
    """Where something is over time: key frames, linear between them, still before the first and after the last."""

    def __init__(self, start: Pose2) -> None:
        self._rows: list[tuple[float, float, float, float, float]] = [(-1e3, start.x, start.y, start.yaw, start.z)]
        self._table: NDArray[np.float64] | None = None

    @property
    def last(self) -> Pose2:
        """Where it ends up."""
        return Pose2(*self._rows[-1][1:])

    def follow(self, start_s: float, way: Way) -> None:
        """Append a walked or rolled way that begins at `start_s`."""
        z = self._rows[-1][4]
        self._rows.append((start_s - 1e-6, *self._rows[-1][1:]))
        rows = zip(way.times_s, way.points, way.yaws, strict=True)
        self._rows += [(start_s + t, float(p[0]), float(p[1]), float(a), z) for t, p, a in rows]
        self._table = None

    def place(self, pose: Pose2) -> None:
        """Begin somewhere else: only before anything was appended."""
        self._rows = [(-1e3, pose.x, pose.y, pose.yaw, pose.z)]
        self._table = None

    def at(self, t: float) -> Pose2:
        """The pose at time t."""
        if self._table is None:
            self._table = np.array(self._rows)
        table = self._table
        return Pose2(*(float(np.interp(t, table[:, 0], table[:, k])) for k in range(1, 5)))

    def walked(self, t: float) -> float:
        """Metres gone until t."""
        self.at(t)
        steps = np.hypot(*np.diff(self._table[:, 1:3], axis=0).T)
        return float(np.interp(t, self._table[:, 0], np.concatenate([[0.0], np.cumsum(steps)])))

    def velocity(self, t: float, dt: float = 0.1) -> NDArray[np.float64]:
        """Mean velocity (3,) over the last and next `dt`/2 s, m/s."""
        a, b = self.at(t - dt / 2), self.at(t + dt / 2)
        return np.array([b.x - a.x, b.y - a.y, b.z - a.z]) / dt


@dataclass(frozen=True)
class Anchor:
    """A point fixed to an entity (its own frame), or to the room when `entity` is empty."""

    entity: str
    local: tuple[float, float, float]


@dataclass(frozen=True)
class HandCue:
    """A hand goes to an anchor, moves there as `motion` says, and comes back."""

    start_s: float
    end_s: float
    hand: str
    anchor: Anchor
    motion: str = "work"


@dataclass(frozen=True)
class PostureCue:
    """Somebody leans (rad), bends the head (rad) and turns it (rad) for a while."""

    start_s: float
    end_s: float
    lean_rad: float
    head_pitch_rad: float
    head_yaw_rad: float = 0.0


@dataclass(frozen=True)
class Action:
    """`subject predicate object` holds from start to end because the script says so; `tool` is what it is done with."""

    start_s: float
    end_s: float
    subject: str
    predicate: str
    object: str
    tool: str = ""


@dataclass(frozen=True)
class Carry:
    """From `start_s` on, the thing is in somebody's hand, or rests at `anchor` when `holder` is empty.

    `stored` says that it was put away inside the thing it rests in.
    """

    start_s: float
    holder: str
    hand: str = "right"
    anchor: Anchor | None = None
    yaw: float = 0.0
    stored: bool = False


@dataclass(frozen=True)
class Span:
    """A named interval: a phase, a blind camera, an exposure, a drape that lies."""

    name: str
    start_s: float
    end_s: float

    def holds(self, t: float) -> bool:
        """Whether t lies within."""
        return self.start_s <= t < self.end_s


@dataclass
class Timeline:
    """Everything that the script wrote down."""

    tracks: dict[str, Track] = field(default_factory=dict)
    hands: dict[str, list[HandCue]] = field(default_factory=dict)
    postures: dict[str, list[PostureCue]] = field(default_factory=dict)
    carries: dict[str, list[Carry]] = field(default_factory=dict)
    actions: list[Action] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def carrier(self, thing: str, t: float) -> Carry:
        """Who or what carries the thing at t."""
        carries = self.carries[thing]
        return next((c for c in reversed(carries) if c.start_s <= t), carries[0])

    def held(self, kind: str, t: float) -> Span | None:
        """The span whose name starts with `kind` at t."""
        return next((s for s in self.spans if s.name.startswith(kind) and s.holds(t)), None)


def ramp(t: float, start_s: float, end_s: float, rise_s: float = 0.45) -> float:
    """0 outside, 1 inside, smooth at both ends: the weight of a cue."""
    rise = min(rise_s, max(1e-3, (end_s - start_s) / 2))
    f = min(1.0, max(0.0, min(t - start_s, end_s - t) / rise))
    return f * f * (3 - 2 * f)


def motion_offset(motion: str, t: float) -> NDArray[np.float64]:
    """Offset (3,) m of a working hand from its anchor; rates follow the timeline of operating-room.md section 3."""
    s = np.sin
    if motion == "saw":
        return np.array([0.025 * s(2 * np.pi * 2.6 * t), 0.004 * s(9 * t), 0.003 * s(5 * t)])
    if motion == "hammer":
        return np.array([0.0, 0.0, 0.14 * abs(s(np.pi * 1.6 * t))])
    if motion == "drill":
        return np.array([0.004 * s(31 * t), 0.004 * s(27 * t), -0.015 + 0.015 * s(1.3 * t)])
    if motion == "sweep":
        return np.array([0.10 * s(2.6 * t), 0.06 * s(3.5 * t + 1), 0.01 * s(7 * t)])
    if motion == "suture":
        return np.array([0.02 * s(1.9 * t), 0.03 * s(2.7 * t), 0.05 * max(0.0, s(2.7 * t))])
    if motion == "still":
        return 0.004 * np.array([s(2.1 * t), s(1.7 * t + 1), s(1.3 * t + 2)])
    return np.array([0.018 * s(3.1 * t), 0.018 * s(2.3 * t + 1), 0.012 * s(3.7 * t + 2)])
