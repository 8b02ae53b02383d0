"""The baseline that is told the truth: it sees what a camera could see, and says of itself what it is."""

import numpy as np
import pytest

from or_spatial.errors import ConfigError
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import apply, look_at
from or_spatial.perception.perceiver import Frame
from or_spatial.perception.rules import RuleNoise, RulePerceiver
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene import EvidenceSource, Family, Scale, SceneGraph, SceneObject

CAMERA = Camera.from_fov(160, 90, 1.3)
POSE = look_at((0.4, -3.0, 2.4), (0.0, 0.0, 1.0))  # behind -y, so that room +x is to its right


def thing(id, label, center, size, sterile=0.1):
    return SceneObject(id=id, label=label, center_m=center, size_m=size, yaw_rad=0.2, sterile=sterile)


ROOM = (
    thing("operating_table_1", "operating_table", (0.0, 0.0, 0.45), (2.0, 0.6, 0.9), 0.9),
    thing("patient_1", "patient", (0.0, 0.0, 1.05), (1.7, 0.5, 0.3), 0.9),
    thing("person_1", "person", (-0.6, 0.75, 0.85), (0.5, 0.5, 1.7), 0.95),
    thing("drill_1", "drill", (-0.45, 0.5, 1.2), (0.2, 0.1, 0.2), 0.9),
    thing("monitor_1", "monitor", (9.0, 0.0, 1.5), (0.6, 0.1, 0.4)),
)


def frame(stamp_ns=1_000_000_000, pose=POSE, camera=CAMERA):
    rng = np.random.default_rng(stamp_ns % 997)
    return Frame("ceiling_left", stamp_ns, rng.integers(0, 255, (90, 160, 3), dtype=np.uint8), camera, pose)


def perceiver(depth=None, **noise):
    graph = SceneGraph(stamp_ns=0, scale=Scale.METRIC, objects=ROOM)
    return RulePerceiver(lambda frame: (graph, depth), RuleNoise(**noise))


def test_it_finds_what_the_camera_looks_at_where_it_is():
    (seen,) = perceiver(position_m=0.01).perceive([frame()])
    assert [d.label for d in seen.detections] == ["operating_table", "patient", "person", "drill"]
    person = seen.detections[2]
    np.testing.assert_allclose(apply(POSE, person.center_m), (-0.6, 0.75, 0.85), atol=0.05)
    u, v = CAMERA.project(person.center_m)
    assert person.box.xmin < u < person.box.xmax and person.box.ymin < v < person.box.ymax
    assert person.sterile == 0.95


def test_the_same_frame_gives_the_same_noise_and_another_stamp_another():
    one, again = (perceiver().perceive([frame()])[0].detections[0].center_m for _ in range(2))
    other = perceiver().perceive([frame(2_000_000_000)])[0].detections[0].center_m
    assert (one == again).all() and not (one == other).any()


def test_noise_has_the_size_that_the_covariance_claims():
    noisy = perceiver(position_m=0.05, range_fraction=0.03)
    truth = perceiver(position_m=1e-9).perceive([frame()])[0].detections[0]
    seen = [noisy.perceive([frame(n)])[0].detections[0] for n in range(1, 300)]
    errors = np.array([d.center_m - truth.center_m for d in seen])
    claimed = np.sqrt(seen[0].covariance_m2[0, 0])
    assert claimed == pytest.approx(0.05 + 0.03 * np.linalg.norm(truth.center_m))
    assert errors.std() == pytest.approx(claimed, rel=0.1)


def test_what_the_depth_image_hides_is_not_found():
    wall = np.full((45, 80), 0.8, dtype=np.float32)
    assert perceiver(depth=wall).perceive([frame()])[0].detections == ()


def test_what_lies_at_the_depth_of_the_image_is_found():
    open_view = np.full((45, 80), 3.2, dtype=np.float32)
    seen = perceiver(depth=open_view).perceive([frame()])[0]
    assert "patient" in [d.label for d in seen.detections]
    assert (seen.depth_camera.width, seen.depth_camera.height) == (80, 45)


def test_boxes_tell_geometry_and_three_actions():
    (seen,) = perceiver(position_m=0.005).perceive([frame()])
    names = [d.label for d in seen.detections]
    sure = {(names[r.subject], r.predicate, names[r.object]) for r in seen.relations if r.probability > 0.6}
    assert {("patient", "on", "operating_table"), ("patient", "lyingOn", "operating_table")} <= sure
    assert ("person", "holding", "drill") in sure
    assert ("person", "closeTo", "operating_table") in sure
    assert {r.source for r in seen.relations} == {EvidenceSource.GEOMETRY}


@pytest.mark.parametrize("blind", [{"pose": None}, {"camera": None}, {"pose": np.full((4, 4), np.nan)}])
def test_a_camera_without_a_place_perceives_nothing(blind):
    (seen,) = perceiver().perceive([frame(**blind)])
    assert seen.detections == ()


def test_a_frame_without_truth_perceives_nothing():
    (seen,) = RulePerceiver(lambda frame: None).perceive([frame()])
    assert seen.detections == ()


def test_an_impossible_noise_is_refused():
    with pytest.raises(ConfigError, match="miss in"):
        RuleNoise(miss=1.5)


def test_graphs_of_the_baseline_say_that_rules_on_truth_made_them():
    eye = perceiver()
    tracker = SceneTracker(TrackerConfig(cameras=("ceiling_left",), model_id=eye.model_id))
    for k in range(1, 4):
        now = frame(k * 200_000_000)
        graph = tracker.update([now], eye.perceive([now]), now.stamp_ns)
    assert graph.model_id == "rules-on-truth"
    holding = next(r for r in graph.relations if r.predicate == "holding")
    assert (holding.family, holding.source) == (Family.ACTION, EvidenceSource.GEOMETRY)
    on = next(r for r in graph.relations if r.predicate == "on")
    assert (on.subject_id, on.object_id, on.source) == ("patient_1", "operating_table_1", EvidenceSource.GEOMETRY)
