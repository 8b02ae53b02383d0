"""Scene values survive the wire: through messages, through the bytes that DDS carries, and back."""

import dataclasses
import math
import time
import typing
from enum import IntEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("rclpy", reason="needs ROS 2")

from rclpy.serialization import deserialize_message, serialize_message

from or_spatial import msg, scene
from or_spatial.nodes import conversions
from or_spatial.scene.values import same

# What a CDR string carries: any text without NUL, at which C ends a string, and without lone surrogates.
names = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12)
numbers = st.floats(allow_nan=True, allow_infinity=True)
stamps = st.integers(0, 2**31 * 10**9 - 1)
vectors = st.tuples(numbers, numbers, numbers)


def several(values: st.SearchStrategy, **rules) -> st.SearchStrategy:
    return st.lists(values, max_size=3, **rules).map(tuple)


hypotheses = st.builds(scene.Hypothesis, label=names, score=numbers)
boxes = st.builds(
    scene.Box2D, camera=names, xmin=numbers, ymin=numbers, xmax=numbers, ymax=numbers, score=numbers
)
sources = st.builds(
    scene.Source, camera=names, frame_id=names, stamp_ns=stamps, status=st.sampled_from(scene.CameraStatus)
)
objects = st.builds(
    scene.SceneObject,
    id=names,
    label=names,
    category=st.sampled_from(scene.Category),
    hypotheses=several(hypotheses),
    center_m=vectors,
    covariance_m2=st.tuples(*[numbers] * 9),
    yaw_rad=numbers,
    size_m=vectors,
    velocity_m_s=vectors,
    existence=numbers,
    sterile=numbers,
    last_seen_ns=stamps,
    occluded=st.booleans(),
    boxes=several(boxes),
)
relations = st.builds(
    scene.SpatialRelation,
    subject_id=names,
    predicate=names,
    object_id=names,
    family=st.sampled_from(scene.Family),
    confidence=numbers,
    source=st.sampled_from(scene.EvidenceSource),
    frame_of_reference=st.sampled_from(scene.FrameOfReference),
    reference_frame_id=names,
    center_distance_m=numbers,
    surface_distance_m=numbers,
    surface_distance_stddev_m=numbers,
    direction=vectors,
    since_ns=stamps,
)
graphs = st.builds(
    scene.SceneGraph,
    stamp_ns=stamps,
    frame_id=names,
    sequence=st.integers(0, 2**64 - 1),
    sources=several(sources),
    scale=st.sampled_from(scene.Scale),
    model_id=names,
    vocabulary=names,
    objects=several(objects, unique_by=lambda o: o.id),
    relations=several(relations),
    schema_version=st.integers(0, 2**16 - 1),
)
alerts = st.builds(
    scene.HazardAlert,
    id=names,
    rule_id=names,
    hazard_type=names,
    stamp_ns=stamps,
    frame_id=names,
    severity=st.sampled_from(scene.Severity),
    state=st.sampled_from(scene.AlertState),
    confidence=numbers,
    object_ids=several(names),
    evidence=several(relations),
    position=vectors,
    distance_m=numbers,
    time_to_event_s=numbers,
    first_detected_ns=stamps,
    acknowledged_by=names,
    message=names,
)
answers = st.builds(
    scene.SpatialAnswer,
    question=names,
    answer=names,
    stamp_ns=stamps,
    frame_id=names,
    question_id=names,
    confidence=numbers,
    abstained=st.booleans(),
    object_ids=several(names),
    evidence=several(relations),
    quantity=numbers,
    unit=names,
    model_id=names,
)
roles = st.builds(scene.RoleEstimate, object_id=names, role=names, confidence=numbers, sterile=numbers)
clinical_states = st.builds(
    scene.ClinicalState,
    stamp_ns=stamps,
    procedure=names,
    procedure_confidence=numbers,
    phase=names,
    phase_confidence=numbers,
    next_action=names,
    next_action_confidence=numbers,
    roles=several(roles),
    model_id=names,
)

KINDS = {
    "hypothesis": (hypotheses, msg.Hypothesis),
    "box": (boxes, msg.ObservedBox2D),
    "source": (sources, msg.SceneSource),
    "scene_object": (objects, msg.SceneObject),
    "spatial_relation": (relations, msg.SpatialRelation),
    "scene_graph": (graphs, msg.SceneGraph),
    "hazard_alert": (alerts, msg.HazardAlert),
    "spatial_answer": (answers, msg.SpatialAnswer),
    "role_estimate": (roles, msg.RoleEstimate),
    "clinical_state": (clinical_states, msg.ClinicalState),
}


def over_the_wire(message):
    return deserialize_message(serialize_message(message), type(message))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_what_is_sent_is_what_arrives(kind, data):
    value = data.draw(KINDS[kind][0])
    message = getattr(conversions, f"{kind}_to_message")(value)
    assert isinstance(message, KINDS[kind][1])
    assert same(getattr(conversions, f"{kind}_from_message")(over_the_wire(message)), value)


