import numpy as np
import pytest
from recorded_room import CAMERA, ROOM_FROM_CAMERA, START_NS, truth_at, write_bag

from or_spatial.commands.recordings import camera_of, images_at, read_recording
from or_spatial.errors import DatasetError
from or_spatial.scene.values import same


def test_a_recording_is_read_as_it_was_written(tiny_bag):
    found = read_recording(tiny_bag).require(images=True, truth=True)
    assert found.topics["/camera_1/image_raw/compressed"] == len(found.truth) == 20
    assert all(same(a, truth_at(i / 5)) for i, a in enumerate(found.truth))
    camera, pose = found.cameras["camera_1"]
    assert camera == CAMERA and (found.start_ns, found.end_ns) == (START_NS, START_NS + 3_800_000_000)
    np.testing.assert_allclose(pose, ROOM_FROM_CAMERA, atol=1e-9)
    assert [len(alerts) for _, alerts in found.truth_alerts] == [0] * 10 + [1] * 10


def test_a_picture_is_found_by_its_stamp_and_is_rgb(tiny_bag):
    stamp = START_NS + 400_000_000
    pictures = images_at(tiny_bag, {"camera_1": {stamp}, "camera_9": {stamp}})
    assert list(pictures) == [("camera_1", stamp)]
    blue = pictures["camera_1", stamp].astype(int)
    assert blue.shape == (180, 320, 3) and (blue[..., 2] - blue[..., 0]).max() > 60  # a person's box is sky blue


def test_a_bag_without_images_says_which_topics_there_are(tmp_path):
    bag = read_recording(write_bag(tmp_path / "blind", 0.4, images=False))
    with pytest.raises(DatasetError, match=r"no images .* its topics are: /truth/hazards, /truth/scene_graph"):
        bag.require(images=True)


def test_a_bag_without_truth_is_refused_where_truth_is_needed(tmp_path):
    bag = read_recording(write_bag(tmp_path / "real", 0.4, truth=False))
    assert bag.require(images=True) is bag
    with pytest.raises(DatasetError, match="/truth/scene_graph"):
        bag.require(truth=True)


def test_what_is_no_bag_is_refused_by_name(tmp_path):
    with pytest.raises(DatasetError, match="rosbag2 recording"):
        read_recording(tmp_path)


def test_a_damaged_bag_is_refused_by_name(tiny_bag, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in tiny_bag.iterdir():
        data = file.read_bytes()
        (broken / file.name).write_bytes(data if file.suffix == ".yaml" else data[: len(data) // 3])
    with pytest.raises(DatasetError, match="broken"):
        read_recording(broken)


@pytest.mark.parametrize(
    ("topic", "camera"),
    [
        ("/camera_1/image_raw/compressed", "camera_1"),
        ("/theatre/wall/camera_info", "theatre/wall"),
        ("/truth/scene_graph", ""),
    ],
)
def test_which_camera_a_topic_belongs_to(topic, camera):
    assert camera_of(topic) == camera
