"""Between the knots straight lines, beyond them level, and nothing changes that nobody fitted."""

import numpy as np
import pytest

from or_spatial.errors import ConfigError
from or_spatial.perception.statements import Statements

FITTED = Statements((-2.0, 0.0, 2.0), {"on": (-4.0, -1.0, 1.0)})


def stated(odds, names=("on", "near"), statements=FITTED):
    return statements.stated(np.asarray(odds, float), statements.table(names))


def test_what_is_stated_follows_the_knots():
    found = stated([[-3.0, -1.5], [-1.0, 0.5], [0.0, 1.0], [1.0, 1.5], [5.0, 1.0]])
    np.testing.assert_allclose(found[:, 0], [-4.0, -2.5, -1.0, 0.0, 1.0])
    np.testing.assert_allclose(found[:, 1], [-1.5, 0.5, 1.0, 1.5, 1.0])


def test_what_is_not_known_is_not_stated():
    assert np.isnan(stated([np.nan, 0.0])).tolist() == [True, False]


def test_where_no_predicate_was_fitted_nothing_is_touched():
    odds = np.array([[7.0, -9.0]])
    assert stated(odds, ("far", "near")) is odds
    assert stated(odds, statements=Statements()) is odds


@pytest.mark.parametrize(
    ("knots", "odds", "message"),
    [
        ((0.0,), {}, "knots must rise"),
        ((1.0, 1.0), {}, "knots must rise"),
        ((0.0, 1.0), {"on": (0.0,)}, "on needs 2 log-odds"),
        ((0.0, 1.0), {"on": (1.0, 0.0)}, "on needs 2 log-odds that never fall"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(knots, odds, message):
    with pytest.raises(ConfigError, match=message):
        Statements(knots, odds)
