"""Which geometric predicates hold between oriented boxes, one pair or all pairs of a room at once.

Convention
    ordered pair    `a p b` reads "a is p b": a left_of b means that a stands to the left of b
    displacement    d = centre(a) - centre(b) in the levelled viewer frame (x right, y away, z up), m
    in_front_of     nearer to the viewer than b (d_y < 0)
    Worked out: b at the origin, viewer looking along room +y, a at (-0.6, 0.5, 0): |dx| wins, a is left_of b

Probabilities of the same predicates under doubt live in `probabilities` and are re-exported here.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from or_spatial.geometry.boxes import OrientedBox
from or_spatial.geometry.probabilities import GaussianBox, all_pairs_probabilities, probabilities
from or_spatial.geometry.rectangles import RectanglePairs
from or_spatial.geometry.relation_rules import CONVERSE, DEFAULT_RULES, DIRECTIONAL, PREDICATES, RelationRules

__all__ = [
    "CONVERSE",
    "DEFAULT_RULES",
    "DIRECTIONAL",
    "PREDICATES",
    "GaussianBox",
    "RelationRules",
    "all_pairs_hold",
    "all_pairs_probabilities",
    "holds",
    "probabilities",
]


def holds(
    a: OrientedBox, b: OrientedBox, viewer_from_room: ArrayLike, rules: RelationRules = DEFAULT_RULES
) -> frozenset[str]:
    """The predicates that hold from a to b, seen by `viewer_from_room` (3, 3)."""
    centers, sizes = np.stack([a.center, b.center]), np.stack([a.size, b.size])
    table = all_pairs_hold(centers, sizes, np.array([a.yaw, b.yaw]), viewer_from_room, rules)
    return frozenset(name for name, true in zip(PREDICATES, table[0, 1], strict=True) if true)


def all_pairs_hold(
    centers: ArrayLike,
    sizes: ArrayLike,
    yaws: ArrayLike,
    viewer_from_room: ArrayLike,
    rules: RelationRules = DEFAULT_RULES,
) -> NDArray[np.bool_]:
    """(N, N, 10) table of `PREDICATES` from row to column, for boxes (N, 3), (N, 3), (N,) in the room.

    The diagonal is False, and so is every pair with a number that is not finite.
    """
    centers, sizes, yaws = (np.asarray(v, dtype=np.float64) for v in (centers, sizes, yaws))
    count = len(centers)
    table = np.zeros((count, count, len(PREDICATES)), dtype=bool)
    known = np.isfinite(centers).all(1) & np.isfinite(sizes).all(1) & np.isfinite(yaws)
    first, second = np.nonzero(~np.eye(count, dtype=bool) & known[:, None] & known[None])
    pairs = RectanglePairs.of(0.5 * sizes[first, :2], yaws[first], 0.5 * sizes[second, :2], yaws[second])
    d = centers[first] - centers[second]
    ahead = _directions(d @ np.asarray(viewer_from_room, dtype=np.float64).T, rules)
    surface = _surface(pairs, d, sizes[first], sizes[second], rules)
    table[first, second] = np.concatenate([ahead, surface], axis=1)
    below = PREDICATES.index("below")
    table[..., below] = (table[..., PREDICATES.index("above")] | table[..., PREDICATES.index("on")]).T
    return table


def _directions(d: NDArray, rules: RelationRules) -> NDArray[np.bool_]:
    """left_of, right_of, in_front_of, behind of displacements (P, 3) in the viewer frame."""
    x, y = d[:, 0], d[:, 1]
    reach = np.hypot(x, y)
    meant = (reach >= rules.nearest_m) & (reach <= rules.farthest_m)
    sideways = meant & (np.abs(x) >= np.abs(y))
    depthwise = meant & ~sideways
    return np.stack([sideways & (x < 0), sideways & (x > 0), depthwise & (y < 0), depthwise & (y > 0)], axis=1)


def _surface(pairs: RectanglePairs, d: NDArray, size_a: NDArray, size_b: NDArray, rules: RelationRules) -> NDArray:
    """above, below (left False), on, inside, near, touching of room displacements (P, 3)."""
    reach = 0.5 * (size_a[:, 2] + size_b[:, 2])
    gap = np.maximum(np.abs(d[:, 2]) - reach, 0.0)
    distance = np.hypot(pairs.distance(d[:, :2]), gap)
    area = pairs.overlap_area(d[:, None, :2])[:, 0]
    area_a, area_b = size_a[:, :2].prod(1), size_b[:, :2].prod(1)
    covers = (area >= rules.overlap * np.minimum(area_a, area_b) - 1e-12) & (area > 0)
    lift = d[:, 2] - reach  # bottom(a) - top(b)
    on = covers & (np.abs(lift) <= rules.contact_m)
    common = np.clip(reach - np.abs(d[:, 2]), 0.0, np.minimum(size_a[:, 2], size_b[:, 2]))
    volume = size_a.prod(1)
    return np.stack(
        [
            covers & (lift >= -rules.sink_m) & ~on,
            np.zeros_like(on),
            on,
            (area * common >= rules.inside * volume) & (volume > 0),
            (distance > rules.touching_m) & (distance <= rules.near_m),
            distance <= rules.touching_m,
        ],
        axis=1,
    )
