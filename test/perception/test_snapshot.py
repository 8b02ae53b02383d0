"""One look alone: everything seen is told at once, as surely as the perceiver is of it."""

import pytest
from tracked_room import Room, changed

from or_spatial.perception.snapshot import snapshot
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig

NURSE = ("person", (-0.6, 0.8, 0.85))


def look(existence):
    frames, seen, stamp_ns = Room(cameras=("ceiling_left",)).look(10.0, [NURSE])
    return frames[0], changed(seen[0], 0, existence=existence), stamp_ns


@pytest.mark.parametrize("existence", [0.25, 0.5, 0.9])
def test_a_thing_is_there_as_surely_as_the_perceiver_says(existence):
    frame, seen, _ = look(existence)
    (nurse,) = snapshot(frame, seen, TrackerConfig()).graph.objects
    assert nurse.existence == pytest.approx(existence)


def test_over_time_the_first_look_is_doubted():
    frame, seen, stamp_ns = look(0.75)
    (nurse,) = SceneTracker(TrackerConfig(confirm_existence=0.0)).update([frame], [seen], stamp_ns).objects
    assert nurse.existence < 0.7
