"""Lifecycle, simulated time, the simulator, and what is published only while somebody listens."""

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from or_spatial.msg import SceneGraph, VisualTokens
from or_spatial.srv import GetSceneGraph
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from talking import wait_until

from or_spatial.geometry.camera import Camera
from or_spatial.nodes import qos
from or_spatial.nodes.conversions import scene_graph_from_message, time_from_message
from or_spatial.nodes.images import camera_from_info, depth_from_image
from or_spatial.nodes.perception_outputs import PerceptionOutputs
from or_spatial.nodes.replayer import ReplayOptions
from or_spatial.nodes.runner import Suite
from or_spatial.nodes.session import replay, spinning
from or_spatial.perception.perceiver import Frame, Perception
from or_spatial.scene import SceneGraph as Graph

pytestmark = pytest.mark.dds

NOT_READY = 1


def change(listener, node, transition):
    request = {"transition": Transition(id=transition)}
    return listener.call(ChangeState, f"{node}/change_state", **request).success


def state(listener, node):
    return listener.call(GetState, f"{node}/get_state").current_state.label


def test_a_managed_node_waits_for_its_manager_and_can_be_stopped_and_started(transport, listener, bag, tmp_path):
    listener.forget()
    parameters = {
        "perception": {"cameras": ["camera_1"], "transport": "compressed", "perceiver": "rules"},
        "query": {"auto_activate": False},
    }
    with Suite(("perception", "query"), transport=transport, parameters=parameters, log_folder=tmp_path):
        assert state(listener, "query_node") == "unconfigured"
        assert change(listener, "query_node", Transition.TRANSITION_CONFIGURE)
        waiting = listener.call(GetSceneGraph, "get_scene_graph")
        assert (waiting.status, waiting.message) == (NOT_READY, "query_node is not active")
        assert change(listener, "query_node", Transition.TRANSITION_ACTIVATE)
        replay(bag, transport=transport, options=ReplayOptions(rate=4.0))
        wait_until(lambda: listener.call(GetSceneGraph, "get_scene_graph").status == 0, what="an answer")
        assert change(listener, "query_node", Transition.TRANSITION_DEACTIVATE)
        assert listener.call(GetSceneGraph, "get_scene_graph").status == NOT_READY
        assert change(listener, "query_node", Transition.TRANSITION_CLEANUP)
        wait_until(lambda: not listener.node.get_publishers_info_by_topic("/answers"), what="the end of a publisher")

        assert change(listener, "perception_node", Transition.TRANSITION_DEACTIVATE)
        assert not listener.node.get_subscriptions_info_by_topic("/camera_1/image_raw/compressed")
        assert change(listener, "perception_node", Transition.TRANSITION_CLEANUP)
        wait_until(lambda: not listener.node.get_publishers_info_by_topic("/scene_graph"), what="no latched graph left")
        assert change(listener, "perception_node", Transition.TRANSITION_CONFIGURE)
        assert change(listener, "perception_node", Transition.TRANSITION_ACTIVATE)
        listener.forget()
        replay(bag, transport=transport, options=ReplayOptions(rate=4.0))
        wait_until(lambda: listener.graphs, what="graphs after the second activation")


def test_with_simulated_time_a_replay_is_now(transport, listener, bag, tmp_path, room):
    listener.forget()
    parameters = {
        "": {"use_sim_time": True},
        "perception": {"cameras": ["camera_1", "camera_2"], "transport": "compressed", "perceiver": "rules"},
        "hazard": {"state_file": "none"},
    }
    with Suite(("perception", "hazard"), transport=transport, parameters=parameters, log_folder=tmp_path):
        replay(bag, transport=transport, options=ReplayOptions(rate=2.0, clock=True))
        wait_until(lambda: listener.graphs, what="graphs")
        values = wait_until(lambda: "graph_age_s" in (v := listener.values("perception_node")) and v)
        assert abs(float(values["graph_age_s"])) < 5.0
        assert "camera_1.from_the_future" not in values
        stamps = [time_from_message(m.header.stamp) for m in listener.hazards]
        assert all(s <= room.stamp_ns(20.0) for s in stamps if s)


