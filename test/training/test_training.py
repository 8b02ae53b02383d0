"""Targets that keep their geometry, recipes that are checked, runs that resume, losses that speak up."""

import json
import shutil
from dataclasses import fields

import numpy as np
import pytest
import torch
import yaml
from toy_rooms import HEIGHT, WIDTH, WORDS, seen_room, tiny_recipe, write_cache

from or_spatial.datasets.packed import UNKNOWN, pack
from or_spatial.errors import BundleError, ConfigError, DatasetError
from or_spatial.geometry.transforms import levelled_viewer
from or_spatial.model import SpatialORConfig, SpatialORModel
from or_spatial.training import cache
from or_spatial.training.augment import covered, mirror, random_window, resized, window
from or_spatial.training.config import load
from or_spatial.training.data import Batch, Frames, epochs
from or_spatial.training.losses import heat_target, yaw_error
from or_spatial.training.processes import Processes
from or_spatial.training.train import Trainer, TrainingDiverged, recovered, train
from or_spatial.training.warm_start import warm_started


@pytest.fixture
def frames(tmp_path) -> Frames:
    write_cache(tmp_path / "cache")
    return Frames(tmp_path / "cache")


@pytest.fixture
def batch(frames) -> Batch:
    return frames.batch(np.array([0, 2]), len(WORDS.geometric))


def test_what_is_packed_projects_to_its_peak():
    packed = pack(seen_room(), WORDS)
    rows = np.flatnonzero(packed.label >= 0)
    assert len(rows) == 2
    fx, fy, cx, cy = packed.intrinsics
    for row in rows:
        x, y, z = packed.center[row]
        np.testing.assert_allclose((fx * x / z + cx, fy * y / z + cy), packed.peak[row], atol=0.75)


def test_relations_keep_their_direction_in_the_pack():
    packed = pack(seen_room(), WORDS)
    person = int(np.flatnonzero(packed.label == WORDS.object_index("person"))[0])
    table = int(np.flatnonzero(packed.label == WORDS.object_index("operating_table"))[0])
    assert packed.action[person, table] == WORDS.action_index("manipulating")
    assert packed.action[table, person] == len(WORDS.actions)
    assert packed.geometric[person, table] & (1 << WORDS.geometric_index("left_of"))
    assert packed.geometric[table, person] == 1 << WORDS.geometric_index("right_of")
    assert packed.sterile[person] == 1 and packed.sterile[table] == -1


def test_the_packed_yaw_is_that_of_the_levelled_viewer():
    sample = seen_room()
    axis = levelled_viewer(sample.room_from_camera) @ (np.cos(0.4), np.sin(0.4), 0.0)
    assert pack(sample, WORDS).yaw[0] == pytest.approx(np.arctan2(axis[1], axis[0]), abs=1e-6)


def test_a_mirror_swaps_left_and_right_and_nothing_else_of_the_relations(batch):
    seen = mirror(batch, WORDS)
    left, right, near = (WORDS.geometric_index(name) for name in ("left_of", "right_of", "near"))
    assert torch.equal(seen.geometric[..., left], batch.geometric[..., right])
    assert torch.equal(seen.geometric[..., near], batch.geometric[..., near])


def test_a_mirrored_room_still_projects_to_its_peaks(batch):
    seen = mirror(batch, WORDS)
    for room in (batch, seen):
        x, y, z = room.center[:, :2].unbind(-1)
        fx, fy, cx, cy = (room.intrinsics[:, i, None] for i in range(4))
        torch.testing.assert_close(
            torch.stack([fx * x / z + cx, fy * y / z + cy], -1), room.peak[:, :2], atol=0.75, rtol=0
        )
        rotation = room.viewer_from_camera
        torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).repeat(2, 1, 1), atol=1e-5, rtol=0)
        torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(2))


def test_two_mirrors_give_the_room_back(batch):
    again = mirror(mirror(batch, WORDS), WORDS)
    for f in fields(Batch):
        torch.testing.assert_close(getattr(again, f.name), getattr(batch, f.name))


