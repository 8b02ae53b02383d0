"""The mirror of the graph for other people's tools, where vision_msgs is installed."""

import math

import pytest

from or_spatial.nodes.conversions import header_to_message
from or_spatial.nodes.mirror import detection_from_object
from or_spatial.scene import Hypothesis, SceneObject

DRILL = SceneObject(
    id="drill_1",
    label="drill",
    hypotheses=(Hypothesis("drill", 0.7), Hypothesis("saw", 0.3)),
    center_m=(1.0, 2.0, 3.0),
    covariance_m2=(0.1, 0, 0, 0, 0.2, 0, 0, 0, 0.3),
    yaw_rad=math.pi / 2,
    size_m=(0.3, 0.2, 0.1),
)


def test_a_detection_carries_id_labels_place_extent_and_covariance():
    vision = pytest.importorskip("vision_msgs.msg", reason="vision_msgs comes with a sourced ROS 2, not from PyPI")
    mirrored = detection_from_object(vision, header_to_message(7, "map"), DRILL)
    assert (mirrored.id, [r.hypothesis.class_id for r in mirrored.results]) == ("drill_1", ["drill", "saw"])
    assert mirrored.bbox.size.z == pytest.approx(0.1)
    assert mirrored.bbox.center.orientation.z == pytest.approx(math.sqrt(0.5))
    assert [mirrored.results[0].pose.covariance[i] for i in (0, 7, 14)] == pytest.approx([0.1, 0.2, 0.3])
