"""Where a person stands whose boxes these are: the most probable torso, its doubt, and how well the boxes fit it.

Each edge of each box is one measurement. Seen from the camera, left and right edge pass the torso at half a width,
the upper edge cuts the person's axis above it, the lower edge where the feet are, unless something covers that side:
then the edge may lie anywhere in the image. So every edge is a mixture of a Gaussian and "hidden", and the torso is
found by Gauss-Newton with the responsibilities of the mixture as weights (expectation-maximisation). One box alone is
placed by what people's heights and widths have in common; every further camera adds its edges to the same sum.

Sources: Hartley and Zisserman, Multiple View Geometry, 2nd ed., ch. 12 (triangulation as least squares in the image);
Bishop, Pattern Recognition and Machine Learning, ch. 4.4 (Laplace's approximation) and 9.4 (EM).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.perception.box_views import BoxView
from or_spatial.perception.person_shape import PersonShape

Array = NDArray[np.float64]

_STEPS = 12
_LONGEST_STEP_M = 0.5
_ARRIVED_M = 5e-4
_BORDER_PX = 4.0  # an edge this near to the image's border is cut off there and says nothing
_DIFFERENCE_M = 1e-4
_LOOSE_M = 5.0  # so weak a prior about the start that it only keeps a hopeless case from running away
_FARTHEST_M = 12.0
_LOG_2PI = float(np.log(2.0 * np.pi))
_NOWHERE = -1e3  # log of the likelihood of a place behind the camera


@dataclass(frozen=True, eq=False)
class Placed:
    """N persons: `torsos` (N, 3) m in the room, `covariances` (N, 3, 3) m^2, `log_evidence` (N,).

    The evidence is the logarithm of the boxes' density per px^4 and box, integrated over all places under a density of
    one person per m^2.
    """

    torsos: Array
    covariances: Array
    log_evidence: Array

    def __len__(self) -> int:
        return len(self.torsos)

    @classmethod
    def none(cls) -> "Placed":
        """Nobody."""
        return cls(np.zeros((0, 3)), np.zeros((0, 3, 3)), np.zeros(0))

    def take(self, rows: NDArray[np.int64]) -> "Placed":
        """These persons alone, in this order."""
        return Placed(self.torsos[rows], self.covariances[rows], self.log_evidence[rows])


def place(chosen: NDArray[np.int64], views: Sequence[BoxView], shape: PersonShape) -> Placed:
    """Place N persons, each by one box of some of C cameras.

    Args:
        chosen: (N, C), the place of the person's box in each view, -1 where that camera has none of it; a person
            without any box is an error of the caller and comes back with a singular covariance.
        views: C cameras.
        shape: what boxes of people look like.
    """
    return place_together(chosen, place_alone(views, shape), views, shape)


def place_alone(views: Sequence[BoxView], shape: PersonShape) -> Placed:
    """Every box of every view by itself, view after view: from its upper edge or its width, whichever explains more."""
    starts = [np.concatenate([way(view, shape) for view in views]) for way in (_by_top, _by_width)]
    count = len(starts[0])
    both = _refine(np.concatenate(starts), _Edges.of(np.tile(single_choices(views), (2, 1)), views, shape))
    better = np.arange(count) + count * (both.log_evidence[count:] > both.log_evidence[:count])
    return both.take(better)


def single_choices(views: Sequence[BoxView]) -> NDArray[np.int64]:
    """(all boxes, C): the rows of `chosen` that hold one box each, view after view."""
    sizes = [len(view) for view in views]
    chosen = np.full((sum(sizes), len(views)), -1, dtype=np.int64)
    owner = np.repeat(np.arange(len(views)), sizes)
    chosen[np.arange(len(owner)), owner] = [i for n in sizes for i in range(n)]
    return chosen


def place_together(chosen: NDArray[np.int64], alone: Placed, views: Sequence[BoxView], shape: PersonShape) -> Placed:
    """As `place`, from what `place_alone` found for the same views."""
    chosen = np.asarray(chosen, dtype=np.int64).reshape(-1, len(views))
    return _refine(_start(chosen, alone, views), _Edges.of(chosen, views, shape))


def _by_top(view: BoxView, shape: PersonShape) -> Array:
    """(B, 3) torsos of people of usual height whose upper box edge is the top of their head."""
    pixels = np.stack([view.boxes[:, [0, 2]].mean(1), view.boxes[:, 1]], axis=-1)
    rays = _room_rays(view, pixels)
    eye = view.room_from_camera[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = (shape.torso_height_m + shape.top_m - eye[2]) / rays[:, 2]
        found = eye + reach[:, None] * rays
        sane = (reach > 0) & (np.linalg.norm(found - eye, axis=1) < _FARTHEST_M)
    return np.where(sane[:, None], found - (0.0, 0.0, shape.top_m), _by_width(view, shape))


def _by_width(view: BoxView, shape: PersonShape) -> Array:
    """(B, 3) torsos at the distance where a person's width fills the box."""
    widths = view.boxes[:, 2] - view.boxes[:, 0]
    depth = (2.0 * shape.half_width_m * view.camera.fx / widths).clip(0.3, _FARTHEST_M)
    pixels = np.stack([view.boxes[:, [0, 2]].mean(1), view.boxes[:, 1] + 0.8 * widths], axis=-1)
    return view.room_from_camera[:3, 3] + depth[:, None] * _room_rays(view, pixels)


