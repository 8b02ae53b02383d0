"""Identities last, cameras agree, what vanishes is forgotten in time, and nothing that comes in does harm."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tracked_room import CAMERA, NS, PERSON_M, POSES, Room, changed

from or_spatial.errors import ConfigError
from or_spatial.perception.perceiver import Frame, Perception, RelationEvidence
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene import CameraStatus, EvidenceSource, Family, FrameOfReference, Scale, SceneGraph
from or_spatial.scene.values import same

BOTH = ("ceiling_left", "ceiling_right")
STAFF = (("person", (-0.6, 0.8, 0.85)), ("person", (0.9, 0.2, 0.85)), ("person", (0.1, 1.6, 0.85)))
TABLE = ("operating_table", (0.0, 0.0, 0.45), (2.0, 0.6, 0.9))


def tracker(**k):
    return SceneTracker(TrackerConfig(cameras=BOTH, model_id="test", **k))


def follow(eye, room, things, start_s=10.0, seconds=1.0, step_s=0.2, **k):
    """Feed the same things for a while; the last graph."""
    for i in range(round(seconds / step_s) + 1):
        graph = eye.update(*room.look(start_s + i * step_s, things, **k))
    return graph


def test_one_person_seen_by_two_cameras_is_one_track():
    graph = follow(tracker(), Room(), STAFF[:1])
    (person,) = graph.objects
    assert person.id == "person_1"
    assert {b.camera for b in person.boxes} == set(BOTH)
    assert math.dist(person.center_m, STAFF[0][1]) < 0.08


def test_two_cameras_know_a_place_better_than_one():
    spread = [
        np.trace(np.reshape(follow(tracker(), Room(cameras=c), STAFF[:1]).objects[0].covariance_m2, (3, 3)))
        for c in (BOTH[:1], BOTH)
    ]
    assert spread[1] < 0.8 * spread[0]


def test_cameras_that_disagree_by_a_third_of_a_metre_still_make_one_person():
    eye, room = tracker(), Room(sigma_m=0.15)
    for i in range(15):
        frames, seen, stamp = room.look(10 + 0.2 * i, STAFF[:1])
        bias = POSES["ceiling_left"][:3, :3].T @ (0.33, 0.0, 0.0)
        seen[0] = changed(seen[0], 0, center_m=seen[0].detections[0].center_m + bias)
        graph = eye.update(frames, seen, stamp)
    assert [o.id for o in graph.objects] == ["person_1"]


def test_two_people_side_by_side_stay_two():
    pair = (("person", (0.0, 0.8, 0.85)), ("person", (0.45, 0.8, 0.85)))
    assert len(follow(tracker(), Room(), pair, seconds=4.0).objects) == 2


def test_ids_count_per_label_and_survive_a_crossing():
    eye, room = tracker(), Room(sigma_m=0.04)
    for i in range(31):  # two people walk past each other, 0.4 m apart, at 0.8 m/s
        x = -1.2 + 0.08 * i
        graph = eye.update(*room.look(10 + 0.1 * i, (("person", (x, 0.6, 0.85)), ("person", (-x, 1.0, 0.85)), TABLE)))
        assert {o.id for o in graph.objects} <= {"person_1", "person_2", "operating_table_1"}
    x_of = {o.id: o.center_m[0] for o in graph.objects}
    assert x_of["person_1"] > 1.0 and x_of["person_2"] < -1.0


def test_a_walker_gets_a_velocity_and_somebody_standing_none():
    eye, room = tracker(), Room(sigma_m=0.05)
    speeds = []
    for i in range(20):
        things = (("person", (-1.0 + 0.14 * i, 0.9, 0.85)), ("person", (0.3, 2.0, 0.85)))
        graph = eye.update(*room.look(10 + 0.2 * i, things))
        if i > 5:
            speeds.append([np.linalg.norm(o.velocity_m_s) for o in graph.objects])
    walking, standing = np.array(speeds).T
    assert np.median(walking) == pytest.approx(0.7, abs=0.1)
    assert np.max(standing) < 0.2


def test_a_person_hidden_for_a_second_keeps_the_id_and_is_called_occluded():
    eye, room = tracker(), Room()
    follow(eye, room, STAFF)
    graph = follow(eye, room, STAFF[:2], start_s=11.2, seconds=0.8)
    hidden = graph.find("person_3")
    assert hidden is not None and hidden.occluded
    assert hidden.last_seen_ns == 11_000_000_000
    graph = follow(eye, room, STAFF, start_s=12.2, seconds=0.4)
    assert sorted(o.id for o in graph.objects) == ["person_1", "person_2", "person_3"]
    assert not graph.find("person_3").occluded


def test_a_person_who_has_left_is_gone_after_some_seconds_and_the_table_is_not():
    eye, room = tracker(), Room()
    follow(eye, room, (*STAFF[:1], TABLE))
    graph = follow(eye, room, (), start_s=11.2, seconds=3.0)
    assert [o.label for o in graph.objects] == ["operating_table"]


def test_a_person_behind_another_fades_slower_than_one_in_plain_view():
    """Seen from the left camera, somebody stands on the line to person_2; the right camera is off."""
    eye = POSES["ceiling_left"][:3, 3]
    behind = np.array([0.9, 0.9, 0.85])
    before = eye + 0.8 * (behind - eye)
    existence = []
    for cover in ((), (("person", tuple(before)),)):
        t, room = tracker(), Room(cameras=BOTH[:1], sigma_m=0.02)
        follow(t, room, (("person", tuple(behind)),))
        graph = follow(t, room, cover, start_s=11.2, seconds=0.6)
        existence.append(next((o.existence for o in graph.objects if o.id == "person_1"), 0.0))
    assert existence[0] < 0.95 < existence[1]


def test_one_flicker_of_a_doubtful_detection_is_nobody():
    eye, room = tracker(), Room()
    frames, seen, stamp = room.look(10.0, STAFF[:1])
    seen = [changed(s, 0, existence=0.4) for s in seen]
    assert eye.update(frames, seen, stamp).objects == ()
    assert follow(eye, room, (), start_s=10.2, seconds=2.0).objects == ()


def test_a_doubtful_detection_that_stays_is_somebody():
    eye, room = tracker(), Room(cameras=BOTH[:1])
    counts = []
    for i in range(6):
        frames, seen, stamp = room.look(10.0 + 0.2 * i, STAFF[:1])
        counts.append(len(eye.update(frames, [changed(s, 0, existence=0.5) for s in seen], stamp).objects))
    assert counts[0] == 0 and counts[-1] == 1


def test_labels_and_attire_are_what_most_of_the_evidence_says():
    eye, room = tracker(), Room(cameras=BOTH[:1], sigma_m=0.01)
    for i, label in enumerate(["drill", "saw", "drill", "drill", "saw", "drill"]):
        frames, seen, stamp = room.look(10.0 + 0.3 * i, [("drill", (0.2, 0.5, 1.0), (0.2, 0.1, 0.2))])
        graph = eye.update(frames, [changed(seen[0], 0, label=label, sterile=0.8 if i != 3 else 0.4)], stamp)
    (tool,) = graph.objects
    assert tool.id == "drill_1" and tool.label == "drill"
    assert [h.label for h in tool.hypotheses] == ["drill", "saw"]
    assert sum(h.score for h in tool.hypotheses) == pytest.approx(1.0)
    assert tool.sterile > 0.9


def test_a_person_is_never_matched_with_a_table():
    eye, room = tracker(), Room()
    follow(eye, room, [("person", (0.0, 0.0, 0.85))])
    graph = follow(eye, room, [("operating_table", (0.0, 0.0, 0.85), PERSON_M)], start_s=11.2, seconds=0.4)
    assert {o.label for o in graph.objects} == {"person", "operating_table"}


def test_names_outside_the_vocabulary_are_tracked_under_their_own_name():
    graph = follow(tracker(), Room(), [("espresso_machine", (0.0, 0.5, 1.0))])
    assert [(o.id, o.label) for o in graph.objects] == [("espresso_machine_1", "espresso_machine")]


def test_the_graph_says_where_it_comes_from():
    graph = follow(tracker(), Room(), STAFF)
    assert (graph.scale, graph.frame_id, graph.model_id) == (Scale.METRIC, "map", "test")
    assert graph.sequence == 6 and graph.stamp_ns == 11 * NS
    assert [(s.camera, s.status, s.stamp_ns) for s in graph.sources] == [(c, CameraStatus.OK, 11 * NS) for c in BOTH]


def test_a_camera_that_never_came_and_one_that_stopped_are_lost():
    eye = SceneTracker(TrackerConfig(cameras=(*BOTH, "foot_end")))
    follow(eye, Room(), STAFF)
    graph = follow(eye, Room(), STAFF, start_s=11.2, seconds=1.0, only=BOTH[:1])
    status = {s.camera: s.status for s in graph.sources}
    assert status == {
        "ceiling_left": CameraStatus.OK,
        "ceiling_right": CameraStatus.LOST,
        "foot_end": CameraStatus.LOST,
    }


def test_time_that_jumps_back_starts_anew_but_never_reuses_an_id(caplog):
    eye, room = tracker(), Room()
    follow(eye, room, STAFF[:1], start_s=100.0)
    graph = follow(eye, room, STAFF[:1], start_s=3.0)
    assert [o.id for o in graph.objects] == ["person_2"]
    assert graph.stamp_ns == 4 * NS
    assert "tracked anew" in caplog.text


def test_a_frame_given_twice_counts_once():
    eye, room = tracker(), Room()
    follow(eye, room, STAFF[:1])
    look = room.look(11.2, STAFF[:1])
    first = eye.update(*look).objects[0]
    for _ in range(20):
        again = eye.update(*look).objects[0]
    assert same(again, first)


def test_a_late_frame_is_carried_forward_with_the_walker():
    """The right camera's pictures come 0.3 s late, in which the person walks 0.24 m; nobody may be pulled back."""
    eye, room = tracker(), Room(sigma_m=0.02)
    for i in range(15):
        t = 10.0 + 0.2 * i
        left = room.look(t, [("person", (-1.5 + 0.8 * (t - 10), 0.9, 0.85))], only=BOTH[:1])
        late = room.look(t - 0.3, [("person", (-1.5 + 0.8 * (t - 0.3 - 10), 0.9, 0.85))], only=BOTH[1:])
        eye.update(*left)
        graph = eye.update(late[0], late[1], left[2])
    (person,) = graph.objects
    assert person.center_m[0] == pytest.approx(-1.5 + 0.8 * 2.8, abs=0.05)


