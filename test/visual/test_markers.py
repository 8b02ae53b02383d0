import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from or_spatial.scene import (
    AlertState,
    Category,
    Family,
    HazardAlert,
    SceneGraph,
    SceneObject,
    Severity,
    SpatialRelation,
)
from or_spatial.visual.markers import MarkerAction, MarkerScene, MarkerStyle, MarkerType
from or_spatial.visual.palette import CATEGORY, FAMILY, INK, SEVERITY, contrast, ink_on

NURSE = SceneObject(
    id="person_3",
    label="person",
    category=Category.PERSON,
    center_m=(1.2, -0.7, 0.9),
    size_m=(0.5, 0.4, 1.8),
    yaw_rad=math.pi / 2,
    covariance_m2=(0.04, 0.0, 0.0, 0.0, 0.01, 0.0, 0.0, 0.0, 0.09),
    existence=0.93,
)
DRILL = SceneObject(
    id="drill_1",
    label="drill",
    category=Category.INSTRUMENT,
    center_m=(1.4, -0.2, 1.1),
    size_m=(0.25, 0.08, 0.2),
    yaw_rad=0.0,
    existence=0.8,
)
HOLDING = SpatialRelation(
    subject_id="person_3", predicate="holding", object_id="drill_1", family=Family.ACTION, confidence=0.9
)
BREACH = HazardAlert(
    id="h7",
    rule_id="sterile_breach",
    hazard_type="sterile_breach",
    stamp_ns=250_000_000,
    severity=Severity.HIGH,
    object_ids=("person_3",),
    message="unscrubbed person at the sterile field",
)


def graph_of(*objects, relations=(), stamp_ns=0):
    return SceneGraph(stamp_ns=stamp_ns, frame_id="theatre_2", objects=objects, relations=relations)


def named(markers, ns):
    return [m for m in markers if m.ns == ns]


def test_a_box_marker_stands_where_the_object_stands_in_the_graphs_frame():
    (box,) = named(MarkerScene().update(graph_of(NURSE)), "boxes")
    assert (box.type, box.position, box.scale, box.frame_id) == (
        MarkerType.CUBE,
        (1.2, -0.7, 0.9),
        (0.5, 0.4, 1.8),
        "theatre_2",
    )


def test_convention_marker_quaternion_order_is_x_y_z_w():
    (box,) = named(MarkerScene().update(graph_of(NURSE)), "boxes")
    np.testing.assert_allclose(box.orientation, (0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5)))


def test_edges_join_corners_that_differ_in_one_coordinate_only():
    (edges,) = named(MarkerScene().update(graph_of(NURSE)), "edges")
    points = np.array(edges.points).reshape(12, 2, 3)
    lengths = np.abs(points[:, 0] - points[:, 1])
    assert sorted(np.round(lengths.max(axis=1), 6)) == [0.4] * 4 + [0.5] * 4 + [1.8] * 4
    assert ((lengths > 1e-9).sum(axis=1) == 1).all()


def test_an_object_keeps_its_number_while_it_moves():
    scene = MarkerScene()
    before = scene.update(graph_of(NURSE, DRILL))
    after = scene.update(graph_of(DRILL, replace(NURSE, center_m=(2.0, 0.0, 0.9))))
    assert {(m.ns, m.id) for m in before} == {(m.ns, m.id) for m in after}
    assert all(m.action == MarkerAction.ADD for m in after)


def test_what_leaves_is_deleted_exactly_once():
    scene = MarkerScene()
    scene.update(graph_of(NURSE, DRILL, relations=(HOLDING,)))
    deleted = [m for m in scene.update(graph_of(NURSE)) if m.action == MarkerAction.DELETE]
    assert {m.ns for m in deleted} == {"boxes", "edges", "labels", "relations", "predicates"}
    assert not [m for m in scene.update(graph_of(NURSE)) if m.action == MarkerAction.DELETE]


def test_numbers_are_unique_within_a_namespace_and_not_used_again():
    scene = MarkerScene()
    old = {(m.ns, m.id) for m in scene.update(graph_of(NURSE))}
    scene.update(graph_of())
    new = {(m.ns, m.id) for m in scene.update(graph_of(DRILL))}
    assert not old & new


def test_a_long_session_remembers_only_what_is_shown():
    scene = MarkerScene()
    for i in range(50):
        scene.update(graph_of(replace(NURSE, id=f"person_{i}")))
    assert len(scene._ids.numbers) == 4  # box, edges, label, uncertainty of the last one
    scene.clear()
    assert not scene._ids.numbers


