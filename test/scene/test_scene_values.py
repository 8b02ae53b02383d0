"""Graphs as JSON, history by time, names by vocabulary."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from or_spatial.errors import ConfigError, VocabularyError
from or_spatial.scene import (
    Box2D,
    CameraStatus,
    Category,
    EvidenceSource,
    Family,
    FrameOfReference,
    GraphHistory,
    Hypothesis,
    Scale,
    SceneGraph,
    SceneObject,
    Source,
    SpatialRelation,
    load_vocabulary,
)
from or_spatial.scene.values import mat3, same, vec3

numbers = st.floats(allow_infinity=False, width=64)  # NaN included: it means unknown
names = st.text(max_size=8)
stamps = st.integers(0, 2**62)
vectors = st.tuples(numbers, numbers, numbers)
matrices = st.tuples(*[numbers] * 9)

objects = st.builds(
    SceneObject,
    id=names,
    label=names,
    category=st.sampled_from(Category),
    hypotheses=st.lists(st.builds(Hypothesis, names, numbers), max_size=2).map(tuple),
    center_m=vectors,
    covariance_m2=matrices,
    yaw_rad=numbers,
    size_m=vectors,
    velocity_m_s=vectors,
    existence=numbers,
    sterile=numbers,
    last_seen_ns=stamps,
    occluded=st.booleans(),
    boxes=st.lists(st.builds(Box2D, names, numbers, numbers, numbers, numbers, numbers), max_size=2).map(tuple),
)
relations = st.builds(
    SpatialRelation,
    subject_id=names,
    predicate=names,
    object_id=names,
    family=st.sampled_from(Family),
    confidence=numbers,
    source=st.sampled_from(EvidenceSource),
    frame_of_reference=st.sampled_from(FrameOfReference),
    reference_frame_id=names,
    center_distance_m=numbers,
    surface_distance_m=numbers,
    surface_distance_stddev_m=numbers,
    direction=vectors,
    since_ns=stamps,
)
graphs = st.builds(
    SceneGraph,
    stamp_ns=stamps,
    frame_id=names,
    sequence=st.integers(0, 2**31),
    sources=st.lists(st.builds(Source, names, names, stamps, st.sampled_from(CameraStatus)), max_size=2).map(tuple),
    scale=st.sampled_from(Scale),
    model_id=names,
    vocabulary=names,
    objects=st.lists(objects, max_size=2).map(tuple),
    relations=st.lists(relations, max_size=2).map(tuple),
)


@given(graphs)
def test_a_graph_survives_json_exactly(graph):
    again = SceneGraph.from_json(graph.to_json())
    assert same(again, graph)
    assert again.to_json() == graph.to_json()


@given(graphs)
def test_the_json_of_a_graph_is_strict(graph):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    json.loads(graph.to_json(), parse_constant=refuse)


def test_enums_come_back_as_enums():
    graph = SceneGraph(stamp_ns=3, scale=Scale.METRIC, sources=(Source("a", "a_optical_frame", 3, CameraStatus.LOST),))
    again = SceneGraph.from_json(graph.to_json())
    assert again.scale is Scale.METRIC and again.sources[0].status is CameraStatus.LOST


def test_objects_and_relations_are_found_by_what_they_are():
    nurse, drill = SceneObject(id="p1", label="person"), SceneObject(id="d1", label="drill")
    holds = SpatialRelation(subject_id="p1", predicate="holding", object_id="d1", family=Family.ACTION)
    graph = SceneGraph(stamp_ns=1, objects=(nurse, drill), relations=(holds,))
    assert graph.find("d1") is drill and graph.find("d2") is None
    assert graph.labelled("drill", "saw") == (drill,)
    assert list(graph.between("p1", "d1")) == [holds] and not list(graph.between("d1", "p1"))
    assert holds.triplet == ("p1", "holding", "d1")


def test_a_relation_is_told_from_either_end_and_an_action_is_not():
    converse = {"left_of": "right_of", "right_of": "left_of"}
    left = SpatialRelation(
        subject_id="p1", predicate="left_of", object_id="d1", confidence=0.7, direction=(0.6, -0.8, 0.0)
    )
    holds = SpatialRelation(subject_id="p1", predicate="holding", object_id="d1", family=Family.ACTION)
    inside = SpatialRelation(subject_id="p1", predicate="inside", object_id="d1")
    graph = SceneGraph(stamp_ns=1, relations=(left, holds, inside))
    assert list(graph.told("p1", "d1", converse)) == [left, holds, inside]
    (right,) = graph.told("d1", "p1", converse)
    assert right.triplet == ("d1", "right_of", "p1") and right.direction == (-0.6, 0.8, -0.0)
    assert right.confidence == 0.7 and right.turned(converse) == left


def test_unknown_numbers_are_nan_until_somebody_knows_them():
    fresh = SceneObject(id="p1", label="person")
    assert all(math.isnan(v) for v in (*fresh.center_m, *fresh.covariance_m2, fresh.yaw_rad, fresh.existence))


def test_nan_equals_nan_only_where_asked():
    assert same((1.0, math.nan), (1.0, math.nan)) and not same((1.0,), (1.0, 2.0))
    assert not same(SceneObject(id="a", label="x"), SceneObject(id="b", label="x"))


def test_vectors_and_matrices_have_their_length():
    assert vec3([1, 2, 3]) == (1.0, 2.0, 3.0) and mat3([[1, 2, 3], [4, 5, 6], [7, 8, 9]])[3] == 4.0
    with pytest.raises(ValueError, match="9 numbers"):
        mat3([1, 2, 3])


def at(stamp_ns):
    return SceneGraph(stamp_ns=stamp_ns)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.integers(-5, 60))
def test_the_nearest_graph_is_nearest_and_the_earlier_of_two(stamps, asked):
    history = GraphHistory()
    for stamp in stamps:
        history.add(at(stamp))
    expected = min(sorted(set(stamps)), key=lambda s: abs(s - asked))
    assert history.nearest(asked).stamp_ns == expected
    assert [g.stamp_ns for g in history] == sorted(set(stamps))
    assert history.newest.stamp_ns == max(stamps)


@pytest.mark.parametrize(("asked", "found"), [(89, None), (90, 100), (110, 100), (111, None)])
def test_nothing_is_found_outside_the_allowed_time(asked, found):
    history = GraphHistory()
    history.add(at(100))
    nearest = history.nearest(asked, within_ns=10)
    assert (nearest and nearest.stamp_ns) == found


def test_a_day_is_remembered_evenly_in_bounded_memory():
    history = GraphHistory(capacity=20, keyframes=30, spacing_s=10.0)
    for second in range(12 * 3600):
        history.add(at((1 + second) * 1_000_000_000))
    stamps = [g.stamp_ns for g in history]
    dense, old = stamps[-20:], stamps[:-20]
    assert [b - a for a, b in zip(dense, dense[1:], strict=False)] == [1_000_000_000] * 19
    assert 15 <= len(old) <= 30 and old[0] == 1_000_000_000
    gaps = {b - a for a, b in zip(old, old[1:], strict=False)}
    assert gaps == {int(history.spacing_s * 1e9)}
    assert (dense[0] - old[-1]) <= history.spacing_s * 1e9


def test_a_late_comer_does_not_disturb_the_keyframes():
    history = GraphHistory(capacity=2, keyframes=4, spacing_s=1e-8)
    for stamp in (10, 20, 30, 40):
        history.add(at(stamp))
    history.add(at(5))
    assert [g.stamp_ns for g in history] == [10, 20, 30, 40]
    history.clear()
    assert len(history) == 0


def test_an_empty_history_has_nothing():
    history = GraphHistory()
    assert history.nearest(5) is None and history.newest is None and len(history) == 0


def test_the_oldest_go_first_and_late_comers_find_their_place():
    history = GraphHistory(capacity=3)
    for stamp in (10, 30, 20, 40):
        history.add(at(stamp))
    assert [g.stamp_ns for g in history] == [20, 30, 40]
    assert [g.stamp_ns for g in history.between(20, 30)] == [20, 30]


def test_a_graph_of_the_same_stamp_replaces_the_older_one():
    history = GraphHistory()
    history.add(at(10))
    history.add(SceneGraph(stamp_ns=10, sequence=7))
    assert len(history) == 1 and history.newest.sequence == 7


def test_a_cleared_history_is_empty_and_a_history_of_none_is_refused():
    history = GraphHistory()
    history.add(at(1))
    history.clear()
    assert len(history) == 0
    with pytest.raises(ValueError, match="capacity 0"):
        GraphHistory(capacity=0)


def test_a_misspelt_name_is_answered_with_the_closest():
    words = load_vocabulary()
    with pytest.raises(VocabularyError, match="did you mean 'operating_table'"):
        words.object_index("operatng_table")
    with pytest.raises(VocabularyError, match="action predicate 'holdng'; did you mean 'holding'"):
        words.action_index("holdng")
    with pytest.raises(VocabularyError, match="it has left_of"):
        words.geometric_index("zzz")


@pytest.mark.parametrize(
    ("name", "sizes"), [("or_world", (15, 16, 10)), ("4d-or", (12, 14, 0)), ("mm-or", (23, 16, 0))]
)
def test_shipped_vocabularies_have_their_published_sizes(name, sizes):
    words = load_vocabulary(name)
    assert (len(words.objects), len(words.actions), len(words.geometric)) == sizes


def test_every_canonical_name_exists_in_our_world():
    ours = load_vocabulary()
    known = {*ours.objects, *ours.actions}
    for name in ("4d-or", "mm-or"):
        words = load_vocabulary(name)
        assert set(words.canonical.values()) <= known
        assert set(words.canonical) <= {*words.objects, *words.actions}
        assert {words.to_canonical(a) for a in words.actions} <= set(ours.actions)


def test_labels_have_their_category():
    words = load_vocabulary()
    assert (words.category("drill"), words.category("forklift")) == (Category.INSTRUMENT, Category.UNKNOWN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x\nversion: 1\nobjects: {}\ncolour: red\n", "unknown key 'colour'"),
        ("name: x\nversion: 1\nobjects: {}\nactions: [a, a]\n", "under 'actions' stands twice"),
    ],
)
def test_a_wrong_vocabulary_file_says_what_is_wrong(tmp_path, text, said):
    path = tmp_path / "words.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_vocabulary(str(path))


def test_a_missing_vocabulary_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="words.yaml does not exist"):
        load_vocabulary(str(tmp_path / "words.yaml"))
