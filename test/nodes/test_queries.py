"""What query_node answers, on a graph of four objects whose numbers can be checked by hand."""

import math
from dataclasses import replace

import pytest

from or_spatial.geometry.boxes import OrientedBox
from or_spatial.geometry.transforms import look_at
from or_spatial.nodes.queries import (
    Refusal,
    Status,
    Wanted,
    as_seen_by,
    find,
    fresh,
    part_of,
    position_stddev_m,
    relations_between,
    resolve,
    trajectory,
    with_all_relations,
)
from or_spatial.scene import (
    Category,
    FrameOfReference,
    GraphHistory,
    Scale,
    SceneGraph,
    SceneObject,
    Source,
    SpatialRelation,
)

S = 1_000_000_000
SMALL = (1e-6, 0, 0, 0, 1e-6, 0, 0, 0, 1e-6)


def thing(id, label, category, center, size, **more):
    numbers = {"center_m": center, "covariance_m2": SMALL, "size_m": size, "yaw_rad": 0.0, "existence": 0.9}
    return SceneObject(id=id, label=label, category=category, **(numbers | more))


TABLE = thing("operating_table_1", "operating_table", Category.FURNITURE, (0.0, 0.0, 0.4), (2.0, 0.6, 0.8))
ANNA = thing("person_1", "person", Category.PERSON, (1.0, 1.0, 0.9), (0.4, 0.4, 1.8), existence=0.95)
BERT = thing("person_2", "person", Category.PERSON, (-1.6, 0.0, 0.9), (0.4, 0.4, 1.8), existence=0.6)
DRILL = thing("drill_1", "drill", Category.INSTRUMENT, (0.2, 0.1, 0.85), (0.2, 0.1, 0.1), existence=math.nan)
SAID = SpatialRelation(
    subject_id="person_1",
    predicate="right_of",
    object_id="operating_table_1",
    confidence=0.8,
    frame_of_reference=FrameOfReference.VIEWER,
    reference_frame_id="south",
)
GRAPH = SceneGraph(
    stamp_ns=100 * S,
    scale=Scale.METRIC,
    sources=(Source("south", "south_optical_frame", 100 * S), Source("north", "north_optical_frame", 100 * S)),
    objects=(TABLE, ANNA, BERT, DRILL),
    relations=(SAID,),
)
POSES = {"south": look_at((0.3, -3.0, 2.0), (0.3, 0.0, 1.0)), "north": look_at((0.3, 3.0, 2.0), (0.3, 0.0, 1.0))}


def refused(status, match):
    return pytest.raises(Refusal, match=match, check=lambda e: e.status == status)


def test_an_object_is_known_by_its_id_and_by_a_label_that_only_it_bears():
    assert resolve(GRAPH, "person_2") is BERT
    assert resolve(GRAPH, "drill") is DRILL


@pytest.mark.parametrize(
    ("name", "status", "match"),
    [
        ("", Status.INVALID_REQUEST, "object is empty"),
        ("person", Status.UNKNOWN_OBJECT, "2 objects are labelled 'person'; ask for one of person_1, person_2"),
        ("dril", Status.UNKNOWN_OBJECT, "did you mean drill, drill_1"),
        ("xyz", Status.UNKNOWN_OBJECT, "the graph has drill, drill_1, operating_table"),
    ],
)
def test_any_other_name_is_refused_with_the_candidates(name, status, match):
    with refused(status, match):
        resolve(GRAPH, name)


@pytest.mark.parametrize(
    ("age_s", "allowed_s", "status"), [(0.9, 1.0, 0), (1.0, 1.0, 0), (1.1, 1.0, 3), (9e9, 0.0, 0), (-1.0, 1.0, 0)]
)
def test_a_graph_is_stale_when_it_is_older_than_allowed_and_zero_allows_any_age(age_s, allowed_s, status):
    _, found, text = fresh(GRAPH, GRAPH.stamp_ns + round(age_s * S), round(allowed_s * S))
    assert (int(found), bool(text)) == (status, status == 3)


def test_without_a_graph_nothing_is_ready():
    with refused(Status.NOT_READY, "no scene graph has come yet"):
        fresh(None, 0, 0)


def test_a_part_holds_the_objects_asked_for_and_the_relations_among_them():
    part = part_of(GRAPH, ["person_1", "operating_table"], 0.0)
    assert [o.id for o in part.objects] == ["operating_table_1", "person_1"]
    assert part.relations == (SAID,)
    assert part_of(GRAPH, ["person_1"], 0.0).relations == ()