def test_a_smaller_picture_keeps_its_rays(batch):
    small = resized(batch, 32, 64)
    x, y, z = small.center[:, :2].unbind(-1)
    fx, fy, cx, cy = (small.intrinsics[:, i, None] for i in range(4))
    torch.testing.assert_close(torch.stack([fx * x / z + cx, fy * y / z + cy], -1), small.peak[:, :2], atol=0.5, rtol=0)
    assert small.image.shape == (2, 32, 64, 3) and small.depth.shape == (2, 8, 16)


def test_a_window_keeps_the_rays_of_what_it_shows_and_forgets_the_rest(batch):
    left = float(batch.peak[:, :2, 0].min())  # the person stands left of the table
    cut = window(batch, 8, 4 * round(left / 4 + 3), 48, 48)
    assert cut.image.shape == (2, 48, 48, 3) and cut.depth.shape == cut.semantic.shape == (2, 12, 12)
    assert cut.exists.sum(1).tolist() == [1, 1]
    shown = cut.exists
    x, y, z = cut.center[shown].unbind(-1)
    fx, fy, cx, cy = cut.intrinsics.T
    torch.testing.assert_close(torch.stack([fx * x / z + cx, fy * y / z + cy], -1), cut.peak[shown], atol=0.75, rtol=0)
    assert torch.equal(cut.image[0, 3, 5], batch.image[0, 11, 5 + 4 * round(left / 4 + 3)])
    assert bool((cut.box[shown] >= -0.5).all()) and bool((cut.box[shown] <= 47.5).all())


@pytest.mark.parametrize("seed", range(6))
def test_a_random_window_has_the_size_that_was_asked_for_and_true_rays(batch, seed):
    cut = random_window(batch, 48, 80, (0.8, 1.7), torch.Generator().manual_seed(seed))
    assert cut.image.shape == (2, 48, 80, 3) and cut.depth.shape == (2, 12, 20)
    x, y, z = cut.center[cut.exists].unbind(-1)
    fx, fy, cx, cy = (cut.intrinsics[:, i, None].expand(cut.exists.shape)[cut.exists] for i in range(4))
    torch.testing.assert_close(
        torch.stack([fx * x / z + cx, fy * y / z + cy], -1), cut.peak[cut.exists], atol=1.0, rtol=0
    )


@pytest.mark.parametrize("seed", range(6))
def test_under_a_cover_nobody_asks_for_anything(batch, seed):
    seen = covered(batch, 1.0, torch.Generator().manual_seed(seed))
    plain = (seen.image != batch.image).any(-1)
    hidden = (seen.semantic == UNKNOWN) & (batch.semantic != UNKNOWN)
    assert 0.04 < hidden.float().mean() < 0.27
    assert bool((seen.depth[hidden] == 0).all()) and torch.equal(seen.depth[~hidden], batch.depth[~hidden])
    assert not bool((plain & ~hidden.repeat_interleave(4, 1).repeat_interleave(4, 2)).any())
    at = ((seen.peak[seen.placed] + 0.5) / 4).long()
    picture = seen.placed.nonzero()[:, 0]
    assert not bool(hidden[picture, at[:, 1], at[:, 0]].any())


def test_a_thing_that_lost_its_peak_to_a_cover_is_sought_in_the_rest_of_the_picture(batch):
    looks = [covered(batch, 1.0, torch.Generator().manual_seed(seed)) for seed in range(200)]
    astray = [look for look in looks if bool((look.exists & ~look.placed).any())]
    assert astray and any(bool((batch.exists & ~look.exists).any()) for look in looks)
    for look in astray:
        picture, row = (look.exists & ~look.placed).nonzero()[0].tolist()
        assert not bool(look.judged(len(WORDS.objects))[picture, look.label[picture, row]])


def test_a_recipe_without_covers_covers_nothing(batch):
    assert torch.equal(covered(batch, 0.0, torch.Generator().manual_seed(0)).image, batch.image)


