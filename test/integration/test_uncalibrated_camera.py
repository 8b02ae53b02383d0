"""A camera without calibration: its graph is relative, and whoever asks for metres is told that nobody knows.

Apart from the other bad pictures, whose nodes would answer in place of these.
"""

import math

import pytest
from or_spatial.srv import AskSpatial, GetSceneGraph
from sensor_msgs.msg import Image
from synthetic_room import SyntheticRoom
from talking import wait_until

from or_spatial.nodes import qos
from or_spatial.nodes.conversions import header_to_message
from or_spatial.nodes.images import image_from_array
from or_spatial.nodes.runner import Suite
from or_spatial.scene import CameraStatus, Scale

pytestmark = pytest.mark.dds

PERIOD_NS = 200_000_000


def test_a_camera_that_was_never_calibrated_gives_a_relative_graph_on_which_metric_answers_abstain(
    transport, listener, tmp_path
):
    listener.forget()
    parameters = {"perception": {"perceiver": "rules", "cameras": ["lonely"]}}
    with Suite(("perception", "query"), transport=transport, parameters=parameters, log_folder=tmp_path):
        images = listener.node.create_publisher(Image, "lonely/image_raw", qos.profile("DEFAULT"))
        wait_until(images.get_subscription_count)
        listener.call(GetSceneGraph, "get_scene_graph")
        room, start_ns = SyntheticRoom(), listener.node.get_clock().now().nanoseconds - 60_000_000_000

        def graph():
            stamp_ns = start_ns + len(sent) * PERIOD_NS
            sent.append(stamp_ns)
            header = header_to_message(stamp_ns, "lonely_optical_frame")
            images.publish(image_from_array(room.picture("camera_1", stamp_ns % 10**10 * 1e-9), header))
            return next((g for g in list(listener.graphs) if g.sources and g.sources[0].stamp_ns in sent), None)

        sent: list[int] = []
        found = wait_until(graph, what="a graph of the lonely camera")
        assert (found.scale, found.sources[0].status) == (Scale.RELATIVE, CameraStatus.UNCALIBRATED)
        assert found.frame_id == "lonely_optical_frame"
        answer = listener.call(AskSpatial, "ask_spatial", question="How far is the robot from the patient?").answer
        assert answer.abstained
        assert math.isnan(answer.quantity)
