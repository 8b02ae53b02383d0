"""Where cameras stand, from what they see together: exact where sight is, in doubt where it is not, or refused."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from or_spatial.errors import GeometryError
from or_spatial.geometry.transforms import apply, invert, look_at, pose_matrix
from or_spatial.perception.rig_estimation import RigConfig, RigEstimator, Sightings, corrected, pose_difference

POSES = {
    "door": look_at((2.4, -1.9, 2.6), (0.1, 0.2, 0.9)),
    "wall": look_at((-2.2, -2.0, 2.3), (0.0, 0.3, 1.0)),
    "window": look_at((0.4, 2.9, 1.3), (0.1, 0.0, 1.0)),
}
FURNITURE = {0: (0.0, 0.0, 0.45), 1: (-0.4, 1.6, 0.45), 2: (1.9, -0.6, 0.7), 3: (-1.5, -0.5, 1.1)}
PERSON = 9


def see(poses, rng, sigma_m=0.15, moments=40, miss=0.1, people=3, furniture=True):
    """Sightings by camera of people who stand somewhere else at every moment, and of furniture."""
    rows = {name: [] for name in poses}
    for moment in range(moments):
        things = [(PERSON, p) for p in rng.uniform((-1.8, -1.8, 0.7), (1.8, 1.8, 1.0), (people, 3))]
        things += list(FURNITURE.items()) if furniture else []
        for name, pose in poses.items():
            for label, place in things:
                if rng.random() >= miss:
                    at = apply(invert(pose), np.array(place)) + rng.normal(0, sigma_m, 3)
                    rows[name].append((moment, label, at, sigma_m**2 * np.eye(3)))
    return {n: Sightings(*(np.array([row[k] for row in r]) for k in range(4))) for n, r in rows.items()}


def moved(pose, rng, shift_m=0.4, yaw_deg=15.0):
    shift = rng.normal(size=3)
    turn = np.array([0, 0, np.radians(yaw_deg)])
    return corrected(pose, np.concatenate([shift_m * shift / np.linalg.norm(shift), turn]))


def test_convention_an_error_to_the_east_is_taken_back_to_the_west():
    pose = POSES["door"]
    np.testing.assert_allclose(corrected(pose, np.array([0.3, 0, 0, 0, 0, 0]))[:3, 3] - pose[:3, 3], (-0.3, 0, 0))


def test_the_difference_of_two_poses_is_told_in_metres_and_degrees():
    turned = POSES["door"] @ pose_matrix(Rotation.from_rotvec((0, np.radians(20), 0)).as_matrix(), (0.3, 0.0, 0.4))
    assert pose_difference(POSES["door"], turned) == pytest.approx((0.5, 20.0))


@pytest.mark.parametrize("keep_tilt", [True, False])
def test_a_rig_is_found_from_one_known_camera_though_the_others_poses_are_wrong(keep_tilt):
    rng = np.random.default_rng(4)
    given = {n: moved(p, rng) for n, p in POSES.items()}
    config = RigConfig(keep_tilt=keep_tilt, persistent_error_m=0.0)
    found = RigEstimator(see(POSES, rng), {"door": POSES["door"]}, given, config).estimate()
    assert found["door"].fixed and pose_difference(found["door"].room_from_camera, POSES["door"]) == (0.0, 0.0)
    for name in ("wall", "window"):
        shift_m, turn_deg = pose_difference(found[name].room_from_camera, POSES[name])
        assert shift_m < 0.08 and turn_deg < 2.0
        assert found[name].sigma_m < 0.08 and found[name].sigma_deg < 2.0
        assert found[name].rms_m < found[name].before_m


def test_exact_sight_gives_exact_poses_without_any_to_begin_with():
    rng = np.random.default_rng(1)
    sightings = see(POSES, rng, sigma_m=1e-4)
    found = RigEstimator(sightings, {"window": POSES["window"]}, {}, RigConfig(persistent_error_m=0.0)).estimate()
    for name, pose in POSES.items():
        assert pose_difference(found[name].room_from_camera, pose) == pytest.approx((0.0, 0.0), abs=2e-3)
    assert np.isnan(found["wall"].before_m)


def test_people_alone_are_enough_when_they_move():
    rng = np.random.default_rng(8)
    sightings = see(POSES, rng, furniture=False, moments=60)
    found = RigEstimator(sightings, {"door": POSES["door"]}, {}, RigConfig(persistent_error_m=0.0)).estimate()
    for name in ("wall", "window"):
        shift_m, turn_deg = pose_difference(found[name].room_from_camera, POSES[name])
        assert shift_m < 0.25 and turn_deg < 5.0


def test_the_doubt_that_is_told_is_the_error_that_is_made():
    """Over many rigs, the mean square of error over told sigma is about 1."""
    ratios = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        config = RigConfig(persistent_error_m=0.0, keep_tilt=True)
        found = RigEstimator(see(POSES, rng, moments=20), {"door": POSES["door"]}, POSES, config).estimate()
        for name in ("wall", "window"):
            shift_m, turn_deg = pose_difference(found[name].room_from_camera, POSES[name])
            ratios += [shift_m / found[name].sigma_m, turn_deg / found[name].sigma_deg]
    assert 0.5 < np.sqrt(np.mean(np.square(ratios))) < 1.5


def test_errors_of_the_detector_that_do_not_average_out_stay_in_the_doubt():
    rng = np.random.default_rng(3)
    sightings, fixed = see(POSES, rng), {"door": POSES["door"]}
    without, within = (
        RigEstimator(sightings, fixed, {}, RigConfig(persistent_error_m=m)).estimate()["wall"] for m in (0.0, 0.1)
    )
    assert within.sigma_m > 2.0 * without.sigma_m


def test_cameras_that_see_different_things_are_refused_by_name():
    rng = np.random.default_rng(5)
    sightings = see(POSES, rng)
    alone = sightings["window"]
    sightings["window"] = Sightings(alone.moment + 1000, alone.label, alone.points, alone.covariances)
    with pytest.raises(GeometryError, match="window and door, wall see too little together"):
        RigEstimator(sightings, {"door": POSES["door"]}).estimate()


def test_one_thing_that_never_moves_leaves_the_turn_open_and_is_refused():
    rng = np.random.default_rng(6)
    sightings = see({n: POSES[n] for n in ("door", "wall")}, rng, people=0)
    only = {n: s.label == 0 for n, s in sightings.items()}
    sightings = {
        n: Sightings(s.moment[only[n]], s.label[only[n]], s.points[only[n]], s.covariances[only[n]])
        for n, s in sightings.items()
    }
    with pytest.raises(GeometryError, match="too little together|remains unsure"):
        RigEstimator(sightings, {"door": POSES["door"]}).estimate()


def test_a_doubt_beyond_the_limit_is_refused_with_both_figures():
    rng = np.random.default_rng(7)
    with pytest.raises(GeometryError, match=r"remains unsure by .* \(limits: 0.001 m"):
        RigEstimator(see(POSES, rng), {"door": POSES["door"]}, {}, RigConfig(worst_m=0.001)).estimate()


def test_without_a_fixed_camera_there_is_no_room():
    with pytest.raises(GeometryError, match="--fix"):
        RigEstimator(see(POSES, np.random.default_rng(1)), {}).estimate()


def test_the_same_sightings_give_the_same_rig():
    rigs = [
        RigEstimator(see(POSES, np.random.default_rng(2)), {"door": POSES["door"]}).estimate()["wall"] for _ in range(2)
    ]
    np.testing.assert_array_equal(rigs[0].room_from_camera, rigs[1].room_from_camera)
