"""People stand, sit, lie and reach where they are told to, and their clothes tell what they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from or_spatial.errors import ConfigError
from or_spatial.world.bodies import ATTIRES, BodyPose, BodyShape, body_joints, body_parts

NURSE = BodyShape(1.66, 1.05, 3, "sterile_gown", 11)


def points(shape: BodyShape, pose: BodyPose) -> np.ndarray:
    return np.concatenate([p.vertices for p in body_parts(shape, pose)])


@settings(max_examples=25, deadline=None)
@given(
    st.floats(-3, 3),
    st.floats(-3.1, 3.1),
    st.floats(0.15, 0.45),
    st.floats(-0.2, 0.2),
    st.floats(0.85, 1.3),
    st.floats(0, 0.4),
)
def test_a_hand_within_reach_arrives_at_its_target(x, yaw, ahead, aside, height, lean):
    c, s = np.cos(yaw), np.sin(yaw)
    target = np.array([x + c * ahead - s * (aside - 0.15), 1.2 + s * ahead + c * (aside - 0.15), height])
    pose = BodyPose((x, 1.2, 0.0), yaw, lean, right_hand=target)
    np.testing.assert_allclose(body_joints(NURSE, pose)["right_hand"], target, atol=1e-6)
    glove = next(p for p in body_parts(NURSE, pose) if p.name == "right_hand")
    assert np.linalg.norm(glove.vertices - target, axis=1).min() < 0.03


def test_a_hand_out_of_reach_points_at_its_target():
    pose = BodyPose((1.0, -0.5, 0), 0.7, right_hand=(4.0, 2.0, 1.2))
    j = body_joints(NURSE, pose)
    arm, wanted = j["right_hand"] - j["right_shoulder"], np.array([4.0, 2.0, 1.2]) - j["right_shoulder"]
    assert arm @ wanted / np.linalg.norm(arm) / np.linalg.norm(wanted) > 0.999
    assert np.linalg.norm(arm) == pytest.approx(0.387 * 1.66, rel=0.01)


@pytest.mark.parametrize("attire", ATTIRES)
def test_somebody_standing_is_as_tall_as_told_and_stands_on_the_floor(attire):
    v = points(BodyShape(1.81, 0.9, 0, attire, 4), BodyPose((0.3, -1.1, 0.0), 2.1))
    assert abs(v[:, 2].min()) < 0.02
    assert 1.78 < v[:, 2].max() < 1.92
    np.testing.assert_allclose(v[:, :2].mean(0), (0.3, -1.1), atol=0.12)


def test_the_face_looks_along_the_yaw_and_left_is_left():
    j = body_joints(BodyShape(), BodyPose((0, 0, 0), np.pi / 2, right_hand=(0.15, 0.4, 1.1)))
    assert j["left_shoulder"][0] < j["right_shoulder"][0]
    assert j["right_hand"][1] > 0.3


def test_a_patient_lies_on_the_surface_feet_along_the_yaw_and_bends_the_right_knee():
    shape = BodyShape(1.7, attire="patient")
    straight = BodyPose((0, 0, 0.9), yaw_rad=0.0, lying=True)
    bent = BodyPose((0, 0, 0.9), yaw_rad=0.0, lying=True, knee_flexion_rad=1.2)
    v, j, b = points(shape, straight), body_joints(shape, straight), body_joints(shape, bent)
    assert 0.86 < v[:, 2].min() < 0.93 and v[:, 2].max() < 1.3
    assert j["right_foot"][0] > 0.6 and j["head"][0] < -0.5
    assert b["right_knee"][2] > j["right_knee"][2] + 0.15
    assert b["left_knee"][2] == pytest.approx(j["left_knee"][2])
    assert b["right_foot"][2] == pytest.approx(j["right_foot"][2], abs=0.03)


def test_sitting_lowers_the_head_and_keeps_the_feet_on_the_floor():
    sitting = body_joints(NURSE, BodyPose((0, 0, 0), seated=True))
    standing = body_joints(NURSE, BodyPose((0, 0, 0)))
    assert sitting["head"][2] < standing["head"][2] - 0.25
    assert sitting["left_foot"][2] == pytest.approx(0.039 * 1.66, abs=0.01)


def test_walking_swings_opposite_feet():
    j = body_joints(NURSE, BodyPose((0, 0, 0), stride=np.pi / 2))
    assert j["left_foot"][0] > 0.15 > -0.15 > j["right_foot"][0]


@pytest.mark.parametrize("attire", ATTIRES)
def test_a_body_is_light_has_named_parts_and_looks_outwards(attire):
    parts = body_parts(BodyShape(attire=attire, palette_seed=3), BodyPose((0, 0, 0)))
    assert sum(len(p.faces) for p in parts) <= 4000
    assert {"head", "torso", "left_hand", "right_hand", "left_leg", "right_foot"} <= {p.name for p in parts}
    for part in parts:
        a, b, c = (part.vertices[part.faces[:, k]] for k in range(3))
        volume = np.einsum("ni,ni->n", a - part.vertices.mean(0), np.cross(b - a, c - a)).sum() / 6
        assert volume > 0, f"{part.name} is inside out"


def test_gloves_and_sleeves_tell_the_scrubbed_but_colour_alone_does_not():
    def tops(attire: str) -> np.ndarray:
        shapes = [BodyShape(attire=attire, palette_seed=k) for k in range(80)]
        torsos = [next(p for p in body_parts(s, BodyPose((0, 0, 0))) if p.name == "torso") for s in shapes]
        return np.array([t.material.base_rgb for t in torsos])

    sterile, plain = tops("sterile_gown"), tops("scrubs")
    nearest = np.linalg.norm(sterile[:, None] - plain[None], axis=-1).min(0)
    assert 0.05 < (nearest < 0.06).mean() < 0.9


def test_an_unknown_attire_is_refused_with_the_list():
    with pytest.raises(ConfigError, match="sterile_gown"):
        BodyShape(attire="tuxedo")
