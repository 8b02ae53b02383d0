"""`or_spatial calibrate` on the shipped recording: wrong poses are put right, and what cannot be told is refused."""

import math
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import Writer
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

pytest.importorskip("rclpy", reason="needs ROS 2")

from or_spatial.cli import app
from or_spatial.commands.calibrate import moments_of, refine, write_cameras
from or_spatial.commands.console import out
from or_spatial.commands.recordings import Recording, camera_from_info, depth_images, read_recording
from or_spatial.errors import DatasetError, GeometryError
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import apply, invert, look_at
from or_spatial.nodes.extrinsics import FilePoses
from or_spatial.perception.rig_estimation import (
    CameraEstimate,
    RigConfig,
    RigEstimator,
    Sightings,
    corrected,
    pose_difference,
)
from or_spatial.world.ros_values import header, typestore

DEMO = Path(__file__).resolve().parents[2] / "resource" / "demo"


def run(*arguments):
    return CliRunner().invoke(app, ["calibrate", *map(str, arguments)], env={"TERM": "dumb", "NO_COLOR": "1"})


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """Tables in lines of 200, whichever test has made the console: rich asks for its size once."""
    monkeypatch.setattr(out, "_width", 200)
    monkeypatch.setattr(out, "_height", 50)


@pytest.fixture(scope="module")
def true_poses():
    return {name: pose for name, (_, pose) in read_recording(DEMO).cameras.items()}


def spoilt(poses, name, shift, yaw_deg):
    """These poses as estimates, one of them wrong."""
    wrong = corrected(poses[name], np.array([*shift, 0.0, 0.0, math.radians(yaw_deg)]))
    return {n: estimate(wrong if n == name else p) for n, p in poses.items()}


def estimate(pose):
    return CameraEstimate(pose, np.zeros((6, 6)), 0, math.nan, math.nan, fixed=False)


