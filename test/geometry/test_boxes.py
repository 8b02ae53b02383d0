"""Boxes against plain definitions: dense sampling, corners counted by hand, and symmetry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from or_spatial.errors import GeometryError
from or_spatial.geometry.boxes import OrientedBox, footprint_overlap, fraction_inside, surface_distance
from or_spatial.geometry.transforms import rotation_from_yaw

places = st.tuples(*[st.floats(-1.5, 1.5)] * 3)
sizes = st.tuples(*[st.floats(0.05, 2.0)] * 3)
yaws = st.one_of(st.floats(-7.0, 7.0), st.sampled_from([0.0, np.pi / 2, -np.pi, 1e-9]))
boxes = st.builds(OrientedBox, places, sizes, yaws)


def nearest_distance(a, b):
    """The distance as a small convex programme over a point in each box: no geometry of ours in it."""
    A = np.hstack([rotation_from_yaw(a.yaw), -rotation_from_yaw(b.yaw)])
    bound = 0.5 * np.concatenate([a.size, b.size])
    found = lsq_linear(A, b.center - a.center, (-bound, bound), method="bvls", tol=1e-14)
    return np.sqrt(2 * found.cost)


def grid_in(box, n=24):
    steps = (np.arange(n) + 0.5) / n - 0.5
    local = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3) * box.size
    return local @ rotation_from_yaw(box.yaw).T + box.center


@given(boxes, boxes)
def test_surface_distance_is_the_least_distance_of_any_two_points(a, b):
    assert surface_distance(a, b) == pytest.approx(nearest_distance(a, b), abs=1e-6)


@given(boxes, boxes)
def test_surface_distance_is_never_more_than_between_sampled_surfaces(a, b):
    gaps = np.linalg.norm(a.corners()[:, None] - b.corners()[None], axis=-1)
    assert surface_distance(a, b) <= gaps.min() + 1e-12
    assert surface_distance(a, b) == pytest.approx(surface_distance(b, a), abs=1e-12)


@given(boxes, boxes)
def test_fraction_inside_agrees_with_counted_points(a, b):
    assert fraction_inside(a, b) == pytest.approx(b.contains(grid_in(a)).mean(), abs=0.09)


@given(boxes, boxes)
def test_footprint_overlap_agrees_with_counted_points(a, b):
    small, large = sorted((a, b), key=lambda box: np.prod(box.size[:2]))
    points = grid_in(small)
    points[:, 2] = large.center[2]
    assert footprint_overlap(a, b) == pytest.approx(large.contains(points).mean(), abs=0.07)


@given(boxes)
def test_a_box_covers_and_holds_itself(box):
    assert footprint_overlap(box, box) == pytest.approx(1.0, abs=1e-4)
    assert fraction_inside(box, box) == pytest.approx(1.0, abs=1e-4)
    assert surface_distance(box, box) == 0.0


def test_boxes_that_share_a_wall_have_no_overlap_and_no_distance():
    a, b = OrientedBox([0.0, 0.0, 0.5], [2.0, 1.0, 1.0]), OrientedBox([1.5, 0.0, 0.5], [1.0, 1.0, 1.0])
    assert surface_distance(a, b) == pytest.approx(0.0, abs=1e-12)
    assert footprint_overlap(a, b) < 1e-5


def test_thin_boxes_can_cross_without_a_corner_in_each_other():
    a, b = OrientedBox([0, 0, 0], [3.0, 0.1, 1.0], 0.2), OrientedBox([0.1, 0.2, 0], [0.1, 3.0, 1.0], 0.2)
    assert surface_distance(a, b) == 0.0
    assert footprint_overlap(a, b) == pytest.approx(0.01 / 0.3, rel=1e-3)


def test_convention_size_is_full_extents_and_centre_is_not_the_base():
    box = OrientedBox([0.0, 0.0, 0.4], [2.0, 1.0, 0.8], np.pi / 2)
    assert (box.bottom, box.top, box.volume) == (0.0, 0.8, 1.6)
    np.testing.assert_allclose(np.ptp(box.corners(), axis=0), [1.0, 2.0, 0.8], atol=1e-12)


def test_convention_corners_go_round_the_bottom_first():
    corners = OrientedBox([10.0, 20.0, 30.0], [2.0, 4.0, 6.0]).corners()
    np.testing.assert_allclose(corners[:3], [[9, 18, 27], [11, 18, 27], [11, 22, 27]])
    np.testing.assert_allclose(corners[4:] - corners[:4], np.tile([0, 0, 6.0], (4, 1)))


def test_corners_lie_on_the_box():
    box = OrientedBox([0.3, -0.2, 1.0], [1.1, 0.4, 2.0], 0.7)
    just_in = box.center + 0.999999 * (box.corners() - box.center)
    assert box.contains(just_in).all() and not box.contains(box.center + 1.0001 * (box.corners() - box.center)).any()


@pytest.mark.parametrize(
    ("center", "size"), [([0, 0], [1, 1, 1]), ([0, 0, np.nan], [1, 1, 1]), ([0, 0, 0], [1, -1, 1])]
)
def test_impossible_boxes_are_refused(center, size):
    with pytest.raises(GeometryError):
        OrientedBox(center, size)
