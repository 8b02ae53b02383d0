"""Every kind of bad picture, one after the other, to one perception_node: each is reported, the next is served."""

import array
import math

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from or_spatial.msg import SceneGraph
from or_spatial.srv import AskSpatial
from sensor_msgs.msg import CameraInfo, Image
from synthetic_room import SyntheticRoom
from talking import wait_until

from or_spatial.nodes import qos
from or_spatial.nodes.conversions import header_to_message, scene_graph_to_message
from or_spatial.nodes.images import image_from_array
from or_spatial.nodes.runner import Suite
from or_spatial.scene import CameraStatus, Scale

pytestmark = pytest.mark.dds

PERIOD_NS = 200_000_000


class Driver:
    """A camera driver that can misbehave: publishes pictures, calibration and truth with stamps of our choosing."""

    def __init__(self, listener, room, suite) -> None:
        self.listener, self.room, self.suite, node = listener, room, suite, listener.node
        self.images = node.create_publisher(Image, "camera_1/image_raw", qos.profile("DEFAULT"))
        self.infos = node.create_publisher(CameraInfo, "camera_1/camera_info", qos.profile("DEFAULT"))
        self.truths = node.create_publisher(SceneGraph, "/truth/scene_graph", qos.profile("LATCHED"))
        self.poses = node.create_publisher(TransformStamped, "camera_1/pose", qos.profile("LATCHED"))
        self.poses.publish(room.pose_message("camera_1"))
        self.newest_ns = node.get_clock().now().nanoseconds - 60_000_000_000

    def next_stamp(self) -> int:
        """A stamp after all others."""
        self.newest_ns += PERIOD_NS
        return self.newest_ns

    def picture(self, stamp_ns: int) -> Image:
        """A good picture of this moment."""
        header = header_to_message(stamp_ns, "camera_1_optical_frame")
        return image_from_array(self.room.picture("camera_1", (stamp_ns % 10**12) * 1e-9), header)

    def send(self, image: Image, info: bool = True) -> None:
        """Publish truth, calibration and picture of the picture's stamp."""
        stamp_ns = image.header.stamp.sec * 10**9 + image.header.stamp.nanosec
        truth = scene_graph_to_message(self.room.truth(0.0))
        truth.header.stamp = image.header.stamp
        self.truths.publish(truth)
        if info:
            message = self.room.info_message("camera_1", 0.0)
            message.header = image.header
            self.infos.publish(message)
        self.images.publish(image)
        self.last_ns = stamp_ns

    def diagnosed(self, what: str) -> str:
        """The newest diagnosis of the camera; empty before the first one."""
        return self.listener.values("perception_node").get(f"camera_1.{what}", "")

    def served(self, image: Image | None = None, **how):
        """Send a picture (a good one of the next moment by default) and return its graph."""
        if image is None:
            image = self.picture(self.next_stamp())
        self.send(image, **how)
        stamp_ns = self.last_ns
        return wait_until(lambda: self.listener.graph_at(stamp_ns), what="the graph of this picture")


@pytest.fixture(scope="module")
def driver(transport, listener, tmp_path_factory):
    room, logs = SyntheticRoom(), tmp_path_factory.mktemp("logs")
    parameters = {
        "perception": {"perceiver": "rules", "truth_wait_s": 5.0, "image_qos": "DEFAULT", "image_qos_depth": 10},
        "hazard": {"state_file": "none"},
    }
    with Suite(("perception", "query"), transport=transport, parameters=parameters, log_folder=logs) as suite:
        driver = Driver(listener, room, suite)
        wait_until(lambda: driver.images.get_subscription_count() and driver.infos.get_subscription_count())
        wait_until(driver.poses.get_subscription_count)
        warm_up(driver)
        yield driver


def warm_up(driver):
    """Until the first graph with objects: the pose and the calibration have arrived as well."""

    def seen():
        image = driver.picture(driver.next_stamp())
        driver.send(image)
        stamp_ns = driver.last_ns
        try:
            return wait_until(lambda: driver.listener.graph_at(stamp_ns), 2.0).objects
        except AssertionError:
            return None

    wait_until(seen, what="a first graph with objects")


def test_a_good_picture_gives_a_metric_graph(driver):
    graph = driver.served()
    assert (graph.scale, graph.sources[0].status) == (Scale.METRIC, CameraStatus.OK)
    assert len(graph.objects) == 5


def zero_size(image):
    image.width = image.height = image.step = 0
    image.data = array.array("B")


