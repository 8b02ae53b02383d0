"""Gains and intervals of the ablation on records made by hand, and which frame lends its depth to which."""

import numpy as np
import pytest

from or_spatial.evaluation.ablation_task import (
    CONTROLS,
    DEPTH_ORDERED,
    FUSED,
    ROWS,
    TRUTH,
    TWIN,
    Cues,
    figures,
    leans,
    partners,
)
from or_spatial.evaluation.metrics.bootstrap import interval, interval_over_runs
from or_spatial.evaluation.slices import FrameRecord
from or_spatial.scene import load_vocabulary

WORDS = load_vocabulary()


def record(room: str, hits: int, of: int = 10) -> FrameRecord:
    """A frame in which `hits` of `of` relations were found of every predicate; left and right are all wrong."""
    geometric = np.tile((hits, 0, of - hits), (len(WORDS.geometric), 1))
    geometric[[WORDS.geometric_index("left_of"), WORDS.geometric_index("right_of")]] = (0, of, of)
    tallies = {"action": geometric[:2], "geometric": geometric, "strict": geometric}
    return FrameRecord(room, "total_knee", "wide", "level", tallies, np.array([0.1]), np.array([1.0, 10.0, 10.0]))


def f1(hits: float, of: int = 10) -> float:
    return 2 * hits / (hits + of)


def records(hits: dict[str, tuple[int, ...]], rooms: int = 6) -> dict[str, dict[int, list[FrameRecord]]]:
    """Of each row, the hits in every frame of each seed."""
    return {row: {s: [record(f"room {i}", n) for i in range(rooms)] for s, n in enumerate(hits[row])} for row in ROWS}


LEVELS = dict.fromkeys(ROWS, (4, 4, 4)) | {FUSED: (7, 8, 9), TWIN: (5, 5, 5), TRUTH: (9, 9, 9)}


def test_the_gain_is_the_mean_over_seeds_of_fused_minus_twin_and_left_and_right_do_not_count():
    found = figures(records(LEVELS))
    assert found["gain"] == pytest.approx(np.mean([f1(7), f1(8), f1(9)]) - f1(5))
    assert found["by_row"]["fused"]["by_seed"]["2"] == pytest.approx(f1(9))
    assert found["by_row"]["fused"]["geometric_macro_f1"] == pytest.approx(0.8 * np.mean([f1(7), f1(8), f1(9)]))
    assert found["truth_gain"]["difference"] == pytest.approx(f1(9) - f1(5))


def test_the_interval_holds_what_seeds_could_have_given_when_rooms_agree():
    found = figures(records(LEVELS))
    assert found["gain_low"] == pytest.approx(f1(7) - f1(5))
    assert found["gain_high"] == pytest.approx(f1(9) - f1(5))


def test_a_control_loses_only_when_the_whole_interval_says_so():
    assert figures(records(LEVELS))["controls_lose"]
    found = figures(records(LEVELS | {"mirrored": (2, 8, 10)}))
    assert found["fused_minus"]["mirrored"]["difference"] > 0
    assert not found["fused_minus"]["mirrored"]["loses"] and not found["controls_lose"]
    assert found["fused_minus"]["constant"]["loses"]


def test_one_room_tells_nothing_about_others():
    found = figures(records(LEVELS, rooms=1))
    assert np.isnan(found["gain_low"]) and not found["controls_lose"]


def test_depth_order_and_contact_are_told_apart():
    rows = records(LEVELS)
    for one in rows[FUSED].values():
        for frame in one:
            frame.tallies["geometric"][[WORDS.geometric_index(p) for p in DEPTH_ORDERED]] = (0, 0, 10)
    found = figures(rows)["by_row"][FUSED]
    assert found["depth_ordered_macro_f1"] == 0.0
    assert found["contact_macro_f1"] == pytest.approx(np.mean([f1(7), f1(8), f1(9)]))
    assert found["spatial_macro_f1"] == pytest.approx(4 / 6 * found["contact_macro_f1"])


def test_one_run_has_the_interval_of_its_rooms():
    values = np.arange(8.0)
    rooms = [i // 2 for i in range(8)]

    def mean(times):
        return float((times * values).sum() / times.sum())

    low, high = interval_over_runs([mean], rooms)
    alone = interval(mean, rooms)
    assert low == pytest.approx(alone[0], abs=0.3) and high == pytest.approx(alone[1], abs=0.3)


def test_runs_that_differ_widen_the_interval():
    same = [lambda times: float(times[0])] * 3
    apart = [lambda times, k=k: float(times[0]) + k for k in (-5, 0, 5)]
    narrow, wide = (np.diff(interval_over_runs(runs, range(6)))[0] for runs in (same, apart))
    assert wide > narrow + 4


def test_depth_is_lent_by_another_room_half_the_set_away():
    rooms = ["a", "a", "b", "b", "c", "c"]
    lent = partners(rooms)
    assert lent[0] == 3 and all(rooms[j] != rooms[i] for i, j in enumerate(lent))
    assert partners(["a", "a", "b", "a"]) == [2, 2, 0, 2]
    assert partners(["a", "a", "a"]) == [1, 2, 0]  # nothing better is to be had


def test_what_fused_predicted_is_what_shuffled_reads():
    cues = Cues([np.ones((1, 2, 2), np.float32)] * 2, partner=[1, 0])
    for frame in range(2):
        maps = cues.reading(FUSED, frame)(f"depth {frame}", f"doubt {frame}")
        assert maps == (f"depth {frame}", f"doubt {frame}")
    assert cues.reading("shuffled", 0)(None, None) == ("depth 1", "doubt 1")
    assert cues.reading(TWIN, 0) is None
    assert all(cues.reading(row, 0) is not None for row in (TRUTH, *CONTROLS))


def test_what_the_right_depth_has_over_a_wrong_one_is_told_in_every_figure():
    read = {row: [record(f"room {i}", n) for i in range(6)] for row, n in ((FUSED, 8), ("shuffled", 5))}
    found = leans(read)
    assert found["by_row"]["shuffled"]["spatial_macro_f1"] == pytest.approx(f1(5))
    lost = found["fused_minus"]["shuffled"]
    assert lost["depth_ordered_macro_f1"]["difference"] == pytest.approx(f1(8) - f1(5))
    assert lost["strict_macro_f1"]["difference"] == pytest.approx(0.8 * (f1(8) - f1(5)))
    assert lost["strict_macro_f1"]["low"] == pytest.approx(lost["strict_macro_f1"]["high"])
