"""Probabilities of the geometric predicates when the positions of boxes are Gaussian.

Only the displacement d = centre(a) - centre(b) is uncertain; with independent positions its covariance is the sum of
both. Every predicate is then a region of d, and its probability the Gaussian mass of that region:

    directions      four sectors of a ring in the viewer's plane: closed form (gaussian_mass.polygon_mass)
    near, touching  the Minkowski sum of both boxes, grown by the threshold: height by quadrature, plane in closed form;
                    in closed form altogether where the heights overlap for certain, as of people beside each other
    above, on       the displacements of enough common footprint form a convex polygon; height in strata as above
    inside          likewise, with the footprint that the height leaves to be asked for

Against sampling, errors stay below 0.04 (test_probabilities.py) unless the height explains nearly all of the doubt in
the plane. Pairs that are more than 4.5 standard deviations from a region get 0 without work. Unknown (NaN) positions
give NaN.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from or_spatial.errors import GeometryError
from or_spatial.geometry.boxes import OrientedBox
from or_spatial.geometry.gaussian_mass import height_nodes, polygon_masses
from or_spatial.geometry.rectangles import RectanglePairs
from or_spatial.geometry.relation_rules import DEFAULT_RULES, PREDICATES, RelationRules

_FAR = 4.5  # standard deviations
_LEVEL = 4.0  # standard deviations by which heights overlap for certain: at most 6e-5 of the mass lies elsewhere
_NEGLIGIBLE = 1e-7
_LEFT, _RIGHT, _FRONT, _BEHIND, _ABOVE, _BELOW, _ON, _INSIDE, _NEAR, _TOUCHING = range(len(PREDICATES))


@dataclass(frozen=True, eq=False)
class GaussianBox:
    """A box whose centre is uncertain with `covariance` (3, 3), m^2, in the room.

    Raises:
        GeometryError: a covariance that is not (3, 3) or has a negative variance.
    """

    box: OrientedBox
    covariance: NDArray[np.float64]

    def __post_init__(self) -> None:
        covariance = np.array(self.covariance, dtype=np.float64)
        if covariance.shape != (3, 3) or (np.diag(covariance) < 0).any():
            raise GeometryError(f"a position covariance is (3, 3) with variances >= 0, got {covariance.tolist()}")
        covariance.setflags(write=False)
        object.__setattr__(self, "covariance", covariance)


def probabilities(
    a: GaussianBox, b: GaussianBox, viewer_from_room: ArrayLike, rules: RelationRules = DEFAULT_RULES
) -> dict[str, float]:
    """Probability of each predicate from a to b. For more than one pair, `all_pairs_probabilities` is far faster."""
    table = all_pairs_probabilities(
        np.stack([a.box.center, b.box.center]),
        np.stack([a.covariance, b.covariance]),
        np.stack([a.box.size, b.box.size]),
        np.array([a.box.yaw, b.box.yaw]),
        viewer_from_room,
        rules,
    )
    return dict(zip(PREDICATES, table[0, 1].tolist(), strict=True))


def all_pairs_probabilities(
    centers: ArrayLike,
    covariances: ArrayLike,
    sizes: ArrayLike,
    yaws: ArrayLike,
    viewer_from_room: ArrayLike,
    rules: RelationRules = DEFAULT_RULES,
    wanted: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """(N, N, 10) probabilities of `PREDICATES` from row to column.

    Args:
        centers: (N, 3), m, room. covariances: (N, 3, 3), m^2. sizes: (N, 3), m, full extents. yaws: (N,), rad.
        viewer_from_room: (3, 3), see `transforms.levelled_viewer`.
        wanted: (N, N), the unordered pairs to work out (either order counts); all when None.

    Returns:
        The table; zero on the diagonal, NaN for pairs of which a number is unknown or that are not wanted.
    """
    centers, covariances, sizes, yaws = (np.asarray(v, np.float64) for v in (centers, covariances, sizes, yaws))
    count = len(centers)
    table = np.full((count, count, len(PREDICATES)), np.nan)
    table[np.arange(count), np.arange(count)] = 0.0
    known = np.isfinite(np.concatenate([centers, covariances.reshape(count, 9), sizes, yaws[:, None]], 1)).all(1)
    asked = np.triu(known[:, None] & known[None], 1)
    i, j = np.nonzero(asked if wanted is None else asked & (wanted | wanted.T))
    pairs = _Pairs(
        centers[i] - centers[j],
        covariances[i] + covariances[j],
        sizes[i],
        sizes[j],
        RectanglePairs.of(0.5 * sizes[i, :2], yaws[i], 0.5 * sizes[j, :2], yaws[j]),
    )
    there, back = np.zeros((2, len(i), len(PREDICATES)))
    _in_plane(pairs, np.asarray(viewer_from_room, np.float64), rules, there, back)
    _closeness(pairs, rules, there, back)
    _stacking(pairs, rules, there, back)
    _containment(pairs, rules, there, back)
    table[i, j], table[j, i] = there, back
    return table


@dataclass(frozen=True)
class _Pairs:
    """P unordered pairs: Gaussian of d (P, 3), (P, 3, 3), full sizes (P, 3) of both, and their footprints."""

    mean: NDArray
    covariance: NDArray
    size_a: NDArray
    size_b: NDArray
    rectangles: RectanglePairs

    def __getitem__(self, which: NDArray) -> "_Pairs":
        parts = (self.mean, self.covariance, self.size_a, self.size_b, self.rectangles)
        return _Pairs(*(part[which] for part in parts))

    def __len__(self) -> int:
        return len(self.mean)

    @cached_property
    def reach(self) -> NDArray:
        """Half the sum of the heights (P,): the d_z at which one box stands on the other."""
        return 0.5 * (self.size_a[:, 2] + self.size_b[:, 2])

    @cached_property
    def level(self) -> NDArray:
        """Whether the heights overlap for certain (P,), so that the distance is that of the footprints."""
        return self.reach - np.abs(self.mean[:, 2]) >= _LEVEL * np.sqrt(self.covariance[:, 2, 2])

    @cached_property
    def slack(self) -> NDArray:
        """How far the horizontal d may stray, (P,), m: along the longest axis of its ellipse."""
        x, y, xy = self.covariance[:, 0, 0], self.covariance[:, 1, 1], self.covariance[:, 0, 1]
        return _FAR * np.sqrt(0.5 * (x + y) + np.hypot(0.5 * (x - y), xy))

    @cached_property
    def gap(self) -> NDArray:
        """The least distance (P,) that the footprints may have, m; below 0 where they may well overlap."""
        return self.rectangles.distance(self.mean[:, :2]) - self.slack

    def planar(self, which: NDArray) -> tuple[NDArray, NDArray]:
        """Mean (Q, 1, 2) and covariance (Q, 1, 2, 2) of the horizontal d of some pairs, whatever its height."""
        return self.mean[which, None, :2], self.covariance[which, None, :2, :2]

    def heights(self, *stretches: tuple[NDArray, NDArray, int]) -> tuple[NDArray, NDArray]:
        """Quadrature over stretches [low, high] (P,) of d_z with so many nodes each: heights and weights (P, K)."""
        low, high, counts = zip(*stretches, strict=True)
        return height_nodes(np.stack(low, 1), np.stack(high, 1), self.mean[:, 2], self.covariance[:, 2, 2], counts)

    def masses(self, *parts: tuple[NDArray, NDArray, NDArray]) -> list[NDArray]:
        """Weight times planar mass (P, K) of polygons (P, K or 1, V, 2) at heights with weights (P, K) each."""
        tilt = self.covariance[:, :2, 2] / np.maximum(self.covariance[:, 2, 2], 1e-12)[:, None]
        planar = self.covariance[:, :2, :2] - tilt[:, :, None] * self.covariance[:, None, :2, 2]
        asked, places = [], []
        for polygons, heights, weights in parts:
            p, k = np.nonzero(weights > _NEGLIGIBLE)
            mean = self.mean[p, :2] + tilt[p] * (heights[p, k] - self.mean[p, 2])[:, None]
            asked.append((polygons[p, k if polygons.shape[1] > 1 else 0], mean, planar[p]))
            places.append((p, k))
        results = [np.zeros(weights.shape) for _, _, weights in parts]
        for result, (_, _, weights), at, mass in zip(results, parts, places, polygon_masses(*asked), strict=True):
            result[at] = mass * weights[at]
        return results


def _in_plane(pairs: _Pairs, viewer: NDArray, rules: RelationRules, there: NDArray, back: NDArray) -> None:
    """What needs no height: the directions, and the closeness of pairs that are level; all polygons in one go."""
    ahead = np.flatnonzero(np.sqrt((pairs.mean[:, :2] ** 2).sum(1)) <= rules.farthest_m + pairs.slack)
    touch, close = (np.flatnonzero(pairs.level & (pairs.gap <= d)) for d in (rules.touching_m, rules.near_m))
    turn, (mean, covariance) = viewer[:2, :2], pairs.planar(ahead)
    sectors, touching, near = polygon_masses(
        (_sectors(rules), mean @ turn.T, turn @ covariance @ turn.T),
        (pairs.rectangles[touch].mitred(np.full((len(touch), 1), rules.touching_m)), *pairs.planar(touch)),
        (pairs.rectangles[close].rounded(np.full((len(close), 1), rules.near_m)), *pairs.planar(close)),
    )
    there[ahead[:, None], [_RIGHT, _BEHIND, _LEFT, _FRONT]] = sectors
    back[ahead[:, None], [_LEFT, _FRONT, _RIGHT, _BEHIND]] = sectors
    for table in (there, back):
        table[touch, _TOUCHING] = touching[:, 0]
        table[close, _NEAR] = near[:, 0]


@cache
def _sectors(rules: RelationRules) -> NDArray:
    """Four quarter rings (4, V, 2) around +x, +y, -x, -y; chords stand for arcs and enclose the same area."""
    outer = _arc(rules.farthest_m, 5)
    inner = _arc(rules.nearest_m, 3)[::-1]
    quarter = np.concatenate([outer, inner])
    turns = np.array([[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]]], dtype=np.float64)
    return np.einsum("sij,vj->svi", turns, quarter)


def _arc(radius: float, chords: int) -> NDArray:
    step = 0.5 * np.pi / chords
    angles = np.linspace(-0.25 * np.pi, 0.25 * np.pi, chords + 1)
    return radius * np.sqrt(step / np.sin(step)) * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _closeness(pairs: _Pairs, rules: RelationRules, there: NDArray, back: NDArray) -> None:
    """near and touching of the pairs that are not level; then near of all becomes what it means: but not touching."""
    steep = np.flatnonzero(~pairs.level & (pairs.gap <= rules.near_m))
    if len(steep):
        part = pairs[steep]
        touching, near = part.masses(
            _surface_within(part, rules.touching_m, RectanglePairs.mitred),
            _surface_within(part, rules.near_m, RectanglePairs.rounded),
        )
        for table in (there, back):
            table[steep, _TOUCHING], table[steep, _NEAR] = touching.sum(axis=1), near.sum(axis=1)
    for table in (there, back):
        table[:, _NEAR] = np.maximum(table[:, _NEAR] - table[:, _TOUCHING], 0.0)


def _surface_within(
    pairs: _Pairs, distance_m: float, grown: Callable[[RectanglePairs, NDArray], NDArray]
) -> tuple[NDArray, NDArray, NDArray]:
    """Polygons, heights and weights of the displacements whose surface distance is at most `distance_m`."""
    reach = pairs.reach
    heights, weights = pairs.heights(
        (-reach - distance_m, -reach, 2), (-reach, reach, 5), (reach, reach + distance_m, 2)
    )
    gap = np.maximum(np.abs(heights) - reach[:, None], 0.0)
    radius = np.sqrt(np.maximum(distance_m**2 - gap**2, 0.0))
    return grown(pairs.rectangles, radius), heights, weights


def _stacking(pairs: _Pairs, rules: RelationRules, there: NDArray, back: NDArray) -> None:
    highest = np.abs(pairs.mean[:, 2]) + _FAR * np.sqrt(pairs.covariance[:, 2, 2])
    some = np.flatnonzero((pairs.gap <= 0.0) & (highest >= pairs.reach - rules.sink_m))
    if not len(some):
        return
    pairs = pairs[some]
    smaller = np.minimum(pairs.size_a[:, :2].prod(1), pairs.size_b[:, :2].prod(1))
    polygons = pairs.rectangles.level_polygon(rules.overlap * smaller[:, None])
    reach, contact, sink = pairs.reach, rules.contact_m, max(rules.sink_m, rules.contact_m)
    never = np.full_like(reach, np.inf)
    upward = (
        (reach - contact, reach + contact, 3),
        (reach - sink, reach - contact, 1),
        (reach + contact, never, 4),
    )
    downward = ((-high, -low, count) for low, high, count in upward)
    [mass] = pairs.masses((polygons, *pairs.heights(*upward, *downward)))
    for one, other, start in ((there, back, 0), (back, there, 8)):
        one[some, _ON] = mass[:, start : start + 3].sum(axis=1)
        one[some, _ABOVE] = mass[:, start + 3 : start + 8].sum(axis=1)
        other[some, _BELOW] = np.minimum(mass[:, start : start + 8].sum(axis=1), 1.0)


def _containment(pairs: _Pairs, rules: RelationRules, there: NDArray, back: NDArray) -> None:
    """Probability that one box lies in the other; only pairs that could at all are worked on."""
    shared = pairs.reach - np.abs(pairs.mean[:, 2]) + _FAR * np.sqrt(pairs.covariance[:, 2, 2])  # height at most
    areas = [size[:, 0] * size[:, 1] for size in (pairs.size_a, pairs.size_b)]
    least = np.minimum(areas[0] * pairs.size_a[:, 2], areas[1] * pairs.size_b[:, 2])
    over = np.flatnonzero((pairs.gap <= 0.0) & (shared * np.minimum(*areas) >= rules.inside * least))
    if not len(over):
        return
    pairs = pairs[over]
    height = np.minimum(np.minimum(pairs.size_a[:, 2], pairs.size_b[:, 2]), shared[over])
    most = height * pairs.rectangles.largest_overlap(pairs.mean[:, :2], pairs.slack)
    for table, size in ((there, pairs.size_a), (back, pairs.size_b)):
        volume = size.prod(axis=1)
        some = np.flatnonzero((most >= rules.inside * volume) & (volume > 0))
        if len(some):
            common = pairs.rectangles[some].overlap_area(np.zeros((len(some), 1, 2)))[:, 0]
            enough = common * height[some] >= rules.inside * volume[some]
            some, common = some[enough], common[enough]
        if len(some):
            table[over[some], _INSIDE] = _inside(pairs[some], size[some], common, rules.inside)


def _inside(pairs: _Pairs, size: NDArray, common: NDArray, fraction: float) -> NDArray:
    """Probability (P,) that at least `fraction` of the box of that size lies in the other; `common` when concentric."""
    least = fraction * size.prod(axis=1)  # of volume to be shared
    full = 0.5 * np.abs(pairs.size_b[:, 2] - pairs.size_a[:, 2])  # |d_z| up to which no height is lost
    last = np.maximum(pairs.reach - least / common, full)
    heights, weights = pairs.heights((-last, -full, 2), (-full, full, 3), (full, last, 2))
    shared = np.minimum(pairs.reach[:, None] - np.abs(heights), np.minimum(pairs.size_a, pairs.size_b)[:, 2:])
    polygons = pairs.rectangles.level_polygon(least[:, None] / np.maximum(shared, 1e-9))
    return pairs.masses((polygons, heights, weights))[0].sum(axis=1)
