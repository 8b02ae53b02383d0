"""The shipped rules as tables a nurse can read, and the life of an alert. Scenes are told at ten graphs a second."""

import math
from dataclasses import replace

import pytest

from or_spatial.hazards.engine import HazardEngine, UnknownAlert
from or_spatial.scene import (
    AlertState,
    CameraStatus,
    Category,
    FrameOfReference,
    HazardAlert,
    Hypothesis,
    Scale,
    SceneGraph,
    SceneObject,
    Source,
    SpatialRelation,
)

NAN = math.nan
STEP_S = 0.1
UNDER_BOXES_M = 0.14  # surfaces are that much farther apart than boxes: twice the inset of the shipped rules
TABLE_EDGE_M = 0.35  # half the table's width: somebody at x = 0.35 + gap + 0.25 stands gap away from it


def thing(id, label, x, y=0.0, z=0.45, size=(0.7, 1.5, 0.9), velocity=(0.0, 0.0, 0.0), sterile=NAN, sigma_m=0.03, **k):
    """An object whose centre is known to a few centimetres."""
    spread = (sigma_m**2, 0, 0, 0, sigma_m**2, 0, 0, 0, sigma_m**2)
    return SceneObject(
        id=id,
        label=label,
        category=Category.EQUIPMENT,
        center_m=(x, y, z),
        size_m=size,
        yaw_rad=0.0,
        velocity_m_s=velocity,
        covariance_m2=spread,
        existence=0.97,
        sterile=sterile,
        **k,
    )


def person(gap_m, sterile=0.05, id="person_3", **k):
    """Somebody in a box half a metre wide whose nearest surface is `gap_m` from that of the table at the origin."""
    x = TABLE_EDGE_M + gap_m - UNDER_BOXES_M + 0.25
    return thing(id, "person", x, z=0.85, size=(0.5, 0.5, 1.7), sterile=sterile, **k)


def graph(t_s, *objects, **k):
    """A metric graph of the room at `t_s`."""
    return SceneGraph(stamp_ns=round(t_s * 1e9), scale=k.pop("scale", Scale.METRIC), objects=objects, **k)


def play(engine, seconds, *objects, start_s=10.0, **k):
    """Feed the same scene for a while; returns (time since start, alert) of every transition."""
    told = []
    for i in range(round(seconds / STEP_S) + 1):
        told += [(i * STEP_S, a) for a in engine.update(graph(start_s + i * STEP_S, *objects, **k))]
    return told


def states(told, rule=None):
    return [a.state.name for _, a in told if rule in (None, a.rule_id)]


@pytest.fixture
def engine():
    return HazardEngine.from_yaml()


INSTRUMENTS = thing("instrument_table_1", "instrument_table", 0.0, sterile=0.95)
DRAPED = thing("operating_table_1", "operating_table", 0.0, sterile=0.9)
BARE = thing("operating_table_1", "operating_table", 0.0, sterile=0.1)
UNJUDGED_BED = thing("operating_table_1", "operating_table", 0.0, sterile=NAN)
UNJUDGED_TABLE = thing("instrument_table_1", "instrument_table", 0.0, sterile=NAN)


@pytest.mark.parametrize(
    ("who", "gap_m", "sterile", "surface", "for_s", "reported"),
    [
        ("a passer-by", 0.10, 0.02, INSTRUMENTS, 0.8, None),
        ("someone unscrubbed who stays", 0.10, 0.02, INSTRUMENTS, 2.0, "(confirmed)"),
        ("someone unscrubbed who leans on it", -0.20, 0.02, INSTRUMENTS, 2.0, "(confirmed)"),
        ("someone who keeps the distance", 0.45, 0.02, INSTRUMENTS, 30.0, None),
        ("someone a hand's breadth outside", 0.40, 0.02, INSTRUMENTS, 30.0, None),
        ("scrubbed staff at the table", 0.05, 0.97, INSTRUMENTS, 30.0, None),
        ("someone who stays, attire not seen", 0.10, NAN, INSTRUMENTS, 2.0, "(unconfirmed)"),
        ("someone who stays, attire doubtful", 0.10, 0.45, INSTRUMENTS, 2.0, "(unconfirmed)"),
        ("someone probably scrubbed", 0.10, 0.55, INSTRUMENTS, 30.0, None),
        ("someone unscrubbed at the draped patient", 0.10, 0.02, DRAPED, 2.0, "(confirmed)"),
        ("someone unscrubbed at the bare operating table", 0.10, 0.02, BARE, 30.0, None),
        ("someone at an operating table of unknown state", 0.10, 0.02, UNJUDGED_BED, 30.0, None),
        ("someone at an instrument table of unknown state", 0.10, 0.02, UNJUDGED_TABLE, 2.0, "(unconfirmed)"),
    ],
)
def test_who_is_reported_near_the_sterile_field(engine, who, gap_m, sterile, surface, for_s, reported):
    told = play(engine, for_s, person(gap_m, sterile), surface)
    assert states(told, "sterile_breach") == ([] if reported is None else ["RAISED"]), who
    if reported:
        assert reported in told[0][1].message
        assert told[0][1].object_ids == ("person_3", surface.id)


