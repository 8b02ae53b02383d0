"""One spatial fact of a moment set one way and the other by hand, everything else left as it is.

Each edit puts one person (or a tool and the hand at it) where the script did not, twice, so that neither of the two
pictures is the natural one. It only proposes: whether the fact came out as meant is measured on the meshes afterwards.

Kinds
    depth_order    a person stands before, or behind, another one; as large in the picture and in the same column
    robot_arm      a person stands before, or behind, the robot
    hand_on_drape  a hand rests on the draped patient, or is held 3 to 5 cm off
    tool_on_table  a tool lies on a table under somebody's hand, or hangs in that hand above its place
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.transforms import levelled_viewer
from or_spatial.world.bodies import BodyPose
from or_spatial.world.cast import Member
from or_spatial.world.contact import Surface
from or_spatial.world.placing import held_pose
from or_spatial.world.rig import RoomCamera
from or_spatial.world.simulation import Entity, Simulation, WorldState

_HEIGHTS_M = (1.50, 2.00)
_DRAWS = 6  # places tried for one pair of things
_CUPBOARDS = ("cabinet", "shelf_cart")  # scenery on the floor; all else that stands there is an entity
_CLEAR_M = 0.04  # between a person put somewhere and everything else
_TOUCH_M = 0.010  # below the 0.02 m of the predicate, so that the cover's spacing cannot undo it
_OFF_M = (0.03, 0.05)
_REACH_M = 0.60  # from the shoulder
_SWEEP_M = np.arange(-0.03, 0.16, 0.01)


@dataclass(frozen=True)
class Edit:
    """Two states of one moment: `predicates[k]` is meant to hold from subject to object in `states[k]` only."""

    subject_id: str
    object_id: str
    predicates: tuple[str, str]
    states: tuple[WorldState, WorldState]


@dataclass(frozen=True)
class Moment:
    """A clip at one time before one camera."""

    simulation: Simulation
    state: WorldState
    rig: RoomCamera

    @property
    def idle(self) -> list[Member]:
        """People who hold nothing, do nothing and have nothing done to them."""
        busy = set(self.state.carried.values()) | {x for a in self.state.actions for x in (a[0], a[2])}
        return [m for m in self.simulation.script.cast.values() if m.id not in busy]

    @property
    def free_handed(self) -> list[Member]:
        """People who hold no tool."""
        return [m for m in self.simulation.script.cast.values() if m.id not in self.state.carried.values()]

    @cached_property
    def surfaces(self) -> dict[str, Surface]:
        """The surface of each entity where the script has it, by id: many places are tried among the same things."""
        return {e.id: Surface.of(e.solid) for e in self.state.entities}

    def body_pose(self, member: Member) -> BodyPose:
        """How somebody stands by the script."""
        return self.simulation.body_pose(member, self.state.time_s)

    def with_person(self, member: Member, pose: BodyPose) -> WorldState:
        """The state with somebody in another pose, or of another height."""
        entity, joints = Simulation.embodied(member, pose, np.zeros(3))
        return with_entity(replace(self.state, joints={**self.state.joints, member.id: joints}), entity)


def with_entity(state: WorldState, entity: Entity) -> WorldState:
    """The state with one entity put in the place of that of the same id."""
    entities = tuple(entity if e.id == entity.id else e for e in state.entities)
    return replace(state, entities=entities, placed=state.placed | {entity.id})


def depth_order(moment: Moment, rng: np.random.Generator) -> Iterator[Edit]:
    """Somebody idle before and behind somebody else; heights differ so that their pictures do not."""
    for member, other in _pairs(moment, "person", rng):
        apart_m = rng.uniform(0.35, 0.60)
        aside_m = rng.choice((-1.0, 1.0)) * rng.uniform(0.12, 0.30)
        yield from _before_and_behind(moment, member, other, apart_m, aside_m, rng, alike=True)


def robot_arm(moment: Moment, rng: np.random.Generator) -> Iterator[Edit]:
    """Somebody idle before and behind the robot."""
    for member, other in _pairs(moment, "mako_robot", rng):
        apart_m, aside_m = rng.uniform(0.6, 1.1), rng.uniform(-0.4, 0.4)
        yield from _before_and_behind(moment, member, other, apart_m, aside_m, rng, alike=False)


def _pairs(moment: Moment, label: str, rng: np.random.Generator) -> Iterator[tuple[Member, Entity]]:
    others = [e for e in moment.state.entities if e.label == label]
    pairs = [(m, e) for m in moment.idle for e in others if e.id != m.id for _ in range(_DRAWS)]
    for k in rng.permutation(len(pairs)):
        yield pairs[k]


def _before_and_behind(
    moment: Moment,
    member: Member,
    other: Entity,
    apart_m: float,
    aside_m: float,
    rng: np.random.Generator,
    alike: bool,
) -> Iterator[Edit]:
    """Two places on one line of sight, `apart_m` nearer and farther than the other's; `alike`: of one picture size."""
    right, ahead = levelled_viewer(moment.rig.room_from_camera)[:2]
    eye = moment.rig.room_from_camera[:3, 3]
    middle = 0.5 * (other.solid.vertices.min(0) + other.solid.vertices.max(0)) + aside_m * right
    depth_m = float((middle - eye) @ ahead)
    yaw = float(rng.uniform(-np.pi, np.pi))
    states = []
    for sign in (-1.0, 1.0):
        share = 1.0 + sign * apart_m / max(depth_m, 1e-6)
        at = eye + share * (middle - eye) if share > 0.2 else middle
        height_m = member.shape.height_m * (share if alike else 1.0)
        if not _HEIGHTS_M[0] <= height_m <= _HEIGHTS_M[1]:
            return
        if not _has_floor(moment, at[:2]):
            return
        sized = replace(member, shape=replace(member.shape, height_m=height_m))
        states.append(moment.with_person(sized, BodyPose(np.array([at[0], at[1], 0.0]), yaw)))
        if not stands_free(moment, states[-1], member.id):
            return
    yield Edit(member.id, other.id, ("in_front_of", "behind"), tuple(states))


