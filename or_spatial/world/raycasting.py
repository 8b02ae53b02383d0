"""One bag of triangles for a whole room, and the rays that embree casts into it.

Convention: rays are cast with directions of any length; distances come back in multiples of it, so that directions
with z = 1 in the optical frame give depth along the optical axis.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from or_spatial.world.parts import Material, Part, Solid

Array = NDArray[np.float32]


@dataclass(frozen=True)
class MaterialTable:
    """Materials as arrays by index: linear `base` (K, 3), and (K,) of the rest."""

    base: Array
    roughness: Array
    metallic: Array
    emission: Array
    scale: Array
    texture: tuple[str, ...]


@dataclass(frozen=True)
class Hits:
    """What N rays met: `face` (N,) index or -1, `distance` (N,) in ray lengths, `u`, `v` (N,) barycentric."""

    face: NDArray[np.int32]
    distance: Array
    u: Array
    v: Array


def linear_from_srgb(srgb: NDArray) -> NDArray:
    """IEC 61966-2-1 decoding of values in [0, 1]."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def silhouette(parts: Sequence[Part], origins: Array, directions: Array) -> NDArray[np.bool_]:
    """Whether rays (N, 3) meet these parts, with nothing else about: no normals or colours are prepared."""
    scene = EmbreeScene()
    vertices, faces = _gathered(parts)
    if not len(faces) or not len(origins):
        return np.zeros(len(origins), bool)
    TriangleMesh(scene, vertices, faces)
    return scene.run(origins, directions, query="OCCLUDED") >= 0


class TriangleRoom:
    """All triangles of some solids with their materials, smooth normals and texture coordinates."""

    def __init__(self, solids: Sequence[Solid]) -> None:
        owned = [(i, p) for i, s in enumerate(solids) for p in s.parts if len(p.faces)]
        parts = [p for _, p in owned]
        counts = [len(p.faces) for p in parts]
        self.vertices, self.faces = _gathered(parts)
        self.rest = _stack([_rest(p) for p in parts], np.float32)
        self.face_solid = np.repeat(np.array([i for i, _ in owned], np.int16), counts)
        materials = list(dict.fromkeys(p.material for p in parts))
        where = {m: k for k, m in enumerate(materials)}
        self.face_material = np.repeat(np.array([where[p.material] for p in parts], np.int32), counts)
        self.materials = _table(materials)
        self.face_normals, self.normals = _normals(self.vertices, self.faces)
        self._scene = EmbreeScene()
        if len(self.faces):
            TriangleMesh(self._scene, self.vertices, self.faces)

    def cast(self, origins: Array, directions: Array) -> Hits:
        """First hits of rays (N, 3)."""
        if not len(self.faces) or not len(origins):
            none = np.zeros(len(origins), np.float32)
            return Hits(np.full(len(origins), -1, np.int32), none, none, none)
        r = self._scene.run(
            np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(directions, np.float32), output=1
        )
        return Hits(r["primID"], r["tfar"], r["u"], r["v"])

    def blocked(self, origins: Array, segments: Array) -> NDArray[np.bool_]:
        """Whether anything lies on the segments from `origins` (N, 3) along `segments` (N, 3)."""
        if not len(self.faces) or not len(origins):
            return np.zeros(len(origins), bool)
        reach = np.full(len(origins), 0.999, np.float32)
        o, d = np.ascontiguousarray(origins, np.float32), np.ascontiguousarray(segments, np.float32)
        return self._scene.run(o, d, dists=reach, query="OCCLUDED") >= 0


def _stack(arrays: list[NDArray], dtype: type) -> NDArray:
    return np.concatenate(arrays).astype(dtype) if arrays else np.empty((0, 3), dtype)


def _gathered(parts: Sequence[Part]) -> tuple[Array, NDArray[np.int32]]:
    """Vertices (N, 3) and faces (M, 3) of all parts together."""
    offsets = np.cumsum([0] + [len(p.vertices) for p in parts])[:-1]
    faces = [p.faces + o for p, o in zip(parts, offsets, strict=True)]
    return _stack([p.vertices for p in parts], np.float32), _stack(faces, np.int32)


def _rest(part: Part) -> NDArray:
    rest = getattr(part, "rest", None)
    return part.vertices if rest is None else rest


def _table(materials: list[Material]) -> MaterialTable:
    def column(name: str) -> Array:
        return np.array([getattr(m, name) for m in materials], np.float32)

    base = linear_from_srgb(np.array([m.base_rgb for m in materials], np.float32).reshape(-1, 3)).astype(np.float32)
    textures = tuple(m.texture for m in materials)
    return MaterialTable(
        base, column("roughness"), column("metallic"), column("emission"), column("texture_scale_m"), textures
    )


def _normals(vertices: Array, faces: NDArray) -> tuple[Array, Array]:
    """Unit face normals (M, 3) and area-weighted vertex normals (N, 3)."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    n = np.cross(b - a, c - a)
    flat = faces.ravel()
    smooth = np.stack([np.bincount(flat, np.repeat(n[:, k], 3), len(vertices)) for k in range(3)], -1)
    return unit(n), unit(smooth.astype(np.float32))


def unit(vectors: Array) -> Array:
    """Vectors (..., 3) scaled to length 1."""
    length = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))[..., None]
    return vectors / np.maximum(length, 1e-12)