def test_the_heat_map_is_one_at_each_object_and_nowhere_else(batch):
    target = heat_target(batch, 16, 28, len(WORDS.objects))
    assert int((target > 0.999).sum()) == int(batch.exists.sum())
    assert float(target.max()) <= 1.0 + 1e-6


def test_half_a_turn_is_no_error_for_a_table():
    predicted = torch.tensor([[0.0, -1.0], [0.0, -1.0]])  # sine, cosine of pi
    error = yaw_error(predicted, torch.zeros(2), torch.tensor([True, False]))
    torch.testing.assert_close(error, torch.tensor([0.0, 2.0]))


def test_batches_do_not_depend_on_where_a_run_was_resumed(frames):
    whole = epochs(frames, 2, len(WORDS.geometric), seed=1)
    expected = [next(whole).intrinsics for _ in range(5)][3]
    resumed = epochs(frames, 2, len(WORDS.geometric), seed=1, start_step=3)
    torch.testing.assert_close(next(resumed).intrinsics, expected)


def test_a_damaged_shard_is_named(tmp_path):
    write_cache(tmp_path / "cache")
    shard = tmp_path / "cache" / "00001.npz"
    for damaged in (b"half a shard", (tmp_path / "cache" / "00000.npz").read_bytes()[:-10]):
        shard.write_bytes(damaged)
        with pytest.raises(DatasetError, match=r"00001\.npz is damaged"):
            Frames(tmp_path / "cache")


def test_an_empty_folder_is_no_training_set(tmp_path):
    with pytest.raises(DatasetError, match="holds no shards"):
        Frames(tmp_path)


def test_another_recipe_in_the_same_folder_is_refused(tmp_path):
    (tmp_path / "recipe.json").write_text('{"split": "train", "count": 9, "width": 8, "height": 8, "seed": 1}')
    with pytest.raises(DatasetError, match="name another folder"):
        cache.build(tmp_path, cache.Recipe("train", 9, 8, 8, seed=2), workers=1)


def test_pairs_stand_beside_the_frames_as_pictures_of_one_camera_that_differ_in_a_relation(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "_PAIRS", {"hand_on_drape": 1})
    cache.build(tmp_path, cache.Recipe("train", 0, WIDTH, HEIGHT, seed=1, pairs=1), workers=1)
    both = Frames(tmp_path).batch(np.array([0, 1]), len(WORDS.geometric))
    assert (both.intrinsics[0] == both.intrinsics[1]).all()
    assert (both.viewer_from_camera[0] == both.viewer_from_camera[1]).all()
    touching, patient = WORDS.geometric_index("touching"), WORDS.object_index("patient")
    held = [int(both.geometric[k, :, both.label[k] == patient, touching].sum()) for k in (0, 1)]
    assert held[0] == held[1] + 1


def test_a_set_may_grow_by_pairs_but_not_change(tmp_path):
    (tmp_path / "recipe.json").write_text('{"split": "train", "count": 0, "width": 8, "height": 8, "seed": 1}')
    cache.build(tmp_path, cache.Recipe("train", 0, 8, 8, seed=1), workers=1)
    assert '"pairs": 0' in (tmp_path / "recipe.json").read_text()


def test_more_frames_than_a_recipe_asks_for_are_not_learnt_from_in_silence(tmp_path):
    folder = tmp_path / "cache"
    write_cache(folder, count=2)
    shutil.copy(folder / "00000.npz", folder / "00001.npz")
    (folder / "recipe.json").write_text('{"split": "train", "count": 64, "width": 8, "height": 8, "seed": 1}')
    with pytest.raises(DatasetError, match="1 shards beyond the 32 frames"):
        cache.build(folder, cache.Recipe("train", 32, 8, 8, seed=1), workers=1)