def _has_floor(moment: Moment, at: NDArray[np.float64]) -> bool:
    """Whether a person may be put at (x, y) m at all: within the walls, beside the cupboards; needs no body."""
    layout = moment.simulation.script.layout
    cupboards = [p for kind, p in layout.places.items() if kind.split("@")[0] in _CUPBOARDS]
    return bool((np.abs(at) <= _walls(moment)).all()) and all(float(p.distance(at)) >= 0.3 for p in cupboards)


def _walls(moment: Moment) -> NDArray[np.float64]:
    """How far from the middle of the room (2,) m anything of a person may be."""
    layout = moment.simulation.script.layout
    return 0.5 * np.array([layout.width_m, layout.depth_m]) - 0.1


def stands_free(moment: Moment, state: WorldState, id: str) -> bool:
    """Whether a person who is the only one moved is inside the room and clear of all other things and people."""
    surface = Surface.of(state.entity(id).solid)
    if (np.abs(surface.points[:, :2]) > _walls(moment)).any():
        return False
    others = (o for other, o in moment.surfaces.items() if other != id)
    return all(surface.bounds_gap(o) > _CLEAR_M or surface.distance(o) > _CLEAR_M for o in others)


def hand_on_drape(moment: Moment, rng: np.random.Generator) -> Iterator[Edit]:
    """A free hand of somebody at the table: on the drape, and a little above the same place."""
    patient = moment.state.entity("patient_1")
    if patient is None or not moment.state.draped:
        return
    members = moment.free_handed
    drape = Surface.of(patient.solid)
    for k in rng.permutation(len(members)):
        member = members[k]
        shoulder = moment.state.joints[member.id]["right_shoulder"]
        near = drape.points[np.linalg.norm(drape.points - shoulder, axis=1) < _REACH_M]
        if len(near):
            yield from _on_and_off(moment, member, near[int(rng.integers(len(near)))], drape)


def _on_and_off(moment: Moment, member: Member, point: NDArray[np.float64], drape: Surface) -> Iterator[Edit]:
    """Sweep the hand upwards over a point until it has left the drape; the highest touch and the first gap serve."""
    under = drape.points[np.hypot(*(drape.points[:, :2] - point[:2]).T) < 0.04]
    top = np.array([point[0], point[1], under[:, 2].max()])
    pose = moment.body_pose(member)
    resting = off = None
    for up in _SWEEP_M:
        state = moment.with_person(member, replace(pose, right_hand=top + (0.0, 0.0, up)))
        gap = Surface.of(state.entity(member.id).solid).distance(drape)
        if gap <= _TOUCH_M:
            resting, off = state, None
        elif off is None and _OFF_M[0] <= gap <= _OFF_M[1]:
            off = state
    if resting and off:
        yield Edit(member.id, "patient_1", ("touching", "near"), (resting, off))


def tool_on_table(moment: Moment, rng: np.random.Generator) -> Iterator[Edit]:
    """A tool that lies within somebody's reach: it lies there under the hand, or hangs in the hand above its place."""
    state = moment.state
    tables = {e.id for e in state.entities if e.label in ("instrument_table", "secondary_table")}
    lying = [(tool, by) for tool, by in state.lying.items() if by in tables]
    members = moment.free_handed
    choices = [(tool, by, member) for tool, by in lying for member in members]
    for k in rng.permutation(len(choices)):
        tool, table, member = choices[k]
        place = state.entity(tool).pose
        hand = np.array([place.x, place.y, place.z + rng.uniform(0.16, 0.26)])
        if np.linalg.norm(hand - state.joints[member.id]["right_shoulder"]) < _REACH_M:
            yield from _lying_and_held(moment, member, tool, table, hand)


def _lying_and_held(
    moment: Moment, member: Member, tool: str, table: str, hand: NDArray[np.float64]
) -> Iterator[Edit]:
    reaching = moment.with_person(member, replace(moment.body_pose(member), right_hand=hand))
    joints = reaching.joints[member.id]
    if np.linalg.norm(joints["right_hand"] - hand) > 0.03:
        return
    matrix = held_pose(joints, "right", reaching.entity(member.id).pose.yaw)
    pose, solid = moment.simulation.placed_tool(tool, matrix, lying=False)
    held = with_entity(reaching, replace(reaching.entity(tool), pose=pose, solid=solid))
    held = replace(
        held,
        carried={**held.carried, tool: member.id},
        lying={thing: by for thing, by in held.lying.items() if thing != tool},
        actions=(*held.actions, (member.id, "holding", tool, tool)),
    )
    yield Edit(tool, table, ("on", "above"), (reaching, held))


KINDS: dict[str, Callable[[Moment, np.random.Generator], Iterator[Edit]]] = {
    "depth_order": depth_order,
    "robot_arm": robot_arm,
    "hand_on_drape": hand_on_drape,
    "tool_on_table": tool_on_table,
}
