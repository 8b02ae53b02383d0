"""People who meet in the same gowns: several readings of who is who, and what decides between them."""

import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from test_crossing import kept_names
from tracked_room import Room, changed

from or_spatial.perception import encounters, motion_modes
from or_spatial.perception.association import GATE, stature_cost
from or_spatial.perception.motion_modes import Modes
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig

NAN = math.nan
CAMERAS = ("ceiling_left", "ceiling_right")


@pytest.mark.parametrize(
    ("how", "matched_look_by_look", "least"),
    [({}, 3, 8), ({"speed_m_s": 0.8}, 4, 8), ({"past_m": 0.3}, 8, 10)],
    ids=["close", "fast", "side by side"],
)
def test_two_in_the_same_gowns_who_walk_through_each_other_keep_their_names(how, matched_look_by_look, least):
    """Of 12; nothing but their walking on tells them apart. Without readings it was `matched_look_by_look`."""
    assert kept_names(range(12), **how) >= least > matched_look_by_look


def stand_together(seed, heights=(1.62, 1.78), turn_back=False):
    """Two in the same gowns come from left and right, stand 0.1 m apart for three seconds, and leave: each where they
    came from (`turn_back`) or where the other came from. Where each name was before and is after, x in metres."""
    eye, room = SceneTracker(TrackerConfig(cameras=CAMERAS)), Room(seed, sigma_m=0.2)
    before = {}
    for k in range(55):
        t = 0.2 * k
        far = max(0.05, 2.0 - 0.5 * t) if t < 7.0 else 0.05 + 0.5 * (t - 7.0)
        side = -1.0 if t < 7.0 or turn_back else 1.0
        things = [("person", (side * far, 0.8, 0.85)), ("person", (-side * far, 0.8, 0.85))]
        frames, seen, stamp = room.look(10.0 + t, things)
        tall = [{"size_m": np.array([0.5, 0.5, h])} for h in heights]
        seen = [changed(changed(s, 0, **tall[0]), 1, **tall[1]) for s in seen]
        graph = eye.update(frames, seen, stamp)
        if k == 8:
            before = {o.id: o.center_m[0] for o in graph.objects}
    return before, {o.id: o.center_m[0] for o in graph.objects}


@pytest.mark.parametrize("turn_back", [False, True])
def test_stature_tells_two_apart_who_stood_together(turn_back):
    for seed in range(4):
        before, after = stand_together(seed, turn_back=turn_back)
        assert set(after) == set(before)
        assert all((before[id] * after[id] > 0.0) == turn_back for id in before)


@pytest.mark.parametrize(
    ("known", "seen", "cost"),
    [(1.7, 1.7, 0.0), (1.7, 1.8, 1.0), (1.8, 1.65, 0.25), (1.9, 0.9, 6.0), (NAN, 1.7, 0.0), (1.7, NAN, 0.0)],
)
def test_who_looks_taller_is_somebody_else_and_who_looks_shorter_may_bend(known, seen, cost):
    assert stature_cost(np.array([known]), np.array([seen]))[0, 0] == pytest.approx(cost)
    assert cost < GATE / 3


@pytest.mark.parametrize(("then", "least", "most"), [(1.6, 1.68, 1.70), (1.8, 1.75, 1.80)])
def test_a_known_height_is_that_of_somebody_upright(then, least, most):
    """1.7 m for ten seconds; ten seconds bent hardly change that, ten seconds upright do."""
    eye, room = SceneTracker(TrackerConfig(cameras=CAMERAS)), Room(1)
    for k in range(105):
        size = np.array([0.5, 0.5, 1.7 if k < 55 else then])
        eye.update(*room.look(10.0 + 0.2 * k, [("person", (0.0, 0.8, 0.85), size)]))
    assert least < eye.tracks[0].height_m < most


def test_misfit_is_the_likelihood_under_both_modes():
    modes = Modes.stack([Modes.born(np.array([1.0, 2.0, 0.9]), 0.04 * np.eye(3))])
    means = modes.means + np.array([0.0, 0.1])[None, :, None]
    modes = Modes(means, modes.covariances, np.array([[0.7, 0.3]]))
    seen, noise = np.array([[[1.2, 1.9, 0.8], [3.0, 2.0, 0.9]]]), np.tile(0.05 * np.eye(3), (1, 2, 1, 1))
    told = motion_modes.misfit(modes, seen, noise)[0]
    spread = [modes.covariances[0, m, :3, :3] + noise[0, 0] for m in (0, 1)]
    for d in (0, 1):
        p = sum(
            modes.weights[0, m] * multivariate_normal.pdf(seen[0, d], means[0, m, :3], spread[m]) for m in (0, 1)
        )
        assert told[d] == pytest.approx(-2.0 * math.log(p) - 3.0 * math.log(2.0 * math.pi))


