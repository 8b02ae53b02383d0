"""Distances between surfaces, from points on the triangles themselves rather than from boxes.

Each mesh is covered once with points (`SPACING_M` apart on large faces, always its vertices too); they move with it.
A distance between two meshes is that of their nearest points: at most about half a spacing above the true one when
the surfaces touch, less when they are apart.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from or_spatial.world.parts import Part, Solid

SPACING_M = 0.022
_COARSE = 160
_GOLDEN = np.array([0.7548776662466927, 0.5698402909980532])  # R2 sequence (Roberts 2018): even without randomness
_KEPT: dict[int, tuple[NDArray, NDArray, NDArray]] = {}
_KEPT_MOST = 1500


def cover(part: Part) -> NDArray[np.float64]:
    """Points (N, 3) on a part's surface, its vertices first.

    Where they lie on the faces is kept for shared assets, whose faces nobody may write into; bodies are made anew in
    each pose.
    """
    index, weight = _shared_spread(part) if not part.faces.flags.writeable else _spread(part)
    corners = part.vertices[part.faces[index]]
    return np.concatenate([part.vertices, (corners * weight[..., None]).sum(1)])


def _shared_spread(part: Part) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    kept = _KEPT.get(id(part.faces))
    if kept is None or kept[0] is not part.faces:
        if len(_KEPT) > _KEPT_MOST:
            _KEPT.clear()
        kept = (part.faces, *_spread(part))
        _KEPT[id(part.faces)] = kept
    return kept[1:]


def _spread(part: Part) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Face index (N,) and barycentric weights (N, 3) of points spread evenly by area."""
    a, b, c = (part.vertices[part.faces[:, k]] for k in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    count = np.floor(area / SPACING_M**2 + 0.35).astype(int)
    index = np.repeat(np.arange(len(count)), count)
    uv = (0.5 + _GOLDEN * np.arange(1, len(index) + 1)[:, None]) % 1.0
    uv = np.where(uv.sum(1, keepdims=True) > 1, 1 - uv, uv)
    return index, np.column_stack([1 - uv.sum(1), uv])


@dataclass(frozen=True)
class Surface:
    """Points (N, 3) that cover one object, with what makes asking for distances quick."""

    points: NDArray[np.float64]

    @classmethod
    def of(cls, solid: Solid) -> "Surface":
        """Cover all parts of a solid."""
        return cls(np.concatenate([cover(p) for p in solid.parts]))

    @cached_property
    def low(self) -> NDArray[np.float64]:
        """Lower corner (3,) of the axis-aligned bounds."""
        return self.points.min(0)

    @cached_property
    def high(self) -> NDArray[np.float64]:
        """Upper corner (3,) of the axis-aligned bounds."""
        return self.points.max(0)

    @cached_property
    def tree(self) -> cKDTree:
        """All points, searchable."""
        return cKDTree(self.points, balanced_tree=False, compact_nodes=False)

    @cached_property
    def coarse(self) -> NDArray[np.float64]:
        """About 160 of the points, for distances that need no centimetres."""
        return self.points[:: max(1, len(self.points) // _COARSE)]

    def bounds_gap(self, other: "Surface") -> float:
        """Distance of the axis-aligned bounds, m: never more than that of the surfaces."""
        gap = np.maximum(0.0, np.maximum(self.low - other.high, other.low - self.high))
        return float(np.linalg.norm(gap))

    def distance(self, other: "Surface", exact_below_m: float = 0.75) -> float:
        """Shortest distance, m; beyond `exact_below_m` from a coarse cover (some centimetres too long)."""
        rough = float(np.sqrt(cdist(self.coarse, other.coarse, "sqeuclidean").min()))
        if self.bounds_gap(other) > exact_below_m:
            return rough
        a, b = self._near(other, rough), other._near(self, rough)
        if not len(a) or not len(b):
            return rough
        small, large = (a, other) if len(a) <= len(b) else (b, self)
        found, _ = large.tree.query(small, distance_upper_bound=rough + 1e-9)
        return float(min(rough, found.min()))

    def _near(self, other: "Surface", reach: float) -> NDArray[np.float64]:
        low, high = other.low - reach, other.high + reach
        return self.points[((self.points >= low) & (self.points <= high)).all(1)]

    def top_under(self, corners: NDArray[np.float64], margin_m: float = 0.02) -> float:
        """Highest own point under a convex footprint (K, 2), counter-clockwise, widened by a margin; -inf when none."""
        inside = np.ones(len(self.points), bool)
        for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            edge = b - a
            normal = np.array([-edge[1], edge[0]]) / (np.linalg.norm(edge) + 1e-12)
            inside &= (self.points[:, :2] - a) @ normal > -margin_m
        return float(self.points[inside, 2].max()) if inside.any() else -np.inf

    def moved(self, by: NDArray[np.float64]) -> "Surface":
        """The same points shifted."""
        return Surface(self.points + by)
