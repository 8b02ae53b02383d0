"""Two clouds of one room find each other: exact answers for the NumPy path, Open3D's beside it where it is there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from or_spatial.errors import GeometryError, MissingDependency
from or_spatial.geometry.icp import icp, normals_of
from or_spatial.geometry.transforms import apply, invert, pose_matrix


def corner_of_a_room(rng, count=3000):
    """Floor, two walls and a table: (N, 3), m, at random places of their surfaces."""
    uv = rng.uniform(0, 1, (4, count // 4, 2))
    zero = np.zeros(count // 4)
    floor = np.column_stack([4 * uv[0, :, 0], 3 * uv[0, :, 1], zero])
    wall = np.column_stack([4 * uv[1, :, 0], zero, 2.5 * uv[1, :, 1]])
    other = np.column_stack([zero, 3 * uv[2, :, 0], 2.5 * uv[2, :, 1]])
    table = np.column_stack([1 + 2 * uv[3, :, 0], 1 + 0.6 * uv[3, :, 1], zero + 0.9])
    return np.concatenate([floor, wall, other, table])


def motion(turn, shift):
    return pose_matrix(Rotation.from_rotvec(turn).as_matrix(), shift)


def apart(a, b):
    """m at a point 2 m from the corner, and rad."""
    middle = np.array([2.0, 1.5, 1.0])
    return np.linalg.norm(apply(a, middle) - apply(b, middle)), Rotation.from_matrix(
        (invert(a) @ b)[:3, :3]
    ).magnitude()


def test_the_normal_of_a_floor_is_upright():
    rng = np.random.default_rng(1)
    floor = np.column_stack([rng.uniform(-2, 2, (200, 2)), np.zeros(200)])
    np.testing.assert_allclose(np.abs(normals_of(floor)[:, 2]), 1.0, atol=1e-9)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_a_start_that_is_off_by_a_hand_and_some_degrees_is_brought_home(seed):
    """The two clouds are different points of the same surfaces, as two cameras sample them."""
    rng = np.random.default_rng(seed)
    T = motion(rng.normal(0, 1, 3), rng.uniform(-3, 3, 3))
    source, target = apply(invert(T), corner_of_a_room(rng)), corner_of_a_room(rng)
    off = motion(rng.normal(0, 0.03, 3), rng.normal(0, 0.05, 3))
    found = icp(source, target, off @ T, reach_m=0.4)
    shift_m, turn_rad = apart(found.target_from_source, T)
    assert shift_m < 0.01 and turn_rad < 0.005
    assert found.overlap > 0.95
    assert found.rms_m < 0.05


def test_noise_and_what_only_one_side_sees_move_it_little():
    rng = np.random.default_rng(5)
    T = motion((0.3, -0.2, 0.9), (1.0, 0.4, -0.2))
    person = rng.uniform((1.2, 2.0, 0.0), (1.7, 2.4, 1.7), (400, 3))
    seen = np.concatenate([corner_of_a_room(rng), person])
    source = apply(invert(T), seen + rng.normal(0, 0.01, seen.shape))
    found = icp(source, corner_of_a_room(rng) + rng.normal(0, 0.01, (3000, 3)), motion((0, 0, 0.03), (0.05, 0, 0)) @ T)
    shift_m, turn_rad = apart(found.target_from_source, T)
    assert shift_m < 0.01 and turn_rad < 0.005


def test_a_single_wall_leaves_a_direction_open():
    rng = np.random.default_rng(2)
    wall = np.column_stack([rng.uniform(0, 4, (500, 2)), np.zeros(500)])
    with pytest.raises(GeometryError, match="direction open"):
        icp(wall, wall, np.eye(4))


def test_clouds_far_from_each_other_are_refused():
    rng = np.random.default_rng(2)
    cloud = corner_of_a_room(rng)
    with pytest.raises(GeometryError, match="first guess is too far off"):
        icp(cloud, cloud, motion((0, 0, 0), (0, 0, 30.0)))


def test_a_handful_of_points_and_an_unknown_backend_are_refused():
    with pytest.raises(GeometryError, match="at least 50 points"):
        icp(np.eye(3), np.eye(3), np.eye(4))
    with pytest.raises(ValueError, match="numpy, open3d"):
        icp(np.eye(3), np.eye(3), np.eye(4), backend="pcl")


def test_open3d_and_numpy_give_the_same_answer():
    pytest.importorskip("open3d", reason="the Open3D path needs the extra: pip install open3d", exc_type=ImportError)
    rng = np.random.default_rng(4)
    T = motion((0.3, -0.2, 0.9), (1.0, 0.4, -0.2))
    source, target = apply(invert(T), corner_of_a_room(rng)), corner_of_a_room(rng)
    start = motion((0.01, 0.0, 0.03), (0.05, 0.02, 0.0)) @ T
    ours, theirs = (icp(source, target, start, backend=b).target_from_source for b in ("numpy", "open3d"))
    shift_m, turn_rad = apart(ours, theirs)
    assert shift_m < 0.01 and turn_rad < 0.005


def test_without_open3d_the_message_says_what_to_do():
    try:
        import open3d  # noqa: F401
    except ImportError:
        cloud = corner_of_a_room(np.random.default_rng(1))
        with pytest.raises(MissingDependency, match="--icp numpy"):
            icp(cloud, cloud, np.eye(4), backend="open3d")
    else:
        pytest.skip("Open3D is installed here")
