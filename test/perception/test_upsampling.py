"""Depth at the size of its picture has its edges where the picture's are, and nowhere else."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from or_spatial.perception.upsampling import upsampled

ROWS, COLUMNS, STRIDE = 64, 96, 4


def coarse_of(depth: np.ndarray) -> np.ndarray:
    """What a network tells of a depth picture: one number a cell, its mean."""
    size = (depth.shape[1] // STRIDE, depth.shape[0] // STRIDE)
    return cv2.resize(depth, size, interpolation=cv2.INTER_AREA)


@given(st.integers(30, 66), st.integers(0, 255), st.integers(0, 255))
def test_an_edge_of_depth_lies_where_the_colours_change(column, left, right):
    """Whatever part of a cell the edge cuts; half-way between the cells bilinear interpolation smears it over two."""
    if abs(left - right) < 60:
        return
    picture = np.full((ROWS, COLUMNS, 3), left, np.uint8)
    picture[:, column:] = right
    depth = np.where(np.arange(COLUMNS) < column, 2.0, 4.0) * np.ones((ROWS, 1))
    found = upsampled(coarse_of(depth), picture)
    clean = np.abs(np.arange(COLUMNS) - column + 0.5) > 2
    np.testing.assert_allclose(found[:, clean], depth[:, clean], rtol=0.02)


def test_without_colours_to_follow_it_is_smooth():
    depth = coarse_of(np.linspace(2.0, 4.0, COLUMNS)[None] * np.ones((ROWS, 1)))
    found = upsampled(depth, np.full((ROWS, COLUMNS, 3), 90, np.uint8))
    np.testing.assert_allclose(found[0, 8:-8], np.linspace(2.0, 4.0, COLUMNS)[8:-8], rtol=0.01)
    assert found.dtype == np.float32


@given(st.integers(0, 2**16))
def test_a_pixel_lies_between_the_cells_about_it(seed):
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0.5, 8.0, (16, 24))
    found = upsampled(depth, rng.integers(0, 256, (ROWS, COLUMNS, 3), dtype=np.uint8))
    kernel = np.ones((3, 3), np.uint8)
    low, high = (np.kron(f(depth, kernel), np.ones((STRIDE, STRIDE))) for f in (cv2.erode, cv2.dilate))
    assert (found >= low - 1e-4).all() and (found <= high + 1e-4).all()


def test_what_no_cell_knows_stays_unknown_and_what_one_knows_is_told():
    depth = np.full((16, 24), np.nan)
    depth[8, 12] = 3.0
    found = upsampled(depth, np.full((ROWS, COLUMNS, 3), 90, np.uint8))
    known = np.isfinite(found)
    assert known[28:40, 44:56].all() and known.sum() == 12 * 12
    np.testing.assert_allclose(found[known], 3.0, rtol=1e-6)


@pytest.mark.parametrize("size", [(63, 95), (90, 160), (16, 24)])
def test_any_size_will_do(size):
    found = upsampled(np.full((16, 24), 2.5, np.float32), np.zeros((*size, 3), np.uint8))
    assert found.shape == size
    np.testing.assert_allclose(found, 2.5, rtol=1e-6)
