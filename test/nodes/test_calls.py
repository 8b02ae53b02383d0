"""An answer that DDS loses is asked for again."""

import threading

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from rclpy.task import Future

from or_spatial.nodes.calls import answer_of


class Server:
    """Answers an asking after the first ones were lost; `heard` keeps the future of each."""

    def __init__(self, loses: int) -> None:
        self.loses, self.heard = loses, []

    def ask(self) -> Future:
        self.heard.append(Future())
        if len(self.heard) > self.loses:
            threading.Thread(target=self.heard[-1].set_result, args=(f"answer {len(self.heard)}",)).start()
        return self.heard[-1]


def test_what_is_answered_at_once_is_asked_once():
    server = Server(loses=0)
    assert answer_of(server.ask, within_s=30.0) == "answer 1"
    assert len(server.heard) == 1


def test_a_lost_answer_is_asked_for_again_and_no_longer_waited_for():
    server = Server(loses=2)
    assert answer_of(server.ask, within_s=30.0, again_after_s=0.01).startswith("answer ")
    assert len(server.heard) >= 3
    assert all(future.cancelled() for future in server.heard[:2])


def test_a_late_answer_to_the_first_asking_counts():
    first = Future()
    futures = iter([first, Future(), Future()])

    def ask() -> Future:
        future = next(futures)
        if future is not first:
            first.set_result("late")
        return future

    assert answer_of(ask, within_s=30.0, again_after_s=0.01) == "late"


def test_silence_ends_in_time_with_none():
    server = Server(loses=1_000_000)
    assert answer_of(server.ask, within_s=0.05, again_after_s=0.02) is None
    assert all(future.cancelled() for future in server.heard)
