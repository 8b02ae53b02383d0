"""Transforms, rotations and viewers: the theorems and the conventions."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from or_spatial.errors import GeometryError
from or_spatial.geometry.transforms import (
    apply,
    invert,
    levelled_viewer,
    look_at,
    pose_matrix,
    quaternion_xyzw_from_rotation,
    rotation_from_quaternion_xyzw,
    rotation_from_yaw,
)

vectors = arrays(np.float64, 3, elements=st.floats(-4.0, 4.0))
turns = st.one_of(
    arrays(np.float64, 3, elements=st.floats(-3.2, 3.2)),
    arrays(np.float64, 3, elements=st.floats(-1e-7, 1e-7)),  # near identity, where formulas break
    st.sampled_from([np.array([np.pi, 0, 0]), np.array([0, np.pi, 0]), np.array([0, 0, np.pi])]),
)


def pose(turn, t):
    return pose_matrix(Rotation.from_rotvec(turn).as_matrix(), t)


@given(turns, vectors, vectors)
def test_the_inverse_undoes_a_transform(turn, t, p):
    T = pose(turn, t)
    np.testing.assert_allclose(apply(invert(T), apply(T, p)), p, atol=1e-9)
    np.testing.assert_allclose(invert(T) @ T, np.eye(4), atol=1e-9)


@given(turns)
def test_a_rotation_survives_its_quaternion(turn):
    R = Rotation.from_rotvec(turn).as_matrix()
    q = quaternion_xyzw_from_rotation(R)
    np.testing.assert_allclose(rotation_from_quaternion_xyzw(q), R, atol=1e-9)
    assert q[3] >= 0 and abs(np.linalg.norm(q) - 1) < 1e-12


def test_convention_quaternion_order_is_x_y_z_w():
    np.testing.assert_allclose(quaternion_xyzw_from_rotation(rotation_from_yaw(np.pi / 3)), [0, 0, 0.5, np.sqrt(0.75)])
    np.testing.assert_allclose(rotation_from_quaternion_xyzw([1, 0, 0, 0]), np.diag([1.0, -1.0, -1.0]))


def test_convention_yaw_turns_x_onto_y():
    np.testing.assert_allclose(rotation_from_yaw(np.pi / 2) @ [1, 0, 0], [0, 1, 0], atol=1e-15)


def test_the_zero_quaternion_of_an_unset_message_is_refused():
    with pytest.raises(GeometryError, match="non-zero"):
        rotation_from_quaternion_xyzw([0.0, 0.0, 0.0, 0.0])


@given(vectors, vectors)
def test_what_is_looked_at_lies_on_the_optical_axis_and_the_image_is_upright(eye, target):
    assume(np.linalg.norm(target - eye) > 0.1)
    T = look_at(eye, target)
    np.testing.assert_allclose(
        apply(invert(T), target), [0, 0, np.linalg.norm(target - eye)], atol=1e-9 * (1 + np.abs(eye).sum())
    )
    np.testing.assert_allclose(np.linalg.det(T[:3, :3]), 1.0)
    assert T[2, 1] <= 1e-9  # image down has no upward part


def test_looking_straight_down_puts_room_y_at_the_top_of_the_image():
    np.testing.assert_allclose(look_at([1, 2, 3], [1, 2, 0])[:3, 1], [0, -1, 0])


def test_a_camera_cannot_look_at_itself():
    with pytest.raises(GeometryError, match="own place"):
        look_at([1, 2, 3], [1, 2, 3])


def test_convention_viewer_has_x_right_y_away_z_up():
    viewer_from_room = levelled_viewer(look_at([4.0, 1.0, 2.6], [0.0, 1.0, 0.9]))  # looks along room -x
    np.testing.assert_allclose(viewer_from_room @ [0, 1, 0], [1, 0, 0], atol=1e-12)  # room +y is to its right
    np.testing.assert_allclose(viewer_from_room @ [-1, 0, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(viewer_from_room @ [0, 0, 1], [0, 0, 1], atol=1e-12)


@pytest.mark.parametrize("tilt_deg", [-89.0, -86.0, -80.0, 0.0, 80.0, 86.0, 89.0])
def test_the_heading_does_not_jump_when_an_upright_camera_is_tilted(tilt_deg):
    heading = np.radians(37.0)
    tilt = np.radians(tilt_deg)
    ahead = [np.cos(tilt) * np.cos(heading), np.cos(tilt) * np.sin(heading), np.sin(tilt)]
    viewer = levelled_viewer(look_at([0.3, -0.2, 1.5], np.add([0.3, -0.2, 1.5], ahead)))
    np.testing.assert_allclose(viewer[1], [np.cos(heading), np.sin(heading), 0.0], atol=1e-9)


@given(turns)
def test_every_levelled_viewer_is_a_turn_about_the_vertical(turn):
    viewer = levelled_viewer(pose(turn, np.zeros(3)))
    np.testing.assert_allclose(viewer @ viewer.T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(viewer[2], [0, 0, 1])
    assert np.linalg.det(viewer) > 0
