"""Pictures come to the network's size with their cameras: every pixel keeps its ray."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.letterbox import GREY, Letterbox, bent_box, straightening

SIDES = st.integers(64, 2000)


@given(SIDES, SIDES)
def test_a_pixel_keeps_its_ray(columns, rows):
    box = Letterbox(columns, rows, 448, 256)
    before = Camera.from_fov(columns, rows, 1.2)
    after = box.camera(before)
    corner = np.array([columns - 1.0, rows - 1.0])
    fitted = (corner + 0.5) * box.scale - 0.5 + box.shift
    expected = (corner - [before.cx, before.cy]) / [before.fx, before.fy]
    np.testing.assert_allclose((fitted - [after.cx, after.cy]) / [after.fx, after.fy], expected, rtol=1e-9)


@given(SIDES, SIDES)
def test_nothing_is_cut_and_one_side_is_filled(columns, rows):
    inner, shift = (lambda b: (b.inner, b.shift))(Letterbox(columns, rows, 448, 256))
    assert (inner + shift <= [448, 256]).all() and (shift >= 0).all()
    assert inner[0] == 448 or inner[1] == 256


@pytest.mark.parametrize(
    ("columns", "rows", "inner"),
    [(1280, 720, (448, 256)), (896, 512, (448, 256)), (640, 480, (341, 256)), (480, 640, (192, 256))],
)
def test_a_shape_that_is_nearly_the_same_is_stretched_and_any_other_kept(columns, rows, inner):
    assert Letterbox(columns, rows, 448, 256).inner_size == inner


def test_padding_is_grey_on_both_sides():
    box = Letterbox(100, 100, 448, 256)
    whole = box.framed(np.zeros((256, 256, 3), np.uint8))
    assert (whole[:, :96] == GREY).all() and (whole[:, -96:] == GREY).all() and (whole[:, 96:-96] == 0).all()


WIDE = Camera.from_fov(224, 128, 1.6).K
BENT = [(-0.28, 0.09, 0.001, -0.002), (-0.28, 0.09, 0.001, -0.002, -0.01), (0.5, -2.4, 0.001, 0, 1.4, 0.4, -2.2, 1.3)]


@pytest.mark.parametrize("distortion", BENT)
def test_straightening_is_opencvs(distortion):
    camera = Camera(WIDE, 224, 128, distortion)
    x, y = cv2.initUndistortRectifyMap(WIDE, np.array(distortion), None, WIDE, (224, 128), cv2.CV_32FC1)
    np.testing.assert_allclose(straightening(camera), np.stack([x, y], -1), atol=2e-3)


@given(st.floats(-0.3, 0.1), st.floats(60, 100), st.floats(40, 60))
def test_a_box_of_the_straight_picture_comes_back_around_the_same_things(k1, u, v):
    camera = Camera(WIDE, 224, 128, (k1, 0.02, 0.0, 0.0))
    box = np.array([u, v, u + 50.0, v + 30.0])
    inside = np.stack(np.meshgrid(np.linspace(box[0], box[2], 9), np.linspace(box[1], box[3], 9)), -1)
    seen = camera.project(Camera(WIDE, 224, 128).unproject(inside, 2.0)).reshape(-1, 2)
    bent = bent_box(box, camera)
    np.testing.assert_allclose(bent[:2], seen.min(0), atol=0.5)
    np.testing.assert_allclose(bent[2:], seen.max(0), atol=0.5)
