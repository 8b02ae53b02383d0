"""Scripts: every predicate is produced, any moment can be asked for, hazards come on demand and not otherwise."""

import numpy as np
import pytest

from or_spatial.errors import ConfigError
from or_spatial.scene.vocabulary import load_vocabulary
from or_spatial.world.hazard_truth import blind_cameras, breaches, collisions, hazards_at, is_stale
from or_spatial.world.procedures import PROCEDURES
from or_spatial.world.simulation import Simulation
from or_spatial.world.splits import TEST_ONLY_HABITS, split_plan

BY_DISTANCE = {"closeTo"}
BY_REST = {"lyingOn"}


@pytest.fixture(scope="module")
def clips():
    names = {s: split_plan(s).procedures for s in ("train", "test")}
    return {s: [Simulation(s, k, hazards=(), procedure=names[s][k % len(names[s])]) for k in range(40)] for s in names}


@pytest.mark.parametrize("split", ["train", "test"])
def test_scripts_of_a_split_produce_every_action_predicate(clips, split):
    said = {p for clip in clips[split] for t in np.arange(0.0, 20.0, 0.5) for _, p, _, _ in clip.actions(float(t))}
    assert set(load_vocabulary().actions) - BY_DISTANCE - BY_REST - said == set()


def test_training_scripts_never_show_a_test_only_habit(clips):
    for clip in clips["train"]:
        roles = clip.roles
        for action in clip.script.line.actions:
            target = action.object.rsplit("_", 1)[0]
            assert (roles.get(action.subject), action.predicate, target) not in TEST_ONLY_HABITS


@pytest.mark.parametrize("procedure", sorted(PROCEDURES))
def test_every_procedure_can_be_asked_for_and_its_people_stay_in_the_room(procedure):
    clip = Simulation("test", 1, procedure=procedure)
    room = clip.script.layout
    assert 3 <= len(clip.script.cast) <= 8
    for member in clip.script.cast.values():
        track = clip.script.line.tracks[member.id]
        for t in np.linspace(0, 20, 41):
            at = track.at(float(t))
            assert abs(at.x) < room.width_m / 2 and abs(at.y) < room.depth_m / 2, (member.role, t)


def test_people_move_smoothly():
    clip = Simulation("train", 3)
    for member in clip.script.cast.values():
        track = clip.script.line.tracks[member.id]
        xy = np.array([(p.x, p.y) for p in map(track.at, np.arange(0, 20, 0.05))])
        assert np.linalg.norm(np.diff(xy, axis=0), axis=1).max() < 0.05 * 1.6, member.role


def test_a_moment_does_not_depend_on_what_was_asked_before():
    a, b = Simulation("test", 4), Simulation("test", 4)
    b.state(13.0)
    for left, right in zip(a.state(6.5).entities, b.state(6.5).entities, strict=True):
        assert left.id == right.id
        np.testing.assert_array_equal(left.solid.vertices, right.solid.vertices)


def test_another_seed_is_another_room():
    a, b = (Simulation("train", s).state(3.0) for s in (5, 6))
    assert {e.id for e in a.entities} != {e.id for e in b.entities} or not np.allclose(
        a.entities[0].solid.vertices.mean(0), b.entities[0].solid.vertices.mean(0)
    )


def test_held_tools_are_in_the_hand_that_holds_them():
    clip = next(
        c for c in (Simulation("train", k) for k in range(9)) if any(p == "holding" for _, p, *_ in c.actions(5.0))
    )
    state = clip.state(5.0)
    for holder, predicate, tool, _ in state.actions:
        if predicate == "holding":
            grip = state.joints[holder]["right_hand"]
            tool_points = state.entity(tool).solid.vertices
            assert np.linalg.norm(tool_points - grip, axis=1).min() < 0.12


@pytest.mark.parametrize("name", ["total_knee_", ""])
def test_an_unknown_procedure_is_refused(name):
    with pytest.raises(ConfigError, match="there are"):
        Simulation("train", 0, procedure=name)


@pytest.mark.parametrize("seed", [1, 4])
def test_a_clean_script_has_no_hazard(seed):
    clip = Simulation("train", seed, hazards=())
    for t in np.arange(0.0, 20.0, 1.0):
        assert hazards_at(clip, float(t)) == ()


def test_a_breach_on_demand_lasts_and_names_somebody_unscrubbed():
    found = []
    for seed in (2, 3):
        clip = Simulation("train", seed, hazards=("sterile_breach",))
        for t in np.arange(1.0, 20.0, 0.5):
            found += [clip.roles[person] for person, _ in breaches(clip, float(t))]
    assert len(found) >= 3
    assert not {"head_surgeon", "assistant_surgeon", "nurse"} & set(found)


def test_a_collision_course_on_demand_says_how_soon():
    found = []
    for seed in (1, 2, 3, 4):
        clip = Simulation("test", seed, hazards=("collision_course",))
        for t in np.arange(0.0, 20.0, 0.5):
            found += [seconds for *_, seconds in collisions(clip, float(t))]
    assert found and all(0.0 <= s <= 1.5 for s in found)


def test_blindness_and_silence_count_after_a_second_only():
    clip = Simulation("train", 7, cameras=2, hazards=("camera_blind", "stale_graph"))
    spans = {s.name.split(":")[0]: s for s in clip.script.line.spans if s.name[:5] in ("blind", "silen")}
    blind, silence = spans["blind"], spans["silence"]
    camera = int(blind.name.split(":")[1])
    assert blind_cameras(clip, blind.start_s + 0.9) == ()
    assert blind_cameras(clip, blind.start_s + 1.1) == (camera,)
    assert not is_stale(clip, silence.start_s + 0.9) and is_stale(clip, silence.start_s + 1.1)
    assert clip.state(silence.start_s + 0.1).silent
