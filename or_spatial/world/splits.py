"""Which seeds, assets, layouts, procedures and habits belong to which split; nothing of a test room occurs in training.

A split may name a version of the world: "test@2" is the test split in version 2, "test" that in `WORLD_VERSION`.

A seed is counted from 0 within its split and made global by `world_seed`, so that ranges cannot overlap. Asset
variants go by thousands. One procedure and a few role-tool-target habits are met in test rooms only: a model that
merely remembers who does what with which tool is found out there, while every predicate can still be learned.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from or_spatial.errors import ConfigError
from or_spatial.world.realism import PLAIN, VERSIONS, Realism

WORLD_VERSION = 1
"""The version of a split that names none. A seed's pixels and truth stay what they are within a version: what would
change them makes a new one, for figures of different versions are not comparable."""
_STREAMS = 1  # shared by all versions, so that a seed is the same clip in each

SPLITS = ("train", "val", "test")
_SEEDS = 10_000_000
_VARIANTS = 1000

TEST_ONLY_PROCEDURE = "laparoscopic_gallbladder"
"""Its predicates (cutting, suturing, holding, manipulating, preparing, assisting ...) all occur in the other three."""

TEST_ONLY_HABITS = frozenset(
    {
        ("assistant_surgeon", "drilling", "patient"),
        ("assistant_surgeon", "hammering", "patient"),
        ("assistant_surgeon", "sawing", "patient"),
        ("circulator", "manipulating", "anesthesia_equipment"),
        ("head_surgeon", "touching", "mako_robot"),
    }
)
"""(role, predicate, target label) that scripts may use in test rooms only."""


@dataclass(frozen=True)
class SplitPlan:
    """What one split may draw from: numbers of `layouts`, a half-open range of asset `variants`, and the looks of its
    version.
    """

    name: str
    first_seed: int
    layouts: Sequence[int]
    variants: range
    procedures: tuple[str, ...]
    realism: Realism = PLAIN


_PLANS = {
    "train": SplitPlan("train", 0, range(0, 36), range(0, _VARIANTS), ("total_knee", "robotic_knee", "vertebroplasty")),
    "test": SplitPlan(
        "test",
        _SEEDS,
        range(36, 52),
        range(_VARIANTS, 2 * _VARIANTS),
        ("total_knee", "robotic_knee", "vertebroplasty", TEST_ONLY_PROCEDURE),
    ),
    "val": SplitPlan(
        "val",
        2 * _SEEDS,
        range(52, 60),
        range(2 * _VARIANTS, 3 * _VARIANTS),
        ("total_knee", "robotic_knee", "vertebroplasty"),
    ),
}

_MORE_TRAINING_LAYOUTS = range(60, 120)  # no other split has rooms from here on


def split_plan(split: str) -> SplitPlan:
    """The plan of a split, with or without `@version`.

    Raises:
        ConfigError: no such split, or version of the world.
    """
    return _versioned(split)


@cache
def _versioned(split: str) -> SplitPlan:
    name, at, version = split.partition("@")
    realism = VERSIONS.get(int(version) if version.isdecimal() else WORLD_VERSION if not at else 0)
    if name not in _PLANS or realism is None:
        known = ", ".join(SPLITS)
        numbers = ", ".join(f"@{number}" for number in VERSIONS)
        raise ConfigError(f"no split {split!r}; the world has {known}, each in the versions {numbers}")
    plan = _PLANS[name]
    more = _MORE_TRAINING_LAYOUTS if name == "train" and realism.version > 1 else ()
    return replace(plan, layouts=(*plan.layouts, *more), realism=realism)


def in_version(split: str, version: int) -> str:
    """A split's name in a version of the world; the bare name where that is the version of those that name none."""
    return split if version == WORLD_VERSION else f"{split}@{version}"


def world_version(split: str) -> int:
    """The version of the world that a split is drawn in."""
    return split_plan(split).realism.version


def world_seed(split: str, seed: int) -> int:
    """The global seed of seed `seed` (counted from 0) of a split.

    Raises:
        ConfigError: the seed lies outside [0, 10,000,000).
    """
    if not 0 <= seed < _SEEDS:
        raise ConfigError(f"seed {seed} is outside the split's range [0, {_SEEDS})")
    return split_plan(split).first_seed + int(seed)


def stream(split: str, seed: int, *purpose: str | int) -> np.random.Generator:
    """A random stream of its own for each purpose, so that drawing more for one never shifts another."""
    names = [zlib.crc32(str(p).encode()) for p in purpose]
    return np.random.default_rng(np.random.SeedSequence([_STREAMS, world_seed(split, seed), *names]))


def draw_variant(split: str, rng: np.random.Generator) -> int:
    """An asset variant that only this split uses."""
    variants = split_plan(split).variants
    return int(rng.integers(variants.start, variants.stop))


def habit_allowed(split: str, role: str, predicate: str, target: str) -> bool:
    """Whether a script of this split may let `role` do this to a thing of label `target`."""
    return split_plan(split).name == "test" or (role, predicate, target) not in TEST_ONLY_HABITS