def truncated(image):
    image.data = image.data[: len(image.data) // 2]


def wrong_step(image):
    image.step = 100


def unknown_encoding(image):
    image.encoding = "yuv422_magic"


def nan_picture(image):
    image.encoding, image.step = "32FC1", 4 * image.width
    values = np.full(image.width * image.height, np.nan, np.float32)
    image.data = array.array("B", values.tobytes())


def black(image):
    image.data = array.array("B", bytes(len(image.data)))


def covered(image):
    image.data = array.array("B", bytes([60]) * len(image.data))


@pytest.mark.parametrize(
    ("spoil", "status", "said"),
    [
        (zero_size, CameraStatus.BAD_IMAGE, "0x0 pixels"),
        (truncated, CameraStatus.BAD_IMAGE, "holds 86400 bytes"),
        (wrong_step, CameraStatus.BAD_IMAGE, "step is 100 bytes"),
        (unknown_encoding, CameraStatus.BAD_IMAGE, "yuv422_magic"),
        (nan_picture, CameraStatus.BAD_IMAGE, "100% of the 32FC1 pixels are NaN"),
        (black, CameraStatus.DARK, ""),
        (covered, CameraStatus.COVERED, ""),
    ],
)
def test_a_bad_picture_is_reported_and_the_next_one_is_served(driver, spoil, status, said):
    image = driver.picture(driver.next_stamp())
    spoil(image)
    graph = driver.served(image)
    assert graph.sources[0].status == status
    wait_until(lambda: said in driver.diagnosed("last_error"), what="the reason")
    after = driver.served()
    assert after.sources[0].status == CameraStatus.OK
    assert len(after.objects) == 5


def test_a_frozen_picture_is_noticed_and_ends_with_a_new_one(driver):
    frozen = driver.picture(driver.next_stamp())

    def status():
        frozen.header = header_to_message(driver.next_stamp(), "camera_1_optical_frame")
        return driver.served(frozen).sources[0].status

    seen = [status() for _ in range(5)]
    assert seen[0] == CameraStatus.OK
    assert seen[-1] == CameraStatus.FROZEN
    assert driver.served().sources[0].status == CameraStatus.OK


def test_a_picture_out_of_order_is_refused_and_counted(driver):
    driver.served()
    driver.send(driver.picture(driver.newest_ns - 2 * PERIOD_NS))
    wait_until(lambda: driver.listener.values("perception_node").get("camera_1.out_of_order") == "1", what="the count")
    assert "a newer one has come before it" in driver.listener.values("perception_node").get("camera_1.last_error", "")
    assert driver.served().sources[0].status == CameraStatus.OK


def test_a_picture_from_the_future_is_refused_and_counted(driver):
    driver.send(driver.picture(driver.listener.node.get_clock().now().nanoseconds + 3_600_000_000_000))
    values = wait_until(
        lambda: "camera_1.from_the_future" in (v := driver.listener.values("perception_node")) and v, what="the count"
    )
    assert "ahead of this node's clock" in values["camera_1.last_error"]
    assert len(driver.served().objects) == 5


def test_a_picture_without_a_stamp_is_refused_and_counted(driver):
    image = driver.picture(driver.newest_ns)
    image.header.stamp.sec = image.header.stamp.nanosec = 0
    driver.send(image)
    wait_until(lambda: driver.listener.values("perception_node").get("camera_1.unstamped") == "1", what="the count")
    assert len(driver.served().objects) == 5


@pytest.mark.parametrize("fault", ["uncalibrated", "other_size"])
def test_a_calibration_that_does_not_fit_makes_the_camera_uncalibrated_until_it_is_mended(driver, fault):
    info = driver.room.info_message("camera_1", 0.0)
    if fault == "uncalibrated":
        info.k = np.zeros(9)
    else:
        info.width, info.height = 640, 360
    driver.infos.publish(info)

    def uncalibrated():
        graph = driver.served(info=False)
        return graph.sources[0].status == CameraStatus.UNCALIBRATED and graph

    assert wait_until(uncalibrated, what="UNCALIBRATED").scale == Scale.RELATIVE
    answer = driver.listener.call(AskSpatial, "ask_spatial", question="How far is the robot from the patient?").answer
    assert (answer.abstained, math.isnan(answer.quantity)) == (True, True)
    wait_until(lambda: driver.served().sources[0].status == CameraStatus.OK, what="OK again")
    assert driver.served().scale == Scale.METRIC


def test_a_camera_that_vanishes_is_lost_and_found(driver):
    driver.served()
    wait_until(lambda: driver.diagnosed("status") == "LOST", what="LOST")
    assert "no image for" in driver.listener.status["perception_node"].message
    assert driver.served().sources[0].status == CameraStatus.OK


def test_after_all_that_nothing_was_restarted_and_questions_are_answered(driver):
    assert driver.served().objects
    assert not driver.suite.restarts.total()
    answer = driver.listener.call(AskSpatial, "ask_spatial", question="How many people are there?")
    assert answer.answer.quantity == 3.0
