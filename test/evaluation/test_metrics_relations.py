"""The relation figures on scenes small enough to count by hand, and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import classification_report

from or_spatial.errors import DatasetError
from or_spatial.evaluation.metrics import RelationAccumulator, match_by_id, match_objects, with_converses
from or_spatial.scene import Category, Family, FrameOfReference, SceneGraph, SceneObject, SpatialRelation

ACTIONS = ("closeTo", "holding", "drilling")


def thing(id, label="person", at=(0.0, 0.0, 1.0), category=Category.PERSON):
    return SceneObject(id=id, label=label, center_m=at, category=category)


def action(a, predicate, b, **more):
    return SpatialRelation(subject_id=a, predicate=predicate, object_id=b, family=Family.ACTION, **more)


def geometric(a, predicate, b, camera="front"):
    return SpatialRelation(
        subject_id=a,
        predicate=predicate,
        object_id=b,
        frame_of_reference=FrameOfReference.VIEWER,
        reference_frame_id=camera,
    )


def graph(objects, *relations):
    return SceneGraph(stamp_ns=1, objects=tuple(objects), relations=relations)


ROOM = (
    thing("anna", at=(0.0, 0.0, 1.0)),
    thing("ben", at=(1.5, 0.2, 1.0)),
    thing("table", "operating_table", (0.8, 1.0, 0.5), Category.FURNITURE),
)
SEEN = (
    thing("p7", at=(1.4, 0.3, 1.1)),
    thing("p9", at=(0.1, -0.2, 0.9)),
    thing("t1", "operating_table", (0.7, 1.1, 0.5), Category.FURNITURE),
)
SAME = {"anna": "p9", "ben": "p7", "table": "t1"}


def score(truth, predicted, match=None, **options):
    accumulator = RelationAccumulator(ACTIONS, **options)
    accumulator.add(truth, predicted, match)
    return accumulator.result()


def f1_of(scores, name):
    return next(s.f1 for s in scores if s.name == name)


def test_objects_are_matched_by_label_and_least_distance():
    assert match_objects(graph(ROOM), graph(SEEN)) == SAME


def test_matches_come_in_the_order_of_the_true_labels_in_every_run():
    room = [thing(f"{label}_1", label) for label in ("saw", "lamp", "drill", "person", "monitor", "patient")]
    assert [*match_objects(graph(room), graph(room[::-1]))] == [o.id for o in room]


def test_more_matches_come_before_shorter_ones():
    true = (thing("a", at=(0.0, 0, 0)), thing("b", at=(0.7, 0, 0)))
    found = (thing("x", at=(0.65, 0, 0)), thing("y", at=(1.2, 0, 0)))  # greedy would take b-x and lose a
    assert match_objects(graph(true), graph(found)) == {"a": "x", "b": "y"}


@pytest.mark.parametrize(
    ("category", "gap", "matched"),
    [
        (Category.PERSON, 0.74, True),
        (Category.PERSON, 0.76, False),
        (Category.INSTRUMENT, 0.49, True),
        (Category.INSTRUMENT, 0.51, False),
        (Category.PERSON, float("nan"), False),
    ],
)
def test_a_match_stays_within_its_gate(category, gap, matched):
    one, other = thing("a", at=(0.0, 0, 0), category=category), thing("x", at=(gap, 0, 0), category=category)
    assert bool(match_objects(graph([one]), graph([other]))) == matched


def test_a_perfect_prediction_scores_one_everywhere():
    truth = graph(
        ROOM,
        action("anna", "drilling", "ben"),
        geometric("anna", "left_of", "ben"),
        geometric("ben", "right_of", "anna"),
    )
    found = graph(SEEN, action("p9", "drilling", "p7"), geometric("p7", "right_of", "p9"))
    result = score(truth, found)
    assert (result.action_macro_f1, result.geometric_macro_f1, result.strict_macro_f1) == (1.0, 1.0, 1.0)
    assert result.viewers == ("front",) and result.frames == 1


def test_an_action_counts_in_its_direction_only():
    truth = graph(ROOM, action("anna", "holding", "ben"))
    result = score(truth, graph(SEEN, action("p7", "holding", "p9")))
    assert f1_of(result.actions, "holding") == 0.0
    assert f1_of(result.actions, "none") == pytest.approx(2 * 4 / (2 * 4 + 1 + 1))  # six pairs, two of them wrong
    assert result.action_macro_f1 == pytest.approx(0.4) and result.action_macro_f1_without_none == 0.0


def test_the_first_of_two_predicted_actions_is_the_one_that_counts():
    truth = graph(ROOM, action("anna", "holding", "ben"))
    first = score(truth, graph(SEEN, action("p9", "holding", "p7"), action("p9", "closeTo", "p7")))
    second = score(truth, graph(SEEN, action("p9", "closeTo", "p7"), action("p9", "holding", "p7")))
    assert first.action_macro_f1 == 1.0 and second.action_macro_f1_without_none == 0.0


def test_an_unknown_action_counts_as_none():
    result = score(graph(ROOM), graph(SEEN, action("p9", "juggling", "p7")))
    assert result.action_macro_f1 == 1.0


def test_only_classes_that_the_truth_holds_enter_the_mean():
    truth = graph(ROOM, action("anna", "holding", "ben"))
    found = graph(SEEN, action("p9", "holding", "p7"), action("p9", "drilling", "t1"))
    result = score(truth, found)
    assert result.action_macro_f1 == pytest.approx((1.0 + 2 * 4 / (2 * 4 + 1)) / 2)
    assert result.action_all_classes_macro_f1 == pytest.approx((1.0 + 8 / 9 + 0 + 0) / 4)


def test_relations_of_an_invented_object_hurt_only_the_strict_figure():
    truth = graph(
        ROOM, action("anna", "holding", "ben"), geometric("anna", "near", "ben"), geometric("ben", "near", "anna")
    )
    ghost = thing("ghost", at=(5.0, 5.0, 1.0))
    good = (action("p9", "holding", "p7"), geometric("p9", "near", "p7"))
    clean = score(truth, graph(SEEN, *good))
    haunted = score(
        truth, graph((*SEEN, ghost), *good, action("ghost", "holding", "p7"), geometric("ghost", "near", "p7"))
    )
    assert haunted.action_macro_f1 == clean.action_macro_f1 == 1.0
    assert haunted.geometric_macro_f1 == clean.geometric_macro_f1 == 1.0
    assert f1_of(haunted.strict, "action/holding") == pytest.approx(2 / 3)
    assert f1_of(haunted.strict, "geometric/near") == pytest.approx(2 * 2 / (2 * 2 + 2))  # two true, two invented


def test_relations_of_a_missed_object_are_misses():
    truth = graph(ROOM, action("anna", "holding", "ben"), geometric("anna", "near", "ben"))
    result = score(truth, graph(SEEN[1:]))  # ben is not found
    assert f1_of(result.actions, "holding") == 0.0
    assert next(s for s in result.geometric if s.name == "near").recall == 0.0
    assert result.strict_macro_f1 == 0.0


@pytest.mark.parametrize(
    ("said", "follows"),
    [
        (("a", "left_of", "b"), ("b", "right_of", "a")),
        (("a", "in_front_of", "b"), ("b", "behind", "a")),
        (("a", "above", "b"), ("b", "below", "a")),
        (("a", "on", "b"), ("b", "below", "a")),
        (("a", "below", "b"), ("b", "above", "a")),
        (("a", "near", "b"), ("b", "near", "a")),
        (("a", "touching", "b"), ("b", "touching", "a")),
    ],
)
def test_what_follows_from_turning_a_relation_is_known_too(said, follows):
    assert with_converses([said]) == {said, follows}


def test_inside_has_no_converse_and_on_is_not_turned_into_above():
    assert with_converses([("a", "inside", "b")]) == {("a", "inside", "b")}
    assert ("a", "above", "b") not in with_converses([("a", "on", "b"), ("b", "below", "a")])


def test_left_and_right_of_different_cameras_are_not_compared():
    truth = graph(ROOM, geometric("anna", "left_of", "ben", "front"))
    with pytest.raises(DatasetError, match="front.*ceiling"):
        score(truth, graph(SEEN, geometric("p9", "left_of", "p7", "ceiling")))


def test_each_camera_has_its_own_left_and_only_shared_ones_are_compared():
    truth = graph(
        ROOM,
        *(geometric("anna", "left_of", "ben", "front"), geometric("anna", "right_of", "ben", "back")),
        *(geometric("ben", "right_of", "anna", "front"), geometric("ben", "left_of", "anna", "back")),
    )
    both = graph(SEEN, geometric("p9", "left_of", "p7", "front"), geometric("p9", "right_of", "p7", "back"))
    one = graph(SEEN, geometric("p9", "left_of", "p7", "front"), geometric("p9", "left_of", "p7", "side"))
    mixed_up = graph(SEEN, geometric("p9", "right_of", "p7", "front"), geometric("p9", "left_of", "p7", "back"))
    assert score(truth, both).geometric_macro_f1 == score(truth, one).geometric_macro_f1 == 1.0
    assert score(truth, mixed_up).geometric_macro_f1 == 0.0
    assert score(truth, one).viewers == ("front",)


def test_a_prediction_without_directions_misses_them():
    truth = graph(ROOM, geometric("anna", "left_of", "ben"), geometric("ben", "right_of", "anna"))
    assert score(truth, graph(SEEN)).geometric_macro_f1 == 0.0


def test_doubtful_relations_can_be_left_out():
    truth = graph(ROOM, action("anna", "holding", "ben"))
    found = graph(SEEN, action("p9", "holding", "p7", confidence=0.4))
    assert score(truth, found).action_macro_f1 == 1.0
    assert score(truth, found, threshold=0.5).action_macro_f1_without_none == 0.0


def test_frames_are_pooled_not_averaged():
    accumulator = RelationAccumulator(ACTIONS)
    for hit in (True, False, False):
        truth = graph(ROOM, action("anna", "holding", "ben"))
        accumulator.add(truth, graph(SEEN, *([action("p9", "holding", "p7")] if hit else [])))
    score = next(s for s in accumulator.result().actions if s.name == "holding")
    assert (score.support, score.precision) == (3, 1.0) and score.recall == pytest.approx(1 / 3)


def test_an_empty_recording_has_no_figures():
    result = RelationAccumulator(ACTIONS).result()
    assert np.isnan(result.action_macro_f1) and result.to_dict()["strict_macro_f1"] is None


labels = st.sampled_from((*ACTIONS, None))


@settings(max_examples=40)
@given(st.lists(st.tuples(labels, labels), min_size=12, max_size=12))
def test_the_published_figures_are_those_of_scikit_learn(pairs):
    """4D-OR: classification_report over every ordered pair and all classes with none; MM-OR: supported classes only."""
    objects = [thing(f"o{i}", f"label{i}") for i in range(4)]
    ordered = [(a.id, b.id) for a in objects for b in objects if a is not b]
    truth, found = (
        graph(objects, *(action(a, said[k], b) for (a, b), said in zip(ordered, pairs, strict=True) if said[k]))
        for k in (0, 1)
    )
    result = score(truth, found, match_by_id(truth, found))
    names = [*ACTIONS, "none"]
    true, predicted = ([str(said[k] or "none") for said in pairs] for k in (0, 1))
    report = classification_report(true, predicted, labels=names, output_dict=True, zero_division=0)
    assert result.action_all_classes_macro_f1 == pytest.approx(report["macro avg"]["f1-score"])
    supported = [report[name]["f1-score"] for name in names if report[name]["support"] > 0]
    assert result.action_macro_f1 == pytest.approx(np.mean(supported))
    for each in result.actions:
        assert each.precision == pytest.approx(report[each.name]["precision"])
        assert each.recall == pytest.approx(report[each.name]["recall"])
