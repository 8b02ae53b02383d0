"""Which stamps are believed, and what time it is for live and replayed streams."""

import pytest

from or_spatial.nodes.stamps import StampGuard, StreamClock, Verdict

S = 1_000_000_000
NOW = 1_700_000_000 * S


@pytest.mark.parametrize(
    ("case", "stamps_s", "verdicts"),
    [
        ("in order", [-3.0, -2.0], [Verdict.FINE, Verdict.FINE]),
        ("the same again", [-3.0, -3.0], [Verdict.FINE, Verdict.OUT_OF_ORDER]),
        ("overtaken", [-2.0, -2.5, -1.0], [Verdict.FINE, Verdict.OUT_OF_ORDER, Verdict.FINE]),
        ("slightly ahead", [0.4], [Verdict.FINE]),
        ("from the future", [0.6, -1.0], [Verdict.FUTURE, Verdict.FINE]),
        ("one wild stamp", [-2.0, -9.0, -1.0], [Verdict.FINE, Verdict.OUT_OF_ORDER, Verdict.FINE]),
        (
            "a new recording",
            [-2.0, -9.0, -8.9, -8.8],
            [Verdict.FINE, Verdict.OUT_OF_ORDER, Verdict.RESTARTED, Verdict.FINE],
        ),
    ],
)
def test_stamps_are_judged_in_order_of_arrival(case, stamps_s, verdicts):
    guard = StampGuard(jump_back_s=5.0)
    assert [guard.judge(NOW + int(s * S), NOW, 0.5) for s in stamps_s] == verdicts


def test_an_unset_stamp_is_refused_and_counted():
    guard = StampGuard()
    assert guard.judge(0, NOW, 0.5) is Verdict.UNSTAMPED
    assert guard.refused[Verdict.UNSTAMPED] == 1


def test_before_simulated_time_begins_nothing_counts_as_future():
    assert StampGuard().judge(NOW, 0, 0.5) is Verdict.FINE


def test_a_live_stream_takes_the_time_from_the_node():
    clock = StreamClock(live_within_s=10.0)
    clock.received(NOW - 3 * S, NOW)
    assert clock.now_ns(NOW + 7 * S) == NOW + 7 * S


def test_a_replayed_stream_tells_its_own_time():
    clock = StreamClock(live_within_s=10.0)
    clock.received(5_000 * S, NOW)
    assert 0 <= clock.now_ns(NOW) - 5_000 * S < 60 * S


def test_before_anything_was_received_the_node_tells_the_time():
    assert StreamClock().now_ns(NOW) == NOW
