"""What moves while the shutter is open is smeared along its way; everything else stays sharp."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import apply, invert, look_at
from or_spatial.world.counterfactual_edits import with_entity
from or_spatial.world.motion import smeared, surface_velocity, ways
from or_spatial.world.renderer import Quality, render
from or_spatial.world.rig import camera_rig
from or_spatial.world.samples import look
from or_spatial.world.simulation import Simulation

CAMERA = Camera.from_fov(64, 48, np.radians(70))
POSE = look_at(np.array([2.0, 1.0, 2.4]), np.array([0.0, 0.0, 1.0]))


@given(
    depth=st.floats(0.5, 8.0),
    velocity=st.tuples(*[st.floats(-2.0, 2.0)] * 3),
    u=st.integers(0, 63),
    v=st.integers(0, 47),
)
def test_the_way_in_the_picture_is_how_the_projection_moves(depth, velocity, u, v):
    point = apply(POSE, depth * np.array([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, 1.0]))
    step = 1e-5
    before, after = (
        CAMERA.project(apply(invert(POSE), point + s * step * np.array(velocity))[None])[0] for s in (-1, 1)
    )
    field = np.broadcast_to(np.array(velocity), (48, 64, 3))
    found = ways(field, np.full((48, 64), depth, np.float32), CAMERA, POSE)[v, u]
    np.testing.assert_allclose(found, (after - before) / (2 * step), rtol=1e-3, atol=1e-2)


def test_nothing_is_smeared_where_nothing_moves():
    light = np.random.default_rng(0).random((48, 64, 3)).astype(np.float32)
    assert smeared(light, np.zeros((48, 64, 2), np.float32)) is light


def test_a_bright_spot_that_moves_becomes_a_streak_of_the_same_light():
    light, way = np.zeros((48, 64, 3), np.float32), np.zeros((48, 64, 2), np.float32)
    light[22:26, 30:34], way[22:26, 30:34] = 1.0, (8.0, 0.0)
    seen = smeared(light, way)
    assert np.count_nonzero(seen[24].sum(-1) > 0.05) == pytest.approx(12, abs=2)  # 4 px wide, 8 px gone
    assert np.count_nonzero(seen[:, 32].sum(-1) > 0.05) <= 6
    assert seen.sum() == pytest.approx(light.sum(), rel=0.15)


def test_surfaces_of_somebody_who_walks_move_as_fast_as_they_walk():
    simulation, t, person = _somebody_walks()
    state = simulation.state(t)
    entity = state.entity(person)
    at = np.array([entity.pose.x, entity.pose.y])
    eye = np.array([*(at + (1.6, 1.2)), 2.0])
    pose = look_at(eye, np.array([*at, 1.1]))
    rendering = render([entity.solid], _no_light(), CAMERA, pose, Quality(0, 0, 4, 0))
    alone = replace(state, entities=(entity,), scenery=())
    velocity = surface_velocity(simulation, alone, rendering, CAMERA, pose)[rendering.instance == 0]
    # Arms and legs swing, the trunk goes as the person does.
    np.testing.assert_allclose(np.median(velocity, axis=0)[:2], entity.velocity[:2], atol=0.2)


def test_who_was_put_where_the_script_has_nobody_stands_still():
    simulation, t, person = _somebody_walks()
    state = simulation.state(t)
    moved = with_entity(state, state.entity(person))
    camera = camera_rig(simulation.script)[0]
    rendering = render(moved.solids, _no_light(), CAMERA, camera.room_from_camera, Quality(0, 0, 4, 0))
    velocity = surface_velocity(simulation, moved, rendering, CAMERA, camera.room_from_camera)
    number = next(k for k, e in enumerate(moved.entities) if e.id == person)
    assert not velocity[rendering.instance == number].any()
    assert moved.placed == {person}


def test_a_shutter_that_stays_open_blurs_the_walker_and_not_the_truth():
    simulation, t, _ = _somebody_walks()
    state = simulation.state(t)
    changed = 0
    for k, camera in enumerate(camera_rig(simulation.script)):
        sharp, blurred = (
            _looked(simulation, state, k, replace(camera, sensor=replace(camera.sensor, shutter_s=seconds)))
            for seconds in (0.0, 0.08)
        )
        np.testing.assert_array_equal(sharp.depth_m, blurred.depth_m)
        np.testing.assert_array_equal(sharp.instance, blurred.instance)
        changed += int((sharp.image != blurred.image).any())
    assert changed


def _looked(simulation, state, index, camera):
    with pytest.MonkeyPatch.context() as patch:
        rig = [*camera_rig(simulation.script)]
        rig[index] = camera
        patch.setattr("or_spatial.world.samples.camera_rig", lambda script: tuple(rig))
        return look(simulation, state, index, 112, 64, Quality(1, 1, 4, 0), occlusion=False)


def _no_light():
    from or_spatial.world.light import Lighting

    return Lighting(())


def _somebody_walks() -> tuple[Simulation, float, str]:
    """A clip, a moment and who walks straight ahead then at more than half a metre a second."""
    for seed in range(20):
        simulation = Simulation("val", seed, hazards=())
        for member in simulation.script.cast.values():
            track = simulation.script.line.tracks[member.id]
            for t in np.arange(0.5, 19.0, 0.5):
                slowest = min(np.hypot(*track.velocity(t + ahead)[:2]) for ahead in (0.0, 0.04))
                if slowest > 0.5 and abs(track.at(t + 0.04).yaw - track.at(t).yaw) < 0.005:
                    return simulation, float(t), member.id
    raise AssertionError("nobody walks in twenty clips")
