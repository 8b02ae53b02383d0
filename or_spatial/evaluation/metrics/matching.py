"""Which predicted object is which true one."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.objects import Category, SceneObject

GATES_M: dict[Category, float] = {Category.INSTRUMENT: 0.50}
"""Farthest centres that still match, by category; 0.75 m (chosen: less than half a table) for all others."""

_DEFAULT_GATE_M = 0.75


def gate_m(category: Category, gates_m: dict[Category, float] = GATES_M) -> float:
    """Farthest centres, m, that match in this category."""
    return gates_m.get(category, _DEFAULT_GATE_M)


Match = dict[str, str]
"""True object id -> predicted object id; missed true and invented predicted objects are absent."""


def match_objects(truth: SceneGraph, predicted: SceneGraph, gates_m: dict[Category, float] = GATES_M) -> Match:
    """One-to-one, only within a label, so that the sum of centre distances is least and none exceeds its gate.

    Both graphs must be in one frame, in metres. Objects without a position are not matched. More matches come
    before shorter distances (Hungarian method; a gate's length is what leaving a pair unmatched costs).
    """
    match: Match = {}
    for label in dict.fromkeys(o.label for o in truth.objects):  # in an order that is the same in every run
        true, found = truth.labelled(label), predicted.labelled(label)
        match.update(_match_alike(true, found, gates_m))
    return match


def match_by_id(truth: SceneGraph, predicted: SceneGraph) -> Match:
    """Objects of the same id are the same: for annotations without positions, such as 4D-OR's."""
    known = {o.id for o in predicted.objects}
    return {o.id: o.id for o in truth.objects if o.id in known}


def _match_alike(
    true: tuple[SceneObject, ...], found: tuple[SceneObject, ...], gates_m: dict[Category, float]
) -> Match:
    if not true or not found:
        return {}
    gates = np.array([gate_m(o.category, gates_m) for o in true])[:, None]
    distances = np.linalg.norm(_centers(true)[:, None] - _centers(found)[None], axis=-1)
    close = distances <= gates
    rows, columns = linear_sum_assignment(np.where(close, distances, 100.0 * _DEFAULT_GATE_M))
    return {true[i].id: found[j].id for i, j in zip(rows, columns, strict=True) if close[i, j]}


def _centers(objects: tuple[SceneObject, ...]) -> np.ndarray:
    return np.array([o.center_m for o in objects])
