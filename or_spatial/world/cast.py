"""The people of a clip: which roles are there, who is scrubbed, how they are built and dressed."""

from dataclasses import dataclass, replace

import numpy as np

from or_spatial.world.attire import FREE_PALETTES
from or_spatial.world.bodies import BodyShape
from or_spatial.world.realism import PLAIN, Realism

SCRUBBED_ROLES = frozenset({"head_surgeon", "assistant_surgeon", "nurse"})


@dataclass(frozen=True)
class Member:
    """One person: entity id, role (MM-OR's names, and `radiographer`), scrubbed or not, body, first place."""

    id: str
    role: str
    sterile: bool
    shape: BodyShape
    home: str


_HOMES = {
    "total_knee": {
        "head_surgeon": "head_surgeon",
        "assistant_surgeon": "assistant_surgeon",
        "nurse": "nurse",
        "anaesthetist": "anaesthetist",
        "circulator": "secondary_table",
    },
    "robotic_knee": {
        "head_surgeon": "head_surgeon",
        "assistant_surgeon": "assistant_robot",
        "nurse": "nurse",
        "anaesthetist": "anaesthetist",
        "mps": "mps_station",
        "circulator": "secondary_table",
    },
    "vertebroplasty": {
        "head_surgeon": "torso",
        "nurse": "nurse",
        "anaesthetist": "anaesthetist",
        "radiographer": "c_arm_operator",
        "circulator": "secondary_table",
    },
    "laparoscopic_gallbladder": {
        "head_surgeon": "torso",
        "assistant_surgeon": "torso_far",
        "nurse": "nurse",
        "anaesthetist": "anaesthetist",
        "circulator": "secondary_table",
    },
}
_MAY_BE_ABSENT = {"circulator": 0.25, "anaesthetist": 0.2}


def draw_cast(
    procedure: str, rng: np.random.Generator, realism: Realism = PLAIN, visitors: int = 0
) -> dict[str, Member]:
    """Three to eight people by role, at least so many `visitors`; ids in random order, so that they tell no role."""
    homes = dict(_HOMES[procedure])
    for role, p in _MAY_BE_ABSENT.items():
        if rng.random() < p:
            del homes[role]
    for k in range(max(visitors, int(rng.choice([0, 0, 1, 1, 2, 3])))):
        if len(homes) < 8:
            homes[f"visitor_{k}"] = f"visitor_{k}"
    ids = rng.permutation(len(homes)) + 1
    named = zip(ids, homes.items(), strict=True)
    return {role: _member(f"person_{i}", role, home, rng, realism) for i, (role, home) in named}


def _member(id: str, role: str, home: str, rng: np.random.Generator, realism: Realism) -> Member:
    sterile = role in SCRUBBED_ROLES
    attire = "sterile_gown" if sterile else "lead_apron" if role == "radiographer" else "scrubs"
    return Member(id, role_name(role), sterile, draw_shape(rng, attire, realism), home)


def role_name(role: str) -> str:
    """The published name of a role: visitors are students or unrelated people."""
    if role.startswith("visitor"):
        return "student" if int(role.split("_")[1]) % 2 == 0 else "unrelated_person"
    return role


def draw_shape(rng: np.random.Generator, attire: str, realism: Realism = PLAIN) -> BodyShape:
    """A body: women 1.63 +- 0.07 m, men 1.77 +- 0.07 m, staff 60 to 40 (operating-room.md section 2.1)."""
    mean = 1.63 if rng.random() < 0.6 else 1.77
    height = float(np.clip(rng.normal(mean, 0.07), 1.50, 1.98))
    shape = BodyShape(
        height_m=height,
        build=float(np.clip(rng.normal(1.0, realism.build_spread), *realism.build)),
        skin=int(rng.integers(6)),
        attire=attire,
        palette_seed=int(rng.integers(1 << 30)),
    )
    free = np.random.default_rng([5, shape.palette_seed]).random() < realism.free_cloth
    return replace(shape, palette_seed=shape.palette_seed + FREE_PALETTES) if free else shape