@given(st.lists(alerts, max_size=4))
def test_an_active_set_arrives_most_severe_first(active):
    message = conversions.hazard_alerts_to_message(active, stamp_ns=5_000_000_007, frame_id="theatre_2")
    arrived = conversions.hazard_alerts_from_message(over_the_wire(message))
    assert (message.header.stamp.sec, message.header.stamp.nanosec, message.header.frame_id) == (5, 7, "theatre_2")
    assert [a.severity for a in arrived] == sorted((a.severity for a in active), reverse=True)
    assert sorted(a.id for a in arrived) == sorted(a.id for a in active)


def test_every_scene_value_has_its_converters():
    """A new dataclass in scene/ must not be forgotten here."""
    values = {n for n in scene.__all__ if dataclasses.is_dataclass(getattr(scene, n))} - {"Vocabulary"}
    tested = {strategy.wrapped_strategy.target.__name__ for strategy, _ in KINDS.values()}
    assert values == tested


# Fields that a scene value does not have: the message knows them from elsewhere.
FROM_ELSEWHERE = {"ObservedBox2D": {"object_id", "label"}}


def unset_floats(message, where=""):
    """Paths of all floats that are still 0.0."""
    for field, kind in message.get_fields_and_field_types().items():
        value, path = getattr(message, field), f"{where}.{field}"
        if kind in ("double", "float") and value == 0.0:
            yield path
        elif kind.startswith("double["):
            yield from (path for number in value if number == 0.0)
        elif hasattr(value, "get_fields_and_field_types"):
            yield from unset_floats(value, path)
        elif isinstance(value, list):
            yield from (p for item in value if hasattr(item, "SLOT_TYPES") for p in unset_floats(item, path))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("box", scene.Box2D("left", math.nan, math.nan, math.nan, math.nan)),
        ("scene_object", scene.SceneObject(id="a", label="lamp")),
        ("spatial_relation", scene.SpatialRelation(subject_id="a", predicate="near", object_id="b")),
        ("hazard_alert", scene.HazardAlert(id="1", rule_id="r", hazard_type="t", stamp_ns=1)),
        ("spatial_answer", scene.SpatialAnswer(question="?", answer="I do not know", abstained=True)),
        ("role_estimate", scene.RoleEstimate("a", "")),
        ("clinical_state", scene.ClinicalState(stamp_ns=1)),
    ],
)
def test_an_unknown_number_is_never_sent_as_zero(kind, value):
    assert list(unset_floats(getattr(conversions, f"{kind}_to_message")(value))) == []


