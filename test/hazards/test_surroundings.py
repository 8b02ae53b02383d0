"""What is around a thing: on the floor, alone, in between, in a zone; each beside a frequency or a number by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from or_spatial.hazards.closeness import Bodies
from or_spatial.hazards.conditions import find
from or_spatial.hazards.passage import in_passage
from or_spatial.hazards.schema import Absence, Area, Between, Group, Height, Zone
from or_spatial.scene import CameraStatus, Scale, SceneGraph, SceneObject, Source

PEOPLE, PATIENT, ROBOT = (Group(labels=(n,)) for n in ("person", "patient", "mako_robot"))
TOOLS = Group(labels=("drill", "instrument"))


def thing(id, label, x, y, z=0.85, size=(0.4, 0.4, 1.7), sigma_m=0.05, existence=1.0, yaw=0.0, **k):
    spread = (sigma_m**2, 0, 0, 0, sigma_m**2, 0, 0, 0, sigma_m**2)
    return SceneObject(
        id=id,
        label=label,
        center_m=(x, y, z),
        size_m=size,
        yaw_rad=yaw,
        covariance_m2=spread,
        existence=existence,
        **k,
    )


def room(*objects, scale=Scale.METRIC, **k):
    return SceneGraph(stamp_ns=1, scale=scale, objects=objects, **k)


FLOOR = Height(kind="height", subject=TOOLS, below_m=0.25)
ALONE = Absence(kind="absence", subject=PATIENT, object=(PEOPLE,), within_m=1.0)
BETWEEN = Between(kind="between", subject=PEOPLE, object=(ROBOT,), other=(PATIENT,), width_m=0.6, within_m=2.5)


@pytest.mark.parametrize(
    ("where", "z_m", "probability"),
    [("on the floor", 0.02, 1.0), ("in doubt", 0.25, 0.5), ("on a table", 0.92, 0.0)],
)
def test_what_is_low_lies_on_the_floor(where, z_m, probability):
    found = find(FLOOR, room(thing("drill_1", "drill", 1, 2, z_m, (0.2, 0.1, 0.2))), "pair")
    assert sum(f.probability for f in found) == pytest.approx(probability, abs=0.01), where
    if found:
        assert found[0].height_m == pytest.approx(z_m) and found[0].object_ids == ("drill_1",)


def test_only_what_the_rule_names_is_looked_for_on_the_floor():
    assert find(FLOOR, room(thing("person_1", "person", 0, 0, 0.1)), "pair") == []


LYING = thing("patient_1", "patient", 0.0, 0.0, 1.0, (1.8, 0.5, 0.3))


@pytest.mark.parametrize(
    ("who", "x_m", "existence", "probability"),
    [
        ("hands on", 1.2, 1.0, 0.0),  # 0.1 m from the head end
        ("at the edge of reach", 2.1, 1.0, 0.5),
        ("two metres off", 3.1, 1.0, 1.0),
        ("perhaps a person", 1.2, 0.6, 0.4),
    ],
)
def test_a_patient_is_alone_as_far_as_nobody_is_near(who, x_m, existence, probability):
    (found,) = find(ALONE, room(LYING, thing("person_4", "person", x_m, 0.0, existence=existence)), "pair")
    assert found.probability == pytest.approx(probability, abs=0.05), who
    assert found.object_ids == ("patient_1", "person_4")
    assert found.distance_m == pytest.approx(x_m - 1.1, abs=0.01)


def test_nobody_in_the_room_is_said_to_be_nobody():
    (found,) = find(ALONE, room(LYING), "pair")
    assert (found.probability, found.object_ids, found.place) == (1.0, ("patient_1",), "nobody")
    assert math.isnan(found.distance_m)


@pytest.mark.parametrize(
    ("status", "certainty"),
    [(CameraStatus.OK, "confirmed"), (CameraStatus.DARK, "unconfirmed"), (CameraStatus.LOST, "unconfirmed")],
)
def test_an_absence_before_a_blind_camera_is_unconfirmed(status, certainty):
    (found,) = find(ALONE, room(LYING, sources=(Source("left", "left_optical_frame", 1, status),)), "pair")
    assert found.certainty == certainty


def test_two_who_shall_be_there_are_both_needed():
    two = ALONE.model_copy(update={"at_least": 2})
    near = [thing(f"person_{i}", "person", 0.0, 0.6 * i, existence=0.9, sigma_m=0.01) for i in (-1, 1)]
    (found,) = find(two, room(LYING, *near), "pair")
    assert found.probability == pytest.approx(1 - 0.9**2)


def robot(x, **k):
    return thing("mako_robot_1", "mako_robot", x, 0.0, 0.8, (0.7, 0.7, 1.6), **k)


@pytest.mark.parametrize(
    ("where", "x_m", "y_m", "robot_m", "probability"),
    [
        ("in the middle", 2.0, 0.0, 3.0, 1.0),
        ("at its side", 2.0, 0.3, 3.0, 0.5),
        ("beside it", 2.0, 0.6, 3.0, 0.0),
        ("behind the robot", 3.9, 0.0, 3.0, 0.0),
        ("at the edge of the bed", 0.9, 0.0, 3.0, 0.5),
        ("but the robot is parked", 2.0, 0.0, 4.5, 0.0),  # 3.25 m of way, 2.5 m are meant
    ],
)
def test_who_is_between_robot_and_patient(where, x_m, y_m, robot_m, probability):
    someone = thing("person_4", "person", x_m, y_m)
    found = find(BETWEEN, room(LYING, robot(robot_m, sigma_m=0.001), someone), "pair")
    assert sum(f.probability for f in found) == pytest.approx(probability, abs=0.06), where
    if probability > 0.4:
        assert found[0].object_ids == ("person_4", "mako_robot_1", "patient_1")
        assert found[0].distance_m == pytest.approx(robot_m - 0.35 - 0.9)


def test_a_robot_at_the_bed_leaves_no_passage():
    assert find(BETWEEN, room(LYING, robot(1.2), thing("person_4", "person", 1.05, 0.0)), "pair") == []


@given(x=st.floats(-0.5, 3.5), y=st.floats(-1.0, 1.0), yaw=st.floats(-3.1, 3.1), sigma_m=st.floats(0.03, 0.3))
def test_the_passage_does_not_depend_on_where_the_room_begins(x, y, yaw, sigma_m):
    """Turned and shifted together, three things keep their probability."""
    c, s = math.cos(yaw), math.sin(yaw)

    def chance(turn, shift):
        def at(px, py):
            return (c * px - s * py + shift, s * px + c * py - shift) if turn else (px, py)

        who = thing("p", "person", *at(x, y), sigma_m=sigma_m)
        a = thing("a", "mako_robot", *at(0.0, 0.0), size=(0.8, 0.5, 1.6), yaw=yaw if turn else 0.0)
        b = thing("b", "patient", *at(2.5, 0.4), size=(0.5, 1.6, 0.3), yaw=yaw if turn else 0.0)
        return in_passage(Bodies.of([who, a, b]), 0, 1, 2, 0.6, 9.0)

    straight, turned = chance(False, 0.0), chance(True, 3.7)
    assert turned == pytest.approx(straight, abs=1e-9)
    assert 0.0 <= straight[1] <= 1.0


def test_a_passage_is_the_frequency_of_samples():
    rng = np.random.default_rng(5)
    who = thing("p", "person", 1.3, 0.2, sigma_m=0.2)
    a = thing("a", "mako_robot", 0.0, 0.0, size=(0.8, 0.5, 1.6), sigma_m=1e-4)
    b = thing("b", "patient", 2.5, 0.0, size=(0.5, 1.6, 0.3), sigma_m=1e-4)
    _, p = in_passage(Bodies.of([who, a, b]), 0, 1, 2, 0.6, 9.0)
    x, y = rng.normal((1.3, 0.2), 0.2, (50_000, 2)).T
    assert p == pytest.approx(((x > 0.4) & (x < 2.25) & (np.abs(y) < 0.3)).mean(), abs=0.01)


@pytest.mark.parametrize(("x_m", "probability"), [(0.9, 1.0), (1.45, 0.5), (1.8, 0.0)])
def test_a_zone_is_blocked_by_any_part_of_a_thing(x_m, probability):
    """The way is 0.9 m wide about x = 0; a cart of 2 m reaches it 1.45 m from its middle."""
    cart = Group(labels=("c_arm",))
    way = Zone(kind="zone", subject=cart, name="exit", area=Area(center_m=(0.0, 1.0), size_m=(0.9, 2.0)), part="any")
    (found,) = find(way, room(thing("c_arm_1", "c_arm", x_m, 1.2, 0.9, (2.0, 0.8, 1.75))), "pair")
    assert found.probability == pytest.approx(probability, abs=0.02)
    assert found.place == "exit"


@pytest.mark.parametrize("condition", [FLOOR, ALONE, BETWEEN])
def test_without_metres_nothing_is_claimed(condition):
    scene = room(LYING, robot(3.0), thing("person_4", "person", 2.0, 0.0, 0.1), scale=Scale.RELATIVE)
    assert find(condition, scene, "pair") == []


def test_nobody_is_said_to_be_alone_who_may_be_nobody():
    """The condition times the belief in the label, as of every other rule."""
    doubtful = thing("patient_1", "patient", 0.0, 0.0, 1.0, (1.8, 0.5, 0.3), existence=0.55)
    (sure,), (unsure,) = (find(ALONE, room(p, thing("person_1", "person", 9, 0)), "pair") for p in (LYING, doubtful))
    assert sure.probability == pytest.approx(1.0, abs=0.01)
    assert unsure.probability == pytest.approx(0.55, abs=0.01)
