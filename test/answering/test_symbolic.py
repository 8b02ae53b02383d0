"""What the graph alone can answer, as a table of questions a member of staff might ask."""

import math
import string
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from or_spatial.answering import answer
from or_spatial.answering.changes import moved_m
from or_spatial.answering.grammar import PHRASES, Kind, parse
from or_spatial.answering.symbolic import EXAMPLES
from or_spatial.scene import (
    Category,
    Family,
    FrameOfReference,
    GraphHistory,
    Scale,
    SceneGraph,
    SceneObject,
    SpatialRelation,
    load_vocabulary,
)

TIGHT = (0.0009, 0.0, 0.0, 0.0, 0.0009, 0.0, 0.0, 0.0, 0.0009)  # 3 cm each way


def thing(id, label, at, size, **more):
    category = load_vocabulary().category(label)
    return SceneObject(
        id=id, label=label, category=category, center_m=at, size_m=size, yaw_rad=0.0, covariance_m2=TIGHT, **more
    )


def does(who, what, whom, confidence=0.8):
    return SpatialRelation(subject_id=who, predicate=what, object_id=whom, family=Family.ACTION, confidence=confidence)


def seen(who, where, what, confidence=0.9):
    return SpatialRelation(
        subject_id=who,
        predicate=where,
        object_id=what,
        confidence=confidence,
        frame_of_reference=FrameOfReference.VIEWER,
        reference_frame_id="cam_0",
    )


OBJECTS = (
    thing("person_1", "person", (0.0, -0.8, 0.9), (0.5, 0.4, 1.8), existence=0.9, sterile=0.95),
    thing(
        "person_2", "person", (1.5, 1.2, 0.9), (0.5, 0.4, 1.8), existence=0.8, velocity_m_s=(0.4, 0.3, 0.0), sterile=0.5
    ),
    thing("p0", "patient", (0.0, 0.0, 1.05), (1.7, 0.5, 0.3), existence=1.0),
    thing("t1", "operating_table", (0.0, 0.0, 0.45), (2.0, 0.7, 0.9)),
    thing("t2", "instrument_table", (1.2, -0.9, 0.45), (0.9, 0.6, 0.9)),
    thing("r1", "mako_robot", (-0.3, 1.2, 0.8), (0.6, 0.6, 1.6)),
    thing("d1", "drill", (0.1, -0.5, 1.15), (0.2, 0.1, 0.15)),
    thing("ghost", "lamp", (0.0, 0.0, 2.3), (0.6, 0.6, 0.2), existence=0.2),
)
GRAPH = SceneGraph(
    stamp_ns=20_000_000_000,
    scale=Scale.METRIC,
    objects=OBJECTS,
    relations=(
        does("person_1", "holding", "d1"),
        does("person_1", "drilling", "p0", 0.7),
        does("p0", "lyingOn", "t1"),
        does("person_2", "closeTo", "r1", 0.6),
        seen("person_1", "in_front_of", "t1"),
        seen("t2", "right_of", "t1", 0.85),
        seen("r1", "behind", "t1"),
    ),
)
RELATIVE = SceneGraph(stamp_ns=5, scale=Scale.RELATIVE, objects=OBJECTS, relations=GRAPH.relations)