def test_a_part_drops_what_is_less_sure_and_what_is_not_known_to_be_sure():
    assert [o.id for o in part_of(GRAPH, [], 0.85).objects] == ["operating_table_1", "person_1"]
    assert part_of(GRAPH, [], 0.85).relations == ()


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Wanted(labels=("person",)), ["person_1", "person_2"]),
        (Wanted(categories=(2, 5)), ["operating_table_1", "drill_1"]),
        (Wanted(labels=("person",), min_existence=0.6), ["person_1", "person_2"]),
        (Wanted(labels=("person",), min_existence=0.61), ["person_1"]),
        (Wanted(region=OrientedBox((1.0, 1.0, 0.9), (0.1, 0.1, 0.1))), ["person_1"]),
        (Wanted(near="operating_table", radius_m=0.39), ["drill_1"]),
        (Wanted(near="operating_table", radius_m=0.41), ["person_2", "drill_1"]),
    ],
)
def test_objects_are_found_by_every_condition_that_is_set_most_certain_first(wanted, ids):
    assert [o.id for o in find(GRAPH, wanted)] == ids


@pytest.mark.parametrize(
    ("wanted", "status", "match"),
    [
        (Wanted(labels=("drills",)), Status.UNKNOWN_OBJECT, "did you mean 'drill'"),
        (Wanted(min_existence=2.0), Status.INVALID_REQUEST, "min_existence is 2.0; expected 0 to 1"),
        (Wanted(near="drill", radius_m=-1.0), Status.INVALID_REQUEST, "radius is -1.0"),
        (Wanted(near="ghost", radius_m=1.0), Status.UNKNOWN_OBJECT, "no object 'ghost'"),
    ],
)
def test_impossible_conditions_are_refused(wanted, status, match):
    with refused(status, match):
        find(GRAPH, wanted)


def test_places_in_metres_are_refused_when_the_graph_has_no_metres():
    with refused(Status.LOW_CONFIDENCE, "scale is RELATIVE"):
        find(replace(GRAPH, scale=Scale.RELATIVE), Wanted(near="drill", radius_m=1.0))


def between(subject, target, predicate="", frame=FrameOfReference.NONE, reference="", graph=GRAPH):
    found = relations_between(graph, subject, target, predicate, frame, reference, POSES.get, 0.5)
    return {(r.predicate, r.reference_frame_id): r for r in found}


def test_the_published_relation_is_preferred_to_a_computed_one():
    assert between(ANNA, TABLE)["right_of", "south"] is SAID


def test_a_predicate_is_answered_even_when_it_is_improbable():
    inside = between(ANNA, TABLE, "inside")
    assert inside["inside", ""].confidence < 0.01


@pytest.mark.parametrize(
    ("frame", "reference", "expected"),
    [
        (FrameOfReference.WORLD, "", ("left_of", "map")),
        (FrameOfReference.VIEWER, "south", ("left_of", "south")),
        (FrameOfReference.VIEWER, "north", ("right_of", "north")),
        (FrameOfReference.OBJECT, "operating_table", ("left_of", "operating_table_1")),
    ],
)
def test_whose_left_it_is_turns_the_answer(frame, reference, expected):
    found = between(BERT, TABLE, frame=frame, reference=reference)
    assert expected in found


def test_an_object_that_is_turned_turns_its_own_left():
    turned = replace(TABLE, yaw_rad=math.pi / 2)
    graph = replace(GRAPH, objects=(turned, ANNA, BERT, DRILL))
    found = between(BERT, turned, frame=FrameOfReference.OBJECT, reference="operating_table_1", graph=graph)
    assert ("behind", "operating_table_1") in found  # room -x is +y of a table whose x points along room +y


def test_a_camera_whose_pose_is_unknown_has_no_left():
    with refused(Status.NO_DATA, "pose of camera 'north' is not known"):
        relations_between(GRAPH, BERT, TABLE, "left_of", FrameOfReference.VIEWER, "north", lambda _: None, 0.5)


def test_distances_come_with_computed_relations():
    near = between(BERT, TABLE)["near", ""]
    assert near.surface_distance_m == pytest.approx(0.4, abs=1e-9)
    assert near.center_distance_m == pytest.approx(math.hypot(1.6, 0.5))
    assert near.direction[0] == pytest.approx(1.6 / math.hypot(1.6, 0.5))


