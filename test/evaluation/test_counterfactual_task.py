"""`--task counterfactual`: a pair counts only when both of its pictures are told right."""

from dataclasses import replace

import pytest

from or_spatial.errors import ConfigError, DatasetError
from or_spatial.evaluation.counterfactual_task import drawn_pairs, figures, verdict
from or_spatial.scene import Category, Scale, SceneGraph, SceneObject
from or_spatial.scene.relations import Family, SpatialRelation
from or_spatial.world.counterfactual import Pair, listed
from or_spatial.world.counterfactual_edits import KINDS

PAIR = Pair("tool_on_table", "train", 0, 1.0, 0, "drill_1", "table_1", ("on", "above"))
PLACES = {"drill_1": ("drill", 0.0), "table_1": ("instrument_table", 0.1)}


def graph(*predicates, without=(), family=Family.GEOMETRIC, turned=False):
    """A drill and a table, with these relations from the one to the other; `turned`: from the table to the drill."""
    kinds = {"drill": Category.INSTRUMENT}
    objects = tuple(
        SceneObject(id=id, label=label, category=kinds.get(label, Category.FURNITURE), center_m=(x, 0.0, 1.0))
        for id, (label, x) in PLACES.items()
        if id not in without
    )
    subject, target = ("table_1", "drill_1") if turned else ("drill_1", "table_1")
    said = tuple(
        SpatialRelation(subject_id=subject, predicate=p, object_id=target, family=family) for p in predicates
    )
    return SceneGraph(stamp_ns=1, scale=Scale.METRIC, objects=objects, relations=said)


@pytest.mark.parametrize(
    ("what", "said", "picture", "right"),
    [
        ("what holds", ("on", "near"), 0, True),
        ("what holds in the other picture", ("on", "near"), 1, False),
        ("both at once", ("on", "above"), 0, False),
        ("neither", ("near",), 1, False),
    ],
)
def test_what_is_right_of_one_picture(what, said, picture, right):
    told = verdict(PAIR, picture, graph(), graph(*said))
    assert told.found and told.right is right, what


@pytest.mark.parametrize(
    ("told", "means"), [("behind", "in_front_of"), ("near", "near"), ("touching", "touching"), ("below", "above")]
)
def test_a_graph_tells_each_relation_once_and_from_either_end_it_counts(told, means):
    """Two people are equally mobile: which of the two a graph tells it from is chance."""
    pair = replace(PAIR, predicates=(means, "on"))
    assert verdict(pair, 0, graph(), graph(told, turned=True)).right
    assert not verdict(pair, 1, graph(), graph(told, turned=True)).right


def test_a_thing_that_was_not_found_is_no_right_answer():
    told = verdict(PAIR, 0, graph(), graph(without=("drill_1",)))
    assert (told.found, told.right) == (False, False)


def test_an_action_of_the_same_name_is_no_answer():
    assert not verdict(PAIR, 0, graph(), graph("on", family=Family.ACTION)).right


def test_who_says_the_same_of_both_pictures_scores_half_of_them_and_no_pair():
    always_on = tuple(verdict(PAIR, k, graph(), graph("on")) for k in (0, 1))
    exact = tuple(verdict(PAIR, k, graph(), graph(PAIR.predicates[k])) for k in (0, 1))
    blind = tuple(verdict(PAIR, k, graph(), graph(without=PLACES)) for k in (0, 1))
    assert figures([(PAIR, always_on)])["pair_accuracy"] == 0.0
    assert figures([(PAIR, always_on)])["picture_accuracy"] == 0.5
    all_three = figures([(PAIR, always_on), (PAIR, exact), (PAIR, blind)])
    assert all_three["pair_accuracy"] == pytest.approx(1 / 3)
    assert all_three["pair_accuracy_of_found"] == pytest.approx(1 / 2)
    assert all_three["by_kind"]["tool_on_table"]["found"] == pytest.approx(2 / 3)


def test_every_kind_is_listed_for_val_and_test_as_often_as_the_others():
    for split in ("val", "test"):
        counts = {kind: sum(k == kind for k, _ in listed(split)) for kind in KINDS}
        assert min(counts.values()) == max(counts.values()) >= 10
        assert len(set(listed(split))) == len(listed(split))


def test_a_listed_seed_that_gives_no_pair_is_named():
    barren = ("tool_on_table", 1)  # of train: found by looking
    with pytest.raises(DatasetError, match="train seed 1 gives no tool_on_table pair any more"):
        list(drawn_pairs([barren], "train", 1))


def test_a_split_without_a_list_is_refused_with_those_that_have_one():
    with pytest.raises(ConfigError, match="lists no pairs for split 'train'; there are test, val"):
        listed("train")