def test_a_damaged_recipe_of_a_folder_is_named(tmp_path):
    (tmp_path / "recipe.json").write_text("")
    with pytest.raises(DatasetError, match=r"recipe\.json is damaged"):
        cache.build(tmp_path, cache.Recipe("train", 0, 8, 8, seed=1), workers=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning_rate: 1", "learning_rate"),
        ("threads: 0", "threads.*greater than or equal to 1"),
        ("seed: two", "seed"),
        ("stages: [{zoom: [1.3, 0.8]}]", "stages.0.zoom.*smaller one first"),
        ("stages: [{crop: 1.5}]", "stages.0.crop"),
        ("stages: []", "stages.*at least 1 item"),
        ("stages: [{height: 256, width: 336}, {}]", "stages.*336x256, 448x256 px"),
        ("model: {hiden_size: 64}", "model.*no hiden_size; it has .*hidden_size"),
        ("loss: {dpth: 3}", "loss.dpth"),
        ("loss: {depth: -1}", "loss.depth.*greater than or equal to 0"),
        ("- seed: 1", "holds a list; a recipe is a mapping"),
        ("seed: [1", "not readable YAML"),
    ],
)
def test_a_recipe_with_a_mistake_says_which(tmp_path, text, said):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load(path)


@pytest.fixture
def trainer(tmp_path, monkeypatch) -> Trainer:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(tiny_recipe(tmp_path)))
    return Trainer(load(path), tmp_path / "runs", resume=False)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_learns_its_frames_by_heart(trainer, precision):
    before = trainer.validate(2)["total"]
    stage = trainer.config.stages[0].model_copy(update={"steps": 60, "peak_rate": 3e-3, "precision": precision})
    trainer.config = trainer.config.model_copy(update={"stages": (stage,)})
    trainer.run(None)
    assert all(p.dtype == torch.float32 for p in trainer.model.parameters())
    assert trainer.validate(2)["total"] < 0.8 * before


def test_a_run_that_was_interrupted_goes_on_where_it_stopped(trainer):
    trainer.run(minutes=1e-6)
    assert trainer.step == 1
    again = Trainer(trainer.config, trainer.folder, resume=True)
    assert again.step == 1
    again.run(None)
    assert again.step == 4


def test_an_interrupted_run_ends_with_the_weights_of_one_that_was_not(trainer, tmp_path):
    cpu = Processes(device=torch.device("cpu"))  # a GPU adds up in an order of its own
    whole = Trainer(trainer.config, tmp_path / "whole", resume=False, processes=cpu)
    whole.run(None)
    cut = Trainer(trainer.config, tmp_path / "cut", resume=False, processes=cpu)
    cut.run(minutes=1e-6)
    again = Trainer(trainer.config, cut.folder, resume=True, processes=cpu)
    again.run(None)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name
        assert torch.equal(whole.average[name], again.average[name]), name


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_gpu_learns_from_frames_in_its_own_memory_and_resumes(trainer, precision):
    assert trainer.device.type == trainer.frames.batch(np.array([0]), 3).image.device.type == "cuda"
    before = trainer.validate(2)["total"]
    changes = {"steps": 60, "peak_rate": 3e-3, "precision": precision, "crop": 0.5}
    stage = trainer.config.stages[0].model_copy(update=changes)
    trainer.config = trainer.config.model_copy(update={"stages": (stage,)})
    trainer.run(minutes=1e-6)
    again = Trainer(trainer.config, trainer.folder, resume=True)
    again.run(None)
    assert again.step == 60 and again.validate(2)["total"] < before


def test_frames_take_up_what_was_rendered_since(tmp_path):
    write_cache(tmp_path / "cache", count=2)
    frames = Frames(tmp_path / "cache")
    write_cache(tmp_path / "more", count=3)
    (tmp_path / "more" / "00000.npz").rename(tmp_path / "cache" / "00007.npz")
    (tmp_path / "cache" / "00008.partial.npz").write_bytes(b"still being written")
    assert (frames.grow(), len(frames), frames.grow()) == (3, 5, 0)
    both = frames.batch(np.array([1, 3]), len(WORDS.geometric))  # the second room of either shard
    for f in fields(Batch):
        assert torch.equal(getattr(both, f.name)[0].nan_to_num(), getattr(both, f.name)[1].nan_to_num()), f.name


