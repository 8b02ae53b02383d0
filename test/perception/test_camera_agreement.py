"""A camera whose extrinsics contradict the others is found, named and trusted less; a healthy rig is left in peace."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from or_spatial.errors import ConfigError
from or_spatial.evaluation.moving_room import NS, START_NS, MovingRoom
from or_spatial.evaluation.noisy_room import Noise
from or_spatial.geometry.transforms import apply, invert, pose_matrix
from or_spatial.perception.camera_agreement import AgreementConfig
from or_spatial.perception.pose_errors import blame, displacement, independent, motion_of
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene import CameraStatus

STEP_S = 0.2
GAINS = (AgreementConfig().least_gain, AgreementConfig().tie_gain)


def wrong(pose, shift=(0.0, 0.0, 0.0), yaw_deg=0.0):
    """The pose of a camera that was moved or turned about its own place without anybody noting it."""
    R = Rotation.from_rotvec((0, 0, math.radians(yaw_deg))).as_matrix()
    return pose_matrix(R @ pose[:3, :3], pose[:3, 3] + shift)


class Rig:
    """A room, its tracker, and pose errors by camera that may be changed while time goes on."""

    def __init__(self, cameras=4, noise=None, **config):
        self.room = MovingRoom(cameras=cameras, people=4, seed=3, picture_px=(64, 36), noise=noise or Noise())
        self.tracker = SceneTracker(TrackerConfig(cameras=self.room.names, health=None, **config))
        self.errors, self.moved_objects, self.clocks_s, self.t = {}, {}, {}, 1.0

    def play(self, seconds, until=lambda told: False):
        """Let time pass; the last graph, and when `until` was true of what is told (None: never)."""
        for i in range(round(seconds / STEP_S)):
            self.t += STEP_S
            graph = self.step()
            if until(self.told):
                return graph, (i + 1) * STEP_S
        return graph, None

    def step(self):
        frames, seen, stamp_ns = self.room.look(self.t)
        changed, perceptions = [], []
        for frame, perception in zip(frames, seen, strict=True):
            late_ns = round(self.clocks_s.get(frame.name, 0.0) * NS)
            pose = wrong(frame.room_from_camera, **self.errors.get(frame.name, {}))
            changed.append(replace(frame, room_from_camera=pose, stamp_ns=frame.stamp_ns + late_ns))
            perceptions.append(self.spoilt(frame, perception))
        return self.tracker.update(changed, perceptions, max(stamp_ns, *(f.stamp_ns for f in changed)))

    def spoilt(self, frame, perception):
        """What a camera sees, displaced in the room: as wrong extrinsics do, but with a pose that does not change."""
        if frame.name not in self.moved_objects:
            return perception
        off = frame.room_from_camera[:3, :3].T @ self.moved_objects[frame.name]
        moved = tuple(replace(d, center_m=d.center_m + off) for d in perception.detections)
        return replace(perception, detections=moved)

    @property
    def told(self):
        return self.tracker.agreement.told

    def people_error_m(self, graph):
        """Mean distance of the true people from the nearest person told."""
        people = np.array([o.center_m for o in graph.objects if o.label == "person"])
        true = np.array([self.room.place(k, self.t) for k in range(4)])
        return float(np.linalg.norm(true[:, None] - people[None], axis=-1).min(1).mean())


def statuses(graph):
    return {s.camera: s.status for s in graph.sources}


def test_convention_a_turn_to_the_left_moves_what_is_east_to_the_north():
    np.testing.assert_allclose(
        displacement(np.array([0, 0, 0, 0, 0, 0.1]), np.array([4.0, 2, 1]), np.array([1.0, 2, 3])), (0, 0.3, 0)
    )


@given(st.lists(st.floats(-2, 2), min_size=6, max_size=6), st.integers(0, 2**32 - 1))
def test_the_motion_matrix_is_the_displacement(error, seed):
    points = np.random.default_rng(seed).uniform(-4, 4, (5, 3))
    eye = np.array([1.0, -2.0, 2.5])
    np.testing.assert_allclose(motion_of(points, eye) @ error, displacement(np.array(error), points, eye), atol=1e-12)


def test_a_healthy_rig_is_left_in_peace_even_when_its_clocks_differ_by_a_tenth_of_a_second():
    rig = Rig()
    rig.clocks_s = {"camera_2": 0.1, "camera_3": 0.05}
    graph, ever = rig.play(40, until=bool)
    assert ever is None
    assert set(statuses(graph).values()) == {CameraStatus.OK}


@pytest.mark.parametrize(
    "error", [{"shift": (0.3, 0.2, 0.0)}, {"yaw_deg": 6.0}, {"shift": (-0.4, 0.3, 0.0), "yaw_deg": 5.0}]
)
def test_one_wrong_camera_of_four_is_named_with_the_size_of_its_error(error):
    rig = Rig()
    rig.errors = {"camera_2": error}
    _, found_s = rig.play(8, until=bool)
    assert found_s is not None and found_s > 2.0
    graph, _ = rig.play(8)
    assert set(rig.told) == {"camera_2"}
    told, pose = rig.told["camera_2"], rig.room.look(1.0)[0][1].room_from_camera
    assert told.certain
    assert told.shift_m == pytest.approx(np.linalg.norm(error.get("shift", 0.0)), abs=0.2)
    assert told.turn_deg == pytest.approx(error.get("yaw_deg", 0.0), abs=3.0)
    middle = np.array([0.2, -0.3, 0.9])
    reported = apply(wrong(pose, **error), apply(invert(pose), middle))
    off = displacement(told.pose_error, reported, wrong(pose, **error)[:3, 3])
    np.testing.assert_allclose(off, reported - middle, atol=0.1)
    seen = statuses(graph)
    assert seen.pop("camera_2") == CameraStatus.DISAGREES and set(seen.values()) == {CameraStatus.OK}


def test_what_is_told_names_camera_size_and_remedy():
    rig = Rig()
    rig.errors = {"camera_3": {"shift": (0.0, 0.5, 0.0)}}
    rig.play(10)
    text = str(rig.told["camera_3"])
    assert text.startswith("camera_3 contradicts the other cameras") and "or_spatial calibrate" in text
    assert " m and " in text and " degrees" in text


def test_precise_detectors_half_a_metre_apart_are_compared_though_the_tracker_makes_two_of_everybody():
    rig = Rig(noise=Noise(position_m=0.03, range_fraction=0.0))
    rig.errors = {"camera_4": {"shift": (0.35, -0.35, 0.0)}}
    rig.play(10)
    assert set(rig.told) == {"camera_4"}
    assert rig.told["camera_4"].shift_m == pytest.approx(0.5, abs=0.1)


def test_with_two_cameras_nobody_can_say_which_is_wrong_and_both_are_trusted_less():
    rig = Rig(cameras=2)
    rig.errors = {"camera_1": {"shift": (0.4, 0.0, 0.0)}}
    graph, _ = rig.play(15)
    assert set(rig.told) == {"camera_1", "camera_2"}
    assert not any(d.certain for d in rig.told.values())
    assert "cannot be told" in str(rig.told["camera_2"])
    assert set(statuses(graph).values()) == {CameraStatus.DISAGREES}


def test_a_wrong_camera_pulls_people_less_than_it_would_if_it_were_trusted():
    errors = {}
    for name, config in (("weighed", AgreementConfig()), ("trusted", AgreementConfig(limit_m=99.0, limit_deg=180.0))):
        rig = Rig(agreement=config)
        rig.errors = {"camera_2": {"shift": (0.5, 0.0, 0.0)}}
        rig.play(8)
        errors[name] = np.mean([rig.people_error_m(rig.play(STEP_S)[0]) for _ in range(30)])
    assert errors["weighed"] < 0.8 * errors["trusted"]


def test_a_camera_that_got_its_right_pose_is_trusted_again_at_once():
    rig = Rig()
    rig.errors = {"camera_2": {"shift": (0.4, 0.0, 0.0)}}
    rig.play(8)
    assert rig.told
    rig.errors = {}
    graph, _ = rig.play(1)
    assert not rig.told and statuses(graph)["camera_2"] == CameraStatus.OK
    assert rig.play(10, until=bool)[1] is None


def test_a_camera_that_was_put_back_under_the_same_pose_recovers_within_a_minute():
    rig = Rig()
    rig.moved_objects = {"camera_2": np.array([0.4, 0.0, 0.0])}
    rig.play(8)
    assert set(rig.told) == {"camera_2"}
    rig.moved_objects = {}
    assert rig.play(60, until=lambda told: not told)[1] is not None


def test_extrinsics_that_contradict_each_other_altogether_do_no_harm():
    rig = Rig()
    rig.errors = {
        "camera_1": {"shift": (1.0, 0.0, 0.5)},
        "camera_2": {"shift": (0.0, -0.8, 0.0), "yaw_deg": 20.0},
        "camera_3": {"yaw_deg": -90.0},
        "camera_4": {"shift": (0.0, 0.0, 5.0), "yaw_deg": 180.0},
    }
    graph, _ = rig.play(12)
    assert rig.told
    assert np.isfinite([o.center_m for o in graph.objects]).all()
    assert all(np.isfinite(d.pose_error).all() and math.isfinite(d.displaced_m) for d in rig.told.values())


def test_a_jump_back_in_time_forgets_all_comparisons():
    rig = Rig()
    rig.errors = {"camera_2": {"shift": (0.5, 0.0, 0.0)}}
    rig.play(8)
    assert rig.told
    rig.t = 0.0
    rig.play(STEP_S)
    assert not rig.told
    assert rig.tracker.stamp_ns < START_NS + NS


def test_one_camera_alone_has_nobody_to_disagree_with():
    rig = Rig(cameras=1)
    rig.errors = {"camera_1": {"shift": (3.0, 0.0, 0.0)}}
    rig.play(5)
    assert not rig.told


def equations(errors, rng, sigma_m=0.2, looks=60):
    """Normal equations of cameras on a ring that see the same points with pose errors (N, 6), built one by one."""
    N = len(errors)
    eyes = np.array([(3 * np.cos(a), 3 * np.sin(a), 2.5) for a in 2 * np.pi * np.arange(N) / N])
    H, g, counts = np.zeros((N, N, 6, 6)), np.zeros((N, 6)), np.zeros(N)
    for _ in range(looks):
        p = rng.uniform((-2, -2, 0.5), (2, 2, 1.5), (1, 3))
        M = [motion_of(p, eye)[0] for eye in eyes]
        seen = [p[0] + M[k] @ errors[k] + rng.normal(0, sigma_m, 3) for k in range(N)]
        for i in range(N):
            for j in range(i):
                w = 1.0 / (2 * sigma_m**2) * 2 / N
                for a, b, sign in ((i, j, 1.0), (j, i, -1.0)):
                    H[a, a] += w * M[a].T @ M[a]
                    H[a, b] -= w * M[a].T @ M[b]
                    g[a] += sign * w * M[a].T @ (seen[i] - seen[j])
                    counts[a] += 1
    return H, g, counts


@settings(max_examples=30)
@given(st.integers(3, 6), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_blame_falls_on_the_one_that_is_wrong(cameras, which, seed):
    rng = np.random.default_rng(seed)
    which %= cameras
    errors = np.zeros((cameras, 6))
    direction = rng.normal(size=3)
    errors[which, :3] = 0.5 * direction / np.linalg.norm(direction)
    found, _ = blame(*equations(errors, rng), *GAINS)
    assert set(found) == {which}
    estimate, certain = found[which]
    assert certain
    np.testing.assert_allclose(estimate, errors[which], atol=0.25)


def test_the_differences_of_a_thing_that_four_cameras_see_count_as_three():
    a, b = np.array([(i, j) for i in range(4) for j in range(i + 1, 4)]).T
    assert independent(a, b, 4).sum() == pytest.approx(3.0)


def test_two_wrong_cameras_of_five_are_both_blamed():
    errors = np.zeros((5, 6))
    errors[1, 0], errors[3, 5] = 0.5, 0.15
    found, together = blame(*equations(errors, np.random.default_rng(2)), *GAINS)
    assert set(found) == {1, 3}
    np.testing.assert_allclose(together, errors, atol=0.2)


def test_too_little_evidence_blames_nobody():
    errors = np.zeros((3, 6))
    errors[0, 0] = 2.0
    H, g, counts = equations(errors, np.random.default_rng(1), looks=1)
    assert blame(H, g, counts, *GAINS)[0] == {}


@pytest.mark.parametrize("setting", [{"limit_m": 0.0}, {"memory_s": -1.0}, {"settled": 1.5}, {"after_s": float("nan")}])
def test_impossible_settings_are_refused_by_name(setting):
    with pytest.raises(ConfigError, match=next(iter(setting))):
        AgreementConfig(**setting)
