"""Drawn frames: the same seed gives the same pixels, labels agree with the picture, caches give back what they got."""

import numpy as np
import pytest

from or_spatial.datasets.world import WorldFrames
from or_spatial.errors import DatasetError
from or_spatial.geometry.transforms import apply, invert
from or_spatial.scene.graph import CameraStatus
from or_spatial.scene.relations import Family, FrameOfReference
from or_spatial.scene.values import same
from or_spatial.world.cache import build_cache, load_sample, save_sample
from or_spatial.world.samples import glance, graph_of, legible_least, look, render_planned, render_sample, sample_plan
from or_spatial.world.simulation import Simulation, is_instrument

SIZE = (160, 90)


@pytest.fixture(scope="module")
def sample():
    return render_sample(Simulation("train", 4), 6.0, 0, 320, 180)


def test_the_same_seed_gives_the_same_pixels(sample):
    again = render_sample(Simulation("train", 4), 6.0, 0, 320, 180)
    np.testing.assert_array_equal(sample.image, again.image)
    np.testing.assert_array_equal(sample.depth_m, again.depth_m)
    assert same(sample.graph, again.graph)


def test_the_picture_is_neither_black_nor_flat(sample):
    assert 25 < sample.image.mean() < 225 and sample.image.std() > 12
    assert np.isfinite(sample.depth_m).mean() > 0.99


def test_instances_lie_within_the_boxes_of_their_objects(sample):
    assert len(sample.views) >= 3
    for k, view in enumerate(sample.views):
        rows, columns = np.nonzero(sample.instances == k)
        assert len(rows) == view.visible_px
        x0, y0, x1, y1 = view.box_xyxy
        assert x0 <= columns.min() and columns.max() <= x1 and y0 <= rows.min() and rows.max() <= y1
        assert 0.0 <= view.occlusion <= 0.95


def test_depth_and_pose_put_visible_pixels_inside_their_objects_box(sample):
    points = apply(sample.room_from_camera, sample.camera.unproject(_grid(sample), sample.depth_m))
    for k, view in enumerate(sample.views):
        thing = sample.graph.find(view.object_id)
        seen = points[sample.instances == k]
        c, s = np.cos(thing.yaw_rad), np.sin(thing.yaw_rad)
        own = (seen - thing.center_m) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        assert (np.abs(own) <= np.array(thing.size_m) / 2 + 0.03).mean() > 0.9, view.object_id


def _grid(sample):
    return np.stack(np.meshgrid(np.arange(sample.camera.width), np.arange(sample.camera.height)), -1)


def test_left_of_means_further_left_in_the_levelled_view(sample):
    camera_from_room = invert(sample.room_from_camera)
    relations = [r for r in sample.graph.relations if r.predicate == "left_of"]
    assert relations
    for r in relations:
        assert r.frame_of_reference == FrameOfReference.VIEWER and r.reference_frame_id == sample.camera_name
        a, b = (apply(camera_from_room, np.array(sample.graph.find(i).center_m)) for i in (r.subject_id, r.object_id))
        assert a[0] < b[0]


def test_no_action_names_an_instrument_that_cannot_be_read(sample):
    least = legible_least(320, 180)
    pixels = {v.object_id: v.visible_px for v in sample.views}
    named = {i for r in sample.graph.relations if r.family == Family.ACTION for i in (r.subject_id, r.object_id)}
    assert all(pixels[i] >= least for i in named if is_instrument(i))


def test_a_blind_camera_sees_nothing_and_says_why():
    simulation = Simulation("train", 7, cameras=2, hazards=("camera_blind",))
    span = next(s for s in simulation.script.line.spans if s.name.startswith("blind"))
    index = int(span.name.split(":")[1])
    state = simulation.state((span.start_s + span.end_s) / 2)
    view = look(simulation, state, index, *SIZE)
    assert view.views == () and not np.isfinite(view.depth_m).any() and view.image.std() < 25
    status = graph_of(state, [view], 5).sources[0].status
    assert status in (CameraStatus.DARK, CameraStatus.COVERED)


def test_a_glance_sees_what_a_look_sees():
    simulation = Simulation("test", 3)
    state = simulation.state(2.0)
    seen, glanced = look(simulation, state, 1, *SIZE), glance(simulation, state, 1, *SIZE)
    np.testing.assert_array_equal(seen.instance, glanced.instance)
    assert seen.views == glanced.views


def test_a_plan_is_fair_to_rare_actions_and_the_same_by_seed():
    plan = sample_plan("train", 24, seed=3)
    assert plan == sample_plan("train", 24, seed=3) != sample_plan("train", 24, seed=4)
    assert len({f.seed for f in plan}) > 5


def test_a_saved_frame_comes_back(sample, tmp_path):
    save_sample(sample, tmp_path / "f")
    back = load_sample(tmp_path / "f")
    assert same(back.graph, sample.graph) and back.views == sample.views and back.camera == sample.camera
    np.testing.assert_array_equal(back.instances, sample.instances)
    np.testing.assert_allclose(back.depth_m, sample.depth_m, atol=6e-4)
    assert np.abs(back.image.astype(int) - sample.image).mean() < 4


def test_a_frame_that_cannot_be_written_is_named(sample, tmp_path):
    with pytest.raises(DatasetError, match=r"f\.jpg could not be written"):
        save_sample(sample, tmp_path / "missing" / "f")


def test_a_cache_is_built_resumed_and_read(tmp_path):
    build_cache("val", 2, tmp_path / "c", *SIZE, workers=1, progress=False)
    frames = WorldFrames(tmp_path / "c")
    assert len(frames) == 2 and frames[1].split == "val" and frames[0].image.shape == (90, 160, 3)
    build_cache("val", 2, tmp_path / "c", *SIZE, workers=1, progress=False)
    for changed in ((2, 320, 180), (40, *SIZE)):  # of another size; more, where the last shard is not whole
        with pytest.raises(DatasetError, match="was built as"):
            build_cache("val", changed[0], tmp_path / "c", *changed[1:], workers=1, progress=False)
    next((tmp_path / "c").glob("*/*.depth.png")).write_bytes(b"nothing")
    with pytest.raises(DatasetError, match=r"depth\.png"):
        list(frames)


def test_an_empty_folder_is_no_cache(tmp_path):
    with pytest.raises(DatasetError, match="build_cache"):
        WorldFrames(tmp_path)


def test_planned_frames_are_drawn_in_order():
    plan = sample_plan("train", 2, seed=8)
    drawn = list(render_planned(plan, *SIZE))
    assert [(s.seed, s.time_s) for s in drawn] == [(f.seed, f.time_s) for f in plan]