@pytest.mark.parametrize(
    ("question", "says", "objects"),
    [
        ("How many people are there?", "3: person_1, person_2, the patient", {"person_1", "person_2", "p0"}),
        ("how many staff do you see in the room", "2:", {"person_1", "person_2"}),
        ("how many lamps are there", "0:", set()),  # the graph's lamp is rather not there
        ("how many monitors are there", "0: the graph holds no monitors", set()),
        ("how many persons are near the operating table", "1: person_1", {"person_1", "t1"}),
        ("is there a robot", "Yes, the Mako robot", {"r1"}),
        ("is there a saw in the room?", "No, the graph holds no saw", set()),
        ("is anyone in the room", "Yes, person_1", {"person_1", "person_2", "p0"}),
        ("who is in the room?", "person_1, person_2, the patient", {"person_1", "person_2", "p0"}),
        ("list all instruments", "The drill", {"d1"}),
        (
            "where is the robot",
            "behind the operating table (as cam_0 sees it), at x -0.30, y 1.20, z 0.80 m in map",
            {"r1"},
        ),
        ("who is holding the drill?", "person_1.", {"person_1", "d1"}),
        ("what is person_1 holding", "The drill.", {"person_1", "d1"}),
        (
            "What is person 1 doing?",
            "person_1 holding the drill; person_1 drilling the patient",
            {"person_1", "d1", "p0"},
        ),
        ("what is person_2 doing", "person_2 close to the Mako robot", {"person_2", "r1"}),
        ("who is operating on the patient", "person_1.", {"person_1", "p0"}),
        ("who is lying on the table", "The patient.", {"p0", "t1"}),
        ("is the patient on the operating table", "Yes", {"p0", "t1"}),
        ("what is to the right of the operating table", "The instrument table (as cam_0 sees it)", {"t2", "t1"}),
        ("is the operating table left of the instrument table", "Yes", {"t1", "t2"}),
        ("is the instrument table left of the operating table", "No, right of the operating table", {"t1", "t2"}),
        ("is anyone near the robot", "No, anyone is not near robot", set()),
        ("is the drill touching the robot", "No, drill is not touching robot", set()),
        ("is the nurse helping the surgeon", "roles are not in the graph", set()),
        ("who is closest to the robot", "The patient, 0.65 m from the Mako robot", {"p0", "r1"}),
        ("which person is nearest to the drill", "person_1", {"person_1", "d1"}),
        ("is person_2 moving", "Yes, person_2 moves at 0.50 m/s", {"person_2"}),
        ("is person 1 sterile", "person_1: sterile", {"person_1"}),
    ],
)
def test_questions_have_answers(question, says, objects):
    found = answer(question, GRAPH)
    assert not found.abstained, found.answer
    assert says in found.answer
    assert set(found.object_ids) == objects
    assert found.question == question and found.stamp_ns == GRAPH.stamp_ns


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("where is the forklift", 'nothing called "forklift"'),
        ("where is the rebot", 'closest name is "robot"'),
        ("where is the c-arm", "No c-arm is in the graph at the moment; it holds person_1"),
        ("is person_2 sterile", "Too close to call"),
        ("is person_2 left of the robot", "does not say"),
        ("what is left of the drill", "relates nothing to drill"),
        ("where was the robot 5 seconds ago", "No graph is kept"),
        ("how fast is the patient moving", "velocity of patient is unknown"),
        ("is the light on", "do not understand"),
        ("", "do not understand"),
    ],
)
def test_what_the_graph_does_not_hold_is_not_guessed(question, reason):
    found = answer(question, GRAPH)
    assert found.abstained and reason in found.answer
    assert math.isnan(found.confidence)


def test_a_distance_is_told_between_surfaces_with_its_doubt():
    found = answer("how far is the robot from the patient?", GRAPH)
    assert found.quantity == pytest.approx(0.65) and found.unit == "m"  # 1.2 - 0.3 - 0.25 along y, overlapping in x
    assert "± 0.04 m" in found.answer and "1.26 m between centres" in found.answer
    assert found.confidence == pytest.approx(math.erf(0.1 / (0.03 * math.sqrt(2)) / math.sqrt(2)), abs=1e-3)


def test_the_graphs_own_surface_distance_comes_before_the_boxes():
    measured = SpatialRelation(
        subject_id="p0",
        predicate="near",
        object_id="r1",
        confidence=0.9,
        surface_distance_m=0.31,
        surface_distance_stddev_m=0.02,
    )
    graph = SceneGraph(stamp_ns=1, scale=Scale.METRIC, objects=OBJECTS, relations=(measured,))
    found = answer("how far is the robot from the patient?", graph)
    assert found.quantity == 0.31 and found.evidence == (measured,)


