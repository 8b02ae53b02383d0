"""What is different in one graph from an earlier one: who came and went, what moved, which actions began and ended."""

import math
from dataclasses import dataclass

import numpy as np

from or_spatial.answering.names import present
from or_spatial.scene.graph import Scale, SceneGraph
from or_spatial.scene.objects import SceneObject
from or_spatial.scene.relations import Family, SpatialRelation

_MOVED_M = 0.3  # chosen: less is how people stand
_SURE = 2.0  # standard deviations of the difference
_NO_NEWS = ("closeTo",)  # whoever walks through a room is close to this and that all the time


@dataclass(frozen=True)
class Changes:
    """Between two graphs. `moved` holds the newer state of each object and by how much, m, farthest first."""

    came: tuple[SceneObject, ...]
    went: tuple[SceneObject, ...]
    moved: tuple[tuple[SceneObject, float], ...]
    began: tuple[SpatialRelation, ...]
    ended: tuple[SpatialRelation, ...]

    def __bool__(self) -> bool:
        return bool(self.came or self.went or self.moved or self.began or self.ended)


def changes(then: SceneGraph, now: SceneGraph) -> Changes:
    """What changed from `then` to `now`; distances only when both graphs are metric and in the same frame."""
    before, after = ({o.id: o for o in present(graph)} for graph in (then, now))
    metric = then.scale == now.scale == Scale.METRIC and then.frame_id == now.frame_id
    moved = [(o, moved_m(before[i], o)) for i, o in after.items() if i in before] if metric else []
    did, does = _actions(then), _actions(now)
    return Changes(
        came=tuple(o for i, o in after.items() if i not in before),
        went=tuple(o for i, o in before.items() if i not in after),
        moved=tuple(sorted((m for m in moved if m[1] > 0.0), key=lambda m: -m[1])),
        began=tuple(r for key, r in does.items() if key not in did),
        ended=tuple(r for key, r in did.items() if key not in does),
    )


def moved_m(before: SceneObject, after: SceneObject) -> float:
    """How far the centre went, m; 0.0 when that is unknown, less than 0.3 m, or within the doubt of both places."""
    way = np.subtract(after.center_m, before.center_m)
    length = float(np.linalg.norm(way))
    if not math.isfinite(length) or length < _MOVED_M:
        return 0.0
    covariance = np.nan_to_num(np.reshape(before.covariance_m2, (3, 3)) + np.reshape(after.covariance_m2, (3, 3)))
    stddev = math.sqrt(max(float(way @ covariance @ way), 0.0)) / length
    return length if length > _SURE * stddev else 0.0


def _actions(graph: SceneGraph) -> dict[tuple[str, str, str], SpatialRelation]:
    return {
        (r.subject_id, r.predicate, r.object_id): r
        for r in graph.relations
        if r.family is Family.ACTION and r.predicate not in _NO_NEWS
    }
