"""Depth, objects, calibration and hazards, each on numbers worked out by hand or by another library."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import brier_score_loss, roc_auc_score

from or_spatial.evaluation.metrics import (
    DepthAccumulator,
    HazardAccumulator,
    HazardInterval,
    ObjectAccumulator,
    auroc,
    brier,
    classwise_ece,
    depth_scores,
    ellipsoid_coverage,
    expected_calibration_error,
    intervals_from_active,
    intervals_from_alerts,
)
from or_spatial.scene import AlertState, HazardAlert, SceneGraph, SceneObject

TRUE = np.array([[1.0, 2.0, 4.0], [5.0, np.nan, 20.0]])  # NaN: no surface; 20 m: outside the room
FOUND = np.array([[1.1, 2.0, 3.0], [np.nan, 1.0, 1.0]])


def test_depth_figures_are_those_of_eigen():
    scores = depth_scores(FOUND, TRUE)
    assert scores.abs_rel == pytest.approx((0.1 + 0.0 + 0.25) / 3)
    assert scores.rmse_m == pytest.approx(np.sqrt((0.01 + 0.0 + 1.0) / 3))
    assert (scores.delta1, scores.delta2) == (pytest.approx(2 / 3), 1.0)
    assert scores.coverage == pytest.approx(3 / 4) and scores.pixels == 3


def test_a_mask_chooses_the_pixels_and_images_are_pooled():
    pool = DepthAccumulator()
    pool.add(FOUND, TRUE, mask=[[True, False, False], [False] * 3])
    pool.add(np.full((1, 3), 2.0), np.full((1, 3), 1.0))
    assert pool.result().abs_rel == pytest.approx((0.1 + 3 * 1.0) / 4)


def test_depth_images_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="resize"):
        depth_scores(np.ones((2, 3)), np.ones((3, 2)))


def test_no_pixels_give_no_figures():
    assert depth_scores(np.full((2, 2), np.nan), np.ones((2, 2))).to_dict()["abs_rel"] is None


def person(id, x, label="person"):
    return SceneObject(id=id, label=label, center_m=(x, 0.0, 1.0), covariance_m2=(0.01, 0, 0, 0, 0.01, 0, 0, 0, 0.01))


def room(*objects):
    return SceneGraph(stamp_ns=1, objects=objects)


def test_found_missed_and_invented_objects_are_counted_per_label():
    counts = ObjectAccumulator()
    counts.add(room(person("a", 0.0), person("b", 3.0)), room(person("x", 0.2), person("y", 9.0), person("z", 7.0)))
    counts.add(room(person("c", 0.0), person("t", 0.0, "lamp")), room(person("u", 0.4)))
    result = counts.result()
    people = next(s for s in result.by_label if s.label == "person")
    assert (people.recall, people.precision) == (pytest.approx(2 / 3), pytest.approx(2 / 4))
    assert people.center_error_median_m == pytest.approx(0.3)
    assert (result.recall, result.true, result.predicted) == (0.5, 4, 4)
    np.testing.assert_allclose(counts.offsets_m, [[0.2, 0, 0], [0.4, 0, 0]])
    np.testing.assert_allclose(counts.covariances_m2[0], 0.01 * np.eye(3))


def test_the_ninetieth_percentile_sees_the_tail():
    counts = ObjectAccumulator()
    for error in np.linspace(0.0, 0.5, 11):
        counts.add(room(person("a", 0.0)), room(person("x", float(error))))
    assert counts.result().center_error_p90_m == pytest.approx(0.45)


probabilities = arrays(np.float64, 30, elements=st.floats(0, 1))
outcomes = arrays(np.bool_, 30).filter(lambda y: 0 < y.sum() < 30)


@given(probabilities, outcomes)
def test_brier_and_auroc_are_those_of_scikit_learn(p, y):
    assert brier(p, y) == pytest.approx(brier_score_loss(y, p))
    assert auroc(p, y) == pytest.approx(roc_auc_score(y, p))


@given(st.randoms(use_true_random=False), st.integers(2, 40))
def test_the_order_of_equal_probabilities_is_nothing(random, n):
    pairs = [(random.choice([0.1, 0.5, 0.9]), random.random() < 0.5) for _ in range(n)]
    shuffled = random.sample(pairs, n)
    once, again = (expected_calibration_error(*zip(*some, strict=True), bins=4) for some in (pairs, shuffled))
    assert once == pytest.approx(again)


def test_equal_probabilities_that_are_frequencies_have_no_error_however_they_are_sorted():
    assert expected_calibration_error(np.full(90, 1 / 3), np.arange(90) < 30) == pytest.approx(0.0, abs=1e-12)


def test_frequencies_as_stated_have_no_calibration_error_and_confident_mistakes_a_large_one():
    p = np.repeat([0.2, 0.8], 50)
    honest = np.concatenate([np.arange(50) < 10, np.arange(50) < 40])
    assert expected_calibration_error(p, honest, bins=2) == pytest.approx(0.0, abs=1e-12)
    assert expected_calibration_error(p, ~honest, bins=2) == pytest.approx(0.6)


def test_classwise_error_is_the_mean_over_the_classes():
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.9, 0.1]])
    assert classwise_ece(p, np.array([0, 0, 0, 1]), bins=1) == pytest.approx((0.15 + 0.15) / 2)


def test_nothing_to_score_is_nan_and_unequal_lengths_are_refused():
    assert np.isnan(expected_calibration_error([], [])) and np.isnan(auroc([0.1, 0.2], [1, 1]))
    with pytest.raises(ValueError, match="outcomes"):
        brier([0.1, 0.2], [True])


def test_honest_ellipsoids_hold_their_share_and_tight_ones_less():
    A = np.array([[0.3, 0.1, 0.0], [0.0, 0.2, -0.1], [0.0, 0.0, 0.1]])
    covariance = A @ A.T
    errors = np.random.default_rng(2).multivariate_normal(np.zeros(3), covariance, 4000)
    stated = np.tile(covariance, (4000, 1, 1))
    assert ellipsoid_coverage(errors, stated, 0.5) == pytest.approx(0.5, abs=0.03)
    assert ellipsoid_coverage(errors, stated) == pytest.approx(0.95, abs=0.015)
    assert ellipsoid_coverage(errors, stated / 4) < 0.6


def test_unknown_covariances_are_left_out_of_the_coverage():
    covariances = np.stack([np.eye(3), np.full((3, 3), np.nan)])
    assert ellipsoid_coverage(np.zeros((2, 3)), covariances, 0.9) == 1.0
    assert np.isnan(ellipsoid_coverage(np.zeros((1, 3)), covariances[1:]))


BREACH = HazardInterval("sterile-breach", 10.0, 14.0, frozenset({"p1", "t1"}))


@pytest.mark.parametrize(
    ("name", "alert", "found", "false"),
    [
        ("in time", HazardInterval("sterile-breach", 10.5, 15.0), 1, 0),
        ("just within the tolerance", HazardInterval("sterile-breach", 14.9, 16.0), 1, 0),
        ("too late", HazardInterval("sterile-breach", 15.1, 16.0), 0, 1),
        ("early and gone again", HazardInterval("sterile-breach", 7.0, 8.9), 0, 1),
        ("early and still up", HazardInterval("sterile-breach", 7.0, 9.1), 1, 0),
        ("of another rule", HazardInterval("collision", 10.5, 15.0), 0, 1),
    ],
)
def test_an_alert_meets_a_hazard_of_its_rule_in_time(name, alert, found, false):
    counts = HazardAccumulator(tolerance_s=1.0)
    counts.add([BREACH], [alert], 60.0)
    result = counts.result()
    assert (result.recall, result.false) == (found, false), name
    assert result.false_per_10min == pytest.approx(10.0 * false)


def test_delay_is_that_of_the_first_alert_and_never_negative():
    counts = HazardAccumulator()
    counts.add(
        [BREACH], [HazardInterval("sterile-breach", 12.0, 13.0), HazardInterval("sterile-breach", 10.8, 11.0)], 60
    )
    counts.add([BREACH], [HazardInterval("sterile-breach", 9.5, 13.0)], 60)
    result = counts.result()
    assert result.delay_p50_s == pytest.approx(0.4) and result.watched_s == 120


def test_naming_somebody_else_is_a_miss_where_objects_count():
    other = HazardInterval("sterile-breach", 10.0, 14.0, frozenset({"p2"}))
    counts = HazardAccumulator(by_objects=True)
    counts.add([BREACH], [other], 60.0)
    assert (counts.result().recall, counts.result().false) == (0.0, 1)


@pytest.mark.parametrize(
    ("alert", "too_long"),
    [
        (HazardInterval("sterile-breach", 10.0, 15.0), 0.0),  # within the tolerance of a breach that ends at 14
        (HazardInterval("sterile-breach", 8.0, 18.0), 0.4),  # 1 s too early, 3 s too long, of 10 s
        (HazardInterval("sterile-breach", 30.0, 50.0), 1.0),
    ],
)
def test_an_alert_that_stands_without_its_hazard_shows(alert, too_long):
    counts = HazardAccumulator(tolerance_s=1.0)
    counts.add([BREACH, HazardInterval("collision", 0.0, 60.0)], [alert], 60.0)
    assert counts.result().standing_too_long == pytest.approx(too_long)


def test_an_alert_may_stand_over_two_hazards_with_a_pause_between():
    counts = HazardAccumulator(tolerance_s=1.0)
    counts.add([BREACH, replace(BREACH, start_s=20.0, end_s=24.0)], [replace(BREACH, start_s=10.0, end_s=24.0)], 60.0)
    assert counts.result().standing_too_long == pytest.approx(4.0 / 14.0)


def test_no_alerts_stand_for_no_share():
    counts = HazardAccumulator()
    counts.add([BREACH], [], 60.0)
    assert np.isnan(counts.result().standing_too_long)


def test_figures_are_kept_per_rule():
    counts = HazardAccumulator()
    counts.add([BREACH, HazardInterval("collision", 1.0, 2.0)], [HazardInterval("collision", 1.2, 2.0)], 30.0)
    assert {s.rule_id: s.recall for s in counts.result().by_rule} == {"collision": 1.0, "sterile-breach": 0.0}


def alert(id, state, at_s):
    return HazardAlert(id=id, rule_id="r", hazard_type="t", stamp_ns=int(at_s * 1e9), state=state)


def test_transitions_become_stretches():
    some = [
        alert("h1", AlertState.RAISED, 1.0),
        alert("h2", AlertState.UPDATED, 1.5),
        alert("h1", AlertState.UPDATED, 2.0),
        alert("h1", AlertState.CLEARED, 3.0),
        alert("h9", AlertState.CLEARED, 3.5),
    ]
    stretches = intervals_from_alerts(some, end_ns=5_000_000_000)
    assert [(s.start_s, s.end_s) for s in stretches] == [(1.0, 3.0), (1.5, 5.0)]


def test_samples_become_stretches_and_short_pauses_are_closed():
    times = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    active = [{"a"}, {"a", "b"}, (), {"a"}, (), (), {"a"}]
    found = {(s.rule_id, s.start_s, s.end_s) for s in intervals_from_active(times, active, gap_s=1.0)}
    assert found == {("a", 0.0, 1.5), ("a", 3.0, 3.0), ("b", 0.5, 0.5)}
