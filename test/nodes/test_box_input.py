"""Messages of boxes become frames: whose they are, which of them can be used, and what is said about the others."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from or_spatial.msg import ObservedBox2D, ObservedBox2DArray

from or_spatial.errors import ConfigError
from or_spatial.geometry.camera import Camera
from or_spatial.nodes.box_input import BoxInput, speaker, topics_of, usable_boxes
from or_spatial.nodes.conversions import header_to_message
from or_spatial.nodes.images import info_from_camera
from or_spatial.nodes.stamps import StampGuard

CAMERA = Camera(np.array([[300.0, 0, 161.0], [0, 305.0, 88.0], [0, 0, 1]]), 320, 180)
NAN = float("nan")


class NoPoses:
    """Nobody knows where the camera stands."""

    def pose(self, camera, frame_id, stamp_ns):
        return None


def message(*boxes, width=320, height=180, label="person", frame_id="eye"):
    """Boxes (xmin, ymin, xmax, ymax, score)."""
    array = ObservedBox2DArray(header=header_to_message(7, frame_id), width=width, height=height)
    array.boxes = [
        ObservedBox2D(label=label, **dict(zip(("xmin", "ymin", "xmax", "ymax", "score"), map(float, b), strict=True)))
        for b in boxes
    ]
    return array


def an_input(calibrated=True, labels=("person",)):
    said = []
    camera = BoxInput("ceiling", StampGuard(), labels=labels, warn=said.append)
    if calibrated:
        camera._take_info(info_from_camera(CAMERA, header_to_message(7, "eye")))
    return camera, said


def test_convention_boxes_are_xmin_ymin_xmax_ymax_and_the_frame_brings_them_along():
    camera, said = an_input()
    frame = camera.frame_of(message((10, 20, 50, 90, 0.75)), 7, NoPoses())
    assert frame.boxes.tolist() == [[10, 20, 50, 90]]
    assert frame.scores.tolist() == [0.75]
    assert (frame.stamp_ns, frame.frame_id, frame.image.shape, said) == (7, "eye", (180, 320, 3), [])
    assert frame.camera.fy == 305.0


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ((NAN, 20, 50, 90, 0.9), "box (nan, 20, 50, 90) has an edge that is no number"),
        ((10, 20, float("inf"), 90, 0.9), "has an edge that is no number"),
        ((50, 20, 50, 90, 0.9), "box (50, 20, 50, 90) has no area; expected xmin < xmax and ymin < ymax"),
        ((10, 90, 50, 20, 0.9), "has no area"),
        ((10, 20, 50, 90, 87.0), "has score 87; expected a probability"),
        ((10, 20, 50, 90, -0.1), "has score -0.1"),
    ],
)
def test_a_box_that_cannot_be_used_is_left_out_counted_and_named(bad, words):
    camera, said = an_input()
    frame = camera.frame_of(message(bad, (10, 20, 50, 90, 0.75), bad), 7, NoPoses())
    assert len(frame.boxes) == 1
    assert camera.counts()["bad_boxes"] == 2
    assert words in camera.last_error and "(and 1 more)" in camera.last_error
    assert said == [f"ceiling: {camera.last_error}"]


def test_an_unknown_score_is_half_a_belief():
    assert usable_boxes(message((10, 20, 50, 90, NAN)), ["person"])[1].tolist() == [0.5]


@pytest.mark.parametrize(("label", "count"), [("person", 1), ("", 1), ("staff", 1), ("table", 0)])
def test_boxes_of_other_things_are_no_people_and_no_fault(label, count):
    boxes, scores, faults = usable_boxes(message((10, 20, 50, 90, 0.9), label=label), ["person", "staff"])
    assert (len(boxes), len(scores), faults) == (count, count, [])


def test_a_camera_without_camera_info_says_which_topic_is_silent():
    camera, _ = an_input(calibrated=False)
    frame = camera.frame_of(message((10, 20, 50, 90, 0.9), width=0, height=0), 7, NoPoses())
    assert frame.camera is None
    assert camera.calibration_error == "no CameraInfo has come on ceiling/camera_info"


def test_boxes_of_another_image_size_than_the_calibrated_one_have_no_place():
    camera, _ = an_input()
    assert camera.frame_of(message(width=640, height=360), 7, NoPoses()).camera is None
    assert camera.calibration_error == "CameraInfo is for 320x180, the images are 640x360"
    assert camera.frame_of(message(width=0, height=0), 7, NoPoses()).camera.width == 320


def test_topics_are_one_per_camera_or_one_for_all():
    assert topics_of(["a", "b"], [""]) == {"a/boxes": ("a",), "b/boxes": ("b",)}
    assert topics_of(["a", "b"], ["x", "y"]) == {"x": ("a",), "y": ("b",)}
    assert topics_of(["a", "b"], ["all"]) == {"all": ("a", "b")}
    assert topics_of(["a", "b", "c"], ["x", "y", "x"]) == {"x": ("a", "c"), "y": ("b",)}
    with pytest.raises(ConfigError, match="'boxes_topics' names 2 topics for 3 cameras"):
        topics_of(["a", "b", "c"], ["x", "y"])


def test_a_message_belongs_to_the_camera_that_it_names_or_to_the_only_one():
    assert speaker("", "x", ["a"]) == "a"
    assert speaker("/b", "x", ["a", "b"]) == "b"
    with pytest.raises(ConfigError, match="unknown camera 'c' on topic 'x' refused; its cameras are a, b"):
        speaker("c", "x", ["a", "b"])
    with pytest.raises(ConfigError, match="do not say their camera on topic 'x'"):
        speaker("", "x", ["a", "b"])
    with pytest.raises(ConfigError, match="unknown camera 'b' on topic 'x'"):
        speaker("b", "x", ["a"])