def test_a_table_that_is_seen_from_its_other_end_does_not_turn():
    eye, room = tracker(), Room(cameras=BOTH[:1])
    for i, yaw in enumerate([0.3, 0.3 + math.pi, 0.3 - math.pi, 0.32, 3.4]):
        frames, seen, stamp = room.look(10 + 0.2 * i, [TABLE])
        graph = eye.update(frames, [changed(seen[0], 0, yaw_rad=yaw)], stamp)
    assert graph.objects[0].yaw_rad == pytest.approx(0.29, abs=0.05)


def test_doubt_along_the_ray_of_a_camera_lies_along_it_in_the_room():
    eye, room = tracker(), Room(cameras=BOTH[:1], sigma_m=0.01)
    frames, seen, stamp = room.look(10.0, STAFF[:1])
    ray = seen[0].detections[0].center_m / np.linalg.norm(seen[0].detections[0].center_m)
    doubt = 0.01**2 * np.eye(3) + 0.5**2 * np.outer(ray, ray)
    graph = eye.update(frames, [changed(seen[0], 0, covariance_m2=doubt)], stamp)
    values, vectors = np.linalg.eigh(np.reshape(graph.objects[0].covariance_m2, (3, 3)))
    assert np.sqrt(values[2]) == pytest.approx(0.5, abs=0.01)
    along = np.array(STAFF[0][1]) - POSES["ceiling_left"][:3, 3]
    assert abs(vectors[:, 2] @ along) / np.linalg.norm(along) == pytest.approx(1.0, abs=1e-3)


