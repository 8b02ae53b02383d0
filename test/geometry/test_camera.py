"""Projection, its inverse, and the lens; OpenCV is the second opinion."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from or_spatial.errors import GeometryError
from or_spatial.geometry.camera import Camera

K = np.array([[412.0, 0.0, 331.5], [0.0, 398.0, 170.25], [0.0, 0.0, 1.0]])
LENSES = {
    "none": (),
    "four": (-0.21, 0.06, 0.0011, -0.0007),
    "brown": (-0.28, 0.11, 0.001, -0.002, -0.02),
    "rational": (0.52, -2.4, 0.0004, -0.0002, 1.4, 0.4, -2.2, 1.3),  # of the size an Azure Kinect reports
}

metres = st.floats(-1.2, 1.2)


@pytest.fixture(params=LENSES, ids=str)
def camera(request):
    return Camera(K, 640, 360, LENSES[request.param])


@given(x=metres, y=metres, z=st.floats(0.3, 9.0))
def test_a_point_comes_back_from_its_pixel_and_depth(x, y, z):
    camera = Camera(K, 640, 360, LENSES["brown"])
    point = np.array([0.4 * x * z, 0.25 * y * z, z])
    np.testing.assert_allclose(camera.unproject(camera.project(point), z), point, atol=1e-7)


def test_projection_agrees_with_opencv(camera):
    points = np.random.default_rng(3).uniform((-1.0, -0.6, 1.2), (1.1, 0.7, 6.0), (200, 3))
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), camera.K, np.array(camera.distortion))
    np.testing.assert_allclose(camera.project(points), expected[:, 0], atol=1e-9)


def test_undistortion_agrees_with_opencv(camera):
    pixels = np.random.default_rng(4).uniform((5.0, 5.0), (630.0, 350.0), (200, 2))
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-12)
    expected = cv2.undistortPoints(
        pixels[:, None], camera.K, np.array(camera.distortion or [0.0] * 4), criteria=criteria
    )
    np.testing.assert_allclose(camera.unproject(pixels, 1.0)[:, :2], expected[:, 0], atol=1e-6)


def test_every_pixel_of_a_strong_lens_projects_back_onto_itself(camera):
    rays = camera.pixel_rays()
    grid = np.stack(np.meshgrid(np.arange(640), np.arange(360)), -1)
    np.testing.assert_allclose(camera.project(rays), grid, atol=1e-4)


def test_convention_pixel_zero_is_the_centre_of_the_top_left_pixel():
    camera = Camera.from_fov(4, 3, np.pi / 2)
    assert (camera.cx, camera.cy) == (1.5, 1.0)
    left_edge = camera.unproject([-0.5, 1.0], 1.0)  # the left edge of the image lies half a pixel outside pixel 0
    np.testing.assert_allclose(np.arctan(left_edge[0]), -np.pi / 4)


def test_convention_depth_is_along_z_not_along_the_ray():
    point = Camera(K, 640, 360).unproject([331.5 + 412.0, 170.25], 2.0)
    np.testing.assert_allclose(point, [2.0, 0.0, 2.0])


def test_convention_x_is_right_and_y_is_down():
    np.testing.assert_allclose(Camera(K, 640, 360).project([0.5, 0.25, 1.0]), [331.5 + 206.0, 170.25 + 99.5])


def test_scaling_moves_the_pixel_centre_by_half_a_pixel():
    half = Camera(K, 640, 360).scaled(320, 90)
    assert half.fx == 206.0 and half.fy == 99.5
    # The centre of the new pixel (0, 0) is the corner between four old ones: (0.5, 1.5) with steps of 2 and 4.
    np.testing.assert_allclose(half.unproject([0.0, 0.0], 1.0), Camera(K, 640, 360).unproject([0.5, 1.5], 1.0))


def test_points_behind_the_camera_have_no_pixel(camera):
    assert np.isnan(camera.project([[0.1, 0.2, -1.0], [0.1, 0.2, 0.0]])).all()


def test_a_nan_depth_gives_a_nan_point(camera):
    points = camera.unproject([[10.0, 20.0], [30.0, 40.0]], [np.nan, 2.0])
    assert np.isnan(points[0]).all() and np.isfinite(points[1]).all()


def test_cameras_of_the_same_numbers_are_equal_and_hash_alike():
    one, two = Camera(K, 640, 360, (0.1, 0.0, 0.0, 0.0)), Camera(K.copy(), 640, 360, [0.1, 0.0, 0.0, 0.0])
    assert one == two and hash(one) == hash(two) and one != Camera(K, 640, 360)


@pytest.mark.parametrize(
    ("K_", "size", "lens", "said"),
    [
        (np.zeros((3, 3)), (640, 360), (), "calibrated"),
        (np.full((3, 3), np.nan), (640, 360), (), "positive"),
        (np.eye(4), (640, 360), (), r"\(3, 3\)"),
        (K + np.array([[0, 2.0, 0], [0, 0, 0], [0, 0, 0]]), (640, 360), (), "skew"),
        (K, (0, 360), (), "size"),
        (K, (640, 360), (0.1, 0.2, 0.3), "coefficients"),
        (K, (640, 360), (0.1, np.nan, 0.3, 0.0), "finite"),
    ],
)
def test_an_impossible_camera_says_why(K_, size, lens, said):
    with pytest.raises(GeometryError, match=said):
        Camera(K_, *size, lens)


def test_a_field_of_view_in_degrees_is_refused():
    with pytest.raises(GeometryError, match="degrees"):
        Camera.from_fov(640, 360, 70.0)