def test_a_breach_is_told_in_one_sentence_with_its_evidence(engine):
    near = SpatialRelation(subject_id="person_3", predicate="near", object_id="instrument_table_1", confidence=0.9)
    ((_, alert),) = play(engine, 1.5, person(0.12), INSTRUMENTS, relations=(near,))
    assert alert.message == "person_3, not sterile (confirmed), is 0.12 m from the sterile instrument_table_1"
    assert alert.evidence == (near,)
    assert alert.distance_m == pytest.approx(0.12)
    as_sure_as_what_they_are = 0.95 * 0.95 * 0.97**2
    assert 0.97 * as_sure_as_what_they_are < alert.confidence < as_sure_as_what_they_are
    assert alert.severity.name == "MEDIUM"
    assert alert.id == "sterile_breach_1"


def test_without_a_relation_in_the_graph_nearness_itself_is_the_evidence(engine):
    ((_, alert),) = play(engine, 1.5, person(0.12), INSTRUMENTS)
    assert [r.triplet for r in alert.evidence] == [("person_3", "near", "instrument_table_1")]
    assert alert.evidence[0].surface_distance_m == pytest.approx(0.12)
    assert alert.evidence[0].frame_of_reference == FrameOfReference.NONE


def test_a_breach_is_raised_after_one_second_and_cleared_half_a_second_after_leaving(engine):
    raised = play(engine, 3.0, person(0.1), INSTRUMENTS)
    assert [(round(t, 1), a.state.name) for t, a in raised] == [(1.0, "RAISED")]
    assert raised[0][1].first_detected_ns == 10_000_000_000
    cleared = play(engine, 3.0, person(1.2), INSTRUMENTS, start_s=13.1)
    assert [(round(t, 1), a.state.name) for t, a in cleared] == [(0.5, "CLEARED")]
    assert cleared[0][1].id == raised[0][1].id


def test_one_person_near_two_sterile_things_is_one_alert(engine):
    patient = thing("patient_1", "patient", 0.0, z=1.0, sterile=0.9, size=(0.5, 1.7, 0.3))
    assert states(play(engine, 3.0, person(0.1), DRAPED, patient)) == ["RAISED"]


def test_a_doubtful_position_is_not_reported(engine):
    assert states(play(engine, 5.0, person(0.25, sigma_m=0.6), INSTRUMENTS)) == []


def test_a_position_without_covariance_is_still_judged(engine):
    unsure = replace(person(0.05), covariance_m2=(NAN,) * 9)
    assert states(play(engine, 2.0, unsure, INSTRUMENTS)) == ["RAISED"]


def test_a_graph_without_metres_claims_no_distance(engine):
    assert states(play(engine, 5.0, person(0.1), INSTRUMENTS, scale=Scale.RELATIVE)) == []


def test_unknown_positions_and_sizes_harm_nothing(engine):
    lost = replace(person(0.1), center_m=(NAN, NAN, NAN))
    shapeless = replace(INSTRUMENTS, size_m=(NAN, NAN, NAN))
    assert states(play(engine, 2.0, lost, shapeless)) == []


C_ARM = thing("c_arm_1", "c_arm", 0.0, z=0.9, size=(0.7, 1.5, 1.8))
ROBOT = thing("mako_robot_1", "mako_robot", 0.0, z=0.8, size=(0.7, 0.7, 1.6), velocity=(0.6, 0.0, 0.0))


@pytest.mark.parametrize(
    ("what", "gap_m", "velocity", "machine", "reported"),
    [
        ("walking into the C-arm", 0.8, (-0.8, 0.0, 0.0), C_ARM, True),
        ("walking away from it", 0.3, (0.8, 0.0, 0.0), C_ARM, False),
        ("walking past, a metre off", 1.0, (0.0, 0.9, 0.0), C_ARM, False),
        ("walking towards it from far", 2.2, (-0.8, 0.0, 0.0), C_ARM, False),
        ("creeping towards it", 0.3, (-0.1, 0.0, 0.0), C_ARM, False),
        ("standing beside it", 0.1, (0.0, 0.0, 0.0), C_ARM, False),
        ("leaning on it at work", -0.1, (0.0, 0.0, 0.0), C_ARM, False),
        ("standing while the robot comes", 0.6, (0.0, 0.0, 0.0), ROBOT, True),
        ("going along with the robot", 0.6, (0.6, 0.0, 0.0), ROBOT, False),
        ("speed unknown", 0.6, (NAN, NAN, NAN), C_ARM, False),
    ],
)
def test_who_is_on_a_collision_course(engine, what, gap_m, velocity, machine, reported):
    told = play(engine, 0.5, person(gap_m, velocity=velocity), machine)
    assert states(told, "collision_course") == (["RAISED"] if reported else []), what


