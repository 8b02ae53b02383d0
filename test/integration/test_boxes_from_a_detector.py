"""Boxes of somebody else's person detector on the wire: people in the graph at their places, and faults by name."""

import itertools

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TransformStamped
from or_spatial.msg import ObservedBox2D, ObservedBox2DArray
from sensor_msgs.msg import CameraInfo
from synthetic_room import CAMERA, SyntheticRoom
from talking import wait_until

from or_spatial.geometry.boxes import OrientedBox
from or_spatial.geometry.transforms import apply, invert
from or_spatial.nodes import qos
from or_spatial.nodes.conversions import header_to_message
from or_spatial.nodes.images import info_from_camera
from or_spatial.nodes.runner import Suite
from or_spatial.scene import CameraStatus, Scale

pytestmark = pytest.mark.dds

PERIOD_NS = 100_000_000
NAN = float("nan")
PEOPLE = {"person_1": (-1.2, 0.95), "person_2": (-0.3, -0.9)}  # where SyntheticRoom puts them, x, y in the room


class Detector:
    """Publishes what an ideal person detector would see of the synthetic room, with calibrations and poses."""

    def __init__(self, node, topics, calibrated=("camera_1", "camera_2")):
        self._node, self._room = node, SyntheticRoom()
        self._stamps = itertools.count(node.get_clock().now().nanoseconds - 60_000_000_000, PERIOD_NS)
        self._infos = {c: node.create_publisher(CameraInfo, f"{c}/camera_info", 10) for c in calibrated}
        self._poses = {
            c: node.create_publisher(TransformStamped, f"{c}/pose", qos.profile("LATCHED"))
            for c in ("camera_1", "camera_2")
        }
        for camera, publisher in self._poses.items():
            publisher.publish(self._room.pose_message(camera))
        self._boxes = {t: node.create_publisher(ObservedBox2DArray, t, 10) for t in topics}

    def wait(self):
        """Until somebody listens to all of it."""
        for publisher in (*self._infos.values(), *self._poses.values(), *self._boxes.values()):
            wait_until(publisher.get_subscription_count, what=publisher.topic)

    def see(self, *what):
        """One moment: (topic, camera that it is of, camera it says, more boxes), then the calibrations."""
        stamp_ns = next(self._stamps)
        for camera, publisher in self._infos.items():
            publisher.publish(info_from_camera(CAMERA, header_to_message(stamp_ns, f"{camera}_optical_frame")))
        for topic, camera, says, more in what:
            message = self._message(camera, stamp_ns)
            message.camera = says
            message.boxes.extend(more)
            self._boxes[topic].publish(message)

    def _message(self, camera, stamp_ns):
        header = header_to_message(stamp_ns, f"{camera}_optical_frame")
        message = ObservedBox2DArray(header=header, width=CAMERA.width, height=CAMERA.height)
        for thing in self._room.truth(0.0).objects:
            if thing.label == "person":
                corners = OrientedBox(thing.center_m, thing.size_m, thing.yaw_rad).corners()
                pixels = CAMERA.project(apply(invert(self._room.pose(camera)), corners))
                message.boxes.append(box(*pixels.min(axis=0), *pixels.max(axis=0)))
        return message

    def close(self):
        for publisher in (*self._infos.values(), *self._poses.values(), *self._boxes.values()):
            self._node.destroy_publisher(publisher)


def box(xmin, ymin, xmax, ymax, score=0.95, label="person"):
    names = {"xmin": xmin, "ymin": ymin, "xmax": xmax, "ymax": ymax, "score": score}
    return ObservedBox2D(label=label, **{name: float(value) for name, value in names.items()})


def people_of(graph):
    """Centres of the people, nearest to each true one."""
    return np.array([o.center_m for o in graph.objects if o.label == "person"]).reshape(-1, 3)


def stand_where_they_are(graph):
    found = people_of(graph)[:, :2]
    near = [np.linalg.norm(found - np.array(place), axis=1).min(initial=9.0) for place in PEOPLE.values()]
    return len(found) == 2 and max(near) < 0.2


