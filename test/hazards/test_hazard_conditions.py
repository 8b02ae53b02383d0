"""The kinds of condition that the shipped rules do not use: relation, zone, count, speed; and the course of a pair."""

import math

import numpy as np
import pytest

from or_spatial.hazards.closeness import Bodies, course, within_reach
from or_spatial.hazards.conditions import at_least, find
from or_spatial.hazards.schema import Area, Crowd, Fast, Group, RelationPresent, Zone
from or_spatial.scene import Scale, SceneGraph, SceneObject, SpatialRelation

PEOPLE = Group(labels=("person",))
TABLE = Group(labels=("operating_table",))


def someone(id, x, y, velocity=(0.0, 0.0, 0.0), label="person", sigma_m=0.1, existence=1.0):
    spread = (sigma_m**2, 0, 0, 0, sigma_m**2, 0, 0, 0, sigma_m**2)
    return SceneObject(
        id=id,
        label=label,
        center_m=(x, y, 0.85),
        size_m=(0.4, 0.4, 1.7),
        yaw_rad=0.0,
        covariance_m2=spread,
        velocity_m_s=velocity,
        existence=existence,
    )


def room(*objects, **k):
    return SceneGraph(stamp_ns=1, scale=Scale.METRIC, objects=objects, **k)


@pytest.mark.parametrize(
    ("predicate", "confidence", "expected"),
    [("drilling", 0.8, 0.8), ("drilling", math.nan, 0.5), ("sawing", 0.9, None)],
)
def test_a_relation_is_found_with_its_confidence(predicate, confidence, expected):
    told = SpatialRelation(subject_id="person_1", predicate=predicate, object_id="patient_1", confidence=confidence)
    graph = room(someone("person_1", 0, 0), someone("patient_1", 1, 0, label="patient"), relations=(told,))
    asked = RelationPresent(
        kind="relation", subject=PEOPLE, predicates=("drilling",), object=(Group(labels=("patient",)),)
    )
    assert [f.probability for f in find(asked, graph, "pair")] == ([] if expected is None else [expected])


@pytest.mark.parametrize("turned", [False, True])
def test_a_relation_is_found_from_whichever_end_the_graph_tells_it(turned):
    a, b = ("patient_1", "person_1") if turned else ("person_1", "patient_1")
    told = SpatialRelation(subject_id=a, predicate="touching", object_id=b, confidence=0.8)
    graph = room(someone("person_1", 0, 0), someone("patient_1", 1, 0, label="patient"), relations=(told,))
    asked = RelationPresent(
        kind="relation", subject=PEOPLE, predicates=("touching",), object=(Group(labels=("patient",)),)
    )
    assert [(f.object_ids, f.probability) for f in find(asked, graph, "pair")] == [(("person_1", "patient_1"), 0.8)]


@pytest.mark.parametrize(
    ("along_m", "across_m", "probability"),
    [(0.0, 0.0, 1.0), (1.0, 0.0, 0.5), (0.0, -0.5, 0.5), (1.0, 0.5, 0.25), (0.0, 1.0, 0.0), (-1.5, 0.0, 0.0)],
)
def test_a_zone_is_a_turned_rectangle_on_the_floor(along_m, across_m, probability):
    """2 m along a line that is turned by 30 degrees against room x, 1 m across it."""
    area = Area(center_m=(2.0, 1.0), size_m=(2.0, 1.0), yaw_rad=math.pi / 6)
    c, s = math.cos(math.pi / 6), math.sin(math.pi / 6)
    x, y = 2.0 + c * along_m - s * across_m, 1.0 + s * along_m + c * across_m
    (found,) = find(Zone(kind="zone", subject=PEOPLE, name="exit", area=area), room(someone("p", x, y)), "pair")
    assert found.probability == pytest.approx(probability, abs=0.01)
    (other,) = find(
        Zone(kind="zone", subject=PEOPLE, name="exit", area=area, inside=False), room(someone("p", x, y)), "pair"
    )
    assert other.probability == pytest.approx(1.0 - probability, abs=0.01)


