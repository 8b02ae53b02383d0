"""Boxes of any person detector become people in the room: placed, matched across cameras, and doubted."""

from dataclasses import replace

import numpy as np
import pytest
from boxed_room import CAMERA, CORNERS, LENS, MIDDLE, SHAPE, drawn, seen_by
from hypothesis import given
from hypothesis import strategies as st

from or_spatial.errors import ConfigError, GeometryError
from or_spatial.geometry.transforms import apply, look_at
from or_spatial.perception.box_placing import expected_edges, place
from or_spatial.perception.box_views import BoxView
from or_spatial.perception.boxes_to_room import BoxPerceiver, people_in_room
from or_spatial.perception.perceiver import Frame
from or_spatial.perception.person_shape import read_shape, shipped_shape
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig

TEAM = [(0.9, 0.4, 1.20), (-0.7, 0.8, 1.24), (0.1, -1.0, 1.16)]
metres = st.floats(-1.2, 1.2)


def placed(people):
    return np.array([p.torso_m for p in people])


def far_apart(found, true):
    """Largest distance from a true person to the nearest found one, m."""
    return np.linalg.norm(np.array(true)[:, None] - found[None], axis=-1).min(1).max()


@given(x=metres, y=metres, up=st.floats(1.1, 1.3))
def test_convention_edges_are_those_of_a_cross_through_the_torso(x, y, up):
    for camera in (CAMERA, LENS):
        view = seen_by([(x, y, up)], CORNERS[:1], camera)[0]
        edges, px_per_m = expected_edges(np.array([[x, y, up]]), view, SHAPE)
        inside = np.clip(edges[0], -0.5, [799.5, 599.5, 799.5, 599.5])
        np.testing.assert_allclose(inside, drawn(np.array([x, y, up]), camera, view.room_from_camera), atol=1e-6)
        depth = apply(view.camera_from_room, (x, y, up))[2]
        assert px_per_m[0] == pytest.approx(560.0 / depth)


@given(x=metres, y=metres, up=st.floats(1.1, 1.3), cameras=st.integers(2, 6))
def test_exact_boxes_of_several_cameras_give_the_torso_back_to_centimetres(x, y, up, cameras):
    people = people_in_room(seen_by([(x, y, up)], CORNERS[:cameras]), SHAPE)
    assert len(people) == 1 and len(people[0].boxes) == cameras
    assert np.linalg.norm(people[0].torso_m - (x, y, up)) < 0.03


@given(x=metres, y=metres)
def test_one_camera_places_a_person_of_usual_height_exactly(x, y):
    person = people_in_room(seen_by([(x, y, SHAPE.torso_height_m)], CORNERS[:1]), SHAPE)[0]
    assert np.linalg.norm(person.torso_m - (x, y, SHAPE.torso_height_m)) < 0.01


@pytest.mark.parametrize("up", [1.10, 1.30])
def test_one_camera_is_as_doubtful_as_it_is_wrong_about_somebody_tall_or_short(up):
    """People whose feet are hidden: only the prior of heights says how far away they are."""
    view = seen_by([(0.6, 0.3, up)], CORNERS[:1])[0]
    boxes = view.boxes - [0, 0, 0, 90]
    person = people_in_room([BoxView("one", CAMERA, view.room_from_camera, boxes, view.scores)], SHAPE)[0]
    off = person.torso_m - (0.6, 0.3, up)
    assert 0.05 < np.linalg.norm(off) < 0.35
    assert off @ np.linalg.solve(person.covariance_m2, off) < 11.3  # 99 % of three dimensions


def test_one_camera_doubts_along_its_ray_and_a_second_takes_the_doubt_away():
    alone, both = (people_in_room(seen_by(TEAM[:1], CORNERS[:n]), SHAPE)[0].covariance_m2 for n in (1, 2))
    ray = np.array(TEAM[0]) - CORNERS[0]
    ray /= np.linalg.norm(ray)
    values, vectors = np.linalg.eigh(alone)
    assert abs(vectors[:, 2] @ ray) > 0.8 and values[2] > 2 * values[1]
    assert np.linalg.eigvalsh(both)[2] < 0.6 * values[2]


def test_a_covered_lower_body_moves_nobody():
    views = seen_by(TEAM[:1], CORNERS[:2])
    hidden = [BoxView(v.name, v.camera, v.room_from_camera, v.boxes - [0, 0, 0, 120], v.scores) for v in views]
    assert np.linalg.norm(people_in_room(hidden, SHAPE)[0].torso_m - TEAM[0]) < 0.05


def test_an_edge_at_the_border_says_nothing():
    """Cut off by the lower border of the image, the box of somebody near still gives the right place."""
    near = (2.3, 2.0, 1.2)
    view = seen_by([near], CORNERS[:1])[0]
    assert view.boxes[0, 3] == 599.5
    assert np.linalg.norm(people_in_room([view], SHAPE)[0].torso_m - near) < 0.02