def test_a_collision_course_says_when_and_how_fast(engine):
    ((t_s, alert),) = play(engine, 0.3, person(0.8, velocity=(-0.8, 0.0, 0.0)), C_ARM)
    assert t_s == pytest.approx(0.2)
    surfaces_m = 0.8 + 2 * 0.07  # the boxes of both reach 0.07 m beyond what they are around
    assert alert.time_to_event_s == pytest.approx((surfaces_m - 0.15) / 0.8, abs=0.1)
    assert "c_arm_1 will be within 0.15 m in 0.9 s, closing at 0.80 m/s" in alert.message
    assert alert.severity.name == "HIGH"


@pytest.mark.parametrize(
    ("status", "for_s", "reported"),
    [
        (CameraStatus.OK, 9.0, False),
        (CameraStatus.DARK, 0.9, False),
        (CameraStatus.DARK, 1.5, True),
        (CameraStatus.COVERED, 1.5, True),
        (CameraStatus.FROZEN, 1.5, True),
        (CameraStatus.LOST, 1.5, True),
        (CameraStatus.UNCALIBRATED, 9.0, False),
    ],
)
def test_which_cameras_are_reported_blind(engine, status, for_s, reported):
    source = Source("ceiling_left", "ceiling_left_optical_frame", 1, status)
    told = play(engine, for_s, sources=(source,))
    assert states(told) == (["RAISED"] if reported else [])
    if reported:
        assert told[0][1].message.startswith(f"camera ceiling_left is {status.name.lower()}")


@pytest.mark.parametrize(("belief", "reported"), [(0.95, ["RAISED"]), (0.55, [])])
def test_a_table_that_may_be_another_kind_of_table_counts_as_much_as_it_is_likely(engine, belief, reported):
    kinds = (Hypothesis("instrument_table", belief), Hypothesis("secondary_table", 1.0 - belief))
    told = play(engine, 2.0, person(0.05), replace(INSTRUMENTS, hypotheses=kinds))
    assert states(told, "sterile_breach") == reported


def test_silence_is_raised_by_the_clock_and_cleared_by_the_next_graph(engine):
    engine.update(graph(10.0))
    assert engine.tick(10_900_000_000) == []
    (raised,) = engine.tick(11_100_000_000)
    assert (raised.rule_id, raised.state) == ("stale_graph", AlertState.RAISED)
    assert "1.1 s" in raised.message
    assert engine.tick(15_000_000_000) == []
    assert "5.0 s" in engine.active()[0].message
    (cleared,) = engine.update(graph(15.05))
    assert (cleared.id, cleared.state) == (raised.id, AlertState.CLEARED)


def test_before_the_first_graph_silence_is_given_time_to_start(engine):
    assert engine.tick(100_000_000_000) == []
    assert engine.tick(109_900_000_000) == []
    (raised,) = engine.tick(110_100_000_000)
    assert raised.rule_id == "stale_graph" and "10.1 s" in raised.message


def test_graphs_that_arrive_old_are_stale(engine):
    engine.tick(20_000_000_000)
    assert [a.rule_id for a in engine.update(graph(17.0))] == ["stale_graph"]


def test_other_alerts_stand_while_nothing_is_seen(engine):
    play(engine, 2.0, person(0.1), INSTRUMENTS)
    engine.tick(60_000_000_000)
    assert {a.rule_id for a in engine.active()} == {"sterile_breach", "stale_graph"}


def test_an_acknowledged_alert_stands_quietly_until_it_clears(engine):
    ((_, raised),) = play(engine, 1.5, person(0.1), INSTRUMENTS)
    known = engine.acknowledge(raised.id, by="circulating nurse")
    assert (known.state, known.acknowledged_by) == (AlertState.ACKNOWLEDGED, "circulating nurse")
    assert play(engine, 2.0, person(0.06), INSTRUMENTS, start_s=11.6) == []
    assert engine.active()[0].state == AlertState.ACKNOWLEDGED
    assert engine.acknowledge(raised.id, by="surgeon").acknowledged_by == "circulating nurse"
    told = play(engine, 2.0, INSTRUMENTS, start_s=13.7)
    assert states(told) == ["CLEARED"]
    with pytest.raises(UnknownAlert, match="sterile_breach_1.*cleared"):
        engine.acknowledge(raised.id, by="surgeon")


