"""Between the knots straight lines, beyond them level, and nothing changes that nobody fitted."""

import numpy as np
import pytest

from or_spatial.errors import BundleError, ConfigError
from or_spatial.perception.model import statements_of
from or_spatial.perception.relations_fusion import Predicates
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


def test_a_row_without_a_family_is_refused():
    """`touching` is an action and a contact, and each is stated by its own row."""
    with pytest.raises(BundleError, match="'touching' says no family"):
        statements_of({"knots": (-1.0, 1.0), "touching": (-1.0, 1.0), "action/holding": (-1.0, 1.0)})
    both = statements_of({"knots": (-1.0, 1.0), "action/touching": (-5.0, -3.0), "geometric/touching": (0.0, 2.0)})
    keys = Predicates(("touching",)).keys
    found = both.stated(np.zeros(len(keys)), both.table(keys))
    assert (found[keys.index("action/touching")], found[keys.index("geometric/touching")]) == (-4.0, 1.0)