@pytest.mark.parametrize("cameras", [2, 3, 4, 6])
def test_a_team_is_told_apart_and_each_box_belongs_to_one_person(cameras):
    views = seen_by(TEAM, CORNERS[:cameras])
    people = [p for p in people_in_room(views, SHAPE) if len(p.boxes) > 1]
    assert len(people) == 3
    assert far_apart(placed(people), TEAM) < 0.05
    assert all(len({p.boxes[v.name] for p in people}) == 3 for v in views)


@pytest.mark.parametrize("gap_m", [0.6, 0.4])
def test_people_who_cross_before_a_camera_stay_two(gap_m):
    """Camera 0 sees one right behind the other; the other cameras tell them apart."""
    ray = np.array(MIDDLE[:2]) - CORNERS[0][:2]
    ray /= np.linalg.norm(ray)
    crossing = [(*(0.1 - 0.5 * gap_m * ray), 1.22), (*(0.1 + 0.5 * gap_m * ray), 1.18)]
    views = seen_by(crossing, [CORNERS[i] for i in (0, 1, 4)])
    people = [p for p in people_in_room(views, SHAPE) if p.existence > 0.5]
    assert len(people) == 2
    assert far_apart(placed(people), crossing) < 0.06


def test_somebody_in_one_camera_only_is_still_placed_but_less_believed():
    missed = {(1, 2), (2, 2)}
    people = people_in_room(seen_by(TEAM, CORNERS[:3], misses=missed), SHAPE)
    lonely = next(p for p in people if len(p.boxes) == 1)
    assert np.linalg.norm(lonely.torso_m - TEAM[2]) < 0.25
    assert lonely.existence < min(p.existence for p in people if len(p.boxes) == 3)


def test_a_false_box_joins_nobody_and_convinces_nobody():
    views = seen_by(TEAM, CORNERS[:3])
    noise = np.array([[30.0, 20.0, 70.0, 60.0]])  # under the ceiling
    first = views[0]
    views[0] = BoxView(
        first.name,
        CAMERA,
        first.room_from_camera,
        np.concatenate([first.boxes, noise]),
        np.append(first.scores, 0.3),
    )
    people = people_in_room(views, SHAPE)
    false = next(p for p in people if p.boxes.get("camera_0") == 3)
    assert len(people) == 4 and list(false.boxes) == ["camera_0"] and false.existence < 0.5
    assert far_apart(placed([p for p in people if p is not false]), TEAM) < 0.05


def test_a_doubled_box_counts_once():
    view = seen_by(TEAM[:1], CORNERS[:1])[0]
    doubled = BoxView("one", CAMERA, view.room_from_camera, np.vstack([view.boxes, view.boxes + 3.0]), [0.9, 0.8])
    assert [p.boxes for p in people_in_room([doubled], SHAPE)] == [{"one": 0}]


@pytest.mark.parametrize(
    "bad",
    [
        [np.nan, 10, 50, 90],
        [100, 100, 100, 180],
        [120, 90, 100, 180],
        [-90, 10, -20, 90],
        [10, 650, 60, 700],
        [np.inf, 0, 5, 5],
    ],
    ids=["nan", "no width", "turned round", "left of the image", "below the image", "infinite"],
)
def test_a_damaged_box_is_passed_over(bad):
    view = seen_by(TEAM[:1], CORNERS[:1])[0]
    boxes = np.vstack([np.array(bad, dtype=float)[None], view.boxes])
    people = people_in_room([BoxView("one", CAMERA, view.room_from_camera, boxes, [0.99, 0.9])], SHAPE)
    assert [p.boxes for p in people] == [{"one": 1}]
    assert np.isfinite(people[0].torso_m).all() and np.isfinite(people[0].covariance_m2).all()


@given(
    boxes=st.lists(st.tuples(*[st.floats(-200, 1000) | st.just(float("nan"))] * 4), max_size=5),
    cameras=st.integers(1, 3),
)
def test_any_boxes_give_finite_people_with_proper_covariances(boxes, cameras):
    views = [
        BoxView(str(c), CAMERA, look_at(eye, MIDDLE), np.array(boxes).reshape(-1, 4), np.full(len(boxes), 0.6))
        for c, eye in enumerate(CORNERS[:cameras])
    ]
    for person in people_in_room(views, SHAPE):
        assert np.isfinite(person.torso_m).all() and 0.0 <= person.existence <= 1.0
        assert (np.linalg.eigvalsh(person.covariance_m2) > 0).all()


def test_an_empty_room_and_no_camera_at_all_hold_nobody():
    assert people_in_room(seen_by([], CORNERS[:3]), SHAPE) == ()
    assert people_in_room([], SHAPE) == ()


