"""Pairs that differ in one spatial fact: the fact is what it says, and nothing but what was edited has changed."""

import numpy as np
import pytest

from or_spatial.errors import ConfigError
from or_spatial.world.counterfactual import draw_pair, held, listed, pairs_from
from or_spatial.world.counterfactual_edits import KINDS
from or_spatial.world.renderer import Quality

QUICK = Quality(shadow_rays=1, ambient_rays=2, shading_step=4, edge_samples=1)
FRUITFUL = {"depth_order": 1, "robot_arm": 1, "hand_on_drape": 0, "tool_on_table": 2}  # seeds of train that give one


@pytest.fixture(scope="module", params=KINDS)
def drawn(request):
    """One small pair of each kind."""
    found = draw_pair(request.param, "train", FRUITFUL[request.param], 224, 128, QUICK)
    assert found is not None
    return found


def told(drawn, k):
    return held(drawn.samples[k].graph, drawn.pair.subject_id, drawn.pair.object_id)


def test_the_meshes_say_of_each_picture_what_the_pair_says(drawn):
    for k in (0, 1):
        assert drawn.pair.predicates[k] in told(drawn, k)
        assert drawn.pair.predicates[1 - k] not in told(drawn, k)


def test_both_pictures_have_the_same_camera_and_are_not_the_same(drawn):
    first, second = drawn.samples
    assert first.camera == second.camera and first.camera_name == second.camera_name
    np.testing.assert_array_equal(first.room_from_camera, second.room_from_camera)
    assert (first.image != second.image).any()


def test_only_the_edited_have_moved(drawn):
    first, second = ({o.id: o for o in s.graph.objects} for s in drawn.samples)
    edited = {drawn.pair.subject_id}
    if drawn.pair.kind == "tool_on_table":
        edited |= {id for id in first if first[id].label == "person"}  # whose hand it hangs in
    for id in (first.keys() & second.keys()) - edited:
        assert first[id].center_m == second[id].center_m and first[id].size_m == second[id].size_m


def test_pixels_far_from_the_edit_are_the_very_same(drawn):
    """Light bounces and shadows reach some way, the sensor's noise must not: it is drawn anew for neither."""
    first, second = (s.image.astype(int) for s in drawn.samples)
    assert (np.abs(first - second).max(-1) == 0).mean() > 0.4


def test_who_stands_before_or_behind_is_as_large_in_both_pictures():
    drawn = draw_pair("depth_order", "train", FRUITFUL["depth_order"], 224, 128, QUICK)
    boxes = [next(v.box_xyxy for v in s.views if v.object_id == drawn.pair.subject_id) for s in drawn.samples]
    middles = [0.5 * (b[0] + b[2]) for b in boxes]
    assert middles[0] == pytest.approx(middles[1], abs=6)


def test_a_hand_off_the_drape_is_centimetres_off():
    drawn = draw_pair("hand_on_drape", "train", FRUITFUL["hand_on_drape"], 224, 128, QUICK)
    gaps = [
        next(
            r.surface_distance_m
            for r in s.graph.between(drawn.pair.subject_id, drawn.pair.object_id)
            if r.predicate == drawn.pair.predicates[k]
        )
        for k, s in enumerate(drawn.samples)
    ]
    assert gaps[0] <= 0.01 and 0.03 <= gaps[1] <= 0.05


def test_a_seed_gives_the_same_pair_again():
    a, b = (next(pairs_from("hand_on_drape", "train", [0], 1, 96, 64)) for _ in range(2))
    assert a.pair == b.pair
    np.testing.assert_array_equal(a.samples[1].image, b.samples[1].image)


def test_an_unknown_kind_or_split_is_refused():
    with pytest.raises(ConfigError, match="no kind of pair 'upside_down'; there are depth_order"):
        draw_pair("upside_down", "train", 0)
    with pytest.raises(ConfigError, match="lists no pairs for split 'train'; there are test, val"):
        listed("train")
