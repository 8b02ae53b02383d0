"""Assets stand on the floor, differ between variants, stay light, and measure what they say."""

import numpy as np
import pytest

from or_spatial.errors import ConfigError
from or_spatial.world.assets import KINDS, asset_size, build_asset, drape_patient
from or_spatial.world.bodies import BodyPose, BodyShape, body_parts
from or_spatial.world.parts import Solid
from or_spatial.world.raycasting import TriangleRoom

HELD = {"drill", "saw", "hammer", "instrument"}
FLYING = {"lamp", "table_drape_patient", "monitor"}  # a monitor may hang from the ceiling
MAJOR = (
    "operating_table",
    "instrument_table",
    "secondary_table",
    "anesthesia_equipment",
    "c_arm",
    "mako_robot",
    "mps_station",
    "monitor",
    "lamp",
)


def points(kind: str, variant: int, **options) -> np.ndarray:
    return np.concatenate([p.vertices for p in build_asset(kind, variant, **options)])


@pytest.mark.parametrize("kind", KINDS)
def test_an_asset_is_finite_light_and_stands_on_the_floor(kind):
    for variant in (3, 1003, 2003):
        parts = build_asset(kind, variant)
        v = points(kind, variant)
        assert np.isfinite(v).all()
        assert sum(len(p.faces) for p in parts) <= 5000
        assert all(p.faces.min() >= 0 and p.faces.max() < len(p.vertices) for p in parts)
        if kind not in HELD | FLYING:
            assert -0.03 < v[:, 2].min() < 0.08


@pytest.mark.parametrize("kind", MAJOR)
def test_twelve_variants_of_a_major_kind_are_twelve_things(kind):
    shapes = {np.round(points(kind, k), 3).tobytes() for k in range(12)}
    assert len(shapes) == 12


@pytest.mark.parametrize("kind", ["operating_table", "instrument_table", "mayo_stand", "secondary_table"])
def test_the_height_of_a_table_is_that_of_the_surface_on_which_things_lie(kind):
    for variant in range(8):
        length, width, top = asset_size(kind, variant)
        v = points(kind, variant)
        inner = (np.abs(v[:, 0]) < 0.51 * length) & (np.abs(v[:, 1]) < 0.51 * width)
        assert (np.abs(v[inner, 2] - top) < 0.012).any()


@pytest.mark.parametrize("kind", sorted(HELD))
def test_a_tool_laid_down_rests_on_its_support(kind):
    for variant in range(6):
        assert points(kind, variant, lying=True)[:, 2].min() == pytest.approx(0.0, abs=1e-9)


def test_a_drape_leaves_the_leg_free_when_told_to():
    def cover(opening: str) -> float:
        v = points("table_drape_patient", 5, opening=opening)
        leg = (np.abs(v[:, 0] + 0.6) < 0.1) & (np.abs(v[:, 1] - 0.1) < 0.06)
        return float(v[leg, 2].max()) - asset_size("operating_table", 5)[2]

    assert cover("leg") < 0.06 < 0.09 < cover("none")


def test_a_robot_moves_its_arm_and_a_c_arm_turns():
    assert points("mako_robot", 2, joints=(0.0, 0.0, 0.0, 0.0))[:, 0].max() > 1.0
    assert points("mako_robot", 2, joints=(0.0, -1.5, 0.0, 0.0))[:, 2].max() > 1.8
    assert np.ptp(points("c_arm", 2, angle=1.57)[:, 1]) > np.ptp(points("c_arm", 2, angle=0.0)[:, 1]) + 0.2


def test_an_asset_is_the_same_every_time_and_nobody_can_change_it():
    part = build_asset("monitor", 17)[0]
    np.testing.assert_array_equal(part.vertices, build_asset.__wrapped__("monitor", 17)[0].vertices)
    with pytest.raises(ValueError, match="read-only"):
        part.vertices[0] = 0


def test_an_unknown_kind_is_refused_with_the_list():
    with pytest.raises(ConfigError, match="operating_table"):
        build_asset("piano", 0)


@pytest.mark.parametrize("build", [0.85, 1.25])
def test_a_drape_fitted_to_a_patient_covers_trunk_and_arms(build):
    length, width, top = asset_size("operating_table", 8)
    pose = BodyPose(np.array([0.05, 0, top]), yaw_rad=np.pi, lying=True, knee_flexion_rad=0.8)
    patient = body_parts(BodyShape(1.78, build, attire="patient", palette_seed=2), pose)
    cloth = drape_patient(8, patient, "leg")[0]
    scene = TriangleRoom([Solid("cloth", (cloth,))])
    covered = np.concatenate([p.vertices for p in patient if p.name in ("torso", "left_leg", "left_arm", "right_arm")])
    chest = covered[(covered[:, 0] < 0.3) & (np.abs(covered[:, 1]) < width / 2)].astype(np.float32)
    up = np.tile(np.float32([0, 0, 1]), (len(chest), 1))
    assert (scene.cast(chest, up).face >= 0).mean() > 0.99
    foot = np.concatenate([p.vertices for p in patient if p.name == "right_foot"]).astype(np.float32)
    foot = foot[foot[:, 2] > top + 0.06]
    assert (scene.cast(foot, up[:1].repeat(len(foot), 0)).face < 0).mean() > 0.97
