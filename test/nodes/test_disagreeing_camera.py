"""A camera whose extrinsics contradict the others is a warning in /diagnostics: name, size, remedy."""

import time
from dataclasses import replace

import pytest
import rclpy

from or_spatial.evaluation.moving_room import MovingRoom
from or_spatial.geometry.transforms import pose_matrix
from or_spatial.nodes.camera_input import CameraInput
from or_spatial.nodes.diagnostics import Level
from or_spatial.nodes.perception_node import PerceptionNode, metric_only_while_calibrated
from or_spatial.nodes.stamps import StampGuard
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene import CameraStatus, Scale, SceneGraph, Source


@pytest.fixture
def node(ros_domain):
    rclpy.init()
    node = PerceptionNode()
    yield node
    node.destroy_node()
    rclpy.shutdown()


def watch(node, shift):
    """Ten seconds of a room with three cameras, the second of which stands elsewhere than its pose says."""
    room = MovingRoom(cameras=3, people=4, seed=3, picture_px=(64, 36))
    node._tracker = SceneTracker(TrackerConfig(cameras=room.names, health=None))
    node._cameras = {name: CameraInput(name, StampGuard(0.5)) for name in room.names}
    for i in range(50):
        frames, seen, stamp_ns = room.look(1.0 + 0.2 * i)
        pose = frames[1].room_from_camera
        frames[1] = replace(frames[1], room_from_camera=pose_matrix(pose[:3, :3], pose[:3, 3] + shift))
        node._newest = node._tracker.update(frames, seen, stamp_ns)
    for camera in node._cameras.values():
        camera.last_arrival_s = time.monotonic()  # none of them is silent
    return node._report()


def test_contradictory_extrinsics_are_a_warning_that_says_what_to_do(node):
    report = watch(node, (0.5, 0.0, 0.0))
    (reason,) = [r for r in report.reasons if "contradicts" in r]
    assert reason.startswith("camera_2 contradicts the other cameras") and "or_spatial calibrate" in reason
    assert report.level == Level.WARN
    assert report.values["camera_2.status"] == "DISAGREES"
    shift_m = float(report.values["camera_2.pose_error"].split(" m,")[0])
    assert shift_m == pytest.approx(0.5, abs=0.2)
    assert report.values["camera_1.pose_error"] == ""


def test_a_rig_that_agrees_is_no_warning(node):
    report = watch(node, (0.0, 0.0, 0.0))
    assert [r for r in report.reasons if "contradicts" in r] == []
    assert report.values["camera_2.status"] == "OK"


def test_a_graph_stays_metric_while_a_disagreeing_camera_is_the_only_calibrated_one():
    statuses = (CameraStatus.DISAGREES, CameraStatus.UNCALIBRATED)
    sources = tuple(Source(f"camera_{k}", "", 1, s) for k, s in enumerate(statuses))
    graph = SceneGraph(stamp_ns=1, scale=Scale.METRIC, sources=sources)
    assert metric_only_while_calibrated(graph).scale == Scale.METRIC