@pytest.mark.parametrize(("speed", "probability"), [(0.5, 0.5), (0.9, 1.0), (0.1, 0.0)])
def test_speed_is_judged_with_its_doubt(speed, probability):
    moving = someone("p", 0, 0, velocity=(0.6 * speed, -0.8 * speed, 0.0))
    (found,) = find(Fast(kind="speed", subject=PEOPLE, above_m_s=0.5), room(moving), "pair")
    assert found.probability == pytest.approx(probability, abs=0.01)
    assert found.speed_m_s == pytest.approx(speed)


def test_a_crowd_is_counted_around_each_table():
    table = someone("operating_table_1", 0, 0, label="operating_table")
    near = [someone(f"person_{i}", 0.5, 0.5 * i, sigma_m=0.02) for i in range(3)]
    far = someone("person_9", 4.0, 0.0)
    asked = Crowd(kind="count", subject=PEOPLE, object=(TABLE,), at_least=3, reach_m=1.0)
    (found,) = find(asked, room(table, *near, far), "pair")
    assert found.probability == pytest.approx(1.0, abs=1e-3)
    assert found.count == 3 and found.object_ids[0] == "operating_table_1" and "person_9" not in found.object_ids
    (fewer,) = find(asked, room(table, *near[:2], far), "pair")
    assert fewer.probability == pytest.approx(0.0, abs=1e-3)


def test_a_crowd_in_the_room_needs_no_table():
    people = [someone(f"person_{i}", i, 0, existence=0.9) for i in range(3)]
    (found,) = find(Crowd(kind="count", subject=PEOPLE, at_least=3), room(*people), "pair")
    assert found.probability == pytest.approx(0.9**3)


def test_at_least_n_of_unequal_chances():
    assert at_least(1, [0.5, 0.2]) == pytest.approx(1 - 0.5 * 0.8)
    assert at_least(2, [0.5, 0.2]) == pytest.approx(0.1)
    assert at_least(3, [0.5, 0.2]) == 0.0
    assert at_least(1, []) == 0.0


def test_reach_is_the_frequency_of_samples():
    rng = np.random.default_rng(4)
    a, b = someone("a", 0.0, 0.0, sigma_m=0.12), someone("b", 0.71, 0.30, sigma_m=0.12)
    gaps, p = within_reach(Bodies.of([a, b]), np.array([0]), np.array([1]), 0.30)
    assert gaps[0] == pytest.approx(0.31)
    shifts = rng.normal(0.0, 0.12 * math.sqrt(2), (20_000, 3))
    pair = np.zeros(len(shifts), int), np.ones(len(shifts), int)
    sampled = (Bodies.of([a, b]).gaps(*pair, shifts) <= 0.30).mean()
    assert p[0] == pytest.approx(sampled, abs=0.02)


def test_a_course_says_when_the_gap_is_reached():
    walker, cart = someone("w", -2.0, 0.1, velocity=(1.0, 0.0, 0.0)), someone("c", 0.0, 0.0)
    c = course(Bodies.of([walker, cart]), 0, 1, gap_m=0.2, horizon_s=3.0, closing_m_s=0.25, stddev=0.1)
    assert c.gap_m == pytest.approx(1.6)
    assert c.time_s == pytest.approx(1.4, abs=0.11)  # (1.6 - 0.2) m at 1 m/s, on a grid of 0.2 s
    assert c.closing_m_s == pytest.approx(1.0)
    assert c.probability > 0.95


def test_a_course_past_each_other_is_no_collision():
    walker, cart = someone("w", -2.0, 1.2, velocity=(1.0, 0.0, 0.0)), someone("c", 0.0, 0.0)
    c = course(Bodies.of([walker, cart]), 0, 1, gap_m=0.2, horizon_s=3.0, closing_m_s=0.25, stddev=0.1)
    assert c.probability < 0.1


