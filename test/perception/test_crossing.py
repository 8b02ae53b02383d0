"""Two who meet: what tells them apart, that they stay two, and that each leaves with their own name."""

import math

import numpy as np
import pytest
from tracked_room import NS, POSES, Room, changed

from or_spatial.perception.association import GATE, attire_cost
from or_spatial.perception.doubles import Together, find_doubles
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig

NAN = math.nan
CAMERA = ("ceiling_left",)


@pytest.mark.parametrize(
    ("known", "seen", "cost"),
    [
        (0.98, 0.98, 0.0),
        (0.02, 0.0, 0.0),
        (1.0, 0.0, -2 * math.log(0.0392 / 0.9608)),  # 0.98 at most: 2 x 0.98 x 0.02 against 0.98^2 + 0.02^2
        (0.7, 0.3, -2 * math.log(0.42 / 0.9608)),
        (0.5, 0.98, -2 * math.log(0.5 / 0.9608)),
        (NAN, 0.98, 0.0),
        (0.98, NAN, 0.0),
    ],
)
def test_another_gown_costs_and_one_that_nobody_saw_does_not(known, seen, cost):
    assert attire_cost(np.array([known]), np.array([seen]))[0, 0] == pytest.approx(cost)


def test_a_gown_alone_never_forbids_a_pair():
    assert attire_cost(np.array([1.0]), np.array([0.0]))[0, 0] < GATE / 3


def test_two_who_are_one_to_every_camera_for_a_moment_stay_two():
    """Boxes that cover each other count as one in a picture; that must not make two people one."""
    eye, room = SceneTracker(TrackerConfig(cameras=("ceiling_left", "ceiling_right"))), Room(sigma_m=0.08)
    pair = [("person", (0.0, 0.8, 0.85)), ("person", (0.3, 0.8, 0.85))]
    for k in range(20):
        hidden = 10 <= k < 15
        graph = eye.update(*room.look(10.0 + 0.2 * k, pair[:1] if hidden else pair))
    assert {o.id for o in graph.objects} == {"person_1", "person_2"}


def test_the_proof_that_two_are_two_is_forgotten_after_some_seconds():
    room = Room()
    frames, seen, _ = room.look(10.0, [("person", (0.0, 0.8, 0.85)), ("person", (0.3, 0.8, 0.85))])
    eye = SceneTracker()
    eye.update(frames, seen, frames[0].stamp_ns)
    assert eye.together.lately(*eye.tracks)
    eye.together.forget(14 * NS)
    assert eye.together.lately(*eye.tracks)
    eye.together.forget(16 * NS)
    assert not eye.together.lately(*eye.tracks)


@pytest.mark.parametrize(("gowns", "doubles"), [((0.99, 0.01), 0), ((0.99, 0.99), 1), ((0.99, NAN), 1)])
def test_tracks_in_different_gowns_are_no_doubles(gowns, doubles):
    """Two tracks 0.3 m apart, if no picture ever proved them two."""
    eye, room = SceneTracker(), Room(seed=2, sigma_m=0.1)
    frames, seen, stamp = room.look(10.0, [("person", (0.0, 0.8, 0.85)), ("person", (0.3, 0.8, 0.85))], only=CAMERA)
    eye.update(frames, [changed(changed(s, 0, sterile=gowns[0]), 1, sterile=gowns[1]) for s in seen], stamp)
    assert len(eye.tracks) == 2
    assert len(find_doubles(eye.tracks, eye.labels, eye.config, Together())) == doubles


def test_two_seen_apart_stay_two_when_they_step_together():
    """A metre apart in one picture a moment ago, and one to all cameras since: still two."""
    eye, room = SceneTracker(TrackerConfig(cameras=("ceiling_left", "ceiling_right"))), Room(sigma_m=0.08)
    for k in range(15):
        apart = 1.0 if k < 10 else 0.2
        pair = [("person", (0.0, 0.8, 0.85)), ("person", (apart, 0.8, 0.85))]
        graph = eye.update(*room.look(10.0 + 0.2 * k, pair[:1] if k >= 10 else pair))
    assert {o.id for o in graph.objects} == {"person_1", "person_2"}


def meet(seed, gowns=(NAN, NAN), speed_m_s=0.5, past_m=0.08, sigma_m=0.2, one_by_one=False):
    """Two people walk through each other's place, five pictures a second; places by id before and after.

    `one_by_one`: the second camera looks a tenth of a second after the first.
    """
    eye, room = SceneTracker(TrackerConfig(cameras=("ceiling_left", "ceiling_right"))), Room(seed, sigma_m)
    places = []
    for k in range(41):
        x = -2.0 + 0.2 * k * speed_m_s
        things = [("person", (x, 0.8, 0.85)), ("person", (-x, 0.8 + past_m, 0.85))]
        for look in ([(POSES, 0.0)] if not one_by_one else [((c,), 0.1 * i) for i, c in enumerate(POSES)]):
            frames, seen, stamp = room.look(10.0 + 0.2 * k + look[1], things, only=look[0])
            seen = [changed(changed(s, 0, sterile=gowns[0]), 1, sterile=gowns[1]) for s in seen]
            graph = eye.update(frames, seen, stamp)
        places.append({o.id: o.center_m[0] for o in graph.objects})
    return places[12], places[-1]


def kept_names(seeds, **how):
    """How many encounters of two end with both having gone on in their direction under their own names."""
    kept = 0
    for seed in seeds:
        before, after = meet(seed, **how)
        kept += set(after) == set(before) and all(before[id] * after[id] < 0.0 for id in before)
    return kept


def test_different_gowns_tell_two_apart_who_meet():
    assert kept_names(range(12), gowns=(0.95, 0.05)) == 12
