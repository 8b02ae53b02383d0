"""Fitting how far box geometry is to be trusted: found again where it is known, and never on what is rare."""

import numpy as np
import pytest

from or_spatial.evaluation.metrics import expected_calibration_error
from or_spatial.evaluation.relation_trust_fit import ExactMoment, PairSamples, doubtful_pairs, fit_group
from or_spatial.geometry.relation_rules import PREDICATES
from or_spatial.scene.relation_trust import RelationTrust

NEAR, TOUCHING = PREDICATES.index("near"), PREDICATES.index("touching")


def samples(n=6000, seed=0):
    """Touching boxes are touching things in 9 of 10 cases for people, in 2 of 10 for a lamp, which is near then."""
    rng = np.random.default_rng(seed)
    p, true = np.zeros((n, 10)), np.zeros((n, 10), bool)
    p[:, TOUCHING] = rng.random(n)
    boxes_touch = rng.random(n) < p[:, TOUCHING]
    lamp = rng.random(n) < 0.5
    things_touch = boxes_touch & (rng.random(n) < np.where(lamp, 0.2, 0.9))
    true[:, TOUCHING] = things_touch
    true[:, NEAR] = boxes_touch & ~things_touch
    return PairSamples(p, true, [("person", "lamp" if k else "person") for k in lamp])


def test_a_fit_turns_geometry_into_frequencies_for_each_pair_of_labels():
    fitted, fresh = fit_group(samples(), ("near", "touching"), True), samples(seed=1)
    shifts = np.array([fitted.shift(*pair) for pair in fresh.labels])
    believed = fitted.believed(fresh.p[:, [NEAR, TOUCHING]], shifts)
    lamp = np.array([pair[1] == "lamp" for pair in fresh.labels])
    for k, predicate in enumerate((NEAR, TOUCHING)):
        for which in (lamp, ~lamp):
            assert expected_calibration_error(believed[which, k], fresh.true[which, predicate], 10) < 0.04
    assert expected_calibration_error(fresh.p[lamp, TOUCHING], fresh.true[lamp, TOUCHING], 10) > 0.3


def test_rare_pairs_of_labels_are_as_most_are():
    some = samples()
    some.labels[:20] = [("saw", "saw")] * 20
    fitted = fit_group(some, ("near", "touching"), True)
    assert ("saw", "saw") not in fitted.shifts
    assert fitted.shift("saw", "saw").tolist() == [0.0, 0.0] and fitted.shift("saw", "juggler") is None


def test_places_are_off_by_as_much_as_is_said():
    """Where truth is what boxes say, there is nothing to calibrate."""
    from or_spatial.geometry.relations import all_pairs_hold

    rng = np.random.default_rng(3)
    moments = []
    for _ in range(60):
        centers, sizes = rng.uniform((-1.5, -1.5, 0.4), (1.5, 1.5, 0.6), (8, 3)), rng.uniform(0.3, 0.8, (8, 3))
        true = all_pairs_hold(centers, sizes, np.zeros(8), np.eye(3))
        moments.append(ExactMoment(("person",) * 8, centers, sizes, np.zeros(8), true))
    found = doubtful_pairs(moments, rng)
    told = found.p[:, NEAR] > 0.05
    assert expected_calibration_error(found.p[told, NEAR], found.true[told, NEAR]) < 0.04
    fitted = fit_group(found, ("near", "touching"), True)
    before = found.p[:, [NEAR, TOUCHING]]
    after = RelationTrust([fitted]).groups[0].believed(before, np.zeros_like(before) + fitted.shift("person", "person"))
    assert np.abs(after - before).mean() == pytest.approx(0.0, abs=0.02)
