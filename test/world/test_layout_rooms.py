"""Rooms: distinct, free of overlaps, and none of a test room in training."""

import numpy as np
import pytest

from or_spatial.errors import ConfigError
from or_spatial.world import layout, splits
from or_spatial.world.layout import LAYOUTS, Place, build_layout
from or_spatial.world.walking import STERILE_CLEARANCE_M, FloorPlan


def test_the_distance_to_a_footprint_is_zero_inside_and_euclidean_at_a_corner():
    place = Place(1.0, -2.0, np.pi / 2, 2.0, 1.0)  # turned: 1 m along room x, 2 m along room y
    outside = place.distance(np.array([[1.0, -2.0], [1.5 + 0.3, -2.0], [1.5 + 0.3, -1.0 + 0.4]]))
    np.testing.assert_allclose(outside, [0.0, 0.3, 0.5], atol=1e-12)


@pytest.mark.parametrize("index", range(0, LAYOUTS, 5))
def test_furniture_neither_overlaps_nor_leaves_the_room(index):
    room = build_layout(index)
    places = {k: p for k, p in room.places.items() if "@" not in k}
    names = sorted(places)
    for i, a in enumerate(names):
        outline = np.abs(places[a].outline())
        assert (outline <= np.array([room.width_m, room.depth_m]) / 2).all(), a
        for b in names[:i]:
            assert places[a].gap(places[b]) > 0.05, (a, b)


def test_every_layout_is_another_room():
    seen = {(round(r.width_m, 3), round(r.table.x, 3), r.arrangement) for r in map(build_layout, range(LAYOUTS))}
    assert len(seen) == LAYOUTS >= 40


def test_a_mirrored_layout_has_its_surgeon_on_the_other_side():
    room = next(r for r in map(build_layout, range(LAYOUTS)) if r.side == -1)
    ahead = np.array([np.cos(room.table.yaw), np.sin(room.table.yaw)])
    surgeon = np.array([room.spots["head_surgeon"].x - room.table.x, room.spots["head_surgeon"].y - room.table.y])
    assert ahead[0] * surgeon[1] - ahead[1] * surgeon[0] < 0  # right of the direction to the head


def test_splits_share_neither_seeds_nor_layouts_nor_variants():
    plans = [splits.split_plan(s) for s in splits.SPLITS]
    for i, a in enumerate(plans):
        for b in plans[:i]:
            assert not set(a.layouts) & set(b.layouts)
            assert not set(a.variants) & set(b.variants)
            assert splits.world_seed(a.name, 5) != splits.world_seed(b.name, 5)
    assert all(max(p.layouts) < layout.LAYOUTS for p in plans)


def test_one_procedure_and_some_habits_are_met_in_test_rooms_only():
    assert splits.TEST_ONLY_PROCEDURE in splits.split_plan("test").procedures
    assert splits.TEST_ONLY_PROCEDURE not in splits.split_plan("train").procedures
    assert all(
        not splits.habit_allowed("train", *h) and splits.habit_allowed("test", *h) for h in splits.TEST_ONLY_HABITS
    )


@pytest.mark.parametrize(("split", "seed"), [("training", 0), ("train", -1), ("test", 10_000_000)])
def test_an_unknown_split_or_seed_is_refused(split, seed):
    with pytest.raises(ConfigError, match="split"):
        splits.world_seed(split, seed)


def test_the_unscrubbed_walk_around_sterile_things_and_the_scrubbed_need_not():
    table = Place(0.0, 0.0, 0.0, 1.4, 0.6)
    plan = FloorPlan(7.0, 6.0, [table], [table])
    start, goal = (-2.5, 0.7, 0.0), (2.5, 0.7, 0.0)
    near = {s: plan.way(start, goal, scrubbed=s, speed_m_s=0.8).points for s in (True, False)}
    assert table.distance(near[True]).min() < 0.6
    assert table.distance(near[False]).min() > STERILE_CLEARANCE_M


def test_a_way_starts_and_ends_where_it_should_and_keeps_to_its_speed():
    plan = FloorPlan(7.0, 6.0, [Place(0.0, 0.0, 0.3, 1.4, 0.6)], [])
    way = plan.way((-2.0, -1.0, 0.4), (2.2, 1.5, -1.1), scrubbed=True, speed_m_s=0.7)
    np.testing.assert_allclose(way.points[[0, -1]], [[-2.0, -1.0], [2.2, 1.5]], atol=1e-9)
    assert np.isclose(way.yaws[0], 0.4) and np.isclose(np.cos(way.yaws[-1] + 1.1), 1.0)
    speed = np.linalg.norm(np.diff(way.points, axis=0), axis=1) / np.diff(way.times_s)
    assert speed.max() < 0.75
