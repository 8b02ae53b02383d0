"""The rigid motion between two sets of points: exact answers, outliers, honest doubt, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from or_spatial.errors import GeometryError
from or_spatial.geometry.rigid_fit import fit_rigid, fit_rigid_robustly
from or_spatial.geometry.transforms import apply, invert, pose_matrix

seeds = st.integers(0, 2**32 - 1)
angles = st.floats(-3.1, 3.1)


def motion(turn, shift=(0.7, -1.9, 0.4)):
    return pose_matrix(Rotation.from_rotvec(turn).as_matrix(), shift)


def turn_between(a, b):
    return Rotation.from_matrix((invert(a) @ b)[:3, :3]).magnitude()


def test_convention_a_point_east_that_goes_north_is_a_quarter_turn_to_the_left():
    T = fit_rigid([(1, 0, 0), (0, 0, 0.3)], [(0, 1, 0), (0, 0, 0.3)], about_z=True)
    np.testing.assert_allclose(T[:3, :3], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-12)


@given(seeds, st.tuples(angles, angles, angles), st.integers(3, 30))
def test_a_motion_is_found_exactly_whatever_the_weights(seed, turn, count):
    rng = np.random.default_rng(seed)
    a, T = rng.uniform(-3, 3, (count, 3)), motion(turn)
    found = fit_rigid(a, apply(T, a), rng.uniform(0.1, 5.0, count))
    np.testing.assert_allclose(found, T, atol=1e-6)


@given(seeds, angles)
def test_a_motion_about_z_keeps_up_upright_even_when_the_points_are_tilted(seed, yaw):
    rng = np.random.default_rng(seed)
    a = rng.uniform(-3, 3, (8, 3))
    b = apply(motion((0, 0, yaw)), a) + rng.normal(0, 0.2, a.shape)
    found = fit_rigid(a, b, about_z=True)
    np.testing.assert_allclose(found[2, :3], (0, 0, 1), atol=1e-12)
    assert np.linalg.det(found[:3, :3]) == pytest.approx(1.0)


def test_mirrored_points_get_a_rotation_and_no_mirror():
    a = np.array([(0.0, 0, 0), (2, 0, 0), (0, 1, 0), (0, 0, 0.5)])
    assert np.linalg.det(fit_rigid(a, a * (1, 1, -1))[:3, :3]) == pytest.approx(1.0)


@given(seeds)
def test_half_of_the_pairs_may_be_wrong(seed):
    rng = np.random.default_rng(seed)
    a, T = rng.uniform(-3, 3, (80, 3)), motion((0.2, -0.4, 2.0))
    b = apply(T, a) + rng.normal(0, 0.02, a.shape)
    wrong = np.arange(80) < 40
    b[wrong] += rng.choice([-1, 1], (40, 3)) * rng.uniform(1.0, 3.0, (40, 3))
    found = fit_rigid_robustly(a, b, 0.15, rng)
    assert (found.inliers == ~wrong).mean() > 0.95
    assert turn_between(found.target_from_source, T) < 0.02
    assert found.rms_m == pytest.approx(0.02 * np.sqrt(3), rel=0.3)


def test_the_doubt_that_is_told_is_the_error_that_is_made():
    errors, told = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        a, T = rng.uniform(-2, 2, (30, 3)) * (1, 1, 0.3), motion((0.1, 0.2, 1.0))
        b = apply(T, a) + rng.normal(0, 0.1, a.shape)
        found = fit_rigid_robustly(a, b, 10.0, rng, rounds=5)
        errors.append(turn_between(found.target_from_source, T))
        told.append(found.turn_sigma_rad)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.mean(told), rel=0.15)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ([(0, 0, 0), (1, 1, 0)], "3 points or more"),
        ([(0, 0, 0), (1, 1, 0), (2, 2, 0), (5, 5, 0)], "one line"),
        ([(0, 0, 0), (1, 1, np.nan), (2, 0, 0)], "NaN"),
        ([(0, 0), (1, 1), (2, 0)], r"\(N, 3\)"),
    ],
)
def test_points_that_leave_the_motion_open_are_refused(source, said):
    with pytest.raises(GeometryError, match=said):
        fit_rigid(source, source)


def test_points_above_each_other_leave_a_yaw_open():
    with pytest.raises(GeometryError, match="upright line"):
        fit_rigid([(1, 1, 0), (1, 1, 2)], [(1, 1, 0), (1, 1, 2)], about_z=True)


def test_weights_that_are_none_are_refused():
    with pytest.raises(GeometryError, match="weights"):
        fit_rigid(np.eye(3), np.eye(3), [1.0, -1.0, 1.0])


def test_points_of_which_no_four_move_together_are_refused():
    rng = np.random.default_rng(3)
    with pytest.raises(GeometryError, match="no motion"):
        fit_rigid_robustly(rng.uniform(-3, 3, (12, 3)), rng.uniform(-3, 3, (12, 3)), 1e-3, rng)