def test_people_stand_where_the_boxes_of_two_cameras_say(transport, listener, tmp_path):
    listener.forget()
    parameters = {
        "perception": {
            "perceiver": "boxes",
            "cameras": ["camera_1", "camera_2"],
            "boxes_topics": ["detector/left", "detector/right"],
        }
    }
    detector = Detector(listener.node, ("detector/left", "detector/right"))
    bad = [box(NAN, 3, 30, 60), box(90, 20, 40, 80), box(10, 10, 40, 90, score=0.99, label="table")]
    with Suite(("perception",), transport=transport, parameters=parameters, log_folder=tmp_path):
        detector.wait()

        def settled():
            detector.see(("detector/left", "camera_1", "", bad), ("detector/right", "camera_2", "camera_2", []))
            return listener.graphs and stand_where_they_are(listener.graphs[-1]) and listener.graphs[-1]

        graph = wait_until(settled, what="two people at their places")

        def counted():
            values = listener.values("perception_node")
            return values and int(values["camera_1.bad_boxes"]) >= 2 and values

        values = wait_until(counted, what="diagnostics that count the bad boxes")
    detector.close()
    assert (graph.scale, graph.model_id, graph.frame_id) == (Scale.METRIC, "person-boxes", "map")
    assert {s.status for s in graph.sources} == {CameraStatus.OK}
    assert all(0.7 < z < 1.0 for z in people_of(graph)[:, 2])
    assert "(nan, 3, 30, 60)" in values["camera_1.last_error"]
    assert values["camera_2.bad_boxes"] == "0"
    assert (
        "camera_1: box (nan, 3, 30, 60) has an edge that is no number" in (tmp_path / "perception_node.log").read_text()
    )


def test_one_topic_for_all_and_what_is_missing_is_named(transport, listener, tmp_path):
    """camera_2 has no CameraInfo, camera_3 says nothing, and somebody sends boxes of a camera that nobody knows."""
    listener.forget()
    listener.status.clear()
    parameters = {
        "perception": {
            "perceiver": "boxes",
            "cameras": ["camera_1", "camera_2", "camera_3"],
            "boxes_topics": ["detector/all"],
        }
    }
    detector = Detector(listener.node, ("detector/all",), calibrated=("camera_1",))
    with Suite(("perception",), transport=transport, parameters=parameters, log_folder=tmp_path):
        detector.wait()

        def told():
            detector.see(
                ("detector/all", "camera_1", "camera_1", []),
                ("detector/all", "camera_2", "camera_2", []),
                ("detector/all", "camera_1", "camera_7", []),
                ("detector/all", "camera_1", "", []),
            )
            status = listener.status.get("perception_node")
            said = status.message if status else ""
            wanted = ("no CameraInfo has come on camera_2/camera_info", "no boxes on topic 'detector/all' for")
            refused = int(listener.values("perception_node").get("refused_boxes", 0))
            return refused >= 2 and all(w in said for w in wanted) and listener.graphs and status

        status = wait_until(told, what="every fault by name")
        graph = listener.graphs[-1]
    detector.close()
    assert status.level == DiagnosticStatus.ERROR
    log = (tmp_path / "perception_node.log").read_text()
    assert "unknown camera 'camera_7' on topic 'detector/all' refused; its cameras are camera_1, camera_2" in log
    assert [s.status for s in graph.sources[:2]] == [CameraStatus.OK, CameraStatus.UNCALIBRATED]
    assert graph.scale == Scale.METRIC


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"boxes_topics": ["a", "b"]}, "'boxes_topics' names 2 topics for 1 cameras"),
        ({"synchroniser": "message_filters"}, "with perceiver 'boxes' set it to 'own'"),
        ({"boxes_shape": "/nowhere/person.yaml"}, "person shape /nowhere/person.yaml cannot be read"),
    ],
    ids=["topics", "synchroniser", "shape"],
)
def test_settings_that_cannot_work_end_the_node_with_a_reason(transport, tmp_path, wrong, words):
    parameters = {"perception": {"perceiver": "boxes", **wrong}}
    with Suite(("perception",), transport=transport, parameters=parameters, log_folder=tmp_path) as suite:
        wait_until(lambda: suite.failed, what="the refusal")
    assert words in (tmp_path / "perception_node.log").read_text()
