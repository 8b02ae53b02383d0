"""Probabilities of relations against counted samples, and the limits that they must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from or_spatial.errors import GeometryError
from or_spatial.geometry.boxes import OrientedBox
from or_spatial.geometry.gaussian_mass import height_nodes, polygon_mass, polygon_masses
from or_spatial.geometry.rectangles import RectanglePairs
from or_spatial.geometry.relation_rules import DEFAULT_RULES
from or_spatial.geometry.relations import (
    PREDICATES,
    GaussianBox,
    all_pairs_hold,
    all_pairs_probabilities,
    holds,
    probabilities,
)
from or_spatial.geometry.transforms import levelled_viewer, look_at

VIEWER = levelled_viewer(look_at([3.0, -2.0, 2.5], [0.0, 0.0, 1.0]))
KITE = np.array([[0.2, -0.1], [1.5, 0.3], [0.9, 1.2], [-0.4, 0.8]])

places = st.tuples(*[st.floats(-0.9, 0.9)] * 3)
boxes = st.builds(OrientedBox, places, st.tuples(*[st.floats(0.05, 1.0)] * 3), st.floats(-4, 4))
covariances = arrays(np.float64, (3, 3), elements=st.floats(-0.2, 0.2)).map(lambda A: A @ A.T + 5e-3 * np.eye(3))


def counted(a, b, covariance, samples=4000):
    """Frequencies of the predicates when a's centre is drawn from the covariance."""
    rng = np.random.default_rng(0)
    totals = np.zeros(len(PREDICATES))
    for chunk in np.array_split(rng.multivariate_normal(a.center, covariance, samples), samples // 40):
        centers = np.concatenate([chunk, b.center[None]])
        sizes = np.concatenate([np.tile(a.size, (len(chunk), 1)), b.size[None]])
        yaws = np.append(np.full(len(chunk), a.yaw), b.yaw)
        totals += all_pairs_hold(centers, sizes, yaws, VIEWER)[:-1, -1].sum(0)
    return totals / samples


@pytest.mark.parametrize(
    ("name", "a", "b", "sigmas"),
    [
        ("beside a table", OrientedBox([0.9, 0.7, 0.9], [0.5, 0.4, 1.8], 0.3), None, (0.15, 0.1, 0.05)),
        ("an instrument on a table", OrientedBox([0.5, 0.1, 0.85], [0.2, 0.03, 0.04], 1.1), None, (0.05, 0.04, 0.03)),
        ("a lamp over the edge", OrientedBox([0.3, 0.4, 2.0], [0.6, 0.6, 0.3], 0.0), None, (0.1, 0.2, 0.1)),
        ("parallel walls", OrientedBox([1.3, 0.2, 0.4], [0.4, 0.4, 0.8], 0.0), None, (0.2, 0.2, 0.02)),
        ("in a corner's arc", OrientedBox([1.5, 0.8, 0.4], [0.4, 0.4, 0.8], 0.0), None, (0.05, 0.05, 0.02)),
        ("in a drawer", OrientedBox([0.1, 0.1, 0.5], [0.4, 0.2, 0.2], 0.5), None, (0.1, 0.1, 0.1)),
        ("almost as large", OrientedBox([0.02, 0.0, 0.42], [1.9, 0.65, 0.75], 0.0), None, (0.05, 0.05, 0.05)),
        ("far away", OrientedBox([2.3, 0.9, 1.0], [0.4, 0.4, 1.0], 0.2), None, (0.3, 0.3, 0.3)),
    ],
)
def test_probabilities_are_the_frequencies_of_samples(name, a, b, sigmas):
    table = b or OrientedBox([0.0, 0.0, 0.4], [2.0, 0.7, 0.8], 0.0)
    mixing = np.array([[1.0, 0.4, 0.2], [0.0, 0.9, -0.3], [0.0, 0.0, 0.93]])
    covariance = (mixing * sigmas).T @ (mixing * sigmas)
    found = probabilities(GaussianBox(a, 0.4 * covariance), GaussianBox(table, 0.6 * covariance), VIEWER)
    np.testing.assert_allclose(list(found.values()), counted(a, table, covariance), atol=0.03, err_msg=name)


@settings(max_examples=15)
@given(boxes, boxes, covariances)
def test_probabilities_of_any_two_boxes_are_the_frequencies_of_samples(a, b, covariance):
    found = probabilities(GaussianBox(a, covariance), GaussianBox(b, np.zeros((3, 3))), VIEWER)
    np.testing.assert_allclose(list(found.values()), counted(a, b, covariance, 1600), atol=0.08)


def shares_within(a, b, covariance, distances_m, samples=100_000):
    """Shares of samples of a's centre whose surface distance to b is at most so much, m."""
    d = np.random.default_rng(0).multivariate_normal(a.center - b.center, covariance, samples)
    halves = [np.tile(0.5 * box.size[:2], (samples, 1)) for box in (a, b)]
    pairs = RectanglePairs.of(halves[0], np.full(samples, a.yaw), halves[1], np.full(samples, b.yaw))
    height = np.maximum(np.abs(d[:, 2]) - 0.5 * (a.size[2] + b.size[2]), 0.0)
    distance = np.hypot(pairs.distance(d[:, :2]), height)
    return [(distance <= limit).mean() for limit in distances_m]


@pytest.mark.parametrize("sigma_z", [0.02, 0.12, 0.3, 0.42, 0.44, 0.7])  # heights overlap for certain up to 0.425
@pytest.mark.parametrize(("tilt", "apart_m"), [(0.0, 0.7), (0.8, 0.7), (0.8, 0.5), (-0.6, 1.1)])
def test_closeness_with_and_without_an_integral_over_height_is_the_share_of_samples(sigma_z, tilt, apart_m):
    a = OrientedBox([apart_m, 0.2, 0.85], [0.5, 0.4, 1.7], 0.4)
    b = OrientedBox([0.0, 0.0, 0.85], [0.6, 0.5, 1.7], -0.3)
    deviations = np.diag([0.15, 0.08, sigma_z])
    covariance = deviations @ np.array([[1.0, 0.3, tilt], [0.3, 1.0, 0.1], [tilt, 0.1, 1.0]]) @ deviations
    found = probabilities(GaussianBox(a, covariance), GaussianBox(b, np.zeros((3, 3))), VIEWER)
    touching, near = shares_within(a, b, covariance, (DEFAULT_RULES.touching_m, DEFAULT_RULES.near_m))
    assert found["touching"] == pytest.approx(touching, abs=0.006)
    assert found["near"] == pytest.approx(near - touching, abs=0.006)


@given(boxes, boxes, st.floats(0.0, 0.3))
def test_no_displacement_within_the_slack_has_more_overlap_than_the_bound(a, b, slack):
    pairs = RectanglePairs.of(0.5 * a.size[None, :2], np.array([a.yaw]), 0.5 * b.size[None, :2], np.array([b.yaw]))
    d = (a.center - b.center)[None, :2]
    turn = np.linspace(0.0, 2 * np.pi, 12)
    around = d[:, None] + slack * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    assert pairs.overlap_area(around).max() <= pairs.largest_overlap(d, np.array([slack]))[0] + 1e-6


def test_the_reach_of_an_overlap_is_known_to_a_hundredth():
    rng = np.random.default_rng(1)
    halves = 10 ** rng.uniform(-1.7, 0.0, (2, 300, 2))  # 2 cm to 1 m: instruments on tables, too
    pairs = RectanglePairs.of(halves[0], rng.uniform(-4, 4, 300), halves[1], rng.uniform(-4, 4, 300))
    area = pairs.overlap_area(np.zeros((300, 1, 2))) * rng.uniform(0.1, 0.95, (300, 3))
    polygons = pairs.level_polygon(area)
    for scale, sign in ((0.99, 1), (1.011, -1)):
        overlap = pairs.overlap_area((scale * polygons).reshape(300, -1, 2)).reshape(300, 3, 16)
        assert (sign * (overlap - area[..., None]) >= -1e-9).all()


@given(boxes, boxes)
def test_certain_positions_give_what_holds(a, b):
    sure = np.zeros((3, 3))
    found = probabilities(GaussianBox(a, sure), GaussianBox(b, sure), VIEWER)
    true = holds(a, b, VIEWER)
    # Chords for arcs, and a reach known to one per cent: only pairs within a centimetre of a threshold may differ.
    wrong = [p for p in PREDICATES if abs(found[p] - (p in true)) > 0.5]
    slack = [
        holds(OrientedBox(a.center + s * np.eye(3)[i], a.size, a.yaw), b, VIEWER)
        for i in range(3)
        for s in (-0.02, 0.02)
    ]
    assert all(any((p in other) != (p in true) for other in slack) for p in wrong)


@given(boxes, boxes, covariances)
def test_probabilities_keep_their_limits(a, b, covariance):
    there = probabilities(GaussianBox(a, covariance), GaussianBox(b, covariance), VIEWER)
    back = probabilities(GaussianBox(b, covariance), GaussianBox(a, covariance), VIEWER)
    assert all(-1e-9 <= p <= 1 + 1e-9 for p in there.values())
    assert sum(there[p] for p in PREDICATES[:4]) <= 1 + 1e-6
    for p, q in (("left_of", "right_of"), ("behind", "in_front_of"), ("near", "near"), ("touching", "touching")):
        assert there[p] == pytest.approx(back[q], abs=1e-5)
    assert there["below"] == pytest.approx(min(1.0, back["above"] + back["on"]), abs=0.01)


def test_an_unknown_place_gives_nan_and_leaves_the_others_alone():
    centers = np.array([[0.0, 0, 0.5], [np.nan] * 3, [0.6, 0.1, 0.5]])
    table = all_pairs_probabilities(
        centers, np.tile(0.01 * np.eye(3), (3, 1, 1)), np.full((3, 3), 0.4), np.zeros(3), VIEWER
    )
    assert np.isnan(table[0, 1]).all() and np.isnan(table[1, 2]).all() and np.isfinite(table[0, 2]).all()


@pytest.mark.parametrize("count", [0, 1])
def test_a_room_without_pairs_has_an_empty_table(count):
    table = all_pairs_probabilities(
        np.zeros((count, 3)), np.zeros((count, 3, 3)), np.ones((count, 3)), np.zeros(count), VIEWER
    )
    assert table.shape == (count, count, 10) and not table.any()


def test_a_negative_variance_is_refused():
    with pytest.raises(GeometryError, match="variances"):
        GaussianBox(OrientedBox([0, 0, 0], [1, 1, 1]), np.diag([1.0, -1.0, 1.0]))


@pytest.mark.parametrize("scale", [0.05, 0.5, 3.0])
def test_the_mass_of_a_polygon_is_the_share_of_samples_in_it(scale):
    mean, covariance = np.array([0.1, 0.2]), scale**2 * np.array([[1.0, 0.4], [0.4, 0.7]])
    points = np.random.default_rng(1).multivariate_normal(mean, covariance, 200_000)
    edges = np.roll(KITE, -1, 0) - KITE
    away = points[:, None] - KITE
    share = (edges[:, 0] * away[..., 1] - edges[:, 1] * away[..., 0] >= 0).all(1).mean()
    assert polygon_mass(KITE, mean, covariance) == pytest.approx(share, abs=0.004)


def test_polygons_asked_for_together_have_the_mass_that_each_has_alone():
    small, wide = 0.04 * np.array([[1.0, 0.4], [0.4, 0.7]]), np.array([[[4.0, 0.0], [0.0, 9.0]]])
    asked = (KITE, np.array([0.5, 0.4]), small), (3 * KITE[None, [0, 1, 2]], np.array([[0.1, -0.3]]), wide)
    together = polygon_masses(*asked)
    assert [m.shape for m in together] == [(), (1,)]
    alone = [polygon_mass(*part) for part in asked]
    np.testing.assert_allclose(np.hstack(together), np.hstack(alone), atol=1e-12)


def test_the_mass_of_the_whole_plane_is_one():
    square = 50 * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    assert polygon_mass(square, np.array([0.3, -0.2]), np.eye(2)) == pytest.approx(1.0, abs=1e-9)


def test_heights_integrate_a_parabola_within_their_stretch():
    heights, weights = height_nodes(
        np.array([[-np.inf]]), np.array([[np.inf]]), np.array([1.5]), np.array([0.04]), (8,)
    )
    assert weights.sum() == pytest.approx(1.0)
    assert (weights * heights**2).sum() == pytest.approx(1.5**2 + 0.04, abs=0.003)
