"""People who go out of all pictures and come back: who gets the old name and who does not."""

import math

import numpy as np
import pytest
from tracked_room import NS, Room, changed

from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig

NAN = math.nan
CAMERAS = ("ceiling_left", "ceiling_right")


class Watch:
    """A tracker that is shown people as (place, gown, height), five times a second."""

    def __init__(self):
        self.eye, self.room, self.t = SceneTracker(TrackerConfig(cameras=CAMERAS)), Room(5, sigma_m=0.08), 100.0

    def show(self, *people, seconds=2.0):
        """Names of the people at the end, in their order; none if nobody has a name yet."""
        for _ in range(round(seconds * 5)):
            frames, seen, stamp = self.room.look(self.t, [("person", (*place, 0.85)) for place, _, _ in people])
            for i, (_, gown, height) in enumerate(people):
                size = np.array([0.5, 0.5, height])
                seen = [changed(s, i, sterile=gown, size_m=size) for s in seen]
            graph = self.eye.update(frames, seen, stamp)
            self.t += 0.2
        places = {o.id: np.array(o.center_m[:2]) for o in graph.objects if o.label == "person"}
        if not places:
            return []
        return [min(places, key=lambda id, at=at: np.linalg.norm(places[id] - at)) for at, _, _ in people]

    def wait(self, seconds):
        """Nobody is in any picture."""
        self.show(seconds=seconds)


SURGEON = ((0.0, 0.8), 0.95, 1.82)
NURSE = ((1.0, 0.9), 0.05, 1.64)


def moved(person, place, gown=None, height=None):
    return (place, person[1] if gown is None else gown, person[2] if height is None else height)


def test_who_comes_back_gets_the_old_name():
    watch = Watch()
    surgeon, nurse = watch.show(SURGEON, NURSE)
    watch.wait(25.0)
    assert watch.show(moved(NURSE, (-0.5, 1.0))) == [nurse]
    assert watch.show(moved(NURSE, (-0.5, 1.0)), moved(SURGEON, (0.8, 0.8))) == [nurse, surgeon]


@pytest.mark.parametrize("stranger", [{"gown": 0.05}, {"height": 1.68}], ids=["another gown", "another height"])
def test_a_stranger_gets_a_new_name(stranger):
    watch = Watch()
    watch.show(SURGEON)
    watch.wait(25.0)
    assert watch.show(moved(SURGEON, (0.5, 0.8), **stranger)) == ["person_2"]


def test_who_may_be_either_of_two_gets_a_new_name():
    watch = Watch()
    watch.show(SURGEON, moved(SURGEON, (1.2, 0.9), height=1.80))
    watch.wait(25.0)
    assert watch.show(moved(SURGEON, (0.5, 0.8))) == ["person_3"]


def test_nobody_walks_faster_than_people_walk():
    """Out of sight for a moment and seen two metres away, as alike as can be: somebody else."""
    watch = Watch()
    watch.show(moved(SURGEON, (-1.2, 0.8)))
    watch.wait(0.4)
    assert watch.show(moved(SURGEON, (1.2, 0.8)), seconds=1.0) == ["person_2"]


def test_marks_are_forgotten_after_two_minutes_and_place_alone_after_ten_seconds():
    for height, away_s, name in ((1.8, 100.0, "person_1"), (1.8, 130.0, "person_2"), (NAN, 25.0, "person_2")):
        watch = Watch()
        watch.show(moved(SURGEON, (0.0, 0.8), height=height))
        watch.wait(away_s)
        assert watch.show(moved(SURGEON, (0.0, 0.8), height=height)) == [name]


def test_after_time_jumped_back_nobody_is_recognised():
    watch = Watch()
    watch.show(SURGEON)
    watch.t -= 60.0
    assert watch.eye.stamp_ns > watch.t * NS
    assert watch.show(SURGEON) == ["person_2"]


def test_one_wrong_look_at_a_height_does_not_make_a_stranger():
    """While somebody is missed, a newcomer is looked at for half a second before the name is given."""
    watch = Watch()
    watch.show(SURGEON)
    watch.wait(25.0)
    taller = moved(SURGEON, SURGEON[0], height=SURGEON[2] + 0.15)
    assert watch.show(taller, seconds=0.2) == []
    assert watch.show(SURGEON) == ["person_1"]
