"""A stated probability comes to be the frequency."""

import numpy as np
import pytest
from scipy.special import expit

from or_spatial.evaluation.metrics.calibration import expected_calibration_error
from or_spatial.evaluation.statement_fit import KNOTS, fit_statement
from or_spatial.perception.statements import Statements


def stated(odds: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    fitted = Statements(KNOTS, {"on": row})
    return expit(fitted.stated(odds[:, None], fitted.table(["on"])))[:, 0]


@pytest.mark.parametrize(
    "really", [lambda z: z, lambda z: 0.4 * z - 1.5, lambda z: 2.0 * z + 0.5, lambda z: z - z**2 / 3]
)
def test_on_pairs_that_were_not_fitted_it_is_as_likely_as_stated(really):
    rng = np.random.default_rng(2)
    odds = rng.normal(-0.5, 1.2, 60_000).clip(-3, 1.4)
    true = rng.random(len(odds)) < expit(really(odds))
    row = fit_statement(odds[:30_000], true[:30_000])
    after = stated(odds[30_000:], row)
    assert expected_calibration_error(after, true[30_000:], 15) < 0.015


def test_it_never_falls_even_where_the_data_do():
    rng = np.random.default_rng(3)
    odds = rng.normal(0.0, 1.5, 5_000)
    assert (np.diff(fit_statement(odds, rng.random(5_000) < expit(-odds))) >= 0).all()


def test_silence_that_is_always_right_becomes_nearly_certain():
    assert stated(np.array([-2.2]), fit_statement(np.full(5000, -2.2), np.zeros(5000, bool)))[0] < 0.01


def test_where_nothing_was_seen_nothing_changes():
    assert fit_statement(np.zeros(0), np.zeros(0, bool)) == pytest.approx(KNOTS, abs=1e-3)
