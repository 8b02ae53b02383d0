"""Tracks set beside the truth of their moments, and what they score.

A thing counts while its centre is in the picture of at least one camera; tracks of what is in none are left out,
neither right nor wrong. Only tracks of the right label can be right.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from or_spatial.evaluation.metrics.hota import hota
from or_spatial.evaluation.metrics.tracks import Moment, clear, identity
from or_spatial.geometry.transforms import apply, invert
from or_spatial.perception.perceiver import Frame
from or_spatial.scene import Category, SceneGraph, SceneObject

GROUPS = ("people", "instruments", "things")
REACH_M = 1.0  # distance of similarity 0: the radius of 3D people tracking on WILDTRACK (Chavdarova et al. 2018)
WITHIN_M = 0.5  # of CLEAR and IDF1: similarity one half


def figures(moments: Sequence[Moment], rate_hz: float) -> dict[str, Any]:
    """HOTA, CLEAR and IDF1 of one group; `minutes` is how long its members were there, added up."""
    whole, counted, named = hota(moments, REACH_M), clear(moments, WITHIN_M), identity(moments, WITHIN_M)
    higher = {k: v for k, v in whole.to_dict().items() if k != "by_alpha"}
    minutes = sum(len(m.true) for m in moments) / rate_hz / 60.0
    per_minute = counted.switches / minutes if minutes else float("nan")
    return {
        **higher,
        **counted.to_dict(),
        "idf1": named.idf1,
        "minutes": minutes,
        "id_switches_per_person_min": per_minute,
    }


def group_of(thing: SceneObject) -> str:
    """Which of `GROUPS` an object counts with; a patient, a person by category, lies among the things."""
    if thing.label == "person":
        return "people"
    return "instruments" if thing.category == Category.INSTRUMENT else "things"


def in_picture(truth: SceneGraph, frames: list[Frame]) -> frozenset[str]:
    """Ids of the true objects whose centre is in the picture of at least one camera; `frames` have camera and pose."""
    centers = np.array([o.center_m for o in truth.objects])
    seen = np.zeros(len(centers), dtype=bool)
    for frame in frames:
        pixels = frame.camera.project(apply(invert(frame.room_from_camera), centers))
        with np.errstate(invalid="ignore"):  # NaN behind the camera
            seen |= ((pixels >= -0.5) & (pixels <= (frame.camera.width - 0.5, frame.camera.height - 0.5))).all(-1)
    return frozenset(o.id for o, s in zip(truth.objects, seen, strict=True) if s)


def moment_of(group: str, truth: SceneGraph, graph: SceneGraph, shown: frozenset[str], prefix: str = "") -> Moment:
    """One group at one moment, names with a prefix; what is not `shown`, and its tracks, are left out."""
    true = [o for o in truth.objects if group_of(o) == group]
    said = [o for o in graph.objects if group_of(o) == group]
    apart_m = _apart_m(true, said)
    there = np.array([o.id in shown for o in true], dtype=bool)
    judged = ~_belongs_to(apart_m, ~there)
    return Moment(
        tuple(prefix + o.id for o, kept in zip(true, there, strict=True) if kept),
        tuple(prefix + o.id for o, kept in zip(said, judged, strict=True) if kept),
        apart_m[there][:, judged],
    )


def _apart_m(true: list[SceneObject], said: list[SceneObject]) -> NDArray[np.float64]:
    """(T, S) distances of centres, infinite between different labels."""
    a = np.array([o.center_m for o in true]).reshape(-1, 1, 3)
    b = np.array([o.center_m for o in said]).reshape(1, -1, 3)
    same = np.array([[x.label == y.label for y in said] for x in true], dtype=bool).reshape(len(true), len(said))
    return np.where(same, np.linalg.norm(a - b, axis=-1), np.inf)


def _belongs_to(apart_m: NDArray[np.float64], which: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(S,): whether a track is that of one of these true things, when all are matched one to one within reach."""
    found = np.zeros(apart_m.shape[1], dtype=bool)
    rows, columns = linear_sum_assignment(np.minimum(apart_m, REACH_M))
    for r, c in zip(rows.tolist(), columns.tolist(), strict=True):
        found[c] = which[r] and apart_m[r, c] < REACH_M
    return found
