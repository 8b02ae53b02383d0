"""A stated probability comes closer to the frequency without a decision changing."""

import numpy as np
import pytest

from or_spatial.evaluation.steepness import steepness


def frequency_of(odds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.random(len(odds)) < 1 / (1 + np.exp(-odds))


def test_what_is_stated_as_it_happens_keeps_its_steepness():
    rng = np.random.default_rng(2)
    odds = rng.normal(0.0, 1.5, 40_000)
    assert steepness(odds, frequency_of(odds, rng)) == pytest.approx((1.0, 1.0), abs=0.05)


@pytest.mark.parametrize(("below", "above"), [(0.5, 2.0), (2.5, 0.6)])
def test_each_side_of_one_half_has_its_own_factor(below, above):
    rng = np.random.default_rng(3)
    odds = rng.normal(0.0, 1.5, 40_000)
    true = frequency_of(odds * np.where(odds < 0, below, above), rng)
    assert steepness(odds, true) == pytest.approx((below, above), rel=0.08)


def test_silence_that_is_always_right_becomes_nearly_certain():
    below, above = steepness(np.full(5000, -2.2), np.zeros(5000, bool))
    assert 1 / (1 + np.exp(2.2 * below)) < 0.01 and above == pytest.approx(1.0, abs=0.01)


def test_of_a_few_pairs_nothing_much_is_learnt():
    assert steepness(np.array([-1.0, 1.0]), np.array([True, False])) == pytest.approx((1.0, 1.0), abs=0.35)