def test_the_order_of_cameras_and_boxes_does_not_matter():
    views = seen_by(TEAM, CORNERS[:3])
    turned = [BoxView(v.name, v.camera, v.room_from_camera, v.boxes[::-1], v.scores[::-1]) for v in views[::-1]]
    one, other = (placed(people_in_room(v, SHAPE)) for v in (views, turned))
    np.testing.assert_allclose(np.sort(one, axis=0), np.sort(other, axis=0), atol=1e-3)


def test_noise_lies_within_the_doubt_that_is_given():
    rng = np.random.default_rng(5)
    squared = []
    for _ in range(40):
        x, y = rng.uniform(-1.2, 1.2, 2)
        true = np.array([x, y, rng.normal(SHAPE.torso_height_m, SHAPE.torso_height_spread_m)])
        rows = []
        for view in seen_by([true], CORNERS[:2]):
            scale = CAMERA.fx / apply(view.camera_from_room, true)[2]
            spread = np.hypot(scale * np.array([0.05, 0.05, 0.05, 0.08]), SHAPE.jitter_px)
            boxes = view.boxes + rng.normal(0, spread)
            rows.append(BoxView(view.name, CAMERA, view.room_from_camera, boxes, view.scores))
        found = place(np.zeros((1, 2), dtype=int), rows, SHAPE)
        off = found.torsos[0] - true
        squared.append(off @ np.linalg.solve(found.covariances[0], off))
    assert np.mean(np.array(squared) < 7.81) > 0.85 and 1.0 < np.median(squared) < 4.5


def frames_of(views):
    image = np.full((600, 800, 3), 90, dtype=np.uint8)
    return [Frame(v.name, 1_000_000_000, image, v.camera, v.room_from_camera) for v in views]


def test_the_tracker_takes_the_people_and_each_is_told_by_one_camera():
    views = {v.name: v for v in seen_by(TEAM, CORNERS[:3])}
    perceiver = BoxPerceiver(lambda frame: (views[frame.name].boxes, views[frame.name].scores), SHAPE)
    tracker = SceneTracker(TrackerConfig(health=None))
    for step in range(6):
        frames = [replace(f, stamp_ns=f.stamp_ns + step * 100_000_000) for f in frames_of(views.values())]
        told = perceiver.perceive(frames)
        assert sum(len(p.detections) for p in told) == 3
        graph = tracker.update(frames, told, frames[0].stamp_ns)
    assert [o.label for o in graph.objects] == ["person"] * 3
    found = np.array([o.center_m for o in graph.objects])
    assert far_apart(found[:, :2], [p[:2] for p in TEAM]) < 0.1
    assert found[:, 2] == pytest.approx([0.85] * 3, abs=0.08)  # half way up to the head


def test_a_camera_without_place_or_answer_tells_nothing():
    views = seen_by(TEAM[:1], CORNERS[:3])
    frames = frames_of(views)
    frames[0] = replace(frames[0], room_from_camera=None)
    by_name = {v.name: (v.boxes, v.scores) for v in views[:2]}  # the detector has not answered for the third
    told = BoxPerceiver(lambda frame: by_name.get(frame.name), SHAPE).perceive(frames)
    assert [len(p.detections) for p in told] == [0, 1, 0]


def test_boxes_and_scores_must_belong_together():
    with pytest.raises(GeometryError, match="camera ceiling: 1 boxes with 2 scores"):
        BoxView("ceiling", CAMERA, np.eye(4), np.zeros((1, 4)), np.zeros(2))
    with pytest.raises(GeometryError, match="camera ceiling: its pose"):
        BoxView("ceiling", CAMERA, np.full((4, 4), np.nan), np.zeros((0, 4)), np.zeros(0))


def test_the_shipped_numbers_describe_people():
    shape = shipped_shape()
    assert 1.0 < shape.torso_height_m < 1.4 and 0.4 < shape.top_m < 0.7 and 0.2 < shape.half_width_m < 0.4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("top_m:", "topp_m:"), "top_m, topp_m"),
        (("hidden_top: 0.02", "hidden_top: 1.5"), "hidden_top is a probability"),
        (("jitter_px: 1.0", "jitter_px: 0.0"), "jitter_px must be more than 0"),
        (("top_m: 0.5", "top_m: high"), "top_m must be a number, got 'high'"),
        (("top_m: 0.5", "top_m: ["), "cannot be read"),
    ],
    ids=["typo", "no probability", "no spread", "no number", "no yaml"],
)
def test_a_file_of_numbers_with_a_mistake_is_refused_by_name(tmp_path, change, words):
    path = tmp_path / "person.yaml"
    path.write_text(SHAPE.to_yaml())
    assert read_shape(path) == SHAPE
    path.write_text(SHAPE.to_yaml().replace(*change, 1))
    with pytest.raises(ConfigError, match=words):
        read_shape(path)