def test_shares_of_a_batch_are_the_batch(frames):
    whole = next(epochs(frames, 4, len(WORDS.geometric), seed=1)).intrinsics
    shares = [next(epochs(frames, 4, len(WORDS.geometric), seed=1, share=(k, 2))).intrinsics for k in (0, 1)]
    assert torch.equal(torch.stack(shares, dim=1).flatten(0, 1), whole)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_batch(trainer):
    with torch.no_grad():
        trainer.model.graph.pair.out.bias += float("nan")
    with pytest.raises(TrainingDiverged, match="action"):
        trainer.run(None)
    assert (trainer.folder / "diverged.pt").exists()


def test_a_gradient_that_is_no_number_leaves_the_weights_alone(trainer):
    before = {name: value.clone() for name, value in trainer.model.state_dict().items() if "running" not in name}
    trainer.model.graph.pair.out.bias.register_hook(lambda g: g * float("inf"))
    with pytest.raises(TrainingDiverged, match=r"the gradient not finite at step 0; the batch is in .*diverged\.pt"):
        trainer.run(None)
    after = trainer.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items() if "num_batches" not in name)


@pytest.mark.parametrize(("left", "goes_on"), [("next", True), ("previous", True), ("half", False)])
def test_a_checkpoint_cut_short_on_its_way_into_place_is_found(trainer, left, goes_on):
    trainer.run(minutes=1e-6)
    trainer.last.rename(trainer.folder / ("next" if left == "half" else left))
    if left == "half":
        (trainer.folder / "next" / "progress.json").unlink()
    assert recovered(trainer.folder) is goes_on
    assert trainer.last.exists() is goes_on


def test_a_run_outlives_what_it_began_from(trainer, tmp_path):
    trainer.averaged().save_pretrained(tmp_path / "old")
    note = {"origin": {"data": ["a set of others"], "parts": []}}
    (tmp_path / "old" / "progress.json").write_text(json.dumps(note))
    config = trainer.config.model_copy(update={"warm_start": tmp_path / "old"})
    run = Trainer(config, tmp_path / "warm", resume=False)
    run.run(minutes=1e-6)
    shutil.rmtree(tmp_path / "old")
    again = Trainer(config, tmp_path / "warm", resume=True)
    assert again.origin == run.origin and again.origin.data[0] == "a set of others"


def test_a_grown_model_starts_where_the_old_one_stood(trainer, tmp_path):
    trainer.averaged().save_pretrained(tmp_path / "old")
    grown = warm_started(tmp_path / "old", WORDS, {"stem_blocks": [2, 2, 1]}).eval()
    old = SpatialORModel.from_pretrained(tmp_path / "old").eval()
    assert grown.config.stem_blocks == (2, 2, 1)
    room = trainer.frames.batch(np.array([0, 1]), len(WORDS.geometric))
    seen = [m(room.image, room.intrinsics, room.viewer_from_camera, room.height) for m in (old, grown)]
    for name in seen[0]:
        torch.testing.assert_close(seen[0][name], seen[1][name])


def test_weights_for_another_vocabulary_are_refused(tmp_path):
    model = SpatialORModel(SpatialORConfig.for_vocabulary("4d-or", hidden_size=32, stem_channels=(8, 12, 16)))
    model.save_pretrained(tmp_path / "old")
    with pytest.raises(BundleError, match="'4d-or'.*this run 'or_world'"):
        warm_started(tmp_path / "old", WORDS, {})


def test_an_old_run_is_not_overwritten_by_accident(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(tiny_recipe(tmp_path)))
    (tmp_path / "runs" / "tiny" / "last").mkdir(parents=True)
    with pytest.raises(BundleError, match="--resume"):
        train(path, runs=tmp_path / "runs")
