import math
from dataclasses import replace

import numpy as np
import pytest

from or_spatial.scene import SceneGraph
from or_spatial.visual.palette import object_rgb
from or_spatial.visual.topdown import MapStyle, draw_map, footprint, map_bounds, map_figure, uncertainty_ellipse


def test_a_footprint_turns_with_the_yaw(small_room):
    table = replace(small_room.find("table"), yaw_rad=math.pi / 2, center_m=(1.0, 2.0, 0.5))
    corners = footprint(table)  # 2.0 long, 0.7 wide, turned by a quarter
    np.testing.assert_allclose(np.ptp(corners, axis=0), (0.7, 2.0))
    np.testing.assert_allclose(corners.mean(axis=0), (1.0, 2.0))


def test_convention_the_map_shows_room_x_to_the_right_and_y_up(small_room):
    """The robot stands at (-1.6, -0.6): its colour is at the left, below the middle."""
    robot = replace(small_room.find("robot"), yaw_rad=0.0)
    style = MapStyle(size_px=400)
    low, high = map_bounds([small_room], {}, style)
    picture = draw_map(replace(small_room, objects=(*small_room.objects[:-2], robot, small_room.objects[-1])))
    share = (np.array([-1.9, -0.9]) - low) / (high - low)  # a corner of the robot that no text covers
    column, row = round(share[0] * picture.shape[1]), round((1.0 - share[1]) * picture.shape[0])
    seen = picture[row, column].astype(float)
    wanted = 0.75 * np.array(object_rgb(robot)) + 0.25 * 245
    assert np.abs(seen - wanted).max() < 12


def test_everything_is_inside_the_bounds(small_room, wall_camera):
    low, high = map_bounds([small_room], {"cam": wall_camera}, MapStyle())
    points = np.concatenate([*(footprint(o) for o in small_room.objects), wall_camera[1][None, :2, 3]])
    assert (points > low).all() and (points < high).all()


def test_the_ellipse_has_the_axes_of_the_covariance(small_room):
    turn = 0.4
    c, s = math.cos(turn), math.sin(turn)
    R = np.array([[c, -s], [s, c]])
    covariance = np.zeros((3, 3))
    covariance[:2, :2] = R @ np.diag([0.09, 0.01]) @ R.T
    item = replace(small_room.find("nurse"), covariance_m2=tuple(covariance.ravel()))
    width, height, angle = uncertainty_ellipse(item, sigmas=2.0)
    np.testing.assert_allclose((width, height), (1.2, 0.4))
    assert math.isclose((angle - turn) % math.pi, 0.0, abs_tol=1e-9)


@pytest.mark.parametrize("covariance", [(math.nan,) * 9, (0.0,) * 9])
def test_an_unknown_covariance_has_no_ellipse(small_room, covariance):
    assert uncertainty_ellipse(replace(small_room.find("nurse"), covariance_m2=covariance)) is None


def texts(figure):
    return [t.get_text() for t in figure.axes[0].texts]


def test_the_map_names_objects_actions_hazards_cameras_and_its_scale(small_room, breach, wall_camera):
    words = texts(map_figure(small_room, {"cam_a": wall_camera}, [breach]))
    assert {"operating table", "drilling", "! sterile breach", "cam_a", "1 m"} <= set(words)
    assert "person (sterile)" in words


def test_faint_objects_and_faint_relations_are_left_out(small_room):
    faint = tuple(replace(o, existence=0.2) if o.id == "drill" else o for o in small_room.objects)
    words = texts(map_figure(replace(small_room, objects=faint)))
    assert "drill" not in words and "holding" not in words and "drilling" in words


def test_an_empty_room_has_a_map_too():
    assert draw_map(SceneGraph(stamp_ns=0)).shape[2] == 3


def test_convention_yaw_turns_x_towards_y(small_room):
    """A box of 2.0 x 0.7 m turned by 0.3 rad: the middle of its front side lies at (cos 0.3, sin 0.3) m."""
    table = replace(small_room.find("table"), yaw_rad=0.3, center_m=(0.0, 0.0, 0.5))
    front = footprint(table)[[1, 2]].mean(axis=0)
    np.testing.assert_allclose(front, (0.955336489, 0.295520207), atol=1e-8)