def test_no_frames_carry_the_room_forward():
    eye, room = tracker(), Room()
    follow(eye, room, STAFF)
    graph = eye.update([], [], round(11.4 * NS))
    assert len(graph.objects) == 3 and graph.stamp_ns == round(11.4 * NS)


@pytest.mark.parametrize(
    ("posed", "calibrated", "scale"),
    [(False, True, Scale.UNKNOWN), (False, False, Scale.RELATIVE), (True, False, Scale.RELATIVE)],
)
def test_without_pose_or_calibration_nothing_metric_is_claimed(posed, calibrated, scale):
    said = (
        RelationEvidence(0, 1, "left_of", Family.GEOMETRIC, 0.9),
        RelationEvidence(0, 1, "closeTo", Family.ACTION, 0.8),
    )
    graph = follow(tracker(), Room(posed=posed, calibrated=calibrated), STAFF[:2], relations=said)
    assert graph.scale == scale and graph.frame_id == "ceiling_left_optical_frame"
    assert all(np.isnan(o.velocity_m_s).all() for o in graph.objects)
    assert {r.predicate for r in graph.relations} == {"left_of", "closeTo"}
    for r in graph.relations:
        assert r.source == EvidenceSource.MODEL
        assert np.isnan([r.center_distance_m, r.surface_distance_m, *r.direction]).all()
    assert {s.status for s in graph.sources} == {CameraStatus.UNCALIBRATED}


