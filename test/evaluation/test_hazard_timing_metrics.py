"""Delays after a rule's own patience, on stretches that fit on one line each."""

import math

import pytest

from or_spatial.evaluation.metrics.hazard_timing import Patience, TimingAccumulator
from or_spatial.evaluation.metrics.hazards import HazardInterval

PATIENCE = {"breach": Patience(1.0, 0.5), "silence": Patience(1.0, 0.0)}


def stretch(start_s, end_s, rule="breach", *ids):
    return HazardInterval(rule, start_s, end_s, frozenset(ids or ("person_1",)))


TRUE = stretch(10.0, 20.0)  # due at 11 s; over and calm at 20.5 s


@pytest.mark.parametrize(
    ("what", "alerts", "recall", "raise_s", "clear_s", "held", "false"),
    [
        ("perfect", [stretch(11.0, 20.5)], 1.0, 0.0, 0.0, 1.0, 0),
        ("late and sticky", [stretch(11.4, 21.3)], 1.0, 0.4, 0.8, 1.0, 0),
        ("early", [stretch(10.5, 20.1)], 1.0, 0.0, 0.0, 1.0, 0),
        ("torn for a second", [stretch(11.0, 14.0), stretch(15.0, 20.5)], 1.0, 0.0, 0.0, 8 / 9, 0),
        ("two at once are one", [stretch(11.0, 20.5), stretch(12.0, 16.0)], 1.0, 0.0, 0.0, 1.0, 0),
        ("missed", [], 0.0, math.nan, math.nan, math.nan, 0),
        ("somebody else", [stretch(11.0, 20.5, "breach", "person_2")], 0.0, math.nan, math.nan, math.nan, 1),
        ("another rule", [stretch(11.0, 20.5, "silence")], 0.0, math.nan, math.nan, math.nan, 1),
        ("long after", [stretch(30.0, 31.0)], 0.0, math.nan, math.nan, math.nan, 1),
        ("a rule that is not judged", [stretch(11.0, 20.5), stretch(3.0, 4.0, "other")], 1.0, 0.0, 0.0, 1.0, 0),
    ],
    ids=lambda v: v.replace(" ", "-") if isinstance(v, str) else None,
)
def test_what_one_hazard_and_these_alerts_score(what, alerts, recall, raise_s, clear_s, held, false):
    scores = TimingAccumulator(PATIENCE)
    scores.add([TRUE], alerts, 60.0)
    found = scores.result()
    told = (found.recall, found.raise_p95_s, found.clear_p95_s, found.held)
    assert told == pytest.approx((recall, raise_s, clear_s, held), nan_ok=True)
    assert (found.true, found.false) == (1, false)
    assert found.false_per_30min == pytest.approx(30.0 * false)


def test_a_hazard_that_is_over_before_it_could_be_told_is_asked_of_nobody():
    scores = TimingAccumulator(PATIENCE)
    scores.add([stretch(10.0, 11.5)], [], 60.0)
    scores.add([stretch(10.0, 11.5)], [stretch(11.2, 12.0)], 60.0)
    found = scores.result()
    assert (found.true, found.brief, found.false) == (0, 2, 0)
    assert math.isnan(found.recall)


def test_what_still_lasts_at_the_end_says_nothing_about_clearing():
    scores = TimingAccumulator(PATIENCE)
    scores.add([stretch(50.0, 60.0)], [stretch(51.1, 60.0)], 60.0)
    assert math.isnan(scores.result().clear_p95_s)


def test_rules_are_told_one_by_one_beside_all_together():
    scores = TimingAccumulator(PATIENCE)
    quiet = HazardInterval("silence", 30.0, 33.0)
    scores.add([TRUE, quiet], [stretch(11.0, 20.5), HazardInterval("silence", 31.2, 33.0)], 60.0)
    found = scores.result()
    assert [s.rule_id for s in found.by_rule] == ["breach", "silence"]
    assert (found.true, found.recall) == (2, 1.0)
    assert found.by_rule[1].raise_p95_s == pytest.approx(0.2)
