"""Surfaces of clothed bodies: trunks and skirts lofted over a bent axis, sleeves and legs as tubes, hands and heads.

Every surface carries texture coordinates of its own (around, around, along), so that folds move with the limb.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from or_spatial.world.meshing import (
    Mesh,
    TexturedPart,
    frames_along,
    grid_faces,
    join,
    rotation,
    smooth_path,
    sphere,
    tube,
)
from or_spatial.world.parts import Material

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Section:
    """Rings of a loft: `centre`, `front`, `side` (R, 3), half depth and half width (R,) m, fold depth (R,) m."""

    centre: Array
    front: Array
    side: Array
    depth: Array
    width: Array
    folds: Array


def loft(
    section: Section, material: Material, name: str, fold_waves: ArrayLike = (), columns: int = 24, square: float = 2.5
) -> TexturedPart:
    """Skin over superellipse rings; `fold_waves` rows of (count, phase, drift per m) ripple them by the fold depth."""
    a = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    c, s = np.cos(a), np.sin(a)
    round_ = (np.abs(c) ** square + np.abs(s) ** square) ** (-1 / square)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(section.centre, axis=0), axis=1))])
    ripple = np.zeros((len(along), columns))
    for count, phase, drift in fold_waves:
        ripple += np.cos(count * a[None] + phase + drift * along[:, None])
    ripple = section.folds[:, None] * ripple / max(1, len(np.atleast_2d(fold_waves))) ** 0.5
    x = section.depth[:, None] * round_ * c + ripple * c
    y = section.width[:, None] * round_ * s + ripple * s
    loops = section.centre[:, None] + x[..., None] * section.front[:, None] + y[..., None] * section.side[:, None]
    rest = np.stack(
        [np.broadcast_to(0.14 * c, x.shape), np.broadcast_to(0.14 * s, x.shape), along[:, None] + 0 * x], -1
    )
    vertices, faces = loops.reshape(-1, 3), grid_faces(len(along), columns, closed=True)
    top = len(vertices) - columns
    fan = np.array([(top, top + i, top + i + 1) for i in range(1, columns - 1)], np.int32)
    faces = np.concatenate([faces, fan])
    return TexturedPart(vertices, faces, material, name, rest=rest.reshape(-1, 3) + 7.3 * fold_seed(fold_waves))


def fold_seed(fold_waves: ArrayLike) -> float:
    """A number from the folds, to shift textures by, so that no two gowns crease alike."""
    waves = np.atleast_2d(np.asarray(fold_waves, float))
    return float(waves[0, 1]) if waves.size else 0.0


def limb(
    points: ArrayLike, radii: ArrayLike, material: Material, name: str, sides: int = 10, ripple: float = 0.0
) -> TexturedPart:
    """Tube through points (K, 3) with radii (K,), rounded at the joints; `ripple` wrinkles it, m."""
    samples = 3 * len(np.asarray(points)) - 2
    path = smooth_path(points, samples)
    at = np.linspace(0, len(np.asarray(points)) - 1, samples)
    radius = np.interp(at, np.arange(len(np.asarray(radii))), radii)
    radius = radius + ripple * np.sin(2.9 * np.arange(samples)) * np.minimum(1, at)
    vertices, faces = tube(path, radius, sides)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.stack([0.05 * np.cos(angle), 0.05 * np.sin(angle), 0 * angle], -1)
    rest = (ring[None] + along[:, None, None] * [0, 0, 1]).reshape(-1, 3)
    return TexturedPart(vertices, faces, material, name, rest=np.concatenate([rest, rest[-sides:], rest[:sides]]))


def hand_mesh(scale: float, left: bool) -> Mesh:
    """A half-closed hand: grip centre at the origin, fingers along x, palm facing -z; `scale` = body height in m."""
    k = scale / 1.72
    palm = sphere((0.048 * k, 0.040 * k, 0.017 * k), (-0.022 * k, 0, 0.012 * k), 8, 5)
    fingers = [
        tube(
            smooth_path([(0.012, y, 0.014), (0.052, y * 1.1, 0.010), (0.066, y * 1.1, -0.014), (0.048, y, -0.032)], 5)
            * k,
            np.array([0.0155, 0.0145, 0.0135, 0.012, 0.008]) * k,
            5,
        )
        for y in (-0.024, 0.0, 0.024)
    ]
    side = -1 if left else 1
    thumb = tube(
        smooth_path([(-0.035, side * 0.03, 0.0), (0.0, side * 0.052, -0.014), (0.03, side * 0.03, -0.03)], 4) * k,
        np.array([0.016, 0.015, 0.013, 0.009]) * k,
        5,
    )
    return join(palm, *fingers, thumb)


def shoe_mesh(height: float, bulk: float = 1.0) -> Mesh:
    """A shoe with its ankle at the origin, toes along x, sole at -0.039 of the height."""
    h = height
    x = np.array([-0.042, -0.03, 0.0, 0.05, 0.085, 0.105, 0.112]) * h
    top = np.array([0.012, 0.022, 0.02, -0.006, -0.013, -0.02, -0.032]) * h
    wide = np.array([0.012, 0.023, 0.024, 0.029, 0.028, 0.02, 0.008]) * h * bulk
    a = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    sole = -0.039 * h
    y = wide[:, None] * np.sign(np.cos(a)) * np.abs(np.cos(a)) ** 0.7
    z = (top + sole)[:, None] / 2 + (top - sole)[:, None] / 2 * np.sign(np.sin(a)) * np.abs(np.sin(a)) ** 0.6
    loops = np.stack([np.broadcast_to(x[:, None], y.shape), y, z], -1)
    faces = grid_faces(len(x), 8, closed=True)
    fan = np.array([(0, i, i + 1) for i in range(1, 7)], np.int32)
    return loops.reshape(-1, 3), np.concatenate([faces, fan[:, ::-1], fan + 8 * (len(x) - 1)]).astype(np.int32)


def shell(
    radii: ArrayLike,
    azimuth: tuple[float, float],
    lower: ArrayLike,
    upper: ArrayLike,
    rows: int = 7,
    bumps: Array | None = None,
) -> Mesh:
    """Part of an ellipsoid between elevations `lower` and `upper` (C,), rad, over evenly spread azimuths."""
    lower, upper = np.asarray(lower, float), np.asarray(upper, float)
    columns = len(lower)
    azimuths = np.linspace(*azimuth, columns)
    t = np.linspace(0, 1, rows)[:, None]
    e = lower * (1 - t) + upper * t
    r = 1.0 if bumps is None else 1 + bumps
    p = np.stack([np.cos(e) * np.cos(azimuths) * r, np.cos(e) * np.sin(azimuths) * r, np.sin(e) * r], -1)
    return (p * np.asarray(radii, float)).reshape(-1, 3), grid_faces(rows, columns)


def aligned(direction: Array, palm_side: Array) -> NDArray[np.float64]:
    """(3, 3) rotation whose x axis is `direction` and whose z axis leans to `palm_side`."""
    x = direction / max(np.linalg.norm(direction), 1e-9)
    z = palm_side - x * (palm_side @ x)
    length = np.linalg.norm(z)
    z = z / length if length > 1e-6 else frames_along(np.stack([0 * x, x]))[1][0]
    return np.column_stack([x, np.cross(z, x), z])


def turned(mesh: Mesh, R: NDArray, at: Array) -> Mesh:
    """The mesh under a rotation (3, 3) and a move."""
    return mesh[0] @ R.T + at, mesh[1]


__all__ = ["Section", "aligned", "hand_mesh", "limb", "loft", "rotation", "shell", "shoe_mesh", "turned"]
