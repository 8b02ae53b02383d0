"""The geometric predicates on both sides of each threshold, and their converses."""

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from or_spatial.geometry.boxes import OrientedBox
from or_spatial.geometry.relations import CONVERSE, PREDICATES, all_pairs_hold, holds
from or_spatial.geometry.transforms import levelled_viewer, look_at
from or_spatial.paths import share_path

SOUTH = levelled_viewer(look_at([0.4, -5.0, 2.5], [0.4, 0.0, 1.0]))  # looks along room +y: viewer axes are room axes
EAST = levelled_viewer(look_at([5.0, 0.3, 2.5], [0.0, 0.3, 1.0]))  # looks along room -x
CUBE = (0.2, 0.2, 0.2)
TABLE = OrientedBox([0.0, 0.0, 0.4], [2.0, 0.7, 0.8], 0.0)

places = st.tuples(*[st.floats(-1.2, 1.2)] * 3)
boxes = st.builds(OrientedBox, places, st.tuples(*[st.floats(0.05, 1.0)] * 3), st.floats(-4, 4))


def beside(dx, dy, viewer=SOUTH):
    """Relations of a small cube displaced horizontally from another one."""
    b = OrientedBox([0.5, -0.3, 1.0], CUBE)
    return holds(OrientedBox([0.5 + dx, -0.3 + dy, 1.0], CUBE), b, viewer)


@pytest.mark.parametrize(
    ("dx", "dy", "expected"),
    [
        (-0.26, 0.0, "left_of"),
        (0.26, 0.1, "right_of"),
        (0.1, -0.9, "in_front_of"),
        (-0.3, 0.9, "behind"),
        (-0.91, 0.9, "left_of"),
        (-0.89, 0.9, "behind"),
        (0.24, 0.0, None),  # too near to say
        (-2.49, 0.0, "left_of"),
        (-2.51, 0.0, None),  # too far to mean it
    ],
)
def test_at_most_one_direction_holds_and_only_at_a_distance_where_it_is_meant(dx, dy, expected):
    assert beside(dx, dy) & set(PREDICATES[:4]) == ({expected} if expected else set())


def test_convention_left_is_the_viewers_left():
    # From the east, looking along -x, room +y lies to the right.
    assert "right_of" in beside(0.0, 0.8, EAST)
    assert "in_front_of" in beside(0.8, 0.0, EAST)


@pytest.mark.parametrize(
    ("gap", "expected"),
    [(0.0, {"touching"}), (0.019, {"touching"}), (0.021, {"near"}), (0.499, {"near"}), (0.501, set())],
)
def test_touching_ends_where_near_begins(gap, expected):
    assert beside(0.2 + gap, 0.0) & {"near", "touching"} == expected


@pytest.mark.parametrize(
    ("lift", "expected"),
    [
        (0.0, {"on", "touching"}),
        (0.039, {"on", "near"}),
        (-0.039, {"on", "touching"}),
        (0.041, {"above", "near"}),
        (-0.045, {"above", "touching"}),
        (-0.051, {"touching"}),
        (1.5, {"above"}),
    ],
)
def test_on_and_above_exclude_each_other(lift, expected):
    cup = OrientedBox([0.1, 0.05, 0.8 + lift + 0.05], [0.1, 0.1, 0.1], 0.4)
    assert holds(cup, TABLE, SOUTH) == expected
    assert ("below" in holds(TABLE, cup, SOUTH)) == bool(expected & {"on", "above"})


@pytest.mark.parametrize(("y", "above"), [(0.35, True), (0.37, True), (0.38, False)])
def test_above_needs_a_quarter_of_the_smaller_footprint(y, above):
    lamp = OrientedBox([0.0, y, 2.0], [0.1, 0.1, 0.2])  # its footprint reaches 0.05 m over the edge at y = 0.35
    assert ("above" in holds(lamp, TABLE, SOUTH)) == above


@pytest.mark.parametrize(("shift", "inside"), [(0.0, True), (0.015, True), (0.025, False)])
def test_inside_needs_four_fifths_of_the_volume(shift, inside):
    drawer = OrientedBox([0.0, 0.0, 0.4], [0.5, 0.5, 0.5])
    tool = OrientedBox([0.2 + shift, 0.0, 0.4], [0.1, 0.02, 0.02])  # at 0.02 m one fifth sticks out
    assert ("inside" in holds(tool, drawer, SOUTH)) == inside
    assert "inside" not in holds(drawer, tool, SOUTH)


@given(boxes, boxes)
def test_converses_hold_together(a, b):
    there, back = holds(a, b, EAST), holds(b, a, EAST)
    assert {CONVERSE[p] for p in there if p in CONVERSE} <= back
    assert ("below" in there) == bool(back & {"above", "on"})


@given(boxes, boxes, st.floats(-3, 3), places)
def test_relations_do_not_depend_on_where_the_room_has_its_origin(a, b, turn, shift):
    from or_spatial.geometry.transforms import rotation_from_yaw

    R = rotation_from_yaw(turn)
    moved = [OrientedBox(R @ x.center + shift, x.size, x.yaw + turn) for x in (a, b)]
    there, then = holds(a, b, EAST), holds(*moved, EAST @ R.T)
    assert there ^ then <= {"near", "touching"} or not there ^ then  # rounding at an exact threshold


def test_all_pairs_at_once_say_what_each_pair_says():
    rng = np.random.default_rng(5)
    some = [OrientedBox(rng.uniform(-1, 1, 3), rng.uniform(0.1, 1.0, 3), rng.uniform(-3, 3)) for _ in range(7)]
    centers, sizes = np.stack([b.center for b in some]), np.stack([b.size for b in some])
    table = all_pairs_hold(centers, sizes, [b.yaw for b in some], EAST)
    for i, j in [(0, 1), (3, 2), (6, 0), (4, 5)]:
        assert {p for p, t in zip(PREDICATES, table[i, j], strict=True) if t} == holds(some[i], some[j], EAST)
    assert not table[np.arange(7), np.arange(7)].any()


def test_a_box_of_unknown_place_has_no_relations():
    centers = np.array([[0, 0, 0], [np.nan, 0, 0], [0.3, 0, 0]])
    table = all_pairs_hold(centers, np.full((3, 3), 0.2), np.zeros(3), SOUTH)
    assert not table[1].any() and not table[:, 1].any() and table[0, 2].any()


def test_predicates_stand_in_the_order_of_the_vocabulary():
    words = yaml.safe_load(share_path("config", "vocabularies", "or_world.yaml").read_text())
    assert tuple(words["geometric"]) == PREDICATES
