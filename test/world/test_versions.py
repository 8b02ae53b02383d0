"""Versions of the world change how rooms look, and neither what happens in them nor what older figures rest on."""

import numpy as np
import pytest

from or_spatial.errors import ConfigError
from or_spatial.world.attire import FREE_PALETTES
from or_spatial.world.light_plan import room_light
from or_spatial.world.rig import camera_rig
from or_spatial.world.scenery import room_scenery
from or_spatial.world.simulation import Simulation
from or_spatial.world.splits import SPLITS, WORLD_VERSION, in_version, split_plan, world_version


def test_a_split_without_a_version_is_that_of_the_present_one():
    assert world_version("test") == WORLD_VERSION
    assert split_plan(f"test@{WORLD_VERSION}") == split_plan("test")
    assert in_version("val", WORLD_VERSION) == "val"
    assert in_version("val", 2) == "val@2"


@pytest.mark.parametrize("name", ["tests", "test@3", "test@", "test@two", "@2"])
def test_an_unknown_split_or_version_is_refused_with_what_there_is(name):
    with pytest.raises(ConfigError, match=r"train, val, test, each in the versions @1, @2"):
        split_plan(name)


def test_rooms_of_version_2_never_meet_across_splits():
    plans = {s: split_plan(f"{s}@2") for s in SPLITS}
    assert len(plans["train"].layouts) == 96
    for a in SPLITS:
        for b in SPLITS:
            assert a == b or not set(plans[a].layouts) & set(plans[b].layouts)
            assert a == b or not set(plans[a].variants) & set(plans[b].variants)


@pytest.mark.parametrize("split", ["val", "test"])
def test_the_same_seed_plays_the_same_script_in_both_versions(split):
    old, new = (Simulation(f"{split}@{version}", 3).script for version in (1, 2))
    assert (old.procedure, old.layout.index, old.hazards) == (new.procedure, new.layout.index, new.hazards)
    assert old.line.actions == new.line.actions
    assert old.line.spans == new.line.spans
    assert old.cast != new.cast  # builds and clothes are drawn from more


def test_lenses_of_version_2_reach_from_45_to_100_degrees():
    fields = {v: np.degrees([c.horizontal_fov_rad for c in _cameras(v)]) for v in (1, 2)}
    assert fields[1].min() >= 60 and fields[1].max() <= 95
    assert 45 <= fields[2].min() < 55 and 92 < fields[2].max() <= 100


def test_cameras_of_version_2_have_a_shutter_and_a_tone_of_their_own():
    assert {(c.sensor.shutter_s, c.sensor.contrast) for c in _cameras(1)} == {(0.0, 1.0)}
    shutters = np.array([c.sensor.shutter_s for c in _cameras(2)])
    assert 0 < shutters.min() < 0.01 and 0.03 < shutters.max() <= 0.04
    assert np.std([c.sensor.contrast for c in _cameras(2)]) > 0.05


def test_people_of_version_2_wear_any_colour_and_have_any_girth():
    shapes = [m.shape for seed in range(12) for m in Simulation("val@2", seed).script.cast.values()]
    free = np.mean([s.palette_seed >= FREE_PALETTES for s in shapes])
    assert 0.15 < free < 0.6
    assert max(s.build for s in shapes) > 1.25 and min(s.build for s in shapes) < 0.85


def test_version_2_lights_rooms_less_evenly_and_puts_more_into_them():
    uneven, more = [], []
    for seed in range(6):
        old, new = (Simulation(f"val@{version}", seed).script for version in (1, 2))
        panels = [light.intensity for light in room_light(new).lights if light.spot_direction is None]
        uneven.append(np.ptp(panels) / np.mean(panels))
        more.append(_triangles(new) - _triangles(old))
    assert min(uneven) > 0.05
    assert max(more) > 500


def _cameras(version):
    return [c for seed in range(15) for c in camera_rig(Simulation(f"val@{version}", seed).script)]


def _triangles(script):
    return sum(len(part.faces) for solid in room_scenery(script) for part in solid.parts)