def filled(kind):
    """A value of this type in which no part is empty, zero or false."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{n: 7_000_000_009 if n.endswith("_ns") else filled(hint) for n, hint in hints.items()})
    if typing.get_origin(kind) is tuple:
        return tuple(filled(part) for part in typing.get_args(kind) if part is not ...)
    return max(kind) if issubclass(kind, IntEnum) else {str: "x", float: 0.25, int: 7, bool: True}[kind]


def empty_fields(message, where=""):
    """Paths of all fields that still have their default value."""
    for field in message.get_fields_and_field_types():
        value, path = getattr(message, field), f"{where}.{field}"
        if field in FROM_ELSEWHERE.get(type(message).__name__, ()):
            continue
        if hasattr(value, "get_fields_and_field_types"):
            yield from empty_fields(value, path)
        elif isinstance(value, list):
            if not value:
                yield path
            yield from (p for v in value if hasattr(v, "get_fields_and_field_types") for p in empty_fields(v, path))
        elif not np.all(value):
            yield path


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_of_a_message_is_forgotten(kind):
    value = filled(KINDS[kind][0].wrapped_strategy.target)
    message = getattr(conversions, f"{kind}_to_message")(value)
    without_place = {".header.frame_id"} if kind == "clinical_state" else set()
    assert set(empty_fields(message)) == without_place


ENUMS = [
    (scene.Category, msg.SceneObject, "CATEGORY_"),
    (scene.CameraStatus, msg.SceneSource, ""),
    (scene.Scale, msg.SceneGraph, "SCALE_"),
    (scene.Family, msg.SpatialRelation, "FAMILY_"),
    (scene.EvidenceSource, msg.SpatialRelation, "SOURCE_"),
    (scene.FrameOfReference, msg.SpatialRelation, "FRAME_"),
    (scene.Severity, msg.HazardAlert, "SEVERITY_"),
    (scene.AlertState, msg.HazardAlert, "STATE_"),
]


@pytest.mark.parametrize(("values", "message", "prefix"), ENUMS, ids=lambda x: getattr(x, "__name__", x))
def test_convention_the_numbers_of_an_enum_are_the_constants_of_its_message(values, message, prefix):
    assert {v.name: int(v) for v in values} == {v.name: getattr(message, prefix + v.name) for v in values}


def test_the_schema_version_is_that_of_the_messages():
    from or_spatial.scene.graph import SCHEMA_VERSION

    assert msg.SceneGraph.SCHEMA_VERSION == SCHEMA_VERSION


def test_the_geometric_names_in_the_message_are_those_of_the_vocabulary():
    names_there = scene.load_vocabulary("or_world").geometric
    assert [getattr(msg.SpatialRelation, name.upper()) for name in names_there] == list(names_there)


def test_a_value_of_a_newer_sender_is_named():
    message = conversions.spatial_relation_to_message(
        scene.SpatialRelation(subject_id="a", predicate="near", object_id="b")
    )
    message.frame_of_reference = 9
    with pytest.raises(conversions.MessageError, match=r"SpatialRelation.frame_of_reference is 9.*knows 0 to 3"):
        conversions.spatial_relation_from_message(message)


def test_a_graph_in_which_two_things_share_an_id_is_refused():
    twins = tuple(scene.SceneObject(id="person_1", label=label) for label in ("person", "lamp"))
    message = conversions.scene_graph_to_message(scene.SceneGraph(stamp_ns=1, sequence=7, objects=twins))
    with pytest.raises(conversions.MessageError, match="graph 7: several objects have the id 'person_1'"):
        conversions.scene_graph_from_message(message)


def test_numpy_numbers_are_sent_as_plain_ones():
    """rclpy's C code reads a float32 scalar as if it were a Python float."""
    value = scene.SceneObject(
        id="a",
        label="lamp",
        center_m=tuple(np.array([1.25, -2.5, 0.5], np.float32)),
        yaw_rad=np.float32(0.75),
        occluded=np.bool_(True),
        last_seen_ns=np.int64(3_000_000_001),
    )
    arrived = over_the_wire(conversions.scene_object_to_message(value))
    assert (arrived.center.x, arrived.center.y, arrived.center.z, arrived.yaw) == (1.25, -2.5, 0.5, 0.75)
    assert arrived.occluded is True
    assert (arrived.last_seen.sec, arrived.last_seen.nanosec) == (3, 1)


def busy_room(objects: int = 25, related: int = 120) -> scene.SceneGraph:
    """A graph as large as published ones may be."""
    box = scene.Box2D("ceiling_left", 10.0, 20.0, 110.0, 220.0, 0.9)
    things = tuple(
        scene.SceneObject(
            id=f"person_{i}",
            label="person",
            category=scene.Category.PERSON,
            hypotheses=(scene.Hypothesis("person", 0.8), scene.Hypothesis("patient", 0.2)),
            center_m=(0.1 * i, 1.0, 0.9),
            covariance_m2=(0.01, 0, 0, 0, 0.02, 0, 0, 0, 0.03),
            boxes=(box, dataclasses.replace(box, camera="ceiling_right")),
        )
        for i in range(objects)
    )
    links = tuple(
        scene.SpatialRelation(
            subject_id=f"person_{i % objects}",
            predicate="left_of",
            object_id=f"person_{i * 7 % objects}",
            frame_of_reference=scene.FrameOfReference.VIEWER,
            reference_frame_id="ceiling_left",
        )
        for i in range(related)
    )
    eyes = tuple(scene.Source(c, f"{c}_optical_frame", 1) for c in ("ceiling_left", "ceiling_right"))
    return scene.SceneGraph(stamp_ns=1, sources=eyes, objects=things, relations=links, model_id="tiny-1")


def milliseconds(work, times: int = 30) -> float:
    """Median."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1e3)
    return float(np.median(taken))


def test_a_graph_of_25_objects_is_small_and_quick(record_property, capsys):
    graph = busy_room()
    message = conversions.scene_graph_to_message(graph)
    data = serialize_message(message)
    figures = {
        "bytes": len(data),
        "json_bytes": len(graph.to_json()),
        "to_message_ms": milliseconds(lambda: conversions.scene_graph_to_message(graph)),
        "serialize_ms": milliseconds(lambda: serialize_message(message)),
        "deserialize_ms": milliseconds(lambda: deserialize_message(data, msg.SceneGraph)),
        "from_message_ms": milliseconds(lambda: conversions.scene_graph_from_message(message)),
    }
    for name, figure in figures.items():
        record_property(name, figure)
    with capsys.disabled():
        print("\ngraph of 25 objects, 120 relations:", {k: round(v, 2) for k, v in figures.items()})
    assert figures["bytes"] < 64_000  # one UDP datagram
    assert sum(v for k, v in figures.items() if k.endswith("_ms")) < 100  # chosen: half a period at 5 Hz
