"""The filters against what they promise: exact moments, consistency of doubt, and which mode explains what."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from or_spatial.perception import kalman, motion_modes
from or_spatial.perception.association import GATE, assign, pair_cost
from or_spatial.perception.labels import Labels
from or_spatial.perception.motion_modes import Modes
from or_spatial.perception.tracker_config import MOTIONS, driving_of, motion_of
from or_spatial.scene import Category, load_vocabulary

CONSTANT = np.array([np.inf])


def state(velocity, spread=0.1):
    mean = np.array([[1.0, 2.0, 0.8, *velocity]])
    return mean, np.array([np.diag([spread] * 3 + [0.04] * 3)])


def test_convention_position_before_velocity_and_half_a_second_of_walking():
    mean, P = kalman.predict(*state((1.0, -0.5, 0.0)), 0.5, np.zeros((1, 3)), CONSTANT)
    np.testing.assert_allclose(mean[0], [1.5, 1.75, 0.8, 1.0, -0.5, 0.0])
    assert P[0, 0, 0] == pytest.approx(0.1 + 0.25 * 0.04)
    assert P[0, 0, 3] == pytest.approx(0.5 * 0.04)


def test_a_fading_velocity_carries_only_so_far():
    mean, _ = kalman.predict(*state((1.0, 0.0, 0.0)), 60.0, np.zeros((1, 3)), np.array([2.0]))
    assert mean[0, 0] == pytest.approx(1.0 + 2.0)
    assert mean[0, 3] == pytest.approx(0.0, abs=1e-9)


@given(st.integers(1, 20))
def test_doubt_grows_the_same_whatever_the_frame_rate(steps):
    once = kalman.predict(*state((0.4, 0.0, 0.0)), 1.0, np.full((1, 3), 0.7), CONSTANT)
    many = state((0.4, 0.0, 0.0))
    for _ in range(steps):
        many = kalman.predict(*many, 1.0 / steps, np.full((1, 3), 0.7), CONSTANT)
    np.testing.assert_allclose(many[1], once[1], atol=1e-9)


def test_a_measurement_is_weighed_by_the_two_doubts():
    mean, P, likelihood = kalman.update(
        *state((0.0, 0.0, 0.0), spread=0.09), np.array([[1.4, 2.0, 0.8]]), 0.03 * np.eye(3)[None]
    )
    assert mean[0, 0] == pytest.approx(1.0 + 0.4 * 0.09 / 0.12)
    assert P[0, 0, 0] == pytest.approx(0.09 * 0.03 / 0.12)
    assert likelihood[0] == pytest.approx(-0.5 * (0.4**2 / 0.12 + 3 * np.log(0.12)))


def test_a_covariance_stays_symmetric_and_positive_over_minutes_at_thirty_hertz():
    mean, P = state((0.0, 0.0, 0.0), spread=25.0)
    P[0, 0, 1] = P[0, 1, 0] = 24.99
    noise = np.array([[[2e-3, 1.9e-3, 0.0], [1.9e-3, 2e-3, 0.0], [0.0, 0.0, 25.0]]])
    for _ in range(30 * 360):
        mean, P = kalman.predict(mean, P, 1 / 30, np.full((1, 3), 1e-4), CONSTANT)
        mean, P, _ = kalman.update(mean, P, mean[:, :3], noise)
        assert np.linalg.eigvalsh(P[0]).min() > 0.0
    np.testing.assert_array_equal(P, P.transpose(0, 2, 1))


@given(arrays(np.float64, (4, 3, 3), elements=st.floats(-1, 1)))
def test_three_by_three_matrices_are_inverted_as_by_lapack(roots):
    matrices = roots @ roots.transpose(0, 2, 1) + 1e-3 * np.eye(3)
    inverse, determinant = kalman.invert(matrices)
    np.testing.assert_allclose(inverse, np.linalg.inv(matrices), rtol=1e-6, atol=1e-6 * np.abs(inverse).max())
    np.testing.assert_allclose(np.log(determinant), np.linalg.slogdet(matrices)[1], atol=1e-6)


def play(velocity_of, seconds=8.0, hz=5.0, sigma_m=0.1, seed=0):
    """A person followed by the modes: rows of (time, error of position, estimated velocity, weight of moving, NEES)."""
    rng = np.random.default_rng(seed)
    driving = driving_of([MOTIONS[Category.PERSON]])
    at = np.array([0.5, -0.3, 0.85])
    modes = Modes.stack([Modes.born(at, sigma_m**2 * np.eye(3))])
    rows = []
    for i in range(round(seconds * hz)):
        at = at + velocity_of(i / hz) / hz
        modes = motion_modes.predict(modes, 1.0 / hz, driving)
        seen = at + rng.normal(0.0, sigma_m, 3)
        modes = motion_modes.update(modes, seen[None], sigma_m**2 * np.eye(3)[None])
        mean, P = (v[0] for v in modes.combined())
        error = mean[:3] - at
        rows.append(
            (i / hz, np.linalg.norm(error), mean[3:], modes.weights[0, 1], error @ np.linalg.solve(P[:3, :3], error))
        )
    return rows


STANDING = np.zeros(3)
WALKING = np.array([0.48, -0.64, 0.0])  # 0.8 m/s


def test_somebody_standing_is_found_to_stand():
    speeds = [np.linalg.norm(v) for s in range(5) for t, _, v, _, _ in play(lambda t: STANDING, seed=s) if t > 1.0]
    assert np.percentile(speeds, 95) < 0.15


def test_somebody_who_starts_to_walk_is_followed_within_a_second():
    delays = []
    for seed in range(5):
        rows = play(lambda t: WALKING if t >= 3.0 else STANDING, seed=seed)
        delays.append(next(t for t, _, v, _, _ in rows if t >= 3.0 and v @ WALKING / 0.8 > 0.4) - 3.0)
    assert np.max(delays) <= 1.0


def test_somebody_who_stops_is_at_rest_within_a_second_and_a_half():
    for seed in range(5):
        rows = play(lambda t: WALKING if t < 3.0 else STANDING, seed=seed)
        assert all(np.linalg.norm(v) < 0.3 for t, _, v, _, _ in rows if t > 4.5)


def test_the_claimed_doubt_is_that_of_the_errors():
    """Mean normalised squared error of three degrees of freedom is 3 for an honest filter; people here both stand and
    walk, so half of the truth lies between the modes."""
    nees = [
        n for s in range(10) for t, _, _, _, n in play(lambda t: WALKING if 3 <= t < 5 else STANDING, seed=s) if t > 1
    ]
    assert 2.0 < np.mean(nees) < 4.0


@given(st.floats(0.01, 30.0), st.floats(-3.0, 3.0))
def test_weights_stay_probabilities_and_doubt_stays_positive(dt_s, jump_m):
    modes = Modes.stack([Modes.born(np.zeros(3), 0.01 * np.eye(3))] * 2)
    driving = driving_of([MOTIONS[Category.PERSON], motion_of("patient", Category.PERSON)])
    for _ in range(3):
        modes = motion_modes.predict(modes, dt_s, driving)
        modes = motion_modes.update(modes, np.full((2, 3), jump_m), 0.01 * np.eye(3)[None].repeat(2, 0))
    np.testing.assert_allclose(modes.weights.sum(1), 1.0)
    assert (np.linalg.eigvalsh(modes.covariances) > 0).all()


def test_the_nearest_pairs_as_a_whole_win_over_the_greedy_ones():
    cost = np.array([[1.0, 2.0], [1.5, 9.0]])
    assert sorted(assign(cost)) == [(0, 1), (1, 0)]


def test_pairs_out_of_reach_are_never_made():
    assert assign(np.array([[np.inf, 3.0], [np.inf, 1.0], [np.inf, np.inf]])) == [(1, 1)]
    assert assign(np.full((2, 3), np.inf)) == []
    assert assign(np.zeros((0, 4))) == []


def test_the_gate_stands_at_five_standard_deviations():
    P = 0.02 * np.eye(3)[None]
    edge = np.sqrt(GATE * 0.04)
    there = np.array([[edge - 0.01, 0, 0], [edge + 0.01, 0, 0]])
    cost = pair_cost(np.zeros((1, 3)), P, there, np.repeat(P, 2, 0), np.ones((1, 2)))
    assert np.isfinite(cost).tolist() == [[True, False]]


def test_a_vague_track_does_not_take_what_a_sure_one_expects():
    covariances = np.stack([0.0025 * np.eye(3), 1.0 * np.eye(3)])
    places, here = np.array([[0.1, 0, 0], [0.05, 0, 0.0]]), np.zeros((1, 3))
    cost = pair_cost(places, covariances, here, 0.0025 * np.eye(3)[None], np.ones((2, 1)))
    assert cost[0, 0] < cost[1, 0]


def test_another_label_costs_and_another_kind_forbids():
    P = 0.02 * np.eye(3)[None]
    same, kin, none = (
        pair_cost(np.zeros((1, 3)), P, np.zeros((1, 3)), P, np.array([[a]]))[0, 0] for a in (1.0, 0.15, 0.0)
    )
    assert kin - same == pytest.approx(-2 * np.log(0.15))
    assert none == np.inf


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("person", "person", 1.0),
        ("drill", "saw", 0.15),
        ("person", "patient", 0.04),
        ("person", "lamp", 0.0),
        ("gizmo", "widget", 1.0),
        ("gizmo", "saw", 0),
    ],
)
def test_how_well_labels_agree(a, b, expected):
    labels = Labels(load_vocabulary())
    agreement = labels.agreement(labels.belief(a, None)[None], labels.belief(b, None)[None])
    assert agreement[0, 0] == pytest.approx(expected)


def test_scores_are_taken_as_belief_where_they_are_usable():
    labels = Labels(load_vocabulary())
    scores = np.zeros(15)
    scores[[11, 12]] = (0.6, 0.2)
    np.testing.assert_allclose(labels.belief("drill", scores)[[11, 12]], (0.75, 0.25))
    assert labels.belief("drill", np.full(15, np.nan))[11] == 1.0
    assert labels.belief("drill", np.ones(3))[11] == 1.0