def test_readings_are_kept_while_people_are_close_and_for_three_seconds_after():
    eye, room = SceneTracker(TrackerConfig(cameras=CAMERAS)), Room(3, sigma_m=0.2)
    opened, last_close, meeting = [], 0.0, {}
    for k in range(61):
        t = 0.2 * k
        x = -2.0 + 0.6 * t
        eye.update(*room.look(10.0 + t, [("person", (x, 0.8, 0.85)), ("person", (-x, 0.9, 0.85))]))
        meeting[k] = bool(eye.encounters.keys)
        opened.append(len(eye.encounters.keys))
        last_close = t if abs(2 * x) < 0.3 else last_close
    assert not any(meeting[k] for k in range(5, 10))  # three metres apart
    assert max(opened) == 2
    assert not meeting[round((last_close + 4.5) / 0.2)]


def test_names_are_kept_when_cameras_come_one_by_one_too():
    assert kept_names(range(12), one_by_one=True) >= 8


def told_gap_m(seed):
    """How far apart two are told on average while they walk through one place, at most 0.2 m apart."""
    eye, room = SceneTracker(TrackerConfig(cameras=CAMERAS)), Room(seed, sigma_m=0.2)
    gaps = []
    for k in range(22):
        x = -2.0 + 0.1 * k
        graph = eye.update(*room.look(10.0 + 0.2 * k, [("person", (x, 0.8, 0.85)), ("person", (-x, 0.8, 0.85))]))
        if abs(x) < 0.11:
            places = np.array([o.center_m for o in graph.objects])
            gaps.append(np.linalg.norm(places[0] - places[1]))
    return float(np.mean(gaps))


def test_two_who_walk_through_one_place_are_told_in_one_place():
    """The nearest match gives each the look on their own side and tells them half a metre apart, as if they had
    stopped."""
    assert np.mean([told_gap_m(seed) for seed in range(8)]) < 0.28


def choices(*tables):
    """(reading, owners of the looks, cost) of each choice for these tables (K, D) of cost, one per reading."""
    made = encounters._choices(np.array(tables, dtype=float))
    return [
        (int(h), tuple(o), float(c)) for h, o, c in zip(made.readings, made.owners.tolist(), made.costs, strict=True)
    ]


def test_looks_of_two_are_exchanged_unless_it_is_plain_whose_they_are():
    near, far = [[1.0, 3.0], [4.0, 2.0]], [[1.0, 30.0], [40.0, 2.0]]
    assert choices(near) == [(0, (0, 1), 3.0), (0, (1, 0), 7.0)]
    assert choices(far) == [(0, (0, 1), 3.0)]
    assert choices(far, near) == [(0, (0, 1), 3.0), (1, (0, 1), 3.0), (1, (1, 0), 7.0)]


def test_the_only_look_may_be_the_one_s_or_the_other_s():
    assert choices([[1.0], [4.0], [50.0]]) == [(0, (0,), 1.0), (0, (1,), 4.0)]


def readings(*rows):
    """Readings of one person: (log weight, x, m)."""
    modes = [Modes.stack([Modes.born(np.array([x, 0.0, 0.9]), 0.04 * np.eye(3))]) for _, x in rows]
    return encounters._Readings(Modes.stack(modes), np.array([w for w, _ in rows]), 0)


def test_readings_that_say_nearly_the_same_become_their_mean():
    kept = encounters._distinct(readings((-1.0, 0.0), (-1.0, 0.06), (-2.0, 1.0)))
    mean, covariance = kept.modes[0].combined()
    assert mean[0, 0] == pytest.approx(0.03)
    assert covariance[0, 0, 0] == pytest.approx(0.04 + 0.03**2)
    assert kept.weights == pytest.approx([0.0, -1.0 - math.log(2.0)])


@pytest.mark.parametrize(("likelier", "told"), [(1.0, 0), (2.0, 1)])
def test_a_name_changes_hands_only_when_another_reading_is_plainly_likelier(likelier, told):
    assert encounters._told(np.array([0.0, likelier]), np.array([True, False])) == told


def test_who_has_parted_is_let_go_though_others_still_stand_together():
    """Two stay side by side; a third comes, passes and leaves."""
    eye, room = SceneTracker(TrackerConfig(cameras=CAMERAS)), Room(4, sigma_m=0.1)
    with_whom = []
    for k in range(50):
        x = -1.6 + 0.12 * k
        things = [("person", (-0.2, 0.9, 0.85)), ("person", (0.2, 0.9, 0.85)), ("person", (x, 0.3, 0.85))]
        eye.update(*room.look(10.0 + 0.2 * k, things if x < 2.4 else things[:2]))
        with_whom.append(len(eye.encounters.keys))
    assert max(with_whom) == 3
    assert with_whom[-1] == 2


@pytest.mark.parametrize(("sigma_m", "doubt"), [(0.05, False), (0.3, True)])
def test_who_stands_beside_somebody_is_in_doubt_only_where_looks_are_vague(sigma_m, doubt):
    eye, room = SceneTracker(TrackerConfig(cameras=CAMERAS)), Room(2, sigma_m)
    undecided = []
    for k in range(40):
        eye.update(*room.look(10.0 + 0.2 * k, [("person", (-0.3, 0.8, 0.85)), ("person", (0.3, 0.8, 0.85))]))
        undecided.append(eye.encounters.undecided)
    assert len(eye.encounters.keys) == 2
    assert any(undecided[10:]) == doubt
