"""The floor says how far off a depth map is, is believed as far as it is seen, and nothing lies below it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.floor_scale import FloorScale, floor_scale, onto_floor
from or_spatial.geometry.transforms import look_at

CAMERA = Camera.from_fov(112, 64, np.radians(75.0))


def room_depth(pose: np.ndarray, table_m: float | None = None, wall_m: float = 3.5) -> np.ndarray:
    """Exact depth (h, w) of a floor, walls around it, and a tabletop of 2 m x 1 m in the middle of the room."""
    rays = CAMERA.pixel_rays() @ pose[:3, :3].T
    eye = pose[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        floor = np.where(rays[..., 2] < 0, -eye[2] / rays[..., 2], np.inf)
        walls = [(side * wall_m - eye[k]) / rays[..., k] for k in (0, 1) for side in (-1, 1)]
    depth = np.minimum(floor, np.min([np.where(w > 0, w, np.inf) for w in walls], axis=0))
    if table_m is not None:
        with np.errstate(divide="ignore"):
            top = (table_m - eye[2]) / rays[..., 2]
        at = eye + rays * top[..., None]
        on = (top > 0) & (np.abs(at[..., 0]) < 1.0) & (np.abs(at[..., 1]) < 0.5)
        depth = np.where(on, np.minimum(depth, top), depth)
    return depth


@given(
    st.floats(0.75, 1.3),
    st.floats(1.0, 2.9),
    st.floats(0.0, 2 * np.pi),
    st.one_of(st.none(), st.floats(0.7, 0.95)),
)
def test_a_wrong_scale_is_undone(scale, height_m, around, table_m):
    pose = look_at([2.6 * np.cos(around), 2.6 * np.sin(around), height_m], [0.0, 0.0, 0.2])
    found = floor_scale(scale * room_depth(pose, table_m), CAMERA, pose)
    assert found is not None
    assert found.factor == pytest.approx(1.0 / scale, rel=0.02)


@given(st.integers(0, 2**16))
def test_noise_and_holes_move_it_little(seed):
    rng = np.random.default_rng(seed)
    pose = look_at([2.4, -1.0, 2.4], [0.0, 0.0, 0.5])
    depth = 1.1 * room_depth(pose, 0.8) * np.exp(0.03 * rng.standard_normal((64, 112)))
    depth[rng.random(depth.shape) < 0.2] = np.nan
    found = floor_scale(depth, CAMERA, pose)
    assert found is not None and found.factor == pytest.approx(1 / 1.1, rel=0.025)


def test_a_camera_whose_height_nobody_knows_has_no_ruler():
    assert floor_scale(np.full((64, 112), 3.0), CAMERA, None) is None


def test_a_picture_without_floor_says_nothing():
    upwards = look_at([0.0, 0.0, 1.0], [2.0, 0.0, 2.5])
    assert floor_scale(np.full((64, 112), 3.0), CAMERA, upwards) is None
    assert floor_scale(np.full((64, 112), np.nan), CAMERA, look_at([2.0, 0.0, 2.0], [0.0, 0.0, 0.0])) is None


def test_little_floor_is_believed_little():
    assert FloorScale(1.21, 0.1).damped(0.1) == pytest.approx(1.1)
    assert FloorScale(1.21, 0.0).damped(0.1) == 1.0
    assert 1.1 < FloorScale(1.21, 0.3).damped(0.1) < 1.21


def test_open3d_finds_the_floor_at_the_same_depth():
    why = "the comparison needs the extra: pip install open3d"
    open3d = pytest.importorskip("open3d", reason=why, exc_type=ImportError)
    pose = look_at([2.4, -1.0, 2.4], [0.0, 0.0, 0.5])
    depth = 1.15 * room_depth(pose, 0.8)
    points = (CAMERA.pixel_rays() * depth[..., None]).reshape(-1, 3) @ pose[:3, :3].T
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points[points[:, 2] < -2.0]))
    (a, b, c, d), _ = cloud.segment_plane(0.03, 3, 500)
    ours = floor_scale(depth, CAMERA, pose)
    assert ours is not None
    assert pose[2, 3] / (abs(d) / np.hypot(np.hypot(a, b), c)) == pytest.approx(ours.factor, rel=0.01)


@given(st.floats(1.0, 2.9), st.floats(0.0, 2 * np.pi), st.floats(1.0, 1.4))
def test_nothing_is_told_to_lie_below_the_floor(height_m, around, far):
    pose = look_at([2.6 * np.cos(around), 2.6 * np.sin(around), height_m], [0.0, 0.0, 0.2])
    found = onto_floor(far * room_depth(pose), CAMERA, pose)
    points = (CAMERA.pixel_rays() * found[..., None]) @ pose[:3, :3].T + pose[:3, 3]
    assert points[..., 2].min() > -1e-6


def test_the_floor_becomes_flat_and_a_table_stays_where_it_is():
    rng = np.random.default_rng(3)
    pose = look_at([2.4, -1.0, 2.4], [0.0, 0.0, 0.5])
    exact = room_depth(pose, 0.8)
    told = exact * np.exp(0.03 * rng.standard_normal(exact.shape))
    found = onto_floor(told, CAMERA, pose)
    height = (CAMERA.pixel_rays() * exact[..., None] @ pose[:3, :3].T + pose[:3, 3])[..., 2]
    floor, table = height < 0.01, np.abs(height - 0.8) < 0.01
    assert floor.any() and table.any()
    assert np.abs(found / exact - 1)[floor].mean() < 0.3 * np.abs(told / exact - 1)[floor].mean()
    np.testing.assert_allclose(found[table], told[table], rtol=1e-3)


def test_a_camera_of_unknown_height_leaves_the_depth_alone():
    depth = np.full((64, 112), 3.0)
    assert onto_floor(depth, CAMERA, None) is depth
    holes = onto_floor(np.full((64, 112), np.nan), CAMERA, look_at([2.0, 0.0, 2.0], [0.0, 0.0, 0.0]))
    assert np.isnan(holes).all()
