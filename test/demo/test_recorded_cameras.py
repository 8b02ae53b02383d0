"""A recording of a driver that publishes more than pictures."""

import pytest
from recorded_room import of_another_suite, write_bag
from sensor_msgs.msg import CompressedImage, Image

from or_spatial.commands.recorded_cameras import picture_topics, told_to_a_suite, transport_of
from or_spatial.commands.recordings import read_recording
from or_spatial.errors import DatasetError
from or_spatial.nodes.bags import Bag, BagWriter


def bag_of(path, *topics):
    """A recording with one image on each of these (topic, encoding); no encoding is a compressed one."""
    from rclpy.serialization import serialize_message

    writer = BagWriter(path)
    for topic, encoding in topics:
        message = Image(encoding=encoding) if encoding else CompressedImage(format="jpeg")
        writer.add_topic(topic, f"sensor_msgs/msg/{type(message).__name__}")
        writer.write(topic, 1_000, serialize_message(message))
    writer.close()
    return path


def pictures(path, *topics):
    with Bag(bag_of(path, *topics)) as bag:
        return picture_topics(bag)


def test_depth_and_infrared_of_a_sensor_are_no_cameras(tmp_path):
    found = pictures(
        tmp_path / "bag",
        ("/k4a/rgb/image_raw", "bgra8"),
        ("/k4a/depth/image_raw", "16UC1"),
        ("/k4a/depth_to_rgb/image_raw", "32FC1"),
        ("/k4a/ir/image_raw", "mono16"),
        ("/d435/infra1/image_raw", "mono8"),
        ("/wall/image_raw", "16UC1"),
    )
    assert found == {"k4a/rgb": "/k4a/rgb/image_raw"}


def test_an_infrared_camera_alone_is_a_camera(tmp_path):
    assert pictures(tmp_path / "bag", ("/ir/image_raw", "mono8")) == {"ir": "/ir/image_raw"}


def test_compressed_depth_does_not_decide_how_pictures_are_read(tmp_path):
    found = pictures(tmp_path / "bag", ("/k4a/rgb/image_raw", "rgb8"), ("/k4a/depth/image_raw/compressed", ""))
    assert transport_of(found) == "raw" and list(found) == ["k4a/rgb"]


def test_a_camera_recorded_both_ways_is_read_once_as_all_cameras_can_be(tmp_path):
    both = [("/a/image_raw", "rgb8"), ("/a/image_raw/compressed", "")]
    assert transport_of(pictures(tmp_path / "alone", *both)) == "compressed"
    assert transport_of(pictures(tmp_path / "other", *both, ("/b/image_raw", "rgb8"))) == "raw"


def test_cameras_recorded_in_different_ways_are_refused_by_name(tmp_path):
    found = pictures(tmp_path / "bag", ("/a/image_raw/compressed", ""), ("/b/image_raw", "rgb8"))
    with pytest.raises(DatasetError, match=r"/b/image_raw is raw and /a/image_raw/compressed compressed"):
        transport_of(found)


def test_a_suite_is_told_what_cameras_saw_and_nothing_that_another_suite_made_of_it(tmp_path):
    recording = read_recording(write_bag(tmp_path / "used", 0.4, more=of_another_suite()))
    told = told_to_a_suite(recording.kinds, recording.picture_topics)
    camera = {"/camera_1/image_raw/compressed", "/camera_1/camera_info", "/camera_1/pose"}
    assert set(told) - {"/tf"} == camera | {"/truth/scene_graph"}  # TF where tf2_msgs is installed