def test_the_room_takes_over_as_soon_as_one_camera_knows_its_place():
    eye = tracker()
    follow(eye, Room(posed=False), STAFF)
    graph = follow(eye, Room(), STAFF, start_s=11.2)
    assert (graph.scale, graph.frame_id, len(graph.objects)) == (Scale.METRIC, "map", 3)
    mixed = Room(posed=False).look(12.4, STAFF, only=BOTH[:1])
    assert eye.update(*mixed).frame_id == "map"


def spoiled():
    """One good frame with everything wrong in its detections that can be."""
    room = Room()
    frames, seen, stamp = room.look(10.0, [*STAFF, *STAFF], only=BOTH[:1])
    bad = seen[0]
    for i, fault in enumerate(
        [
            {"center_m": np.full(3, np.nan)},
            {"covariance_m2": np.full((3, 3), np.inf)},
            {"covariance_m2": -np.eye(3)},
            {"size_m": np.zeros(2), "existence": math.nan},
            {"yaw_rad": math.inf, "sterile": 7.0, "scores": np.full(15, np.nan)},
            {"center_m": np.full(3, 1e300)},
        ]
    ):
        bad = changed(bad, i, **fault)
    relations = [
        RelationEvidence(0, 99, "near", Family.GEOMETRIC, 0.5),
        RelationEvidence(-1, 0, "x", Family.ACTION, math.nan),
    ]
    return frames, [Perception(bad.detections, tuple(relations))], stamp


def test_unusable_numbers_are_left_out_and_the_rest_is_kept():
    eye = tracker(confirm_existence=0.0)
    graph = eye.update(*spoiled())
    assert 1 <= len(graph.objects) <= 4
    assert all(np.isfinite(o.center_m).all() and np.isfinite(o.covariance_m2).all() for o in graph.objects)
    assert SceneGraph.from_json(graph.to_json()).sequence == 1


@pytest.mark.parametrize(
    ("what", "image", "status"),
    [
        ("no pixels", np.zeros((0, 0, 3), np.uint8), CameraStatus.BAD_IMAGE),
        ("floats", np.zeros((90, 160, 3)), CameraStatus.BAD_IMAGE),
        ("black", np.zeros((90, 160, 3), np.uint8), CameraStatus.DARK),
        ("covered", np.full((90, 160, 3), 120, np.uint8), CameraStatus.COVERED),
    ],
)
def test_a_blind_camera_adds_nobody_and_says_why(what, image, status):
    eye, room = tracker(), Room()
    frames, seen, stamp = room.look(10.0, STAFF, only=BOTH[:1])
    blind = Frame("ceiling_left", stamp, image, CAMERA, POSES["ceiling_left"])
    graph = eye.update([blind], seen, stamp)
    assert graph.objects == () and graph.sources[0].status == status


