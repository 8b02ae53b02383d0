"""The harness gives full marks to the truth and none to silence."""

from dataclasses import replace

import numpy as np
import pytest
from stated import snapshot_of

from or_spatial.evaluation.clips import Clip, ClipPlan, frame_of, render_clip, run_clip
from or_spatial.evaluation.frames import FrameScores, Look, enlarged
from or_spatial.evaluation.tracking_moments import figures
from or_spatial.perception.perceiver import Perception
from or_spatial.perception.rules import RulePerceiver
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.world.samples import render_sample
from or_spatial.world.simulation import Simulation


@pytest.fixture(scope="module")
def sample():
    """One small frame of the validation split."""
    simulation = Simulation("val", 3, cameras=1, duration_s=4.0, hazards=())
    return render_sample(simulation, 1.5, 0, 160, 96)


def score(sample, graph, depth_m) -> dict:
    scores = FrameScores()
    scores.add(Look(sample, Perception(depth_m=depth_m), snapshot_of(graph)))
    return scores.figures()


def test_the_truth_scores_full_marks(sample):
    figures = score(sample, sample.graph, sample.depth_m)
    assert figures["relations"]["action_macro_f1"] == 1.0
    assert figures["relations"]["geometric_macro_f1"] == 1.0
    assert figures["relations"]["strict_macro_f1"] == 1.0
    assert figures["objects"]["center_error_median_m"] == 0.0
    assert figures["depth"]["abs_rel"] == pytest.approx(0.0, abs=1e-6)


def test_silence_scores_nothing_but_none(sample):
    silent = replace(sample.graph, objects=(), relations=())
    figures = score(sample, silent, np.full_like(sample.depth_m, np.nan))
    assert figures["relations"]["strict_macro_f1"] == 0.0
    assert figures["objects"]["recall"] == 0.0
    assert figures["depth"]["coverage"] == 0.0


def test_a_perceiver_sees_the_picture_and_the_calibration_only(sample):
    frame = frame_of(sample, 7)
    assert frame.image is sample.image and frame.camera is sample.camera
    assert not hasattr(frame, "graph") and not hasattr(frame, "depth_m")


def test_convention_cells_of_a_depth_map_stay_centred_when_enlarged():
    depth = np.tile(np.array([1.0, 2.0], np.float32), (2, 1))
    np.testing.assert_allclose(enlarged(depth, (4, 4))[0], [1.0, 1.25, 1.75, 2.0])


PLAN = ClipPlan(split="val", seeds=1, duration_s=5.0, rate_hz=4.0, cameras=1, width=96, height=56)


def blind(clip: Clip) -> Clip:
    """The same clip with its camera in the dark from 1 s to 4 s."""

    def darken(t, frames):
        return tuple(replace(f, image=np.zeros_like(f.image)) for f in frames) if 1.0 <= t < 4.0 else frames

    frames = tuple(darken(t, frames) for t, frames in zip(PLAN.times_s, clip.frames, strict=True))
    holding = tuple(frozenset({"camera_blind"}) if 2.0 <= t < 4.0 else frozenset() for t in PLAN.times_s)
    return replace(clip, frames=frames, holding=holding, in_view=holding)


def test_tracks_of_a_clip_are_set_beside_all_that_is_in_a_picture():
    clip = render_clip(PLAN, 3)
    truth = {frames[0].stamp_ns: graph for frames, graph in zip(clip.frames, clip.truth, strict=True) if frames}
    told = RulePerceiver(lambda frame: (truth[frame.stamp_ns], None))
    name = clip.frames[0][0].name
    result = run_clip(clip, PLAN, told, TrackerConfig(cameras=(name,)))
    people = figures(result.moments["people"], PLAN.rate_hz)
    assert people["switches"] == 0 and people["minutes"] > 0
    assert people["hota"] > 0.8
    unseen = run_clip(clip, PLAN, RulePerceiver(lambda frame: None), TrackerConfig(cameras=(name,)))
    assert figures(unseen.moments["people"], PLAN.rate_hz)["hota"] == 0.0


def test_a_dark_camera_is_raised_in_its_clip_and_nothing_else_is():
    clip = blind(render_clip(PLAN, 3))
    nobody = RulePerceiver(lambda frame: None)
    name = clip.frames[0][0].name
    result = run_clip(clip, PLAN, nobody, TrackerConfig(cameras=(name,)))
    assert [i.rule_id for i in result.true] == [i.rule_id for i in result.in_view] == ["camera_blind"]
    assert [i.rule_id for i in result.raised] == ["camera_blind"]
    (raised,) = result.raised
    assert 2.0 <= raised.start_s <= 2.75 and 4.0 <= raised.end_s <= 5.0


def test_what_happens_where_no_camera_looks_is_true_but_not_in_view():
    clip = blind(render_clip(PLAN, 3))
    held = [frozenset({"sterile_breach"}) if 1.0 <= t < 4.0 else frozenset() for t in PLAN.times_s]
    nobody, config = RulePerceiver(lambda frame: None), TrackerConfig(cameras=(clip.frames[0][0].name,))
    for seen_until_s, expected in ((2.0, []), (3.0, ["sterile_breach"])):
        shown = [now if t < seen_until_s else frozenset() for t, now in zip(PLAN.times_s, held, strict=True)]
        result = run_clip(replace(clip, holding=tuple(held), in_view=tuple(shown)), PLAN, nobody, config)
        assert [i.rule_id for i in result.true] == ["sterile_breach"]
        assert [i.rule_id for i in result.in_view] == expected