@pytest.mark.parametrize(
    "question",
    ["how far is the robot from the patient", "how fast is person_2 moving", "is the drill near the robot"],
)
def test_metres_of_an_uncalibrated_camera_are_not_told(question):
    assert answer(question, RELATIVE).abstained


def test_relations_of_an_uncalibrated_camera_are_told():
    assert "behind the operating table" in answer("where is the robot", RELATIVE).answer
    assert " m in " not in answer("where is the robot", RELATIVE).answer


def test_confidence_is_that_of_the_weakest_relation_told():
    assert answer("what is person_1 doing", GRAPH).confidence == 0.7
    assert answer("how many people are there", GRAPH).confidence == pytest.approx(0.9 * 0.8 * 1.0)


def test_a_probability_near_one_half_is_not_called():
    doubtful = SceneGraph(
        stamp_ns=1, scale=Scale.METRIC, objects=OBJECTS, relations=(does("person_2", "holding", "d1", 0.55),)
    )
    assert answer("is person_2 holding the drill", doubtful).abstained


def test_an_action_that_the_graph_does_not_list_is_denied_without_a_number():
    found = answer("is person_2 holding the drill", GRAPH)
    assert found.answer.startswith("No") and math.isnan(found.confidence) and not found.abstained


def test_evidence_names_the_relations_an_answer_rests_on():
    assert [r.triplet for r in answer("who is holding the drill", GRAPH).evidence] == [("person_1", "holding", "d1")]
    turned = answer("is the operating table left of the instrument table", GRAPH).evidence[0]
    assert turned.triplet == ("t1", "left_of", "t2") and turned.reference_frame_id == "cam_0"


def test_the_past_is_answered_from_history():
    history = GraphHistory()
    moved = thing("r1", "mako_robot", (3.0, 1.5, 0.8), (0.6, 0.6, 1.6))
    past = SceneGraph(stamp_ns=15_000_000_000, scale=Scale.METRIC, objects=(moved,))
    history.add(past)
    history.add(GRAPH)
    found = answer("where was the robot 5 seconds ago?", GRAPH, history)
    assert "x 3.00, y 1.50" in found.answer and found.stamp_ns == past.stamp_ns
    assert answer("where was the robot 9 seconds ago?", GRAPH, history).abstained


MINUTE = 60_000_000_000


def a_minute_later() -> tuple[SceneGraph, GraphHistory]:
    """person_2 has gone, person_9 has come, the robot has moved, the drill has been put down."""
    before = replace(GRAPH, relations=(*GRAPH.relations, does("person_2", "assisting", "person_1")))
    objects = {o.id: o for o in GRAPH.objects if o.id != "person_2"}
    objects["r1"] = replace(objects["r1"], center_m=(-0.3, 2.4, 0.8))
    objects["person_9"] = replace(objects["person_1"], id="person_9", center_m=(2.0, 2.0, 0.9))
    relations = tuple(r for r in GRAPH.relations if r.predicate != "holding" and "person_2" not in r.triplet)
    began = does("person_1", "cutting", "p0")
    now = replace(
        GRAPH, stamp_ns=GRAPH.stamp_ns + MINUTE, objects=tuple(objects.values()), relations=(*relations, began)
    )
    history = GraphHistory()
    history.add(before)
    history.add(now)
    return now, history


@pytest.mark.parametrize(
    "question",
    [
        "what has changed",
        "what changed in the last minute?",
        "what happened in the last 60 s",
        "what is new since 1 min",
    ],
)
def test_what_changed_is_told_with_who_came_and_went_and_what_began_and_ended(question):
    found = answer(question, *a_minute_later())
    for clause in ("came", "person_2 went", "moved 1.20 m", "cutting", "began", "assisting", "ended"):
        assert clause in found.answer, found.answer
    assert {"person_9", "r1"} == set(found.object_ids)
    assert [r.predicate for r in found.evidence] == ["cutting"]