def test_a_relation_runs_from_subject_to_object_with_its_predicate_in_the_middle():
    markers = MarkerScene().update(graph_of(NURSE, DRILL, relations=(HOLDING,)))
    (arrow,), (text,) = named(markers, "relations"), named(markers, "predicates")
    assert arrow.points == (NURSE.center_m, DRILL.center_m)
    assert text.text == "holding"
    np.testing.assert_allclose(text.position, (1.3, -0.45, 1.0))


@pytest.mark.parametrize(
    ("predicate", "family", "confidence", "drawn"),
    [
        ("on", Family.GEOMETRIC, 0.9, True),
        ("left_of", Family.GEOMETRIC, 0.9, False),
        ("touching", Family.GEOMETRIC, 0.9, False),
        ("touching", Family.ACTION, 0.9, True),
        ("closeTo", Family.ACTION, 0.9, False),
        ("holding", Family.ACTION, 0.31, True),
        ("holding", Family.ACTION, 0.29, False),
        ("holding", Family.ACTION, math.nan, True),
    ],
)
def test_which_relations_get_a_line(predicate, family, confidence, drawn):
    relation = replace(HOLDING, predicate=predicate, family=family, confidence=confidence)
    markers = MarkerScene().update(graph_of(NURSE, DRILL, relations=(relation,)))
    assert bool(named(markers, "relations")) is drawn


def test_a_relation_to_an_object_that_is_not_drawn_gets_no_line():
    faint = replace(DRILL, existence=0.1)
    assert not named(MarkerScene().update(graph_of(NURSE, faint, relations=(HOLDING,))), "relations")


def test_a_hazard_pulses_until_somebody_acknowledges_it():
    def widths(alert):
        scene = MarkerScene(MarkerStyle(pulse_hz=1.0))
        updates = [scene.update(graph_of(NURSE, stamp_ns=t), [alert]) for t in (250_000_000, 750_000_000)]
        return [named(u, "hazards")[0].scale[0] for u in updates]

    raised, held = widths(BREACH), widths(replace(BREACH, state=AlertState.ACKNOWLEDGED, acknowledged_by="Kim"))
    assert raised[0] > raised[1]
    assert held[0] == held[1]


def test_a_hazard_without_a_position_lies_under_its_objects_and_a_placeless_one_has_no_zone():
    (zone,) = named(MarkerScene().update(graph_of(NURSE), [BREACH]), "hazards")
    assert zone.position[:2] == (1.2, -0.7)
    blind = replace(BREACH, object_ids=(), hazard_type="camera_blind")
    assert not named(MarkerScene().update(graph_of(NURSE), [blind]), "hazards")


def test_a_cleared_hazard_disappears():
    scene = MarkerScene()
    scene.update(graph_of(NURSE), [BREACH])
    markers = scene.update(graph_of(NURSE), [replace(BREACH, state=AlertState.CLEARED)])
    assert {m.action for m in named(markers, "hazards")} == {MarkerAction.DELETE}


def test_clear_takes_away_everything_that_was_shown():
    scene = MarkerScene()
    shown = scene.update(graph_of(NURSE, DRILL))
    gone = scene.clear()
    assert {(m.ns, m.id) for m in gone} == {(m.ns, m.id) for m in shown}
    assert not scene.clear()


numbers = st.floats(-20, 20) | st.just(math.nan)


@given(center=st.tuples(numbers, numbers, numbers), size=st.tuples(numbers, numbers, numbers), yaw=numbers)
def test_no_marker_ever_carries_nan(center, size, yaw):
    odd = replace(NURSE, center_m=center, size_m=size, yaw_rad=yaw, velocity_m_s=center)
    for m in MarkerScene().update(graph_of(odd, DRILL, relations=(HOLDING,)), [BREACH]):
        flat = [*m.position, *m.orientation, *m.scale, *m.color, *(v for p in m.points for v in p)]
        assert all(math.isfinite(v) for v in flat), m
        assert math.isclose(math.hypot(*m.orientation), 1.0)


@pytest.mark.parametrize("rgb", [*CATEGORY.values(), *SEVERITY.values(), *FAMILY.values(), INK])
def test_text_on_every_colour_of_the_palette_is_legible(rgb):
    assert contrast(ink_on(rgb), rgb) >= 4.5