def test_without_metres_only_what_the_graph_says_is_answered():
    relative = replace(GRAPH, scale=Scale.RELATIVE)
    assert set(between(ANNA, TABLE, graph=relative)) == {("right_of", "south")}
    assert between(ANNA, TABLE, "near", graph=relative) == {}


def test_all_relations_hold_every_converse_once():
    every = with_all_relations(GRAPH, POSES.get, 0.0)
    triplets = [r.triplet for r in every.relations]
    assert len(triplets) == len(set(triplets))
    assert {("drill_1", "on", "operating_table_1"), ("operating_table_1", "below", "drill_1")} <= set(triplets)
    assert all(r.confidence >= 0.5 for r in every.relations)


def touching(confidence=0.9):
    """Published from the table's end, though the boxes of the two are 0.4 m apart."""
    told = SpatialRelation(
        subject_id="operating_table_1", predicate="touching", object_id="person_2", confidence=confidence
    )
    return replace(GRAPH, relations=(SAID, told))


def test_what_is_published_from_the_other_end_is_preferred_to_a_computed_one():
    found = between(BERT, TABLE, graph=touching())
    assert found["touching", ""].confidence == 0.9 and found["touching", ""].subject_id == "person_2"
    (left,) = (r for r in between(TABLE, ANNA).values() if r.reference_frame_id == "south")
    assert (left.predicate, left.confidence) == ("left_of", SAID.confidence)


def test_nothing_is_computed_that_the_graph_denies_unless_asked_for():
    assert ("near", "") in between(BERT, TABLE) and ("near", "") not in between(BERT, TABLE, graph=touching())
    assert ("near", "") in between(BERT, TABLE, "near", graph=touching())
    every = {r.triplet: r for r in with_all_relations(touching(), POSES.get, 0.0).relations}
    for a, b in (("person_2", "operating_table_1"), ("operating_table_1", "person_2")):
        assert every[a, "touching", b].confidence == 0.9 and (a, "near", b) not in every


def test_a_graph_seen_by_another_camera_says_only_that_cameras_left():
    seen = as_seen_by(GRAPH, "north", POSES.get)
    directions = {r.triplet for r in seen.relations}
    assert ("person_2", "right_of", "operating_table_1") in directions
    assert {r.reference_frame_id for r in seen.relations} == {"north"}
    assert as_seen_by(GRAPH, "south", POSES.get) is GRAPH
    assert as_seen_by(GRAPH, "north", lambda _: None).relations == ()
    with refused(Status.INVALID_REQUEST, "no camera 'east'; the graph's are south, north"):
        as_seen_by(GRAPH, "east", POSES.get)


def history(count=5):
    kept = GraphHistory()
    for i in range(count):
        moved = replace(ANNA, center_m=(float(i), 0.0, 0.9))
        kept.add(replace(GRAPH, stamp_ns=i * S + 1, objects=(moved,) if i != 2 else ()))
    return kept


def test_a_trajectory_skips_graphs_that_do_not_hold_the_object():
    assert [o.center_m[0] for _, o in trajectory(history(), "person_1", 0, 0, 0)] == [0.0, 1.0, 3.0, 4.0]


def test_a_trajectory_is_cut_in_time_and_thinned_with_both_ends_kept():
    assert [o.center_m[0] for _, o in trajectory(history(), "person_1", S, 3 * S + 1, 0)] == [1.0, 3.0]
    assert [o.center_m[0] for _, o in trajectory(history(9), "person_1", 0, 0, 4)] == [0.0, 3.0, 6.0, 8.0]


def test_a_trajectory_that_cannot_be_is_refused():
    with refused(Status.NO_DATA, "no graph of that time holds person_9"):
        trajectory(history(), "person_9", 0, 0, 0)
    with refused(Status.INVALID_REQUEST, "end lies 1.000 s before start"):
        trajectory(history(), "person_1", 2 * S, S, 0)


def test_the_spread_of_a_position_is_nan_when_it_is_not_known():
    assert position_stddev_m(replace(ANNA, covariance_m2=(0.01, 0, 0, 0, 0.04, 0, 0, 0, 0.04))) == pytest.approx(
        math.sqrt(0.03)
    )
    assert math.isnan(position_stddev_m(SceneObject(id="x", label="drill")))
