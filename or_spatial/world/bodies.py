"""People: posed, clothed, smooth bodies in the room.

Convention
    position   point on the floor under the pelvis; for a lying person the point of the surface under the pelvis
    yaw_rad    where a standing or seated person faces; one who lies (on the back) points the FEET there
    lean_rad   positive forward, at the hips; head_pitch_rad positive looks down, relative to the trunk
    stride     walking phase, rad; exactly 0 stands still, left foot leads at pi/2, right foot at -pi/2
    knee_flexion_rad  of both knees when standing, of the RIGHT knee of a lying patient (foot stays on the surface)
    hands      `body_joints` gives the centre of the grip; a target out of reach is approached as far as the arm goes
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import ConfigError
from or_spatial.world.attire import Outfit, hand_of, head_pieces, outfit, shoe_of
from or_spatial.world.figure import Section, aligned, limb, loft, turned
from or_spatial.world.materials import rgb
from or_spatial.world.meshing import TexturedPart, join
from or_spatial.world.parts import Material, Part
from or_spatial.world.skeleton import ANKLE, HIP_HEIGHT, Skeleton, solve, spine_point

ATTIRES = ("scrubs", "sterile_gown", "lead_apron", "patient")
_CUFF = Material(rgb(232, 233, 234), 0.9)


@dataclass(frozen=True)
class BodyShape:
    """Who it is: `height_m`, `build` scales girth, `skin` tone 0-5 light to dark, `attire` one of ATTIRES; the palette
    seed settles colours, cap, glasses, shoes and cut.
    """

    height_m: float = 1.72
    build: float = 1.0
    skin: int = 1
    attire: str = "scrubs"
    palette_seed: int = 0

    def __post_init__(self) -> None:
        if self.attire not in ATTIRES:
            raise ConfigError(f"no attire {self.attire!r}; there are {', '.join(ATTIRES)}")


@dataclass(frozen=True, eq=False)
class BodyPose:
    """What it does; see Convention. `left_hand`, `right_hand` are room targets (3,), m, or None for hands at rest."""

    position: NDArray[np.float64]
    yaw_rad: float = 0.0
    lean_rad: float = 0.0
    head_pitch_rad: float = 0.0
    head_yaw_rad: float = 0.0
    left_hand: NDArray[np.float64] | None = None
    right_hand: NDArray[np.float64] | None = None
    seated: bool = False
    lying: bool = False
    stride: float = 0.0
    knee_flexion_rad: float = 0.0


def body_joints(shape: BodyShape, pose: BodyPose) -> dict[str, NDArray[np.float64]]:
    """Joints (3,) in the room, m: head, neck, chest, pelvis, left_/right_ shoulder, elbow, wrist, hand, knee, foot."""
    s = _skeleton(shape, pose, _outfit(shape))
    joints = {"head": s.head, "neck": s.neck, "chest": s.chest, "pelvis": np.zeros(3)}
    for side in ("left", "right"):
        names = {
            "shoulder": "shoulder",
            "elbow": "elbow",
            "wrist": "wrist",
            "hand": "hand",
            "knee": "knee",
            "ankle": "foot",
        }
        joints |= {f"{side}_{name}": s.side(side)[joint] for joint, name in names.items()}
    return {name: s.in_room(point) for name, point in joints.items()}


def body_parts(shape: BodyShape, pose: BodyPose) -> tuple[Part, ...]:
    """The body in the room frame. Names: head, torso, left_/right_ arm, hand, leg, foot."""
    wear = _outfit(shape)
    s = _skeleton(shape, pose, wear)
    parts = [*_head(shape, s, wear), *_trunk(shape, pose, s, wear)]
    for side in ("left", "right"):
        parts += [*_arm(shape, s, wear, side), *_leg(shape, s, wear, side)]
    return tuple(p.moved(s.room_from_body) for p in parts)


def _outfit(shape: BodyShape) -> Outfit:
    return outfit(shape.attire, shape.skin, shape.palette_seed)


def _skeleton(shape: BodyShape, pose: BodyPose, wear: Outfit) -> Skeleton:
    return solve(shape.height_m, pose, wear.hands)


def _head(shape: BodyShape, s: Skeleton, wear: Outfit) -> list[Part]:
    by_material: dict[Material, list] = {}
    for _, material, mesh in head_pieces(shape.height_m, shape.attire, shape.skin, shape.palette_seed):
        by_material.setdefault(material, []).append(mesh)
    parts = []
    for material, meshes in by_material.items():
        v, f = join(*meshes)
        parts.append(TexturedPart(v @ s.head_rotation.T + s.head, f, material, "head", rest=v))
    low = s.neck - 0.03 * shape.height_m * s.torso[:, 2]
    radius = 0.031 * shape.height_m * shape.build**0.5
    return [*parts, limb([low, s.neck, s.head], [1.15 * radius, radius, 0.9 * radius], wear.skin, "head", 9)]


# Trunk rings: length along the spine / height, half depth and half width / height (the gown's bulk is added)
_TRUNK = np.array(
    [
        (-0.02, 0.070, 0.098),
        (0.03, 0.068, 0.098),
        (0.09, 0.062, 0.090),
        (0.15, 0.062, 0.092),
        (0.20, 0.067, 0.099),
        (0.24, 0.062, 0.105),
        (0.272, 0.054, 0.104),
        (0.293, 0.047, 0.086),
        (0.309, 0.041, 0.060),
        (0.322, 0.037, 0.042),
        (0.334, 0.034, 0.036),
    ]
)


def _trunk(shape: BodyShape, pose: BodyPose, s: Skeleton, wear: Outfit) -> list[Part]:
    h, girth = shape.height_m, shape.build
    below = _skirt(shape, s, wear)
    centre = np.array([spine_point(t, pose.lean_rad) for t in _TRUNK[:, 0]]) * h
    ahead = np.gradient(centre, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    front = np.stack([ahead[:, 2], 0 * ahead[:, 0], -ahead[:, 0]], -1)
    bulk = wear.bulk * np.interp(_TRUNK[:, 0], [0.03, 0.09, 0.15, 0.25, 0.334], [1.0, 0.5, 0.8, 1.0, 0.15])
    fold = 0.25 * wear.bulk * np.interp(_TRUNK[:, 0], [-0.02, 0.12, 0.28], [0.8, 0.5, 0.1])
    if wear.flare == 0.0:
        fold = fold + 0.0016
    upper = Section(
        centre,
        front,
        np.tile([0.0, 1, 0], (len(centre), 1)),
        _TRUNK[:, 1] * h * girth + bulk,
        _TRUNK[:, 2] * h * girth**0.7 + bulk,
        fold,
    )
    body = Section(*(np.concatenate([getattr(below, k), getattr(upper, k)]) for k in Section.__dataclass_fields__))
    return [loft(body, wear.top, "torso", wear.folds)]


def _skirt(shape: BodyShape, s: Skeleton, wear: Outfit) -> Section:
    """Rings from the hem up to the hips: along the thighs and shanks, wide enough for both legs, rippled at the hem."""
    h = shape.height_m
    legs = np.array([[s.side(k)[j] for j in ("hip", "knee", "ankle")] for k in ("left", "right")])
    middle = legs.mean(0)
    lengths = np.linalg.norm(np.diff(middle, axis=0), axis=1)
    reach = max(0.03 * h, (HIP_HEIGHT - wear.hem) * h)
    t = np.linspace(reach, 0.02 * h, max(3, int(reach / 0.09)))
    at = np.concatenate([[0], np.cumsum(lengths)])
    centre, left, right = (
        np.stack([np.interp(t, at, line[:, k]) for k in range(3)], -1) for line in (middle, legs[0], legs[1])
    )
    over = (t - at[-1]).clip(0)[:, None]
    centre = centre + over * (middle[2] - middle[1]) / max(lengths[1], 1e-6)
    along = np.gradient(np.concatenate([centre, [[0.0, 0, 0.03 * h]]]), axis=0)[:-1]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    front = np.stack([along[:, 2], 0 * t, -along[:, 0]], -1)
    front /= np.linalg.norm(front, axis=1, keepdims=True)
    apart = np.abs(np.einsum("ni,ni->n", left - right, front)) / 2
    fall = t / (0.4 * h)
    depth = 0.070 * h * shape.build + wear.bulk + apart + wear.flare * 0.55 * fall
    width = 0.098 * h * shape.build**0.7 + wear.bulk + wear.flare * fall
    folds = 0.2 * wear.bulk + wear.flare * 0.5 * fall**1.2
    return Section(centre, front, np.tile([0.0, 1, 0], (len(t), 1)), depth, width, folds)


def _arm(shape: BodyShape, s: Skeleton, wear: Outfit, side: str) -> list[Part]:
    h, sign = shape.height_m, 1 if side == "left" else -1
    j = s.side(side)
    wrist = j["wrist"]
    inner = s.neck * 0.4 + j["shoulder"] * 0.6 - 0.02 * h * s.torso[:, 2]
    middle, fore = (j["shoulder"] + j["elbow"]) / 2, (j["elbow"] + wrist) / 2
    g = h * shape.build**0.5
    name = f"{side}_arm"
    parts: list[Part] = []
    if wear.sleeve == "long":
        loose = 1 + 7 * wear.bulk
        radii = np.array([0.032, 0.039, 0.036, 0.031, 0.028, 0.022]) * g * loose
        parts.append(limb([inner, j["shoulder"], middle, j["elbow"], fore, wrist], radii, wear.top, name, 9, 0.003))
        if wear.gloved:
            cuff = wrist + 0.012 * h * _unit(wrist - j["elbow"])
            parts.append(limb([fore * 0.25 + wrist * 0.75, cuff], np.array([0.0225, 0.021]) * g, _CUFF, name, 10))
    else:
        cut = 0.35 * j["shoulder"] + 0.65 * j["elbow"]
        sleeve = _sleeve_of(shape, wear)
        parts.append(
            limb([inner, j["shoulder"], middle, cut], np.array([0.034, 0.039, 0.037, 0.039]) * g, sleeve, name, 10)
        )
        bare = np.array([0.029, 0.027, 0.026, 0.023, 0.0165]) * g
        parts.append(limb([j["shoulder"], middle, j["elbow"], fore, wrist], bare, wear.skin, name, 9))
    palm = s.torso @ np.array([0.25, sign * 0.6, 0.7])
    mesh = turned(hand_of(h, side == "left"), aligned(j["hand"] - j["elbow"], palm), j["hand"])
    rest = hand_of(h, side == "left")[0]
    return [*parts, TexturedPart(*mesh, wear.hand, f"{side}_hand", rest=rest)]


def _sleeve_of(shape: BodyShape, wear: Outfit) -> Material:
    """An apron has no sleeves: the scrubs show."""
    return wear.legs if shape.attire == "lead_apron" else wear.top


def _leg(shape: BodyShape, s: Skeleton, wear: Outfit, side: str) -> list[Part]:
    h, g = shape.height_m, shape.height_m * shape.build**0.5
    j = s.side(side)
    middle, shin = (j["hip"] + j["knee"]) / 2, (j["knee"] * 0.6 + j["ankle"] * 0.4)
    bare = shape.attire == "patient"
    radii = np.array([0.052, 0.046, 0.034, 0.033, 0.021]) if bare else np.array([0.054, 0.051, 0.042, 0.041, 0.037])
    points = [j["hip"], middle, j["knee"], shin, j["ankle"]]
    if not bare:
        points[-1] = j["ankle"] * 0.96 + shin * 0.04
    parts: list[Part] = [limb(points, radii * g, wear.legs, f"{side}_leg", 9, 0.0 if bare else 0.003)]
    toes = _toes(j)
    if bare:
        top = j["ankle"] * 0.35 + shin * 0.65
        sock = limb(
            [top, j["ankle"] * 0.7 + shin * 0.3, j["ankle"]],
            np.array([0.030, 0.026, 0.024]) * g,
            wear.sock,
            f"{side}_foot",
            7,
        )
        parts.append(sock)
    shank = _unit(j["ankle"] - j["knee"])
    down = -np.array([0.0, 0.0, 1.0]) if not bare else shank
    mesh = turned(shoe_of(h), aligned(toes, -down), j["ankle"] + (0 if not bare else 0.0) * down)
    material = wear.sock if bare else wear.shoe
    return [*parts, TexturedPart(*mesh, material, f"{side}_foot", rest=shoe_of(h)[0])]


def _toes(j: dict[str, NDArray]) -> NDArray[np.float64]:
    """Direction of the foot: at right angles to the shank, in the plane of the leg."""
    shank = _unit(j["ankle"] - j["knee"])
    bend = np.cross([0, 1.0, 0], -shank)
    ahead = bend - shank * (bend @ shank)
    flat = np.array([ahead[0], 0.12 * np.sign(j["hip"][1]), 0.0 if abs(shank[2]) > 0.6 else ahead[2]])
    return _unit(flat)


def _unit(v: NDArray) -> NDArray[np.float64]:
    return v / max(np.linalg.norm(v), 1e-9)


__all__ = ["ANKLE", "ATTIRES", "BodyPose", "BodyShape", "body_joints", "body_parts"]
