import numpy as np
import pytest

from or_spatial.errors import ImageError
from or_spatial.visual.depth import HOLE, colorize, depth_picture, depth_range, ticks


def test_near_is_bright_and_far_is_dark():
    ramp = np.linspace(1.0, 5.0, 50, dtype=np.float32)[None].repeat(4, axis=0)
    brightness = colorize(ramp).astype(float).mean(axis=(0, 2))
    assert (np.diff(brightness) <= 0.7).all() and brightness[0] > 2 * brightness[-1]


def test_a_hole_is_grey_and_no_depth_is():
    depth = np.linspace(1.0, 5.0, 600, dtype=np.float32).reshape(20, 30)
    depth[3:5, 7:9] = np.nan
    colors = colorize(depth)
    grey = (colors == HOLE).all(axis=-1)
    assert grey[3:5, 7:9].all() and grey.sum() == 4


def test_an_unknown_depth_map_is_all_hole():
    assert (colorize(np.full((3, 5), np.nan)) == HOLE).all()
    assert depth_range(np.full((3, 5), np.nan)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("near", "far", "expected"),
    [(1.3, 5.4, [2, 3, 4, 5]), (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (2.0, 20.0, [5, 10, 15, 20])],
)
def test_ticks_stand_at_round_metres(near, far, expected):
    assert ticks(near, far) == expected


def test_the_legend_stands_beside_the_picture_and_hides_nothing_of_it():
    depth = np.linspace(1.0, 5.0, 600, dtype=np.float32).reshape(20, 30)
    picture = depth_picture(depth, height_px=200)
    assert picture.shape[0] == 200 and picture.shape[1] > 300
    np.testing.assert_array_equal(picture[5, 5], colorize(depth)[0, 0])


def test_a_depth_map_with_channels_is_refused():
    with pytest.raises(ImageError, match="shape"):
        colorize(np.zeros((4, 5, 1)))
