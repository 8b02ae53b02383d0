from dataclasses import replace

import numpy as np
import pytest

from or_spatial.scene import AlertState
from or_spatial.visual.timeline import (
    Row,
    draw_timeline,
    hazard_intervals,
    join_times,
    relation_intervals,
    rows,
    timeline_figure,
)

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([1.0, 1.2, 1.4], [(1.0, 1.6)]),
        ([1.0, 1.6], [(1.0, 1.8)]),  # two frames missed
        ([1.0, 1.7], [(1.0, 1.2), (1.7, 1.9)]),
        ([1.4, 1.0, 1.2], [(1.0, 1.6)]),
        ([], []),
    ],
    ids=["steady", "a gap of three periods", "a longer gap", "out of order", "never"],
)
def test_times_join_to_intervals(times, expected):
    np.testing.assert_allclose(join_times(times, 0.2), expected)


def test_relations_are_named_by_labels_and_start_at_zero(small_room):
    graphs = [replace(small_room, stamp_ns=5 * SECOND + i * SECOND // 5) for i in range(6)]
    without = replace(graphs[0], stamp_ns=5 * SECOND + 6 * SECOND // 5, relations=())
    spans = relation_intervals([*graphs, without], 5 * SECOND)
    assert set(spans) == {"person drilling patient", "person holding drill"}
    np.testing.assert_allclose(spans["person holding drill"], [(0.0, 1.2)])


def test_a_hazard_lasts_from_its_first_word_to_its_clearing(breach):
    at = [replace(breach, stamp_ns=t * SECOND) for t in (2, 4, 7)]
    life = [at[2], at[0], replace(at[1], state=AlertState.ACKNOWLEDGED)]
    life[0] = replace(life[0], state=AlertState.CLEARED)
    assert hazard_intervals(life, SECOND, 20 * SECOND) == {"sterile_breach": ((1.0, 6.0),)}


def test_a_hazard_that_was_never_cleared_lasts_to_the_end(breach):
    assert hazard_intervals([breach], 0, 10 * SECOND) == {"sterile_breach": ((3.25, 10.0),)}


def test_rows_hold_both_sides_in_order_of_their_start():
    table = rows({"late": ((5.0, 6.0),), "missed": ((1.0, 2.0),)}, {"late": ((5.5, 6.5),), "invented": ((0.0, 0.4),)})
    assert [r.name for r in table] == ["invented", "missed", "late"]
    assert table[2] == Row("late", ((5.0, 6.0),), ((5.5, 6.5),))


def test_only_the_longest_rows_are_kept():
    assert [r.name for r in rows({"short": ((0, 1),), "long": ((1, 9),)}, {}, most=1)] == ["long"]


def test_truth_is_drawn_above_prediction():
    figure = timeline_figure([Row("a b c", ((1.0, 2.0),), ((1.5, 3.0),))], duration_s=4.0)
    truth, said = (c.get_paths()[0].get_extents() for c in figure.axes[1].collections)
    assert (truth.x0, truth.x1, said.x0, said.x1) == (1.0, 2.0, 1.5, 3.0)
    assert truth.y1 <= said.y0 and figure.axes[1].yaxis_inverted()


def test_an_empty_timeline_is_a_picture_too():
    assert draw_timeline([]).ndim == 3
