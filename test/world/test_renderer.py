"""What the renderer promises: where things appear, how deep they are, which they are, and the same every time."""

import numpy as np
import pytest

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import look_at, pose_matrix, rotation_from_yaw
from or_spatial.world.light import Light, Lighting, room_lighting
from or_spatial.world.meshing import Kit, box, sphere
from or_spatial.world.parts import Material, Solid
from or_spatial.world.renderer import Quality, render, visibility_alone
from or_spatial.world.sensor import Sensor, expose

CAMERA = Camera(np.array([[150.0, 0, 71.5], [0, 140.0, 44.5], [0, 0, 1]]), 144, 90)
LIGHT = Lighting((Light((0.4, -0.3, 2.9), 0.3, (1, 1, 1), 4.0),), (0.4, 0.4, 0.4))
RED, BLUE, GREY = Material((0.8, 0.1, 0.1)), Material((0.1, 0.1, 0.8)), Material((0.6, 0.6, 0.6), texture="vinyl")


def solid(id: str, material: Material, *meshes) -> Solid:
    return Solid(id, Kit().add(material, *meshes).parts())


FLOOR = solid("", GREY, box((8, 8, 0.1), (0, 0, -0.05)))


def two_boxes() -> list[Solid]:
    return [
        FLOOR,
        solid("blue", BLUE, box((0.4, 0.4, 0.5), (-0.7, 0.2, 0.25))),
        solid("red", RED, box((0.3, 0.3, 0.9), (0.6, 0.1, 0.45))),
    ]


def test_a_box_at_the_right_of_another_in_the_room_appears_at_its_right_and_taller():
    picture = render(two_boxes(), LIGHT, CAMERA, look_at((0.1, -3.2, 1.4), (0, 0, 0.4)))
    blue, red = (np.argwhere(picture.instance == k) for k in (1, 2))
    assert blue[:, 1].max() < red[:, 1].min()
    assert red[:, 0].min() < blue[:, 0].min()
    colour = picture.linear_rgb[picture.instance == 2].mean(0)
    assert colour[0] > 3 * colour[2]


def test_depth_is_measured_along_the_optical_axis_to_the_centre_of_the_pixel():
    pose = look_at((0.5, -2.1, 1.7), (0.1, 0.4, 0.0)) @ pose_matrix(rotation_from_yaw(0.4), (0, 0, 0))
    depth = render([FLOOR], LIGHT, CAMERA, pose, Quality(1, 1, 2, 0)).depth_m
    rays = CAMERA.pixel_rays() @ pose[:3, :3].T
    expected = -1.7 / rays[..., 2]
    seen = np.isfinite(depth)
    assert seen.mean() > 0.5
    np.testing.assert_allclose(depth[seen], expected[seen], rtol=2e-5)


def test_a_projected_point_falls_on_the_solid_it_belongs_to():
    pose = look_at((-1.3, -2.4, 2.0), (0.2, 0, 0.3))
    picture = render(two_boxes(), LIGHT, CAMERA, pose)
    for k, top in ((1, (-0.7, 0.2, 0.5)), (2, (0.6, 0.1, 0.9))):
        u, v = CAMERA.project((np.linalg.inv(pose) @ [*top, 1.0])[:3])
        assert picture.instance[round(v), round(u)] == k


def test_where_nothing_is_met_depth_is_nan_and_the_instance_is_minus_one():
    picture = render([FLOOR], LIGHT, CAMERA, look_at((0, -2, 1.2), (0, 3, 0.9)))
    nothing = picture.instance == -1
    assert 0.2 < nothing.mean() < 0.95
    assert np.isnan(picture.depth_m[nothing]).all() and np.isfinite(picture.depth_m[~nothing]).all()
    assert (render([], LIGHT, CAMERA, np.eye(4)).instance == -1).all()


def test_the_same_room_gives_the_same_pixels_and_the_same_seed_the_same_noise():
    pose = look_at((-1.3, -2.4, 2.0), (0.2, 0, 0.3))
    first, second = (render(two_boxes(), LIGHT, CAMERA, pose) for _ in range(2))
    np.testing.assert_array_equal(first.linear_rgb, second.linear_rgb)
    images = [expose(first, Sensor(), np.random.default_rng(seed)) for seed in (5, 5, 6)]
    np.testing.assert_array_equal(images[0], images[1])
    assert (images[0] != images[2]).any()


def test_a_shadow_falls_away_from_the_light():
    light = Lighting((Light((-1.5, 0.0, 2.0), 0.05, (1, 1, 1), 5.0),), (0.1, 0.1, 0.1))
    pillar = solid("pillar", GREY, box((0.2, 0.2, 1.0), (0, 0, 0.5)))
    pose = look_at((0.0, -3.0, 2.6), (0, 0, 0))
    picture = render([FLOOR, pillar], light, CAMERA, pose)

    def brightness(x: float, y: float) -> float:
        u, v = CAMERA.project((np.linalg.inv(pose) @ [x, y, 0, 1.0])[:3])
        return float(picture.linear_rgb[round(v), round(u)].mean())

    assert brightness(0.55, 0.0) < 0.6 * brightness(0.55, 0.9)


@pytest.mark.parametrize("radius", [0.03, 0.9])
def test_what_a_solid_would_cover_alone_is_what_it_covers_when_nothing_stands_before_it(radius):
    ball = solid("ball", RED, sphere((radius,) * 3, (0.2, 0.1, 0.5), 40, 24))
    pose = look_at((0.1, -3.0, 1.0), (0, 0, 0.4))
    covered = int((render([ball], LIGHT, CAMERA, pose, Quality(1, 1, 2, 0)).instance == 0).sum())
    assert visibility_alone(ball, CAMERA, pose) == pytest.approx(covered, rel=0.06)
    behind = Solid("ball", tuple(p.moved(pose_matrix(np.eye(3), (0, -9, 0))) for p in ball.parts))
    assert visibility_alone(behind, CAMERA, pose) == 0


def test_the_four_regimes_order_the_room_by_brightness():
    def level(regime: str) -> float:
        light = room_lighting(8, 7, 3, np.random.default_rng(3), regime)
        return float(np.nanmean(render([FLOOR], light, CAMERA, look_at((0, -2, 2.4), (0, 0, 0))).linear_rgb))

    assert level("field_metered") < level("dark") < 0.3 * level("lamp_off")
