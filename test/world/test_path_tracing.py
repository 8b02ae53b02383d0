"""The second renderer shows the same things at the same places, under light of the same strength."""

from functools import partial

import numpy as np
import pytest

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import look_at
from or_spatial.world import path_tracing
from or_spatial.world.light import Light, Lighting, lamp_light
from or_spatial.world.meshing import Kit, box
from or_spatial.world.parts import Material, Solid
from or_spatial.world.path_tracing import PathQuality, path_trace
from or_spatial.world.renderer import Quality, render
from or_spatial.world.samples import render_sample
from or_spatial.world.simulation import Simulation

CAMERA = Camera.from_fov(96, 64, np.radians(60))
ABOVE = look_at((0.0, -0.4, 2.4), (0.0, 0.0, 0.0))
DARK = (0.0, 0.0, 0.0)
FEW = PathQuality(paths=16)
MATT = Material((0.7, 0.7, 0.7), 1.0)


def solid(id: str, material: Material, *meshes) -> Solid:
    return Solid(id, Kit().add(material, *meshes).parts())


FLOOR = solid("", MATT, box((8, 8, 0.1), (0, 0, -0.05)))


def mean(picture, rows=slice(24, 40), columns=slice(38, 58)) -> np.ndarray:
    return picture.linear_rgb[rows, columns].mean((0, 1))


@pytest.mark.parametrize(
    "light",
    [
        Light((0.0, 0.0, 3.0), 0.4, (1.0, 0.9, 0.8), 4.0),
        lamp_light((0.3, 0.2, 2.2), (0.0, 0.0, 0.0), strength=1.5),
    ],
    ids=["ceiling", "surgical lamp"],
)
def test_a_matt_floor_is_as_bright_under_either_renderer(light, monkeypatch):
    monkeypatch.setattr(path_tracing, "_EXPOSURE", 1.0)
    lighting = Lighting((light,), DARK)
    ours = render([FLOOR], lighting, CAMERA, ABOVE, Quality(shadow_rays=8))
    traced = path_trace([FLOOR], lighting, CAMERA, ABOVE, PathQuality(paths=64))
    middle = (slice(30, 34), slice(46, 50))
    np.testing.assert_allclose(mean(traced, *middle), mean(ours, *middle), rtol=0.05)


def test_depth_and_identity_are_those_of_the_first_renderer():
    things = [FLOOR, solid("red", Material((0.8, 0.1, 0.1)), box((0.3, 0.3, 0.9), (0.2, 0.1, 0.45)))]
    lighting = Lighting((Light((0.4, -0.3, 2.9), 0.3, (1, 1, 1), 4.0),), (0.2, 0.2, 0.2))
    ours, traced = render(things, lighting, CAMERA, ABOVE), path_trace(things, lighting, CAMERA, ABOVE, FEW)
    np.testing.assert_array_equal(traced.depth_m, ours.depth_m)
    np.testing.assert_array_equal(traced.instance, ours.instance)
    red = traced.linear_rgb[traced.instance == 1].mean(0)
    assert red[0] > 3 * red[1]


def test_light_comes_back_from_what_it_meets():
    """A red wall tints the floor before it, which our own renderer can only guess at."""
    wall = solid("wall", Material((0.9, 0.05, 0.05), 1.0), box((0.1, 3.0, 2.0), (0.75, 0.0, 1.0)))
    lighting = Lighting((Light((-0.6, 0.0, 1.6), 0.2, (1, 1, 1), 2.0, (0.7, 0.0, -0.5), 0.9),), DARK)
    alone, beside = (path_trace(s, lighting, CAMERA, ABOVE, PathQuality(paths=64)) for s in ([FLOOR], [FLOOR, wall]))
    near = (slice(28, 36), slice(50, 58))
    redder = mean(beside, *near)[0] / mean(beside, *near)[1]
    assert redder > 1.08 * mean(alone, *near)[0] / mean(alone, *near)[1]


def test_the_same_room_is_traced_to_the_same_pixels():
    lighting = Lighting((Light((0.0, 0.0, 3.0), 0.4, (1, 1, 1), 4.0),), DARK)
    first, second = (path_trace([FLOOR], lighting, CAMERA, ABOVE, FEW).linear_rgb for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_screen_glows_with_its_pattern_in_the_dark():
    screen = Material((0.2, 0.3, 0.5), 0.15, emission=1.5, texture="screen", texture_scale_m=0.1)
    panel = solid("screen", screen, box((1.2, 0.8, 0.02), (0, 0, 0.01)))
    picture = path_trace([panel], Lighting((), DARK), CAMERA, ABOVE, FEW)
    lit = picture.linear_rgb[picture.instance == 0]
    assert lit.mean() > 0.1 and lit.std() > 0.02


def test_nothing_at_all_is_black_and_infinitely_far():
    picture = path_trace([], Lighting((), DARK), CAMERA, ABOVE, FEW)
    assert (picture.instance == -1).all() and np.isnan(picture.depth_m).all() and not picture.linear_rgb.any()


def test_a_camera_that_mitsuba_has_no_model_of_is_refused():
    odd = Camera(np.array([[90.0, 0, 40.0], [0, 90.0, 31.5], [0, 0, 1]]), 96, 64)
    with pytest.raises(ValueError, match="axis in the middle"):
        path_trace([FLOOR], Lighting((), DARK), odd, ABOVE, FEW)


def test_a_whole_room_keeps_its_truth_and_its_exposure():
    room = Simulation("val", 3, cameras=1, duration_s=4.0, hazards=())
    ours = render_sample(room, 1.5, 0, 96, 64, alerts=())
    traced = render_sample(room, 1.5, 0, 96, 64, alerts=(), painter=partial(path_trace, quality=FEW))
    assert traced.graph == ours.graph and traced.views == ours.views
    assert 0.5 < traced.image.mean() / ours.image.mean() < 2.0
    assert np.corrcoef(traced.image.mean(-1).ravel(), ours.image.mean(-1).ravel())[0, 1] > 0.6
