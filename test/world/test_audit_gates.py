"""The audit: priors that a reader can work out by hand, and a world that is no toy."""

import numpy as np
import pytest

from or_spatial.scene.relations import Family
from or_spatial.world.audit import Gate, judge, print_audit
from or_spatial.world.survey import Survey, mean_depth_error, prior_scores, survey


def counted(pairs, actions, geometric=()) -> Survey:
    found = Survey(frames=1)
    found.pairs.update(dict(pairs))
    found.actions.update(dict(actions))
    found.geometric.update(dict(geometric))
    return found


def test_the_prior_says_what_was_usual_for_a_pair_of_labels():
    train = counted({("a", "b"): 10}, {("a", "x", "b"): 6, ("a", "y", "b"): 1}, {("a", "near", "b"): 7})
    test = counted({("a", "b"): 8}, {("a", "x", "b"): 2, ("a", "y", "b"): 3}, {("a", "near", "b"): 8})
    scores = prior_scores(train, test)
    assert np.isclose(scores[Family.ACTION, "x"], 2 * 2 / (8 + 2))
    assert scores[Family.ACTION, "y"] == 0.0
    assert np.isclose(scores[Family.GEOMETRIC, "near"], 1.0)


def test_the_prior_says_nothing_where_none_is_usual():
    train = counted({("a", "b"): 10}, {("a", "x", "b"): 4})
    test = counted({("a", "b"): 10}, {("a", "x", "b"): 10})
    assert prior_scores(train, test)[Family.ACTION, "x"] == 0.0


def test_the_mean_depth_error_is_relative_to_the_true_depth():
    train, test = Survey(depths=[np.full((2, 2), 2.0), np.full((2, 2), 4.0)]), Survey(depths=[np.full((2, 2), 4.0)])
    assert np.isclose(mean_depth_error(train, test), 0.25)


@pytest.mark.parametrize(
    ("value", "at_least", "passed"), [(0.35, False, True), (0.36, False, False), (0.3, True, False)]
)
def test_a_gate_has_a_side(value, at_least, passed):
    assert Gate("x", value, 0.35, at_least).passed is passed


@pytest.fixture(scope="module")
def surveys():
    return survey("train", 16, workers=1, width=224, height=128), survey(
        "test", 16, seed=2, workers=1, width=224, height=128
    )


def test_meshes_and_box_rules_disagree_now_and_then(surveys):
    disagree = {p: surveys[0].disagreement[p] + surveys[1].disagreement[p] for p in ("touching", "near", "above", "on")}
    assert sum(disagree.values()) > 0 and disagree["touching"] > 0
    assert surveys[0].disagreement["left_of"] == 0  # both go by the centres of the same boxes


def test_training_and_test_rooms_differ_and_the_figures_can_be_printed(surveys):
    train, test = surveys
    assert not train.layouts & test.layouts
    found = judge(train, test, "test", {})
    assert {g.name for g in found.gates} >= {"mean-depth AbsRel", "people more than 40 % occluded"}
    print_audit(found)