def _room_rays(view: BoxView, pixels: Array) -> Array:
    """Rays (B, 3) in the room, scaled to one metre along the optical axis; the axis itself where a lens has none."""
    rays = view.camera.unproject(pixels, 1.0)
    rays = np.where(np.isfinite(rays).all(-1, keepdims=True), rays, (0.0, 0.0, 1.0))
    return rays @ view.room_from_camera[:3, :3].T


def _start(chosen: NDArray[np.int64], alone: Placed, views: Sequence[BoxView]) -> Array:
    """(N, 3): each person's boxes placed by themselves, weighed by their information."""
    first = np.cumsum([0, *(len(view) for view in views)])[:-1]
    W = np.linalg.inv(alone.covariances)
    W = np.concatenate([W, np.zeros((1, 3, 3))])  # the last row stands for "no box"
    pulls = np.concatenate([(W[:-1] @ alone.torsos[..., None])[..., 0], np.zeros((1, 3))])
    rows = np.where(chosen >= 0, chosen + first, len(alone))
    return np.linalg.solve(W[rows].sum(1) + 1e-9 * np.eye(3), pulls[rows].sum(1)[..., None])[..., 0]


def _refine(torsos: Array, edges: "_Edges") -> Placed:
    """Gauss-Newton from a start (N, 3); see the module."""
    start = torsos
    for _ in range(_STEPS):
        information, pull = edges.normal_equations(torsos, start)
        step = np.linalg.solve(information, pull[..., None])[..., 0]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        torsos = torsos + step * np.minimum(1.0, _LONGEST_STEP_M / np.maximum(length, 1e-12))
        if not length.max(initial=0.0) > _ARRIVED_M:
            break
    information, _ = edges.normal_equations(torsos, start)
    covariances = np.linalg.inv(information)
    volume = 0.5 * (3 * _LOG_2PI + np.linalg.slogdet(covariances)[1])
    return Placed(torsos, covariances, edges.log_likelihood(torsos) + volume)