def test_a_camera_whose_pose_is_half_a_metre_and_ten_degrees_off_is_put_right(true_poses, tmp_path):
    given, out = tmp_path / "given.yaml", tmp_path / "new" / "cameras.yaml"
    write_cameras(given, spoilt(true_poses, "camera_2", (0.4, -0.3, 0.0), 10.0), "a test")
    ended = run(DEMO, "--perceiver", "rules", "--cameras-file", given, "--fix", "camera_1", "--out", out)
    assert ended.exit_code == 0, ended.output
    moved_by = re.search(r"camera_2.*?([\d.]+) m, ([\d.]+)°", ended.output)
    assert [float(v) for v in moved_by.groups()] == [pytest.approx(0.5, abs=0.03), pytest.approx(10.0, abs=0.7)]
    assert "next: or_spatial run" in ended.output
    poses = FilePoses.load(out).poses
    assert pose_difference(poses["camera_1"], true_poses["camera_1"]) == pytest.approx((0.0, 0.0), abs=1e-3)
    shift_m, turn_deg = pose_difference(poses["camera_2"], true_poses["camera_2"])
    assert shift_m < 0.03 and turn_deg < 0.7


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "nowhere"),
        ((DEMO, "--fix", "ceiling"), "has no such camera; it has camera_1, camera_2"),
        ((DEMO, "--out", DEMO / "README.md"), "exists; name a new file"),
        ((DEMO, "--perceiver", "rules", "--every", "20"), "too little"),
        ((DEMO, "--perceiver", "rules", "--worst-m", "0.0001"), "remains unsure by"),
    ],
)
def test_what_cannot_be_done_is_one_message_with_its_remedy(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = run(*arguments)
    assert ended.exit_code == 2, ended.output
    assert "error:" in ended.output and words in ended.output.replace("\n", " ")
    assert not (tmp_path / "cameras.yaml").exists()


def test_what_is_written_is_read_again_to_a_tenth_of_a_millimetre(true_poses, tmp_path):
    file = tmp_path / "cameras.yaml"
    write_cameras(file, {n: estimate(p) for n, p in true_poses.items()}, "a test")
    assert set(yaml.safe_load(file.read_text())["cameras"]["camera_1"]) == {
        "frame_id", "position_m", "quaternion_xyzw"
    }  # fmt: skip
    for name, pose in FilePoses.load(file).poses.items():
        np.testing.assert_allclose(pose, true_poses[name], atol=1e-4)


def test_pictures_that_were_not_taken_together_make_no_moment():
    recording = Recording(Path("none"))
    recording.cameras = {n: (Camera.from_fov(64, 36, 1.0), None) for n in ("a", "b", "c")}
    second = 1_000_000_000
    recording.image_stamps = {
        "a": [10 * second, 11 * second, 12 * second],
        "b": [10 * second + 40_000_000, 11 * second + 500_000_000],
        "c": [12 * second],
    }
    moments = moments_of(recording, 1.0)
    assert {frozenset(m) for m in moments} == {frozenset("ab"), frozenset("ac")}


def test_depth_of_a_sensor_is_read_in_metres(tmp_path):
    """16UC1 is millimetres, 32FC1 metres; other topics and colour pictures are left alone."""
    depth_m = np.array([[0.0, 1.5], [2.25, 6.0], [0.75, 3.0]])
    kind = typestore().types["sensor_msgs/msg/Image"]
    sent = [
        ("/a/depth/image_raw", "16UC1", (1000 * depth_m).astype("<u2")),
        ("/b/depth/image", "32FC1", depth_m.astype("<f4")),
        ("/a/ir/image_raw", "16UC1", depth_m.astype("<u2")),
    ]
    with Writer(tmp_path / "bag", version=9) as bag:
        for k, (topic, encoding, pixels) in enumerate(sent):
            image = kind(header(7 + k, "a"), 3, 2, encoding, 0, pixels.itemsize * 2, pixels.view(np.uint8).ravel())
            connection = bag.add_connection(topic, kind.__msgtype__, typestore=typestore())
            bag.write(connection, k, typestore().serialize_cdr(image, kind.__msgtype__))
    found = {(name, stamp): depth for name, stamp, depth in depth_images(tmp_path / "bag", ["a", "b"])}
    assert set(found) == {("a", 7), ("b", 8)}
    np.testing.assert_allclose(found["a", 7], np.where(depth_m == 0, np.nan, depth_m))
    np.testing.assert_allclose(found["b", 8], depth_m)


POSES = {"a": look_at((2.4, -1.9, 2.6), (0.1, 0.2, 0.9)), "b": look_at((-2.2, -2.0, 2.3), (0.0, 0.3, 1.0))}


def room_surfaces(rng):
    """(N, 3) m on a floor, two walls and a table."""
    u = rng.uniform(0, 1, (4, 800, 2))
    flat = np.zeros(800)
    return np.concatenate(
        [
            np.column_stack([4 * u[0] - 2, flat]),
            np.column_stack([4 * u[1, :, 0] - 2, flat + 2, 2 * u[1, :, 1]]),
            np.column_stack([flat - 2, 4 * u[2, :, 0] - 2, 2 * u[2, :, 1]]),
            np.column_stack([2 * u[3, :, 0] - 1, 0.6 * u[3, :, 1], flat + 0.9]),
        ]
    )


@pytest.fixture
def estimator():
    """Two cameras that see three people at 40 moments, with noise of 0.2 m."""
    rng, rows = np.random.default_rng(5), {n: [] for n in POSES}
    for moment in range(40):
        people = rng.uniform((-1.8, -1.8, 0.7), (1.8, 1.8, 1.0), (3, 3))
        for name, pose in POSES.items():
            for k, p in enumerate(apply(invert(pose), people)):
                rows[name].append((moment, k, p + rng.normal(0, 0.2, 3), 0.04 * np.eye(3)))
    sightings = {n: Sightings(*(np.array([row[k] for row in r]) for k in range(4))) for n, r in rows.items()}
    return RigEstimator(sightings, {"a": POSES["a"]}, {}, RigConfig(persistent_error_m=0.0))


def test_measured_depth_sharpens_what_sightings_began(estimator):
    rng = np.random.default_rng(2)
    clouds = {n: apply(invert(p), room_surfaces(rng) + rng.normal(0, 0.01, (3200, 3))) for n, p in POSES.items()}
    begun = estimator.estimate()
    found, told = refine(estimator, begun, clouds, "numpy")
    before, after = (pose_difference(e["b"].room_from_camera, POSES["b"]) for e in (begun, found))
    assert after[0] < 0.02 and after[1] < 0.4
    assert after[0] < before[0] and after[1] < before[1]
    assert "overlap" in told["b"] and "not used" not in told["b"]


def test_depth_that_contradicts_the_sightings_is_not_used(estimator):
    rng = np.random.default_rng(2)
    bent = Rotation.from_rotvec((0.0, 0.0, 0.15)).as_matrix()
    clouds = {n: apply(invert(p), room_surfaces(rng)) for n, p in POSES.items()}
    clouds["b"] = apply(invert(POSES["b"]), room_surfaces(rng) @ bent.T + (0.15, 0.1, 0.0))
    begun = estimator.estimate()
    found, told = refine(estimator, begun, clouds, "numpy")
    assert told["b"].startswith("not used")
    np.testing.assert_array_equal(found["b"].room_from_camera, begun["b"].room_from_camera)


def test_without_depth_the_sightings_stand(estimator):
    begun = estimator.estimate()
    found, told = refine(estimator, begun, {n: np.zeros((0, 3)) for n in POSES}, "numpy")
    assert told["b"] == "no depth" and found["b"] is begun["b"]


def info(**changed):
    values = {"width": 64, "height": 36, "k": [50.0, 0, 32, 0, 50.0, 18, 0, 0, 1], "d": [0.0] * 5, "binning_x": 0}
    values |= {"binning_y": 0, "roi": SimpleNamespace(width=0, height=0), "distortion_model": "plumb_bob"}
    return SimpleNamespace(**values | changed)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"k": [0.0] * 9}, "K[0] = 0"),
        ({"distortion_model": "equidistant"}, "'equidistant'"),
        ({"binning_x": 2}, "binning"),
    ],
)
def test_a_camera_that_the_live_node_refuses_is_refused_in_a_recording_too(changed, says):
    assert camera_from_info(info()).distortion == ()
    with pytest.raises(GeometryError) as fault:
        camera_from_info(info(**changed))
    assert says in str(fault.value)
    recording = Recording(Path("room"), image_stamps={"wall": [1]}, refused={"wall": str(fault.value)})
    with pytest.raises(DatasetError, match="no usable camera_info: wall: "):
        recording.require(images=True)
