"""Fine-tuning on real rooms, from pretrained parts or fresh: what is taught, what is silent, what stops.

Rooms are drawn here in the data sets' formats; tiny random checkpoints in the hub's format stand in for real ones.
"""

import json

import drawn_rooms as room
import numpy as np
import pytest
import torch
import yaml
from hub_checkpoints import write_depth, write_vision
from small_model import SMALL
from typer.testing import CliRunner

from or_spatial.cli import app
from or_spatial.errors import BundleError, ConfigError, DatasetError
from or_spatial.model import SpatialORConfig, SpatialORModel
from or_spatial.paths import share_path
from or_spatial.scene import load_vocabulary
from or_spatial.training.augment import mirror
from or_spatial.training.config import load
from or_spatial.training.data import Frames
from or_spatial.training.losses import LossWeights, compute, heat_loss, query_pixels
from or_spatial.training.train import Trainer, prepare, train

HEIGHT, WIDTH = 64, 96
MODEL = {**SMALL, "image_height": HEIGHT, "image_width": WIDTH, "queries": 8}


def recipe(tmp_path, dataset="4d-or", steps=4, data=None, **changes):
    """The path of a recipe for drawn rooms of `dataset`."""
    root = tmp_path / dataset
    if not root.exists():
        (room.write_four_d_or if dataset == "4d-or" else room.write_mm_or)(root)
    content = {
        "name": "room",
        "threads": 1,
        "data": {
            "dataset": dataset,
            "root": str(root),
            "cameras": list(room.EYES),
            "folder": str(tmp_path / "train"),
            "val_folder": str(tmp_path / "val"),
            "workers": 1,
            **(data or {}),
        },
        "stages": [{"height": HEIGHT, "width": WIDTH, "steps": steps, "batch": 3, "peak_rate": 3e-3}],
        "model": MODEL,
        **changes,
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def trainer(path, tmp_path) -> Trainer:
    config = load(path)
    prepare(config)
    return Trainer(config, tmp_path / "runs", resume=False)


def brought(tmp_path, vision="dinov3", **rates) -> dict:
    write_depth(tmp_path / "depth")
    write_vision(tmp_path / "vision", vision)
    return {"backbones": {"depth": str(tmp_path / "depth"), "vision": str(tmp_path / "vision"), **rates}}


@pytest.mark.parametrize("dataset", ["4d-or", "mm-or"])
def test_a_short_run_from_pretrained_parts_lowers_the_loss_on_its_rooms(tmp_path, dataset):
    run = trainer(recipe(tmp_path, dataset, steps=60, **brought(tmp_path)), tmp_path)
    before = run.validate(6)
    run.run(None)
    after = run.validate(6)
    assert after["total"] < 0.8 * before["total"]
    assert after["action"] < before["action"] and after["heat"] < before["heat"]
    assert after["geometric"] == after["size"] == after["yaw"] == after["sterile"] == 0.0  # nobody labelled those
    assert (after["depth"] == 0.0) == (dataset == "mm-or")


@pytest.mark.parametrize("dataset", ["4d-or", "mm-or"])
def test_every_loss_and_gradient_is_a_number_whatever_is_unknown(tmp_path, dataset):
    if dataset == "mm-or":
        room.write_mm_or(tmp_path / dataset, masks=None)  # pictures and triplets alone
    run = trainer(recipe(tmp_path, dataset), tmp_path)
    batch = run.frames.batch(np.arange(3), 0)
    for seen in (batch, mirror(batch, run.words)):
        terms = compute(run.model.train(), seen, LossWeights(), run.action_weight, run.symmetric)
        assert all(torch.isfinite(value) for value in terms.values())
        run.model.zero_grad()
        terms["total"].backward()
        assert all(torch.isfinite(p.grad).all() for p in run.model.parameters() if p.grad is not None)


@pytest.fixture
def batch(tmp_path):
    config = load(recipe(tmp_path))
    prepare(config)
    return Frames(config.data.folder).batch(np.arange(3), 0)


def test_an_unplaced_object_is_sought_where_its_label_speaks_loudest(batch):
    words = load_vocabulary("4d-or")
    label = words.object_index("instrument")
    heat = torch.full((3, len(words.objects), HEIGHT // 4, WIDTH // 4), -4.0)
    heat[:, label, 5, 7] = 1.0
    seen = SpatialSeen(heat)
    pixels, exists, _ = query_pixels(batch, seen, torch.Generator().manual_seed(0))
    row = int((batch.label[0] == label).nonzero()[0])
    assert exists[0, row]
    assert (pixels[0, row] - torch.tensor([29.5, 21.5])).abs().max() <= 4.0  # the queries' usual jitter


class SpatialSeen:
    """What `query_pixels` reads of the dense results."""

    def __init__(self, heat: torch.Tensor) -> None:
        self.heat = heat


def test_a_heat_map_that_nobody_judged_is_not_pushed_down_and_its_loudest_place_is_pulled_up(batch):
    words = load_vocabulary("4d-or")
    sought, absent = (words.object_index(name) for name in ("instrument", "secondary_table"))
    heat = (0.1 * torch.randn(3, len(words.objects), HEIGHT // 4, WIDTH // 4)).requires_grad_()
    heat_loss(heat, batch).backward()
    pulled = heat.grad[0, sought]
    assert (pulled != 0).sum() == 1 and pulled.flatten()[heat[0, sought].argmax()] < 0
    assert (heat.grad[0, absent] > 0).all()  # the data set says that there is none


def test_places_that_may_hold_something_are_not_called_empty(batch):
    labels = len(load_vocabulary("4d-or").objects)
    heat = torch.full((3, labels, HEIGHT // 4, WIDTH // 4), -4.0)
    batch.unjudged[:] = 2**labels - 1
    _, exists, certain = query_pixels(batch, SpatialSeen(heat), torch.Generator().manual_seed(0))
    assert torch.equal(exists, certain)
    batch.unjudged[:] = 0
    _, exists, certain = query_pixels(batch, SpatialSeen(heat), torch.Generator().manual_seed(0))
    assert certain.all() and not exists.all()


def test_frozen_parts_stay_and_others_learn_at_their_share(tmp_path):
    run = trainer(recipe(tmp_path, **brought(tmp_path, depth_rate=0.0, vision_rate=0.25)), tmp_path)
    assert not any(p.requires_grad for p in run.model.depth.network.parameters())
    assert all(p.requires_grad for p in run.model.vision.network.embeddings.patch_embeddings.parameters())
    kept = {name: value.clone() for name, value in run.model.depth.network.state_dict().items()}
    moved = run.model.vision.network.norm.weight.detach().clone()
    run.run(None)
    assert {g["share"] for g in run.optimiser.param_groups if g["params"]} == {1.0, 0.25}
    rates = {g["share"]: g["lr"] for g in run.optimiser.param_groups}
    assert rates[0.25] == pytest.approx(0.25 * rates[1.0])
    assert all(torch.equal(value, kept[name]) for name, value in run.model.depth.network.state_dict().items())
    assert not torch.equal(run.model.vision.network.norm.weight, moved)


def test_a_run_from_pretrained_parts_goes_on_without_its_sources(tmp_path):
    run = trainer(recipe(tmp_path, **brought(tmp_path)), tmp_path)
    run.run(minutes=1e-6)
    for source in ("depth", "vision"):
        (tmp_path / source / "model.safetensors").unlink()
    again = Trainer(run.config, run.folder, resume=True)
    assert again.step == 1
    again.run(None)
    assert again.step == 4


def test_a_whole_run_leaves_a_checkpoint_in_the_data_sets_words(tmp_path, capsys):
    path = recipe(tmp_path, data={"on_damage": "skip"}, **brought(tmp_path, "siglip"))
    (tmp_path / "4d-or/export_holistic_take1_processed/colorimage/camera01_colorimage-000017.jpg").unlink()
    last = train(path, runs=tmp_path / "runs")
    model = SpatialORModel.from_pretrained(last, vocabulary="4d-or")
    assert model.config.labels == list(load_vocabulary("4d-or").objects)
    said = " ".join(capsys.readouterr().err.split())
    assert "1 missing or damaged" in said and "camera01_colorimage-000017.jpg" in said
    assert "5 pictures with 25 objects" in said


def test_damage_stops_where_it_shall_and_is_named(tmp_path):
    path = recipe(tmp_path)
    (tmp_path / "4d-or/export_holistic_take1_processed/camera04.json").write_text("{")
    with pytest.raises(DatasetError, match=r"take1_processed/camera04\.json"):
        prepare(load(path))


def test_what_was_left_out_is_still_known_to_a_run_that_goes_on(tmp_path):
    config = load(recipe(tmp_path, data={"on_damage": "skip"}))
    (tmp_path / "4d-or/export_holistic_take1_processed/camera04.json").unlink()
    first = prepare(config)["train"]
    assert (first.pictures, len(first.damaged)) == (3, 3)
    assert prepare(config)["train"] == first
    assert all("camera04.json" in reason for reason in first.damaged)


def test_a_lost_shard_is_packed_again(tmp_path):
    config = load(recipe(tmp_path))
    prepare(config)
    shard = config.data.folder / "00000.npz"
    before = shard.stat().st_size
    shard.unlink()
    prepare(config)
    assert shard.stat().st_size == before


def test_a_damaged_account_is_named(tmp_path):
    config = load(recipe(tmp_path))
    prepare(config)
    (config.data.folder / "00000.json").write_text("")
    with pytest.raises(DatasetError, match=r"00000\.json is damaged"):
        prepare(config)


def test_a_set_of_which_nothing_is_left_is_an_error(tmp_path):
    path = recipe(tmp_path, data={"on_damage": "skip"})
    for picture in (tmp_path / "4d-or/export_holistic_take1_processed/colorimage").iterdir():
        picture.unlink()
    with pytest.raises(DatasetError, match="nothing to learn from.*6 missing or damaged"):
        prepare(load(path))


def test_annotations_without_any_scene_are_an_error(tmp_path):
    path = recipe(tmp_path)
    (tmp_path / "4d-or/relationships_validation.json").write_text(json.dumps({"scans": []}))
    with pytest.raises(DatasetError, match="nothing to learn from.*split val"):
        prepare(load(path))


def test_a_missing_split_is_named(tmp_path):
    path = recipe(tmp_path)
    (tmp_path / "4d-or/relationships_train.json").unlink()
    with pytest.raises(DatasetError, match=r"relationships_train\.json does not exist"):
        prepare(load(path))


def test_shards_of_another_data_set_are_refused(tmp_path):
    prepare(load(recipe(tmp_path)))
    with pytest.raises(DatasetError, match="name another folder"):
        prepare(load(recipe(tmp_path, "mm-or")))


def test_a_checkpoint_of_another_vocabulary_is_refused_with_both_names(tmp_path):
    SpatialORModel(SpatialORConfig.for_vocabulary("or_world", **MODEL)).save_pretrained(tmp_path / "old")
    path = recipe(tmp_path, warm_start=str(tmp_path / "old"))
    with pytest.raises(BundleError, match="'or_world'.*'4d-or'"):
        trainer(path, tmp_path)


def test_a_foreign_checkpoint_is_no_warm_start(tmp_path):
    path = recipe(tmp_path, warm_start=str(write_depth(tmp_path / "depth")))
    with pytest.raises(BundleError, match="'depth_anything', not of 'spatial_or'"):
        trainer(path, tmp_path)


def test_a_run_is_not_resumed_as_another_model(tmp_path):
    run = trainer(recipe(tmp_path), tmp_path)
    run.run(minutes=1e-6)
    other = load(recipe(tmp_path, model={**MODEL, "pair_hidden": 24}))
    with pytest.raises(BundleError, match=r"pair_hidden = 16 \(the recipe says 24\)"):
        Trainer(other, run.folder, resume=True)


def test_the_command_names_a_missing_file_and_ends(tmp_path):
    path = recipe(tmp_path)
    (tmp_path / "4d-or/export_holistic_take4_processed/camera01.json").unlink()
    ended = CliRunner().invoke(app, ["train", "--config", str(path), "--runs", str(tmp_path / "runs")])
    assert ended.exit_code != 0
    assert "take4_processed/camera01.json does not exist" in "".join(ended.output.split("\n")).replace("│", "")


def test_a_run_without_parts_is_not_resumed_with_some(tmp_path):
    run = trainer(recipe(tmp_path), tmp_path)
    run.run(minutes=1e-6)
    with pytest.raises(BundleError, match="no pretrained depth part"):
        Trainer(load(recipe(tmp_path, **brought(tmp_path))), run.folder, resume=True)


def test_a_checkpoint_of_other_sizes_is_refused_with_both(tmp_path):
    trainer(recipe(tmp_path), tmp_path).averaged().save_pretrained(tmp_path / "old")
    path = recipe(tmp_path, model={**MODEL, "hidden_size": 48}, warm_start=str(tmp_path / "old"))
    with pytest.raises(BundleError, match=r"hidden_size = 32 \(the recipe says 48\)"):
        trainer(path, tmp_path)


def test_a_checkpoint_with_parts_is_a_warm_start(tmp_path):
    run = trainer(recipe(tmp_path, **brought(tmp_path)), tmp_path)
    run.run(minutes=1e-6)
    again = trainer(recipe(tmp_path, warm_start=str(run.last)), tmp_path)
    kept = run.averaged().state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in again.model.state_dict().items())
    assert again.origin.parts == ("depth depth", "vision vision")


@pytest.mark.parametrize("name", ["tiny", "room"])
def test_a_shipped_recipe_is_one(name):
    assert load(share_path("config", "training", f"{name}.yaml")).name == name


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": {"dataset": "4d-or"}}, "needs 'root'"),
        ({"data": {"root": "x"}}, "leave 'root' out"),
        ({"data": {"dataset": "5d-or", "root": "x"}}, "dataset"),
        ({"data": {"dataset": "mm-or", "root": "x", "pairs": 3}}, "no counterfactual pairs"),
        ({"data": {"dataset": "mm-or", "root": "x", "on_damage": "hope"}}, "on_damage"),
        ({"backbones": {"depth_rate": 2.0}}, "depth_rate"),
        ({"backbones": {"language": "x"}}, "language"),
        ({"backbones": {"depth": "x"}, "warm_start": "y"}, "not from both"),
    ],
)
def test_a_recipe_that_contradicts_itself_says_where(tmp_path, changes, said):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(changes))
    with pytest.raises(ConfigError, match=said):
        load(path)
