"""Pairs of pictures that differ in one spatial fact: whoever answers from habit is wrong on one of the two.

A pair is fixed by split, kind and seed, like everything in this world. Both pictures have the same camera, light and
sensor noise; `counterfactual_edits` says what is changed. The pairs that are scored on are listed once and for all in
`config/counterfactual.yaml`, for no seed that was easier to draw shall be preferred later.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import yaml

from or_spatial.errors import ConfigError
from or_spatial.paths import share_path
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.relations import Family
from or_spatial.world.counterfactual_edits import KINDS, Edit, Moment
from or_spatial.world.renderer import Quality
from or_spatial.world.rig import CAMERAS, camera_rig
from or_spatial.world.sample import FrameSample
from or_spatial.world.samples import FULL, View, glance, graph_of, look, sample_of
from or_spatial.world.simulation import Simulation, is_instrument
from or_spatial.world.splits import stream

CLIP_S = 20.0
_TRIES = 10
_MOST_HIDDEN = 0.75
_LEAST_CHANGED_PX = 20  # at the model's input size


@dataclass(frozen=True)
class Pair:
    """What is compared: `predicates[k]` holds from subject to object in picture k, and not in the other one."""

    kind: str
    split: str
    seed: int
    time_s: float
    camera_index: int
    subject_id: str
    object_id: str
    predicates: tuple[str, str]


@dataclass(frozen=True)
class DrawnPair:
    """A pair and its two pictures with their truth."""

    pair: Pair
    samples: tuple[FrameSample, FrameSample]


def draw_pair(
    kind: str, split: str, seed: int, width: int = 448, height: int = 256, quality: Quality = FULL
) -> DrawnPair | None:
    """The pair of this kind that a seed gives, drawn; None when its clip offers none.

    Raises:
        ConfigError: no such kind, split or seed.
    """
    found = _find(kind, split, seed)
    if found is None:
        return None
    moment, camera_index, edit = found
    pair = Pair(
        kind, split, seed, moment.state.time_s, camera_index, edit.subject_id, edit.object_id, edit.predicates
    )
    views = (look(moment.simulation, state, camera_index, width, height, quality) for state in edit.states)
    drawn = (sample_of(moment.simulation, s, v, alerts=()) for s, v in zip(edit.states, views, strict=True))
    return DrawnPair(pair, tuple(drawn))


def _find(kind: str, split: str, seed: int) -> tuple[Moment, int, Edit] | None:
    if kind not in KINDS:
        raise ConfigError(f"no kind of pair {kind!r}; there are {', '.join(KINDS)}")
    rng = stream(split, seed, "counterfactual", kind)
    procedure = "robotic_knee" if kind == "robot_arm" else None
    simulation = Simulation(split, seed, CAMERAS, CLIP_S, hazards=(), procedure=procedure)
    rig = camera_rig(simulation.script)
    for _ in range(_TRIES):
        state = simulation.state(round(float(rng.uniform(1.0, CLIP_S - 1.0)), 3))
        camera_index = int(rng.integers(CAMERAS))
        moment = Moment(simulation, state, rig[camera_index])
        for edit in KINDS[kind](moment, rng):
            if _tells(simulation, edit, camera_index):
                return moment, camera_index, edit
    return None


def _tells(simulation: Simulation, edit: Edit, camera_index: int) -> bool:
    """Whether both pictures show both things well, and the change, and the meshes say what the edit means."""
    views = []
    for k, state in enumerate(edit.states):
        view = glance(simulation, state, camera_index)
        views.append(view)
        if not _shows(view, edit):
            return False
        names = held(graph_of(state, [view], 0), edit.subject_id, edit.object_id)
        if edit.predicates[k] not in names or edit.predicates[1 - k] in names:
            return False
    return _changed_px(*views) >= _LEAST_CHANGED_PX


def _changed_px(a: View, b: View) -> int:
    """Pixels that show another thing, or another depth, in the other picture."""
    moved = np.abs(np.nan_to_num(a.depth_m) - np.nan_to_num(b.depth_m)) > 0.01
    return int((moved | (a.instance != b.instance)).sum())


def _shows(view: View, edit: Edit) -> bool:
    seen = {v.object_id: v for v in view.views}
    both = edit.subject_id in seen and edit.object_id in seen
    if not both or any(seen[id].occlusion > _MOST_HIDDEN for id in (edit.subject_id, edit.object_id)):
        return False
    return not is_instrument(edit.subject_id) or edit.subject_id in view.legible


def held(graph: SceneGraph, subject_id: str, object_id: str) -> set[str]:
    """Names of the geometric relations that a graph says from subject to object."""
    return {r.predicate for r in graph.between(subject_id, object_id) if r.family == Family.GEOMETRIC}


def listed(split: str) -> list[tuple[str, int]]:
    """(kind, seed) of the pairs that a split is scored on, kind by kind.

    Raises:
        ConfigError: no pairs are listed for this split.
    """
    path = share_path("config", "counterfactual.yaml")
    pairs = yaml.safe_load(path.read_text())
    if split not in pairs:
        raise ConfigError(f"{path} lists no pairs for split {split!r}; there are {', '.join(pairs)}")
    return [(kind, int(seed)) for kind, seeds in pairs[split].items() for seed in seeds]


def pairs_from(
    kind: str, split: str, seeds: Iterable[int], count: int, width: int = 448, height: int = 256
) -> Iterator[DrawnPair]:
    """The first `count` pairs of a kind among these seeds: so the list of `config/counterfactual.yaml` was made."""
    drawn = (draw_pair(kind, split, seed, width, height) for seed in seeds)
    yield from islice((pair for pair in drawn if pair is not None), count)