def test_acknowledging_an_alert_that_never_was_names_the_active_ones(engine):
    play(engine, 1.5, person(0.1), INSTRUMENTS)
    with pytest.raises(UnknownAlert, match="no alert 'sterile_breach_9'; active are: sterile_breach_1"):
        engine.acknowledge("sterile_breach_9", by="x")


def test_a_standing_alert_is_told_again_when_it_has_changed(engine):
    play(engine, 1.5, person(0.20), INSTRUMENTS)
    told = play(engine, 1.0, person(0.06), INSTRUMENTS, start_s=11.6)
    assert states(told) == ["UPDATED"]
    assert told[0][1].distance_m == pytest.approx(0.06)


def test_a_person_who_gets_a_new_id_keeps_the_alert(engine):
    ((_, raised),) = play(engine, 1.5, person(0.1), INSTRUMENTS)
    told = play(engine, 2.0, person(0.12, id="person_9"), INSTRUMENTS, start_s=11.6)
    assert states(told) == ["UPDATED"]
    assert (told[0][1].id, told[0][1].object_ids[0]) == (raised.id, "person_9")


def test_a_second_person_is_a_second_alert(engine):
    play(engine, 1.5, person(0.1), INSTRUMENTS)
    told = play(engine, 2.0, person(0.1), person(0.12, id="person_9", y=0.6), INSTRUMENTS, start_s=11.6)
    assert [(a.state.name, a.object_ids[0]) for _, a in told] == [("RAISED", "person_9")]


def test_time_that_runs_back_clears_everything_and_starts_anew(engine):
    ((_, raised),) = play(engine, 1.5, person(0.1), INSTRUMENTS)
    (cleared,) = engine.update(graph(2.0))
    assert (cleared.id, cleared.state) == (raised.id, AlertState.CLEARED)
    assert "time ran back" in cleared.message
    assert states(play(engine, 1.5, person(0.1), INSTRUMENTS, start_s=2.1)) == ["RAISED"]


def test_a_graph_out_of_order_changes_nothing(engine):
    play(engine, 1.5, person(0.1), INSTRUMENTS)
    assert engine.update(graph(11.3)) == []
    assert len(engine.active()) == 1


def test_the_worst_alert_comes_first(engine):
    walker = person(0.8, id="person_4", velocity=(-0.8, 0.0, 0.0))
    told = play(engine, 1.5, person(0.1), INSTRUMENTS, C_ARM, walker)
    assert {a.rule_id for _, a in told} == {"sterile_breach", "collision_course"}
    assert [a.severity.name for a in engine.active()] == ["HIGH", "MEDIUM"]
    assert all(isinstance(a, HazardAlert) for a in engine.active())


def test_time_without_graphs_is_not_time_that_a_condition_held():
    """Ten seconds of holding are asked for: two looks ten seconds apart are not that."""
    drill, far = thing("drill_1", "drill", 0.0, z=0.9, size=(0.2, 0.1, 0.2)), person(3.0)
    engine = HazardEngine.from_yaml()
    told = [engine.update(graph(t, drill, far)) for t in (10.0, 22.0)]
    assert "unattended_sharp" not in {a.rule_id for alerts in told for a in alerts}


def test_silence_is_noticed_on_a_clock_that_was_set_back():
    engine = HazardEngine.from_yaml()
    engine.tick(1_000_000_000_000)
    engine.update(graph(1000.0, person(3.0)))
    engine.tick(0)
    told = [a.rule_id for t in range(1, 15) for a in engine.tick(t * 1_000_000_000)]
    assert told == ["stale_graph"]


def test_alerts_of_a_later_time_do_not_stand_when_an_older_recording_is_played(tmp_path):
    engine = HazardEngine.from_yaml()
    drill, far = thing("drill_1", "drill", 0.0, z=0.9, size=(0.2, 0.1, 0.2)), person(3.0)
    play(engine, 12.0, drill, far, start_s=1_000_000.0)
    assert engine.active()
    engine.save(tmp_path / "state.json")
    again = HazardEngine.from_yaml()
    again.load(tmp_path / "state.json")
    told = again.update(graph(10.0, far))
    assert [a.state for a in told] == [AlertState.CLEARED] and not again.active()


def test_a_sentence_says_what_stands_there_where_the_id_was_given_to_something_else(engine):
    """A track is named on its first look and keeps its id; the sentence must not send people to a table."""
    told = play(engine, 1.5, person(0.12, id="operating_table_2"), INSTRUMENTS)
    assert told, "a breach"
    for _, alert in told:
        assert "person (operating_table_2)" in alert.message
        assert "instrument_table_1" in alert.message and "(instrument_table_1)" not in alert.message
        assert alert.object_ids[0] == "operating_table_2"