def test_nothing_changed_is_said_as_such():
    history = GraphHistory()
    history.add(GRAPH)
    now = replace(GRAPH, stamp_ns=GRAPH.stamp_ns + MINUTE)
    assert "Nothing that the graph tells has changed in 60 s" in answer("what changed?", now, history).answer


def test_a_move_within_the_doubt_of_its_places_is_none():
    a = thing("r1", "mako_robot", (0.0, 0.0, 0.8), (0.6, 0.6, 1.6))
    b = replace(a, center_m=(0.4, 0.0, 0.8))
    assert moved_m(a, b) == pytest.approx(0.4)
    doubtful = replace(b, covariance_m2=(0.09, 0.0, 0.0, 0.0, 0.09, 0.0, 0.0, 0.0, 0.09))
    assert moved_m(a, doubtful) == 0.0
    assert moved_m(a, replace(b, center_m=(0.2, 0.0, 0.8))) == 0.0
    assert moved_m(a, replace(b, center_m=(math.nan,) * 3)) == 0.0


def test_an_hour_ago_is_answered_from_the_graph_that_was_kept_and_says_which():
    history = GraphHistory()
    history.add(GRAPH)
    now = replace(GRAPH, stamp_ns=GRAPH.stamp_ns + 50 * MINUTE)
    history.add(now)
    assert "the graph kept from 3000 s ago" in answer("what has changed in the last hour", now, history).answer
    assert answer("what has changed in the last 10 minutes", now, history).abstained


@pytest.mark.parametrize("label", load_vocabulary().objects)
def test_every_label_of_the_vocabulary_is_understood(label):
    one = SceneGraph(
        stamp_ns=1,
        scale=Scale.METRIC,
        objects=(SceneObject(id="x", label=label, category=Category.UNKNOWN, center_m=(1, 2, 3)),),
    )
    for said in (label, label.replace("_", " "), f"the {label.replace('_', '-')}s"):
        assert answer(f"where is {said}?", one).object_ids == ("x",)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_understood(example):
    assert parse(example) is not None


def test_every_predicate_can_be_asked_for():
    vocabulary = load_vocabulary()
    assert set(PHRASES.values()) == {*vocabulary.actions, *vocabulary.geometric} - {"closeTo"}


@pytest.mark.parametrize("phrase", PHRASES)
def test_every_phrase_is_found_in_a_sentence(phrase):
    query = parse(f"is the operating table {phrase} the instrument table?")
    assert query is not None and (query.kind, query.predicate) == (Kind.HOLDS, PHRASES[phrase])
    assert query.b == "the instrument table"


words = st.sampled_from(
    ["is", "the", "who", "what", "where", "how", "far", "near", "of", "to", "from", "drill", "ago", "5"]
)
sentences = st.lists(words, max_size=9).map(" ".join)


@settings(max_examples=150)
@given(st.one_of(st.text(max_size=60), sentences))
def test_no_text_makes_it_fall_over(text):
    for graph in (GRAPH, SceneGraph(stamp_ns=3)):
        assert answer(text, graph).answer


@given(st.text(string.ascii_letters + " ?", max_size=40))
def test_an_empty_graph_never_yields_objects(text):
    assert answer(text, SceneGraph(stamp_ns=3)).object_ids == ()


def test_nobody_is_said_to_hold_what_somebody_may_hold_however_many_others_are_there():
    drill = thing("drill_1", "drill", (0.1, -0.7, 1.1), (0.2, 0.1, 0.2))
    graph = SceneGraph(
        stamp_ns=5,
        scale=Scale.METRIC,
        objects=(*OBJECTS, drill),
        relations=(does("person_1", "holding", "drill_1", 0.49),),
    )
    found = answer("who is holding the drill", graph)
    assert found.abstained and "Too close to call" in found.answer
