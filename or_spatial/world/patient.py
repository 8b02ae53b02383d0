"""The patient on the table and the cloth over them, in the operating table's frame (x to the head).

The cloth is one asset; here it is laid over the body that it really has to cover, and divided into what counts as
patient (the draped body), what counts as table (what hangs from it) and what is nobody's (the screen at the head).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from or_spatial.geometry.transforms import pose_matrix
from or_spatial.world.assets import drape_patient
from or_spatial.world.bodies import BodyPose, BodyShape, body_parts
from or_spatial.world.contact import cover
from or_spatial.world.parts import Part

_PELVIS_X = 0.03
_CLOTH_M = 0.012


@dataclass(frozen=True)
class DrapedPatient:
    """Parts in the table's frame: the bare body, what the cloth leaves to see of it, and the cloth's three parts."""

    bare: tuple[Part, ...]
    uncovered: tuple[Part, ...]
    lying: tuple[Part, ...]
    hanging: tuple[Part, ...]
    screen: tuple[Part, ...]

    def body(self, draped: bool) -> tuple[Part, ...]:
        """What counts as the patient."""
        return self.uncovered + self.lying if draped else self.bare

    def points(self, draped: bool) -> NDArray[np.float64]:
        """Points (N, 3) all over the patient."""
        return np.concatenate([cover(p) for p in self.body(draped)])


def lay_patient(
    shape: BodyShape, table_variant: int, top_m: float, *, side: int, prone: bool, knee_rad: float
) -> DrapedPatient:
    """Lay a person on the table, on the back or face down; `knee_rad` > 0 bends the operated leg and leaves it bare.

    With `side` -1 everything is mirrored, so that the operated leg is on the surgeon's side.
    """
    body = body_parts(shape, BodyPose(np.zeros(3), yaw_rad=np.pi, lying=True, knee_flexion_rad=knee_rad))
    if prone:
        turn = pose_matrix(np.diag([1.0, -1.0, -1.0]), (0.0, 0.0, 2 * 0.072 * shape.height_m))
        body = tuple(p.moved(turn) for p in body)
    body = tuple(p.moved(pose_matrix(np.eye(3), (_PELVIS_X, 0.0, top_m))) for p in body)
    opening = "leg" if knee_rad > 0 else "none"
    cloth, *poles = drape_patient(table_variant, body, opening)
    end = cloth.vertices[cloth.vertices[:, 2] < top_m - 0.02, 0].max()
    screen, spread = split_faces((cloth,), lambda p: (p[:, 0] > end - 0.012) | (p[:, 2] > top_m + 0.31))
    covered = tuple(p for p in body if p.name not in ("head",) and not (opening == "leg" and p.name in _RIGHT_LEG))
    spread = tuple(_laid_over(p, covered, top_m, opening) for p in spread)
    lying, hanging = split_faces(spread, lambda p: p[:, 2] > top_m + 0.02)
    uncovered = tuple(p for p in body if not p.name.endswith(("_arm", "_hand")))
    parts = (body, uncovered, lying, hanging, (*screen, *poles))
    if side < 0:
        parts = tuple(tuple(mirrored(p) for p in group) for group in parts)
    return DrapedPatient(*parts)


_RIGHT_LEG = ("right_leg", "right_foot")


def _laid_over(cloth: Part, body: tuple[Part, ...], top_m: float, opening: str) -> Part:
    """Lift the cloth to just above the body wherever that would poke through; not over the leg that stays bare."""
    points = np.concatenate([cover(p) for p in body if not p.name.endswith(("_arm", "_hand"))])
    vertices = cloth.vertices.copy()
    on_top = np.flatnonzero(vertices[:, 2] > top_m - 0.005)
    if opening == "leg":
        bare = (vertices[on_top, 0] < -0.24) & (vertices[on_top, 1] > 0.0)
        on_top = on_top[~bare]
    near = cKDTree(points[:, :2]).query_ball_point(vertices[on_top, :2], 0.045)
    for k, found in zip(on_top, near, strict=True):
        if found:
            vertices[k, 2] = max(vertices[k, 2], points[found, 2].max() + _CLOTH_M)
    return replace(cloth, vertices=vertices)


def mirrored(part: Part) -> Part:
    """The part reflected in its xz plane, still facing outwards."""
    return replace(part, vertices=part.vertices * (1, -1, 1), faces=np.ascontiguousarray(part.faces[:, ::-1]))


def split_faces(
    parts: tuple[Part, ...], chosen: Callable[[NDArray[np.float64]], NDArray[np.bool_]]
) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Parts of the faces whose middles (N, 3) are `chosen`, and parts of the others."""
    first, second = [], []
    for part in parts:
        mask = chosen(part.vertices[part.faces].mean(1))
        for faces, kept in ((part.faces[mask], first), (part.faces[~mask], second)):
            if len(faces):
                used, index = np.unique(faces, return_inverse=True)
                rest = getattr(part, "rest", None)
                more = {} if rest is None else {"rest": rest[used]}
                faces = index.reshape(-1, 3).astype(np.int32)
                kept.append(replace(part, vertices=part.vertices[used], faces=faces, **more))
    return tuple(first), tuple(second)