def test_the_simulator_shows_a_room_that_perception_can_follow(transport, listener, tmp_path):
    listener.forget()
    heard: dict[str, list] = {"image": [], "info": [], "truth": []}
    node = listener.node
    subscriptions = [
        node.create_subscription(CompressedImage, "camera_1/image_raw/compressed", heard["image"].append, 10),
        node.create_subscription(CameraInfo, "camera_1/camera_info", heard["info"].append, 10),
        node.create_subscription(SceneGraph, "/truth/scene_graph", heard["truth"].append, qos.profile("LATCHED")),
    ]
    parameters = {
        "world": {"camera_count": 1, "width_px": 160, "height_px": 90, "seed": 3, "split": "val"},
        "perception": {"transport": "compressed", "perceiver": "rules", "truth_wait_s": 1.0},
    }

    def stamps_of_images() -> set[int]:
        return {time_from_message(m.header.stamp) for m in heard["image"]}

    def stamps_of_graphs() -> set[int]:
        return {g.stamp_ns for g in listener.graphs if g.stamp_ns}

    with Suite(("world", "perception"), transport=transport, parameters=parameters, log_folder=tmp_path):
        wait_until(lambda: any(g.objects for g in listener.graphs), 60.0, "a graph with objects")
        wait_until(lambda: all(heard.values()), 60.0, "every topic of the simulator")
        wait_until(lambda: stamps_of_images() & stamps_of_graphs(), 60.0, "the graph of an image that was heard, too")
    for subscription in subscriptions:
        node.destroy_subscription(subscription)
    assert camera_from_info(heard["info"][-1], 160, 90).width == 160
    assert scene_graph_from_message(heard["truth"][-1]).objects


DEPTH = np.full((4, 6), 2.0, np.float32)
DEPTH[1, 2] = np.nan
TOPICS = ("depth/image", "depth/confidence", "depth/camera_info", "points")


def a_frame_with_depth():
    camera = Camera.from_fov(60, 40, 1.2)
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, 30:] = (200, 10, 20)
    frame = Frame("eye", 1_700_000_000_000_000_007, image, camera, np.eye(4), "eye_optical_frame")
    perception = Perception(
        depth_m=DEPTH,
        depth_confidence=np.full((4, 6), 0.5, np.float32),
        depth_camera=camera.scaled(6, 4),
        tokens=np.arange(6, dtype=np.float16).reshape(2, 3),
    )
    return frame, perception


def test_depth_points_and_tokens_are_published_only_to_listeners_with_the_images_own_header(transport, listener):
    frame, perception = a_frame_with_depth()
    with spinning("eyes", transport) as other:
        node = LifecycleNode("outputs", context=other.context)
        outputs = PerceptionOutputs(node, ["eye"], "model-1")
        node.trigger_configure()
        node.trigger_activate()
        assert not outputs.wants_tokens
        kinds = {
            "depth/image": Image,
            "depth/confidence": Image,
            "depth/camera_info": CameraInfo,
            "points": PointCloud2,
        }
        heard: dict[str, list] = {name: [] for name in [*kinds, "tokens"]}
        subscriptions = [
            listener.node.create_subscription(kind, f"eye/{name}", heard[name].append, 2)
            for name, kind in kinds.items()
        ]
        subscriptions.append(
            listener.node.create_subscription(VisualTokens, "visual_tokens", heard["tokens"].append, 2)
        )
        wait_until(lambda: outputs.wants_tokens, what="a listener")

        def all_heard():
            outputs.publish(Graph(stamp_ns=frame.stamp_ns, sequence=9), [frame], [perception], 1)
            return all(heard.values())

        wait_until(all_heard, what="all topics")
        outputs.close()
        node.destroy_node()
        for subscription in subscriptions:
            listener.node.destroy_subscription(subscription)
    for messages in heard.values():
        header = messages[-1].header
        assert (time_from_message(header.stamp), header.frame_id) == (frame.stamp_ns, "eye_optical_frame")
    np.testing.assert_array_equal(depth_from_image(heard["depth/image"][-1]), DEPTH)
    assert heard["depth/camera_info"][-1].width == 6
    cloud = np.frombuffer(heard["points"][-1].data, dtype=[("xyz", "<f4", 3), ("rgb", "<u4")])
    assert len(cloud) == DEPTH.size - 1
    np.testing.assert_allclose(cloud["xyz"][:, 2], 2.0)
    right = cloud["rgb"][cloud["xyz"][:, 0] > 0.3]
    assert set(right.tolist()) == {200 << 16 | 10 << 8 | 20}
    tokens = heard["tokens"][-1]
    assert (tokens.tokens, tokens.channels, tokens.model_id, tokens.sequence) == (2, 3, "model-1", 9)
    np.testing.assert_array_equal(np.frombuffer(tokens.data, "<f2"), np.arange(6))