def test_a_thousand_detections_are_survived_in_bounded_time_and_size():
    eye, room = tracker(), Room(cameras=BOTH[:1])
    rng = np.random.default_rng(0)
    crowd = [("person", tuple(p)) for p in rng.uniform((-2, -1, 0.5), (2, 2.5, 1.2), (1000, 3))]
    for i in range(2):
        graph = eye.update(*room.look(10.0 + 0.2 * i, crowd))
    assert 50 < len(graph.objects) <= eye.config.max_tracks
    assert len({o.id for o in graph.objects}) == len(graph.objects)
    assert len(graph.relations) <= 120


def test_frames_without_perceptions_are_a_programmers_mistake():
    frames, _, stamp = Room().look(10.0, STAFF)
    with pytest.raises(ValueError, match="got 0 for 2 frames"):
        tracker().update(frames, [], stamp)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"relation_on": 1.5}, "relation_on is a probability"),
        ({"pose_error_m": -0.1}, "pose_error_m must be 0 or more"),
        ({"max_relations": 0}, "max_relations must be at least 1"),
        ({"relation_on": 0.3}, "relation_off .* must not exceed"),
    ],
)
def test_impossible_settings_are_refused(setting, says):
    with pytest.raises(ConfigError, match=says):
        TrackerConfig(**setting)


def test_two_trackers_do_not_disturb_each_other():
    one, other = tracker(), tracker()
    follow(one, Room(), STAFF)
    assert [o.id for o in follow(other, Room(), STAFF[:1]).objects] == ["person_1"]


def test_directions_are_meant_as_the_named_viewer_sees_them():
    """The left camera looks along +x and +y, the right one along -x and +y: what is left for one is behind for the
    other, worked out by hand from the two poses."""
    things = (("person", (-0.7, 0.9, 0.85)), ("operating_table", (0.5, 0.7, 0.45), (0.5, 0.5, 0.9)))
    for viewer, predicate in zip(BOTH, ("left_of", "behind"), strict=True):
        graph = follow(tracker(viewer=viewer), Room(sigma_m=0.02), things)
        told = [r for r in graph.relations if r.frame_of_reference == FrameOfReference.VIEWER]
        assert [(r.subject_id, r.predicate, r.reference_frame_id) for r in told] == [("person_1", predicate, viewer)]
        assert told[0].since_ns == 10 * NS
        assert told[0].center_distance_m == pytest.approx(math.dist(things[0][1], things[1][1]), abs=0.05)
        np.testing.assert_allclose(told[0].direction, (0.94, -0.16, -0.31), atol=0.06)


@pytest.mark.parametrize("order", [("ceiling_left", "ceiling_right"), ("ceiling_right", "ceiling_left")])
def test_every_camera_has_its_say_about_attire_whichever_speaks_first(order):
    room, eye = Room(cameras=order), SceneTracker(TrackerConfig(cameras=order))
    says = {"ceiling_left": 0.3, "ceiling_right": 0.98}  # log-odds of -0.8 and 3.9: scrubbed, both together
    for i in range(10):
        frames, seen, stamp = room.look(1.0 + 0.2 * i, [("person", (0.0, 0.5, 0.85))])
        seen = [changed(s, 0, sterile=says[f.name]) for f, s in zip(frames, seen, strict=True)]
        graph = eye.update(frames, seen, stamp)
    assert graph.objects[0].sterile > 0.9


def test_what_was_seen_before_a_camera_knew_its_place_is_not_put_into_the_room():
    room, cameras = Room(), ("ceiling_left", "ceiling_right")
    eye = SceneTracker(TrackerConfig(cameras=cameras))
    for i in range(10):
        frames, seen, stamp = room.look(1.0 + 0.2 * i, [("person", (0.0, 0.5, 0.85))])
        if i == 0:
            frames[0] = replace(frames[0], room_from_camera=None)
        graph = eye.update(frames, seen, stamp)
        assert all(abs(o.center_m[2] - 0.85) < 0.5 for o in graph.objects)
    assert [o.id for o in graph.objects] == ["person_1"]
