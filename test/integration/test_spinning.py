"""A node outlives entities that another thread makes and destroys while it waits for them."""

import sys
import threading
import time

import pytest
import rclpy
from or_spatial.action import AskScene
from rclpy.action import ActionClient
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.waitable import NumberOfEntities, Waitable
from std_msgs.msg import String
from talking import wait_until

from or_spatial.nodes.session import spinning
from or_spatial.nodes.spinning import spin

pytestmark = pytest.mark.dds

STRESS_S = 2.0


@pytest.fixture
def switching_often():
    """Threads take turns every microsecond: what races once a week does so now."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def alone(transport):
    """A node of a context of its own that nobody spins yet, and its executor."""
    transport.apply(publishes_images=False)
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("alone", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    yield node, executor
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_a_node_still_hears_after_others_made_and_destroyed_its_entities(transport, switching_often):
    heard: list[str] = []
    with spinning("spun", transport) as node:
        until_s = time.monotonic() + STRESS_S
        while time.monotonic() < until_s:
            subscription, action = node.create_subscription(String, "t", print, 10), ActionClient(node, AskScene, "a")
            node.destroy_subscription(subscription)
            action.destroy()
        publisher = node.create_publisher(String, "after", 10)
        node.create_subscription(String, "after", lambda m: heard.append(m.data), 10)

        def said() -> bool:
            publisher.publish(String(data="still here"))
            return "still here" in heard

        wait_until(said, what="a message after the stress")


def test_what_a_callback_raises_is_not_taken_for_a_race(alone):
    node, executor = alone

    def fail() -> None:
        raise AttributeError("a fault of ours")

    node.create_timer(0.01, fail)
    with pytest.raises(AttributeError, match="a fault of ours"):
        spin(executor)


def test_what_can_never_be_waited_for_is_raised(alone):
    class Broken(Waitable):
        def get_num_entities(self):
            raise RuntimeError("for ever broken")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    node, executor = alone
    node.add_waitable(Broken(node.default_callback_group))
    with pytest.raises(RuntimeError, match="for ever broken"):
        spin(executor, patience_s=0.5)


def test_a_race_lasts_as_long_as_the_other_thread_is_halted(alone):
    class HalfMade(Waitable):
        made_at_s = time.monotonic() + 2.0

        def get_num_entities(self):
            if time.monotonic() < self.made_at_s:
                raise AttributeError("not made yet")
            return NumberOfEntities()

        def add_to_wait_set(self, wait_set):
            return None

        def is_ready(self, wait_set):
            return False

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    node, executor = alone
    node.add_waitable(HalfMade(node.default_callback_group))
    served = threading.Event()
    node.create_timer(0.01, served.set)
    spin(executor, served.is_set)
    assert served.is_set()


def test_what_a_callback_raised_in_its_thread_is_raised_at_the_end_of_the_block(transport):
    def fail() -> None:
        raised.set()
        raise ValueError("a fault in the thread")

    raised = threading.Event()
    with pytest.raises(ValueError, match="a fault in the thread"), spinning("failing", transport) as node:
        node.create_timer(0.01, fail)
        raised.wait(10.0)


def test_it_ends_when_told_and_when_the_context_does(alone):
    node, executor = alone
    told = threading.Event()
    node.create_timer(0.01, told.set)
    spin(executor, told.is_set)
    assert told.is_set()
    node.create_timer(0.01, lambda: rclpy.try_shutdown(context=node.context))
    try:
        spin(executor)
    except ExternalShutdownException:
        assert not node.context.ok()
