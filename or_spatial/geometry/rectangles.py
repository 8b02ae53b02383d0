"""Pairs of rectangles in the plane, many at once: their Minkowski sum, distance and overlap.

Every function takes P pairs. A pair is two rectangles a and b with half extents (P, 2) and headings (P,), rad, and
the displacement d = centre(a) - centre(b). Rectangles are centrally symmetric, so whether they touch depends only on
whether d lies in the Minkowski sum of both placed at the origin: an octagon whose edges are those of a and b in turn
(de Berg et al., Computational Geometry, 3rd ed., 13.3). Lengths in metres.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

_NUDGE = 1e-7  # m: rectangle b grows by this much, so that shared edges are not counted for both
_LAST = 8  # steps of a grid along a ray: after two grids the reach is known to 1 %, usually to 0.02 %
_GRID = np.linspace(0.0, 1.0, _LAST + 1)


@dataclass(frozen=True)
class RectanglePairs:
    """P pairs brought to a common form: b's heading lies within a quarter turn ahead of a's.

    `vertices` (P, 8, 2): the octagon, counter-clockwise; `normals` (P, 8, 2) and `lengths` (P, 8): outward, of the edge
    that leaves the vertex of the same index; `turns` (P, 8): angle between the edges that meet at a vertex, rad.
    `half_a`, `half_b` (P, 2); `heading` (P,) of a and `offset` (P,) of b ahead of a, in [0, pi/2).
    """

    half_a: NDArray[np.float64]
    half_b: NDArray[np.float64]
    heading: NDArray[np.float64]
    offset: NDArray[np.float64]
    vertices: NDArray[np.float64]
    normals: NDArray[np.float64]
    lengths: NDArray[np.float64]
    turns: NDArray[np.float64]

    @classmethod
    def of(cls, half_a: NDArray, yaw_a: NDArray, half_b: NDArray, yaw_b: NDArray) -> "RectanglePairs":
        """Build from half extents (P, 2) and headings (P,)."""
        quarters = np.floor((yaw_b - yaw_a) / (np.pi / 2))
        offset = (yaw_b - yaw_a) - quarters * (np.pi / 2)
        half_b = np.where((quarters % 2 == 1)[:, None], half_b[:, ::-1], half_b)
        angles = np.stack([yaw_a, yaw_a + offset, yaw_a + np.pi / 2, yaw_a + offset + np.pi / 2], axis=1)
        lengths = 2 * np.stack([half_a[:, 0], half_b[:, 0], half_a[:, 1], half_b[:, 1]], axis=1)
        directions = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        edges = lengths[..., None] * directions
        first = -0.5 * edges.sum(axis=1, keepdims=True)
        quarter = first + np.concatenate([np.zeros_like(first), np.cumsum(edges[:, :3], axis=1)], axis=1)
        normals = np.stack([directions[..., 1], -directions[..., 0]], axis=-1)
        turns = np.stack([np.pi / 2 - offset, offset] * 4, axis=1)
        return cls(
            half_a,
            half_b,
            np.asarray(yaw_a, dtype=np.float64),
            offset,
            np.concatenate([quarter, -quarter], axis=1),
            np.concatenate([normals, -normals], axis=1),
            np.concatenate([lengths, lengths], axis=1),
            turns,
        )

    def __getitem__(self, which: NDArray) -> "RectanglePairs":
        """The pairs chosen by an index or mask."""
        return RectanglePairs(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def distance(self, d: NDArray) -> NDArray[np.float64]:
        """Distance (P,) between the rectangles displaced by d (P, 2), m; 0 where they touch or overlap."""
        x, y = d[:, :1] - self.vertices[..., 0], d[:, 1:] - self.vertices[..., 1]
        normal_x, normal_y = self.normals[..., 0], self.normals[..., 1]
        above = x * normal_x + y * normal_y  # of each edge's line; along it the edge goes from 0 to its length
        along = y * normal_x - x * normal_y
        beyond = along - np.minimum(np.maximum(along, 0.0), self.lengths)
        gaps2 = (above * above + beyond * beyond).min(axis=1)
        return np.where(above.max(axis=1) > 0, np.sqrt(gaps2), 0.0)

    def overlap_area(self, d: NDArray) -> NDArray[np.float64]:
        """Area (P, K), m^2, common to the rectangles displaced by d (P, K, 2).

        Green's theorem over the boundary of the intersection: the parts of a's edges inside b, and of b's inside a.
        """
        x, y = _turn(-d[..., 0], -d[..., 1], -self.heading[:, None])  # centre of b in a's frame
        u, v = _turn(-x, -y, -self.offset[:, None])  # centre of a in b's frame
        edges_a, edges_b = self._edges
        area = edges_a.inside(u, v, edges_a.cross) + edges_b.inside(x, y, edges_b.swept(x, y))
        return np.maximum(area, 0.0)

    def largest_overlap(self, d: NDArray, slack: NDArray) -> NDArray[np.float64]:
        """An upper bound (P,) of the common area, m^2, of rectangles displaced by d (P, 2) give or take `slack` (P,).

        b counts as its bounding box along the edges of a.
        """
        c, s = np.abs(np.cos(self.offset))[:, None], np.abs(np.sin(self.offset))[:, None]
        half_b = c * self.half_b + s * self.half_b[:, ::-1]
        apart = np.abs(np.stack(_turn(d[:, 0], d[:, 1], -self.heading), axis=1)) - slack[:, None]
        shared = np.minimum(self.half_a + half_b - apart, 2 * np.minimum(self.half_a, half_b))
        return np.maximum(shared, 0.0).prod(axis=1)

    @cached_property
    def _edges(self) -> "tuple[_Edges, _Edges]":
        """a's edges in b's frame (with the cross products of a's own) and b's edges in a's frame."""
        grown = self.half_b + _NUDGE
        xa, ya = _corners(self.half_a)
        xb, yb = _turn(*_corners(grown), self.offset[:, None])
        edges_a = _Edges.of(*_turn(xa, ya, -self.offset[:, None]), grown)
        return edges_a, _Edges.of(xb, yb, self.half_a)

    def level_polygon(self, area: NDArray) -> NDArray[np.float64]:
        """Displacements (P, L, 16, 2) at which the overlap falls to `area` (P, L), m^2: vertices, counter-clockwise.

        The set of displacements with at least that overlap is convex (Brunn-Minkowski) and symmetric; it is described
        by its reach along 16 rays. All zero where even concentric rectangles overlap less.
        """
        middles = 0.5 * (self.vertices + np.roll(self.vertices, -1, axis=1))
        rays = np.stack([self.vertices, middles], axis=2).reshape(len(area), 1, 16, 2)[:, :, :8]
        reach = self._reach(rays, np.sqrt(area)[..., None])[..., None] * rays
        return np.concatenate([reach, -reach], axis=2)

    def _reach(self, rays: NDArray, target: NDArray) -> NDArray:
        """Fractions (P, L, 8) of the rays (P, 1, 8, 2) at which the root of the overlap falls to `target` (P, L, 1).

        Along a ray that root is concave and falls to zero at the octagon: looked up on a grid, then on a finer one
        within the step where it passes the target, and on the chord in there.
        """
        low, step = np.zeros(np.broadcast_shapes(rays.shape[:-1], target.shape)), 1.0
        for _ in range(2):
            at = low[..., None] + step * _GRID
            where = (at[..., None] * rays[..., None, :]).reshape(len(rays), -1, 2)
            root = np.sqrt(self.overlap_area(where)).reshape(at.shape)
            passed = np.maximum((root >= target[..., None]).sum(-1, keepdims=True), 1)
            over, under = (np.take_along_axis(root, k, -1)[..., 0] for k in (passed - 1, np.minimum(passed, _LAST)))
            low, step = low + step * _GRID[passed[..., 0] - 1], step / _LAST
        share = np.minimum(np.maximum((over - target) / np.maximum(over - under, 1e-12), 0.0), 1.0)
        return np.where(root[..., 0] >= target, np.minimum(low + step * share, 1.0), 0.0)

    def mitred(self, radius: NDArray) -> NDArray[np.float64]:
        """The octagon with every edge moved outward by `radius` (P, K): polygons (P, K, 8, 2); for small radii."""
        middle = np.roll(self.normals, 1, axis=1) + self.normals
        middle *= (2 / (middle * middle).sum(-1))[..., None]
        return self.vertices[:, None] + radius[..., None, None] * middle[:, None]

    def rounded(self, radius: NDArray) -> NDArray[np.float64]:
        """The octagon grown by `radius` (P, K), as polygons (P, K, 40, 2).

        Each arc becomes four chords whose inner corners are moved out until the arc's area is kept.
        """
        step = np.maximum(self.turns / 4, 1e-9)
        stretch = 0.5 * (np.sqrt(1 + 8 * step / np.sin(step)) - 1)  # of s^2 + s = 2 step / sin(step)
        before = np.roll(self.normals, 1, axis=1)
        arcs = [stretch[..., None] * np.stack(_turn(before[..., 0], before[..., 1], k * step), -1) for k in (1, 2, 3)]
        outward = np.stack([before, *arcs, self.normals], axis=2).reshape(-1, 1, 40, 2)
        return np.repeat(self.vertices, 5, axis=1)[:, None] + radius[..., None, None] * outward


@dataclass(frozen=True)
class _Edges:
    """Four edges of a polygon against a rectangle at the origin that they are displaced from; arrays (P, 1, 4).

    An edge starts at (`x`, `y`) with step 1 / `inverse`; `wide_*` is the parameter it needs to cross half the slab.
    """

    x: NDArray
    y: NDArray
    inverse_x: NDArray
    inverse_y: NDArray
    wide_x: NDArray
    wide_y: NDArray
    cross: NDArray
    step_x: NDArray
    step_y: NDArray

    @classmethod
    def of(cls, x: NDArray, y: NDArray, half: NDArray) -> "_Edges":
        """Edges between corners (P, 4) in the frame of the rectangle (P, 2)."""
        following_x, following_y = np.roll(x, -1, axis=1), np.roll(y, -1, axis=1)
        step_x, step_y = following_x - x, following_y - y
        inverse_x, inverse_y = (1 / np.where(np.abs(s) < 1e-12, 1e-12, s) for s in (step_x, step_y))
        wide_x, wide_y = half[:, :1] * np.abs(inverse_x), half[:, 1:] * np.abs(inverse_y)
        cross = x * following_y - y * following_x
        parts = (x, y, inverse_x, inverse_y, wide_x, wide_y, cross, step_x, step_y)
        return cls(*(part[:, None] for part in parts))

    def swept(self, x: NDArray, y: NDArray) -> NDArray:
        """Cross products (P, K, 4) of the edges after a displacement by (x, y) (P, K)."""
        return self.cross + x[..., None] * self.step_y - y[..., None] * self.step_x

    def inside(self, x: NDArray, y: NDArray, cross: NDArray) -> NDArray:
        """Green's integral over the parts of the edges, displaced by (x, y) (P, K), that lie in the rectangle."""
        across = -(x[..., None] + self.x) * self.inverse_x
        along = -(y[..., None] + self.y) * self.inverse_y
        start = np.maximum(np.maximum(across - self.wide_x, along - self.wide_y), 0.0)
        stop = np.minimum(np.minimum(across + self.wide_x, along + self.wide_y), 1.0)
        return 0.5 * (np.maximum(stop - start, 0.0) * cross).sum(axis=-1)


def _turn(x: NDArray, y: NDArray, angle: NDArray) -> tuple[NDArray, NDArray]:
    c, s = np.cos(angle), np.sin(angle)
    return c * x - s * y, s * x + c * y


def _corners(half: NDArray) -> tuple[NDArray, NDArray]:
    """Corners (P, 4) of rectangles (P, 2), counter-clockwise from the lower left."""
    return half[:, :1] * np.array([-1.0, 1.0, 1.0, -1.0]), half[:, 1:] * np.array([-1.0, -1.0, 1.0, 1.0])
