"""The room at any time t: every thing and person as triangles, what they do, and what the clip is about."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import ConfigError
from or_spatial.geometry.transforms import pose_matrix, rotation_from_yaw
from or_spatial.world import anchors
from or_spatial.world.assets import build_asset
from or_spatial.world.bodies import BodyPose, BodyShape, body_joints, body_parts
from or_spatial.world.cast import Member, draw_shape
from or_spatial.world.light_plan import lamp_regime
from or_spatial.world.parts import Part, Solid
from or_spatial.world.patient import DrapedPatient, lay_patient
from or_spatial.world.placing import exposure_lamp, held_pose, moved_parts
from or_spatial.world.procedures import PROCEDURES
from or_spatial.world.scenery import room_scenery
from or_spatial.world.script import Script, write_script
from or_spatial.world.splits import split_plan, stream
from or_spatial.world.stage import Prop
from or_spatial.world.timeline import Anchor, Pose2, motion_offset, ramp

TOOL_LABELS = ("drill", "saw", "hammer", "instrument")


def is_instrument(id: str) -> bool:
    """Whether an id is that of a hand instrument."""
    return id.rsplit("_", 1)[0] in TOOL_LABELS


@dataclass(frozen=True)
class Entity:
    """One thing or person at one moment, room frame. `sterile` is 0 or 1, NaN where the word means nothing."""

    id: str
    label: str
    role: str
    sterile: float
    pose: Pose2
    velocity: NDArray[np.float64]
    solid: Solid


@dataclass(frozen=True)
class WorldState:
    """The room at `time_s`.

    `actions` are (subject, predicate, object, tool used or empty) of the script. `carried` names the person or thing
    that bears a tool, `stored` the machine in which it was put away, `lying` what lies on what. `joints` by person are
    (3,) m. `blind` names dark or covered cameras by index. `placed` was put where the script does not have it, and
    stands still there.
    """

    time_s: float
    procedure: str
    phase: str
    next_action: str
    entities: tuple[Entity, ...]
    scenery: tuple[Solid, ...]
    actions: tuple[tuple[str, str, str, str], ...]
    carried: dict[str, str]
    stored: dict[str, str]
    lying: dict[str, str]
    joints: dict[str, dict[str, NDArray[np.float64]]]
    draped: bool
    blind: dict[int, str]
    silent: bool
    placed: frozenset[str] = frozenset()

    def entity(self, id: str) -> Entity | None:
        """The entity with this id, or None."""
        return next((e for e in self.entities if e.id == id), None)

    @property
    def solids(self) -> tuple[Solid, ...]:
        """Entities first, then scenery: the order in which instances are numbered."""
        return tuple(e.solid for e in self.entities) + self.scenery


class Simulation:
    """One clip of `duration_s`, fixed by split and seed; `state(t)` may be asked in any order.

    `hazards` chooses what is scripted on purpose (None: by chance, () clean); `procedure` likewise. `whole` plays it
    from its first phase to its last, stretched to the clip, instead of a piece at the usual, compressed pace.
    """

    def __init__(
        self,
        split: str,
        seed: int,
        cameras: int = 4,
        duration_s: float = 20.0,
        *,
        hazards: tuple[str, ...] | None = None,
        procedure: str | None = None,
        whole: bool = False,
    ) -> None:
        if not 1 <= cameras <= 4:
            raise ConfigError(f"a room has 1 to 4 cameras, got {cameras}")
        if procedure is not None and procedure not in PROCEDURES:
            raise ConfigError(f"no procedure {procedure!r}; there are {', '.join(PROCEDURES)}")
        self.script: Script = write_script(split, seed, duration_s, cameras, hazards, procedure, whole)
        self.split, self.seed, self.cameras, self.duration_s = split, seed, cameras, duration_s
        self.procedure = self.script.procedure
        self.judged: dict[tuple, Any] = {}  # what was asked for, while the clip lives

    # -- what is fixed ------------------------------------------------------------------------------------------------

    @property
    def roles(self) -> dict[str, str]:
        """Role by entity id; the patient has one too."""
        return {m.id: m.role for m in self.script.cast.values()} | {"patient_1": "patient"}

    @cached_property
    def _scenery(self) -> tuple[Solid, ...]:
        return room_scenery(self.script)

    @cached_property
    def _patient_shape(self) -> BodyShape:
        return draw_shape(stream(self.split, self.seed, "patient"), "patient", split_plan(self.split).realism)

    @cached_property
    def _patient(self) -> DrapedPatient:
        """The patient and the drape in the operating table's frame."""
        prop = self.script.props["operating_table_1"]
        knee = self.procedure in ("total_knee", "robotic_knee")
        return lay_patient(
            self._patient_shape,
            prop.variant,
            prop.size_m[2],
            side=self.script.layout.side,
            prone=self.script.prone,
            knee_rad=float(stream(self.split, self.seed, "knee").uniform(0.5, 1.3)) if knee else 0.0,
        )

    @cached_property
    def _patient_points(self) -> dict[bool, NDArray[np.float64]]:
        """Points all over the patient in the table's frame, bare (False) and draped (True)."""
        return {draped: self._patient.points(draped) for draped in (False, True)}

    # -- what moves ---------------------------------------------------------------------------------------------------

    def phase(self, t: float) -> tuple[str, str]:
        """(phase, next action) at t."""
        span = self.script.line.held("phase:", t)
        return tuple(span.name.split(":")[1:]) if span else ("", "none")

    def actions(self, t: float) -> tuple[tuple[str, str, str, str], ...]:
        """What people and machines do at t, `holding` included, at most one per ordered pair (the later order wins)."""
        line = self.script.line
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for tool in line.carries:
            if holder := line.carrier(tool, t).holder:
                found[holder, tool] = ("holding", tool)
        for a in line.actions:
            if a.start_s <= t < a.end_s:
                found[a.subject, a.object] = (a.predicate, a.tool)
        return tuple((s, p, o, tool) for (s, o), (p, tool) in found.items())

    def state(self, t: float) -> WorldState:
        """The room at t seconds, 0 <= t <= duration_s."""
        line = self.script.line
        entities = [self._prop_entity(id, t) for id in self.script.props if id in line.tracks]
        if line.held("patient", t):
            entities += self._patient_entity(t)
            entities = [self._under_drape(e, t) if e.id == "operating_table_1" else e for e in entities]
        joints = {}
        for member in self.script.cast.values():
            entity, joints[member.id] = self._person(member, t)
            entities.append(entity)
        carried = {}
        for tool in line.carries:
            entity, carried[tool] = self._tool(tool, t, joints)
            entities.append(entity)
        phase, next_action = self.phase(t)
        blind = {
            int(s.name.split(":")[1]): s.name.split(":")[2] for s in line.spans if s.name[:5] == "blind" and s.holds(t)
        }
        return WorldState(
            t,
            self.procedure,
            phase,
            next_action,
            tuple(entities),
            self._scenery + self._screen(t),
            self.actions(t),
            carried,
            {tool: by for tool, by in carried.items() if line.carrier(tool, t).stored},
            self._lying(t, carried),
            joints,
            self._draped(t),
            blind,
            line.held("silence", t) is not None,
        )

    def solid_at(self, id: str, t: float) -> Solid:
        """One entity's triangles at t, without making the others; tools are not served."""
        if id == "patient_1":
            return self._patient_entity(t)[0].solid
        if id in self.script.props:
            entity = self._prop_entity(id, t)
            return (self._under_drape(entity, t) if id == "operating_table_1" else entity).solid
        return self._person(next(m for m in self.script.cast.values() if m.id == id), t)[0].solid

    def person_pose(self, id: str, t: float) -> Pose2:
        """Where somebody stands at t, without making their body."""
        return self.script.line.tracks[id].at(t)

    def _lying(self, t: float, carried: dict[str, str]) -> dict[str, str]:
        line = self.script.line
        lying = {x: by for x, by in carried.items() if by and not line.carrier(x, t).stored and "person" not in by}
        if self.script.line.held("patient", t):
            lying["patient_1"] = "operating_table_1"
        return lying

    def _screen(self, t: float) -> tuple[Solid, ...]:
        """The raised end of the drape before the patient's head, nobody's object."""
        pose = self.script.line.tracks["operating_table_1"].at(t)
        return (Solid("", moved_parts(self._patient.screen, pose)),) if self._draped(t) else ()

    def _draped(self, t: float) -> bool:
        return self.script.line.held("draped", t) is not None and self.script.line.held("patient", t) is not None

    def _prop_entity(self, id: str, t: float) -> Entity:
        prop, track = self.script.props[id], self.script.line.tracks[id]
        pose = track.at(t)
        parts = self._asset_at(prop, t)
        if id == "c_arm_1" and self.script.line.held("exposure", t):
            parts = parts + exposure_lamp(anchors.resting_height(prop.kind, prop.variant, -0.12, 0.0))
        parts = moved_parts(parts, pose)
        sterile = float("nan")
        if prop.label == "instrument_table":
            sterile = 1.0
        elif prop.label == "operating_table":
            sterile = float(self._draped(t))
        elif prop.label in ("secondary_table", "anesthesia_equipment", "mps_station", "monitor"):
            sterile = 0.0
        return Entity(id, prop.label, "", sterile, pose, track.velocity(t), Solid(id, parts))

    def _asset_at(self, prop: Prop, t: float) -> tuple[Part, ...]:
        """An asset's parts with what moves or glows on it."""
        if prop.label == "lamp":
            place = self.script.lamp_at[int(prop.id[5:]) - 1]
            lit = 1.6 if self._lamps_lit else 0.0
            above = round(self.script.layout.height_m - place[2], 2)
            return build_asset("lamp", prop.variant, ceiling_above=max(0.5, above), lit=lit)
        if prop.label == "mako_robot" and self.procedure == "robotic_knee":
            return build_asset("mako_robot", prop.variant, joints=self._robot_joints(t))
        return build_asset(prop.kind, prop.variant)

    @cached_property
    def _lamps_lit(self) -> bool:
        return lamp_regime(self.split, self.seed, self.procedure) in ("lamp_on", "field_metered")

    def _robot_joints(self, t: float) -> tuple[float, float, float, float]:
        """The arm follows the work at the knee, in steps of 0.04 rad so that poses can be kept."""
        cutting = 1.0 if self.phase(t)[0] == "Robot-Guided Cut" else 0.35
        base, shoulder, elbow, wrist = self._robot_rest
        angles = (
            base + 0.16 * cutting * np.sin(0.5 * t),
            shoulder + 0.12 * cutting * np.sin(0.37 * t + 1),
            elbow + 0.14 * cutting * np.sin(0.43 * t + 2),
            wrist,
        )
        return tuple(float(round(a / 0.04) * 0.04) for a in angles)

    @cached_property
    def _robot_rest(self) -> NDArray[np.float64]:
        rng = stream(self.split, self.seed, "robot")
        return rng.uniform((-0.35, -1.0, 1.0, -0.1), (0.35, -0.6, 1.5, 0.5))

    def _patient_entity(self, t: float) -> list[Entity]:
        track = self.script.line.tracks["operating_table_1"]
        pose = track.at(t)
        parts = moved_parts(self._patient.body(self._draped(t)), pose)
        return [
            Entity(
                "patient_1",
                "patient",
                "patient",
                float(self._draped(t)),
                pose,
                track.velocity(t),
                Solid("patient_1", parts),
            )
        ]

    def _under_drape(self, table: Entity, t: float) -> Entity:
        if not self._draped(t):
            return table
        hanging = moved_parts(self._patient.hanging, table.pose)
        solid = Solid(table.id, table.solid.parts + hanging)
        return Entity(table.id, table.label, "", table.sterile, table.pose, table.velocity, solid)

    def _person(self, member: Member, t: float) -> tuple[Entity, dict[str, NDArray[np.float64]]]:
        return self.embodied(member, self.body_pose(member, t), self.script.line.tracks[member.id].velocity(t))

    def body_pose(self, member: Member, t: float) -> BodyPose:
        """Where somebody stands at t, how they lean and look, where their hands are."""
        pose, velocity = self.person_pose(member.id, t), self.script.line.tracks[member.id].velocity(t)
        lean = pitch = turn = 0.0
        for cue in self.script.line.postures[member.id]:
            w = ramp(t, cue.start_s, cue.end_s, 0.5)
            lean, pitch, turn = lean + w * cue.lean_rad, pitch + w * cue.head_pitch_rad, turn + w * cue.head_yaw_rad
        return BodyPose(
            position=np.array([pose.x, pose.y, 0.0]),
            yaw_rad=pose.yaw,
            lean_rad=min(lean, 0.6),
            head_pitch_rad=min(pitch, 0.9),
            head_yaw_rad=turn,
            left_hand=self._hand(member, "left", pose, t),
            right_hand=self._hand(member, "right", pose, t),
            stride=self._stride(member, t, velocity),
        )

    @staticmethod
    def embodied(
        member: Member, body: BodyPose, velocity: NDArray[np.float64]
    ) -> tuple[Entity, dict[str, NDArray[np.float64]]]:
        """Somebody in a pose of the body, and their joints."""
        solid = Solid(member.id, body_parts(member.shape, body))
        pose = Pose2(float(body.position[0]), float(body.position[1]), body.yaw_rad)
        entity = Entity(member.id, "person", member.role, float(member.sterile), pose, velocity, solid)
        return entity, body_joints(member.shape, body)

    def _stride(self, member: Member, t: float, velocity: NDArray[np.float64]) -> float:
        """Walking phase from the metres gone, its swing smaller at low speed; 0 when standing."""
        pace = min(1.0, float(np.hypot(*velocity[:2])) / 0.5)
        if pace < 0.08:
            return 0.0
        swing = np.sin(2 * np.pi * self.script.line.tracks[member.id].walked(t) / (0.75 * member.shape.height_m))
        return float(np.arcsin(pace * swing)) or 1e-6

    def _hand(self, member: Member, hand: str, pose: Pose2, t: float) -> NDArray[np.float64] | None:
        side = 1.0 if hand == "left" else -1.0
        h = member.shape.height_m
        low = (0.12, 0.22 * side, 0.46 * h)
        high = (0.30, 0.13 * side, 0.62 * h)
        holds = any(self.script.line.carrier(x, t).holder == member.id for x in self.script.line.carries)
        rest = pose.to_room(high if member.sterile or (holds and hand == "right") else low)
        target, weight = rest, 0.0
        for cue in self.script.line.hands[member.id]:
            w = ramp(t, cue.start_s, cue.end_s) if cue.hand == hand else 0.0
            if w > weight:
                at = self.resting(cue.anchor, t)[2] if cue.anchor.entity else np.array(cue.anchor.local)
                target, weight = at + motion_offset(cue.motion, t), w
        if weight == 0.0 and not member.sterile and not holds:
            return None if hand == "left" or not holds else rest
        return rest + weight * (target - rest)

    def _anchor_pose(self, id: str, t: float) -> Pose2:
        return self.script.line.tracks[id].at(t)

    def _tool(self, id: str, t: float, joints: dict) -> tuple[Entity, str]:
        prop, carry = self.script.props[id], self.script.line.carrier(id, t)
        if carry.holder:
            matrix = held_pose(joints[carry.holder], carry.hand, self.person_pose(carry.holder, t).yaw)
            by = carry.holder
        else:
            by, base, at = self.resting(carry.anchor, t)
            matrix = pose_matrix(rotation_from_yaw(base.yaw + carry.yaw), at)
        pose, solid = self.placed_tool(id, matrix, lying=not carry.holder)
        sterile = 1.0 if by in ("instrument_table_1", "patient_1") or self._sterile_hand(by) else 0.0
        velocity = np.zeros(3)
        if carry.holder:
            velocity = self.script.line.tracks[carry.holder].velocity(t)
        return Entity(id, prop.label, "", sterile, pose, velocity, solid), by

    def placed_tool(self, id: str, matrix: NDArray[np.float64], *, lying: bool) -> tuple[Pose2, Solid]:
        """A tool where room_from_tool (4, 4) has it, in the form in which it lies or is held."""
        prop = self.script.props[id]
        parts = tuple(p.moved(matrix) for p in build_asset(prop.kind, prop.variant, lying=lying))
        yaw = float(np.arctan2(matrix[1, 0], matrix[0, 0]))
        return Pose2(*(float(v) for v in matrix[:2, 3]), yaw, float(matrix[2, 3])), Solid(id, parts)

    def resting(self, anchor: Anchor, t: float) -> tuple[str, Pose2, NDArray[np.float64]]:
        """What bears a thing at an anchor, that thing's pose, and the room point where it lies; "" is the floor."""
        if not anchor.entity:
            return "", Pose2(0.0, 0.0, 0.0), np.array(anchor.local)
        if anchor.entity != "patient_1":
            base = self._anchor_pose(anchor.entity, t)
            return anchor.entity, base, base.to_room(anchor.local)
        base, (x, y, above) = self._anchor_pose("operating_table_1", t), anchor.local
        top = self.script.props["operating_table_1"].size_m[2]
        if self.script.line.held("patient", t):
            z = max(top, anchors.height_under(self._patient_points[self._draped(t)], x, y))
            return "patient_1", base, base.to_room((x, y, z + above))
        return "operating_table_1", base, base.to_room((x, y, top + above))

    def _sterile_hand(self, id: str) -> bool:
        return any(m.id == id and m.sterile for m in self.script.cast.values())