@dataclass(frozen=True, eq=False)
class _Edges:
    """The edges of N persons in C views: `measured` (N, C, 4) px, NaN where there is none or it is cut off."""

    measured: Array
    views: Sequence[BoxView]
    shape: PersonShape

    @classmethod
    def of(cls, chosen: NDArray[np.int64], views: Sequence[BoxView], shape: PersonShape) -> "_Edges":
        measured = np.full((len(chosen), len(views), 4), np.nan)
        for c, view in enumerate(views):
            rows = np.flatnonzero(chosen[:, c] >= 0)
            measured[rows, c] = uncut_edges(view)[chosen[rows, c]]
        return cls(measured, views, shape)

    def log_likelihood(self, torsos: Array) -> Array:
        """(N,): log density of all edges and of the height at torsos (N, 3)."""
        expected, spreads = self._expected(torsos)
        seen, hidden = self._edge_terms(self.measured - expected, spreads)
        each = np.where(np.isfinite(self.measured), np.logaddexp(seen, hidden), 0.0)
        return each.sum((1, 2)) + np.logaddexp(*self._height_terms(torsos))

    def normal_equations(self, torsos: Array, start: Array) -> tuple[Array, Array]:
        """Information (N, 3, 3) and pull (N, 3) at torsos (N, 3): weights are the chance that an edge is not hidden."""
        expected, spreads, J = self._linearised(torsos)
        residuals = self.measured - expected
        seen, hidden = self._edge_terms(residuals, spreads)
        known = np.isfinite(residuals)
        weights = np.where(known, np.exp(seen - np.logaddexp(seen, hidden)) / spreads**2, 0.0)
        flat = (len(torsos), 4 * len(self.views))
        J = np.where(known[..., None], J, 0.0).reshape(*flat, 3)
        weighted = np.swapaxes(J * weights.reshape(*flat, 1), 1, 2)
        information = weighted @ J + np.eye(3) / _LOOSE_M**2
        pull = (weighted @ np.where(known, residuals, 0.0).reshape(*flat, 1))[..., 0]
        pull += (start - torsos) / _LOOSE_M**2
        usual, odd = self._height_terms(torsos)
        grip = np.exp(usual - np.logaddexp(usual, odd)) / self.shape.torso_height_spread_m**2
        information[:, 2, 2] += grip
        pull[:, 2] += grip * (self.shape.torso_height_m - torsos[:, 2])
        return information, pull

    def _expected(self, torsos: Array) -> tuple[Array, Array]:
        """Expected edges and their spreads, both (N, C, 4), px; NaN edges behind a camera."""
        s = self.shape
        found = [expected_edges(torsos, view, s) for view in self.views]
        spread_m = np.array([s.side_spread_m, s.top_spread_m, s.side_spread_m, s.foot_spread_m])
        spreads = np.hypot(np.stack([px for _, px in found], 1)[..., None] * spread_m, s.jitter_px)
        return np.stack([edges for edges, _ in found], 1), np.where(np.isfinite(spreads), spreads, 1.0)

    def _linearised(self, torsos: Array) -> tuple[Array, Array, Array]:
        """Expected edges and spreads (N, C, 4), and how the edges move with the torso (N, C, 4, 3), px per m."""
        moved = torsos + np.concatenate([np.zeros((1, 3)), np.eye(3) * _DIFFERENCE_M])[:, None]
        expected, spreads = self._expected(moved.reshape(-1, 3))
        expected = expected.reshape(4, *self.measured.shape)
        return expected[0], spreads[: len(torsos)], np.moveaxis(expected[1:] - expected[0], 0, -1) / _DIFFERENCE_M

    def _edge_terms(self, residuals: Array, spreads: Array) -> tuple[Array, Array]:
        """Log densities (N, C, 4) of an edge that is seen and of one that is hidden."""
        s = self.shape
        hidden = np.array([s.hidden_side, s.hidden_top, s.hidden_side, s.hidden_bottom])
        extent = np.array([[v.camera.width, v.camera.height] * 2 for v in self.views])
        gauss = -0.5 * (residuals / spreads) ** 2 - np.log(spreads) - 0.5 * _LOG_2PI
        gauss = np.where(np.isfinite(residuals), gauss, _NOWHERE)
        return np.log1p(-hidden) + gauss, np.broadcast_to(np.log(hidden / extent), gauss.shape)

    def _height_terms(self, torsos: Array) -> tuple[Array, Array]:
        """Log densities (N,), per m, of a usual height and of any height between floor and 2 m."""
        s = self.shape
        off = (torsos[:, 2] - s.torso_height_m) / s.torso_height_spread_m
        usual = -0.5 * off**2 - np.log(s.torso_height_spread_m) - 0.5 * _LOG_2PI
        possible = (torsos[:, 2] > 0.0) & (torsos[:, 2] < 2.0)
        odd = np.where(possible, np.log(s.posture_outlier / 2.0), _NOWHERE)
        return usual + np.log1p(-s.posture_outlier), odd


def expected_edges(torsos: Array, view: BoxView, shape: PersonShape) -> tuple[Array, Array]:
    """Edges (N, 4) px of the boxes of people with torsos (N, 3) m in the room, and px per metre (N,) at them.

    Not cut at the image's border; NaN for people who are not in front of the camera.
    """
    torsos = np.asarray(torsos, dtype=np.float64).reshape(-1, 3)
    T, camera = view.camera_from_room, view.camera
    inside = torsos @ T[:3, :3].T + T[:3, 3]
    up = T[:3, 2]  # the room's z in the optical frame
    aside = np.array([shape.half_width_m, 0.0, 0.0])
    feet = inside + (shape.foot_m - torsos[:, 2:]) * up
    points = np.stack([inside - aside, inside + shape.top_m * up, inside + aside, feet], axis=1)
    pixels = camera.project(points)
    depth = np.where(inside[:, 2] > 0.05, inside[:, 2], np.nan)
    edges = np.stack([pixels[:, 0, 0], pixels[:, 1, 1], pixels[:, 2, 0], pixels[:, 3, 1]], axis=-1)
    return np.where(np.isfinite(depth)[:, None], edges, np.nan), camera.fx / depth


def uncut_edges(view: BoxView) -> Array:
    """The view's boxes (B, 4), NaN for the edges at the image's border."""
    far = np.array([view.camera.width, view.camera.height]) - 1.0 - _BORDER_PX
    cut = np.concatenate([view.boxes[:, :2] < _BORDER_PX, view.boxes[:, 2:] > far], axis=1)
    return np.where(cut, np.nan, view.boxes)