@pytest.mark.parametrize(("speed_m_s", "low", "high"), [(0.0, 0.0, 0.001), (0.05, 0.0, 0.05), (0.5, 0.8, 1.0)])
def test_who_stands_beside_a_machine_is_on_no_course_with_it(speed_m_s, low, high):
    """A filter that knows standing from walking tells next to no velocity of those who stand, and is right."""
    person, machine = someone("w", -0.6, 0.0, velocity=(speed_m_s, 0.0, 0.0)), someone("c", 0.0, 0.0)
    c = course(Bodies.of([person, machine]), 0, 1, gap_m=0.2, horizon_s=1.5, closing_m_s=0.25, stddev=0.2)
    assert low <= c.probability <= high


@pytest.mark.parametrize(("y_m", "speed_m_s"), [(0.1, 0.6), (0.9, 0.8), (0.1, 0.35)])
def test_the_chance_of_a_collision_is_the_share_of_futures_that_collide(y_m, speed_m_s):
    walker = someone("w", -1.4, y_m, velocity=(speed_m_s, 0.0, 0.0), sigma_m=0.1)
    pair = Bodies.of([walker, someone("c", 0.0, 0.0, sigma_m=0.1)])
    c = course(pair, 0, 1, gap_m=0.15, horizon_s=1.5, closing_m_s=0.25, stddev=0.2)

    rng = np.random.default_rng(1)
    n = 4000
    zero, one = np.zeros(n, int), np.ones(n, int)
    start = rng.normal(0.0, 0.1 * math.sqrt(2), (n, 3))
    speed = pair.velocities[0] + rng.normal(0.0, 0.2, (n, 3)) * [1.0, 1.0, 0.0]
    closing = (pair.gaps(zero, one, start) - pair.gaps(zero, one, start + 0.2 * speed)) / 0.2
    gaps = [pair.gaps(zero, one, start + t * speed) for t in np.linspace(0.0, 1.5, 16)]
    collide = (closing >= 0.25) & (np.min(gaps, axis=0) <= 0.15)
    assert 0.02 < collide.mean() < 0.98
    assert c.probability == pytest.approx(collide.mean(), abs=0.06)


def test_a_person_beside_the_box_of_a_machine_is_farther_from_the_machine():
    """Boxes reach around arms and into hollows: an inset takes that off both, whichever way they face."""
    walker, cart = someone("w", -2.0, 0.0, velocity=(1.0, 0.0, 0.0)), someone("c", 0.0, 0.0)
    boxes = Bodies.of([walker, cart])
    surfaces = boxes.inset(0.07)
    assert surfaces.gaps(np.array([0]), np.array([1]), np.zeros((1, 3)))[0] == pytest.approx(
        boxes.gaps(np.array([0]), np.array([1]), np.zeros((1, 3)))[0] + 0.14
    )
    assert (boxes.inset(5.0).sizes == 0.02).all()


def test_how_surfaces_lie_under_boxes_is_part_of_the_doubt():
    """Surely within reach as boxes, surely not with an inset, even odds where the border is reached."""
    boxes = Bodies.of([someone("a", -0.4, 0.0, sigma_m=0.01), someone("b", 0.4, 0.0, sigma_m=0.01)])
    gap = float(boxes.gaps(np.array([0]), np.array([1]), np.zeros((1, 3)))[0])

    def chance(by_m: float, stddev_m: float) -> float:
        return float(within_reach(boxes.inset(by_m, stddev_m), np.array([0]), np.array([1]), gap + 0.05)[1][0])

    assert chance(0.0, 0.0) > 0.99 and chance(0.1, 0.0) < 0.01
    assert chance(0.025, 0.1) == pytest.approx(0.5, abs=0.1)
    assert 0.6 < chance(0.0, 0.1) < 0.9
