"""The mailbox between callbacks and worker: which frames leave together, which are dropped, and when nobody waits."""

import threading

import pytest

from or_spatial.nodes.gathering import FrameGatherer

MS = 1_000_000


def gatherer(cameras=("left", "right"), **options):
    options = {"slop_ns": 20 * MS, "wait_s": 5.0, "gone_after_s": 60.0} | options
    return FrameGatherer(cameras, **options)


def test_frames_within_the_slop_leave_together_at_once():
    box = gatherer()
    box.offer("left", 100 * MS, "L")
    box.offer("right", 120 * MS, "R")
    assert box.take(0.0) == {"left": "L", "right": "R"}


def test_a_frame_just_outside_the_slop_does_not_belong():
    box = gatherer(wait_s=0.0)
    box.offer("left", 100 * MS, "L")
    box.offer("right", 121 * MS, "R")
    assert box.take(0.0) == {"right": "R"}


def test_a_waiting_frame_is_replaced_by_a_newer_one_and_counted():
    box = gatherer(("left",))
    for stamp in (10, 20, 30):
        box.offer("left", stamp * MS, stamp)
    assert box.take(0.0) == {"left": 30}
    assert box.dropped["left"] == 2
    assert box.take(0.0) is None


def test_every_frame_mode_drops_nothing_and_keeps_the_order():
    box = gatherer(("left",), every=True)
    for stamp in (10, 20, 30):
        box.offer("left", stamp * MS, stamp)
    assert [box.take(0.0)["left"] for _ in range(3)] == [10, 20, 30]
    assert box.dropped["left"] == 0


def test_every_frame_mode_pairs_queues_of_two_cameras():
    box = gatherer(every=True)
    for stamp in (100, 200):
        box.offer("left", stamp * MS, f"L{stamp}")
    for stamp in (105, 205):
        box.offer("right", stamp * MS, f"R{stamp}")
    assert box.take(0.0) == {"left": "L100", "right": "R105"}
    assert box.take(0.0) == {"left": "L200", "right": "R205"}


def test_an_incomplete_set_waits_for_its_partner_and_leaves_alone_after_the_wait():
    box = gatherer(wait_s=0.05)
    box.offer("left", 100 * MS, "L")
    assert box.take(0.0) is None
    assert box.take(2.0) == {"left": "L"}


def test_nobody_waits_for_a_camera_that_is_gone():
    box = gatherer(wait_s=60.0, gone_after_s=0.0)
    box.offer("left", 100 * MS, "L")
    assert box.take(0.0) == {"left": "L"}


def test_a_straggler_of_a_set_that_has_left_joins_the_next_one():
    box = gatherer(wait_s=0.0)
    box.offer("left", 100 * MS, "L1")
    assert box.take(0.0) == {"left": "L1"}
    box.offer("right", 95 * MS, "R1")
    assert box.take(0.0) is None
    box.offer("left", 110 * MS, "L2")
    assert box.take(0.0) == {"left": "L2", "right": "R1"}


def test_a_frame_too_late_for_its_set_is_dropped_and_counted():
    box = gatherer(wait_s=0.0)
    box.offer("left", 100 * MS, "L1")
    box.take(0.0)
    box.offer("right", 60 * MS, "R")
    assert box.take(0.0) is None
    assert box.late["right"] == 1


def test_in_every_frame_mode_a_straggler_never_blocks_what_comes_after_it():
    box = gatherer(every=True, wait_s=0.0)
    box.offer("left", 100 * MS, "L1")
    assert box.take(0.0) == {"left": "L1"}
    box.offer("right", 95 * MS, "late")
    box.offer("left", 200 * MS, "L2")
    assert box.take(0.0) == {"left": "L2"}


def test_after_clear_older_stamps_are_welcome_again():
    box = gatherer(("left",))
    box.offer("left", 900 * MS, "old recording")
    box.take(0.0)
    box.clear()
    box.offer("left", 100 * MS, "new recording")
    assert box.take(0.0) == {"left": "new recording"}


def test_close_wakes_a_waiting_worker():
    box = gatherer()
    answers = []
    worker = threading.Thread(target=lambda: answers.append(box.take(30.0)))
    worker.start()
    box.close()
    worker.join(5.0)
    assert answers == [None]


@pytest.mark.parametrize("every", [False, True])
def test_a_worker_that_waits_gets_the_frame_when_it_comes(every):
    box = gatherer(("left",), every=every)
    answers = []
    worker = threading.Thread(target=lambda: answers.append(box.take(30.0)))
    worker.start()
    box.offer("left", 1, "L")
    worker.join(5.0)
    assert answers == [{"left": "L"}]
