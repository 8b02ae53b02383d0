"""Dark, covered, frozen, silent: what a camera's pictures say about the camera. The pictures are made here."""

import time

import numpy as np
import pytest

from or_spatial.errors import ConfigError
from or_spatial.geometry.camera import Camera
from or_spatial.perception.camera_health import CameraHealth, HealthConfig, block_means, classify
from or_spatial.perception.perceiver import Frame
from or_spatial.scene import CameraStatus

NS = 1_000_000_000
CAMERA = Camera.from_fov(320, 180, 1.2)


def picture(noise=2.0, gain=1.0, seed=0, height=180, width=320):
    """Floor, wall, a drape and a few things on it, with sensor noise."""
    rng = np.random.default_rng(seed)
    scene = np.full((height, width, 3), 150.0)
    scene[: height // 3] = 215
    scene[height // 2 :, width // 4 : width // 2] = (110, 151, 171)
    for x in range(0, width, 40):
        scene[height // 4 : height // 2, x : x + 9] = (40, 45, 60)
    return np.clip(gain * scene + rng.normal(0, noise, scene.shape), 0, 255).astype(np.uint8)


def lens_cap(seed=0):
    """A gloved hand on the lens: one dull colour that changes slowly, and noise."""
    rng = np.random.default_rng(seed)
    shade = np.linspace(70, 110, 320)[None, :, None] * np.array([1.0, 0.8, 0.7])
    return np.clip(np.repeat(shade, 180, 0) + rng.normal(0, 3.0, (180, 320, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("what", "image", "status"),
    [
        ("the room", picture(), CameraStatus.OK),
        ("the room in half light", picture(gain=0.3), CameraStatus.OK),
        ("a small picture of it", picture(height=45, width=80), CameraStatus.OK),
        ("lights out", picture(gain=0.01), CameraStatus.DARK),
        ("black", np.zeros((180, 320, 3), np.uint8), CameraStatus.DARK),
        ("a black room with one screen on", np.pad(np.full((40, 60, 3), 200, np.uint8), ((70, 70), (130, 130), (0, 0))),
         CameraStatus.OK),
        ("a hand on the lens", lens_cap(), CameraStatus.COVERED),
        ("a white sheet over it", np.full((180, 320, 3), 245, np.uint8), CameraStatus.COVERED),
        ("no pixels", np.zeros((0, 320, 3), np.uint8), CameraStatus.BAD_IMAGE),
        ("one channel", np.zeros((180, 320), np.uint8), CameraStatus.BAD_IMAGE),
        ("floats", np.zeros((180, 320, 3)), CameraStatus.BAD_IMAGE),
        ("nothing", None, CameraStatus.BAD_IMAGE),
    ],
)  # fmt: skip
def test_one_picture_is_told_from_another(what, image, status):
    assert classify(image) == status, what


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 5, 3), (3, 3, 3), (7, 64, 3)])
def test_tiny_pictures_have_block_means_of_their_pixels(shape):
    image = np.full(shape, 80, np.uint8)
    assert (block_means(image) == 80).all()


def test_real_views_of_an_operating_room_are_not_called_blind(data_dir):
    cv2 = pytest.importorskip("cv2")
    for path in sorted((data_dir / "pictures").glob("4d-or_view_*.jpg")):
        assert classify(cv2.imread(str(path))[..., ::-1]) == CameraStatus.OK, path.name


PLACE = np.eye(4)


def frame(t_s, image, camera=CAMERA, pose=PLACE, name="left"):
    return Frame(name, round(t_s * NS), image, camera, pose)


def test_the_same_pixels_again_and_again_are_a_frozen_camera():
    health = CameraHealth()
    still = picture()
    status = [health.look(frame(1 + 0.2 * i, still)) for i in range(5)]
    assert status == [CameraStatus.OK] * 2 + [CameraStatus.FROZEN] * 3  # 0.4 s, three pictures
    assert health.look(frame(2.2, picture(seed=1))) == CameraStatus.OK


def test_a_still_room_with_sensor_noise_is_not_frozen():
    health = CameraHealth()
    assert {health.look(frame(1 + 0.1 * i, picture(seed=i, noise=0.6))) for i in range(20)} == {CameraStatus.OK}


def test_a_black_picture_that_repeats_is_dark_rather_than_frozen():
    health = CameraHealth()
    black = np.zeros((180, 320, 3), np.uint8)
    assert [health.look(frame(1 + 0.2 * i, black)) for i in range(5)][-1] == CameraStatus.DARK


def test_one_picture_delivered_twice_is_not_repeated_by_the_camera():
    health = CameraHealth()
    again = frame(1.0, picture())
    assert {health.look(again) for _ in range(9)} == {CameraStatus.OK}


@pytest.mark.parametrize(("camera", "pose"), [(None, PLACE), (CAMERA, None)])
def test_a_camera_that_sees_but_does_not_know_its_place_is_uncalibrated(camera, pose):
    assert CameraHealth().look(frame(1.0, picture(), camera, pose)) == CameraStatus.UNCALIBRATED


def test_every_configured_camera_is_listed_and_silence_is_noticed():
    health = CameraHealth(("left", "right"))
    for i in range(5):
        health.look(frame(10 + 0.2 * i, picture(seed=i)))
    status = {s.camera: s.status for s in health.sources(round(10.9 * NS))}
    assert status == {"left": CameraStatus.OK, "right": CameraStatus.LOST}
    late = {s.camera: s.status for s in health.sources(round(11.5 * NS))}
    assert late["left"] == CameraStatus.LOST


def test_a_slow_camera_is_given_three_of_its_own_intervals():
    health = CameraHealth(("left",))
    for i in range(4):
        health.look(frame(10 + i, picture(seed=i)))
    assert health.sources(round(15.9 * NS))[0].status == CameraStatus.OK
    assert health.sources(round(16.1 * NS))[0].status == CameraStatus.LOST


def test_a_verdict_takes_less_than_a_millisecond_of_a_720p_picture():
    image = picture(height=720, width=1280)
    health = CameraHealth()
    spent = []
    for i in range(30):
        seen = frame(1 + i, image)
        started = time.process_time()
        health.look(seen)
        spent.append(time.process_time() - started)
    assert np.median(spent) < 1e-3


def test_a_threshold_below_zero_is_refused():
    with pytest.raises(ConfigError, match="frozen_after_s must be above 0"):
        HealthConfig(frozen_after_s=-1.0)
