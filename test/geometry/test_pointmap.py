"""Depth images to points, points to voxels, pixels to the floor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from or_spatial.errors import GeometryError
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.floor import pixels_to_floor
from or_spatial.geometry.pointmap import point_map, voxel_downsample
from or_spatial.geometry.transforms import apply, invert, look_at

CAMERA = Camera(np.array([[31.0, 0, 16.5], [0, 29.0, 7.25], [0, 0, 1]]), 32, 18, (-0.2, 0.05, 0.001, -0.002))
metres = st.floats(-2.0, 2.0)


def test_a_wall_across_the_view_has_one_depth_and_projects_onto_its_pixels():
    points = point_map(np.full((18, 32), 2.5), CAMERA)
    np.testing.assert_allclose(points[..., 2], 2.5)
    np.testing.assert_allclose(CAMERA.project(points)[4, 9], [9.0, 4.0], atol=1e-6)  # row 4, column 9


@pytest.mark.parametrize("bad", [np.nan, 0.0, -1.0, np.inf])
def test_a_pixel_without_depth_has_no_point(bad):
    depth = np.full((18, 32), 2.0)
    depth[3, 5] = bad
    points = point_map(depth, CAMERA)
    assert np.isnan(points[3, 5]).all() and np.isfinite(np.delete(points.reshape(-1, 3), 3 * 32 + 5, 0)).all()


def test_a_depth_image_of_another_size_is_refused():
    with pytest.raises(GeometryError, match="scaled"):
        point_map(np.ones((32, 18)), CAMERA)


def test_each_voxel_keeps_the_mean_of_its_points():
    points = np.array([[0.01, 0.02, 0.03], [0.03, 0.04, 0.05], [-0.01, 0.0, 0.0], [np.nan, 0, 0]])
    np.testing.assert_allclose(voxel_downsample(points, 0.1), [[-0.01, 0, 0], [0.02, 0.03, 0.04]])


def test_no_points_make_no_voxels():
    assert voxel_downsample(np.full((4, 5, 3), np.nan), 0.1).shape == (0, 3)


def test_a_voxel_without_size_is_refused():
    with pytest.raises(GeometryError, match="positive"):
        voxel_downsample(np.zeros((1, 3)), 0.0)


@given(x=metres, y=metres, height=st.floats(0.0, 1.2))
def test_a_point_of_a_level_seen_in_the_image_is_found_again(x, y, height):
    room_from_camera = look_at([1.0, -0.5, 2.8], [0.2, 0.3, 0.0])
    seen = CAMERA.project(apply(invert(room_from_camera), [x, y, height]))
    found = pixels_to_floor(seen, CAMERA, room_from_camera, height)
    if np.isfinite(CAMERA.unproject(seen, 1.0)).all() and np.abs(seen - [16.5, 7.25]).max() < 16:
        np.testing.assert_allclose(found, [x, y, height], atol=1e-5)


def test_a_ray_to_the_horizon_meets_no_floor():
    level = look_at([0.0, 0.0, 1.5], [3.0, 0.5, 1.5])
    assert np.isnan(pixels_to_floor([16.5, 3.0], CAMERA, level)).all()
    assert np.isfinite(pixels_to_floor([16.5, 14.0], CAMERA, level)).all()


def test_a_camera_below_the_floor_is_refused():
    with pytest.raises(GeometryError, match="z up"):
        pixels_to_floor([1.0, 1.0], CAMERA, look_at([0, 0, -2.5], [0, 1, 0]))
