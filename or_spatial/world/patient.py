"""The patient on the table and the cloth over them, in the operating table's frame (x to the head).

The cloth is one asset; here it is divided into what counts as patient (what lies on the body), what counts as table
(what hangs from it) and what is nobody's (the screen at the head).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.transforms import pose_matrix
from or_spatial.world.assets import asset_size, drape_patient
from or_spatial.world.bodies import BodyPose, BodyShape, body_parts
from or_spatial.world.contact import cover
from or_spatial.world.parts import Part

_PILLOW_M = 0.12


@dataclass(frozen=True)
class DrapedPatient:
    """Parts in the table's frame: the bare body, and the cloth's three parts."""

    bare: tuple[Part, ...]
    lying: tuple[Part, ...]
    hanging: tuple[Part, ...]
    screen: tuple[Part, ...]

    def body(self, draped: bool) -> tuple[Part, ...]:
        """What counts as the patient."""
        return self.bare + self.lying if draped else self.bare

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
    head = max(p.vertices[:, 0].max() for p in body)
    shift = pose_matrix(np.eye(3), (asset_size("operating_table", table_variant)[0] / 2 - _PILLOW_M - head, 0.0, top_m))
    body = tuple(p.moved(shift) for p in body)
    cloth, *poles = drape_patient(table_variant, body, opening="leg" if knee_rad > 0 else "none")
    end = cloth.vertices[cloth.vertices[:, 2] < top_m - 0.02, 0].max()
    highest = max(p.vertices[:, 2].max() for p in body) + 0.06
    screen, spread = split_faces((cloth,), lambda p: (p[:, 0] > end - 0.012) | (p[:, 2] > highest))
    lying, hanging = split_faces(spread, lambda p: p[:, 2] > top_m + 0.02)
    parts = (body, lying, hanging, (*screen, *poles))
    if side < 0:
        parts = tuple(tuple(mirrored(p) for p in group) for group in parts)
    return DrapedPatient(*parts)


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
