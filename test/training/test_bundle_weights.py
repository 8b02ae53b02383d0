"""An exported bundle is a beginning for another run: the same model, whose batch norms learn again."""

import json

import numpy as np
import pytest
import torch
from small_model import SMALL
from toy_rooms import WORDS, tiny_recipe

from or_spatial.errors import BundleError
from or_spatial.inference.bundle import Bundle, shipped_bundle
from or_spatial.model import SpatialORConfig, SpatialORModel
from or_spatial.scene import load_vocabulary
from or_spatial.training.bundle_weights import folded_norms, settle
from or_spatial.training.config import TrainConfig
from or_spatial.training.data import Batch
from or_spatial.training.export import compare, example_inputs, export
from or_spatial.training.origin import WORLD, Origin
from or_spatial.training.train import Trainer
from or_spatial.training.warm_start import warm_started, weights_file

MADE_FROM = (WORLD, "mm-or, train split")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle whose norms have been through something."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("learnt")
    model = SpatialORModel(SpatialORConfig.for_vocabulary("or_world", **SMALL))
    for norm in folded_norms(model).values():
        for tensor, low, high in ((norm.weight, 0.5, 2), (norm.running_mean, -1, 1), (norm.running_var, 0.3, 3)):
            torch.nn.init.uniform_(tensor, low, high)
        torch.nn.init.normal_(norm.bias, std=0.2)
    model.save_pretrained(folder / "checkpoint")
    note = {"step": 1, "run": "tiny", "origin": Origin(MADE_FROM).to_json()}
    (folder / "checkpoint" / "progress.json").write_text(json.dumps(note))
    return export(folder / "checkpoint", folder / "bundle")


@pytest.fixture
def pictures() -> Batch:
    model = SpatialORModel(SpatialORConfig.for_vocabulary("or_world", **SMALL))
    nothing = torch.zeros(6, 1)
    image, intrinsics, viewer, height = example_inputs(model, 6, seed=5)
    given = {"image": image, "intrinsics": intrinsics, "viewer_from_camera": viewer, "height": height}
    return Batch(**{name: given.get(name, nothing) for name in Batch.__dataclass_fields__})


def outputs(model: SpatialORModel, of: Batch) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        return model(of.image, of.intrinsics, of.viewer_from_camera, of.height)


def test_the_model_of_a_bundle_says_what_the_bundle_says(bundle):
    assert compare(warm_started(bundle, WORDS, {}).eval(), Bundle.load(bundle).perceive) < 1e-4


def test_the_shipped_bundle_is_a_beginning():
    assert compare(warm_started(shipped_bundle(), WORDS, {}).eval(), shipped_bundle() / "perceive.onnx") < 1e-4


def test_settled_norms_say_the_same_of_the_pictures_whether_they_learn_or_not(bundle, pictures):
    model = warm_started(bundle, WORDS, {}).eval()
    before = outputs(model, pictures)
    settle(model, pictures)
    assert not model.training
    for norm in folded_norms(model).values():
        norm.train()  # from now on by the statistics of the batch
    learning = outputs(model, pictures)
    for name, value in before.items():
        torch.testing.assert_close(learning[name], value, atol=2e-3, rtol=2e-3)
    assert any(norm.running_mean.abs().max() > 1e-3 for norm in folded_norms(model).values())


def test_settling_twice_changes_nothing(bundle, pictures):
    model = warm_started(bundle, WORDS, {})
    settle(model, pictures)
    once = {name: value.clone() for name, value in model.state_dict().items()}
    settle(model, pictures)
    assert all(torch.equal(value, once[name]) for name, value in model.state_dict().items())


def test_a_grown_model_starts_where_the_bundle_stood(bundle, pictures):
    grown = warm_started(bundle, WORDS, {"stem_blocks": [1, 2, 1]}).eval()
    assert grown.config.stem_blocks == (1, 2, 1)
    settle(grown, pictures)
    old, new = outputs(warm_started(bundle, WORDS, {}).eval(), pictures), outputs(grown, pictures)
    for name, value in old.items():
        torch.testing.assert_close(new[name], value, atol=1e-4, rtol=1e-4)


def test_parts_that_are_not_named_start_fresh(bundle):
    torch.manual_seed(1)
    found = warm_started(bundle, WORDS, {}, parts=("stem",)).state_dict()
    whole = warm_started(bundle, WORDS, {}).state_dict()
    for name, value in found.items():
        if not name.endswith("num_batches_tracked") and value.unique().numel() > 1:
            assert torch.equal(value, whole[name]) == (name.partition(".")[0] == "stem"), name


def test_a_run_begins_with_settled_norms_and_tells_where_it_comes_from(bundle, tmp_path):
    recipe = TrainConfig(**tiny_recipe(tmp_path, model={}, warm_start=bundle))
    trainer = Trainer(recipe, tmp_path / "run", resume=False)
    norms = folded_norms(trainer.model)
    assert all(float(norm.running_mean.abs().max()) > 0 for norm in norms.values())
    assert all(torch.equal(trainer.average[name], value) for name, value in trainer.model.state_dict().items())
    trainer.run(None)
    assert all(np.isfinite(value) for value in trainer.validate().values())


def test_what_a_bundle_was_made_from_is_remembered(bundle):
    assert Origin.of_checkpoint(bundle) == Origin(MADE_FROM)


def test_other_sizes_and_other_words_are_refused(bundle):
    with pytest.raises(BundleError, match="hidden_size = 32"):
        warm_started(bundle, WORDS, {"hidden_size": 64})
    with pytest.raises(BundleError, match="'or_world'.*this run '4d-or'"):
        warm_started(bundle, load_vocabulary("4d-or"), {})


def test_what_sees_serves_other_words(bundle):
    seeing = ("stem", "depth", "patch", "place", "fusion", "tower", "norm", "upward")
    real = warm_started(bundle, load_vocabulary("4d-or"), {}, parts=seeing)
    world = warm_started(bundle, WORDS, {}).state_dict()
    assert real.config.vocabulary == "4d-or"
    for name, value in real.state_dict().items():
        if name.partition(".")[0] in seeing and not name.endswith("num_batches_tracked"):
            assert torch.equal(value, world[name]), name


def test_weights_are_in_a_checkpoint_or_a_bundle_and_nowhere_else(bundle, tmp_path):
    assert weights_file(bundle) == bundle / "perceive.onnx"
    assert weights_file(bundle.parent / "checkpoint").name == "model.safetensors"
    with pytest.raises(BundleError, match="config.json is missing"):
        weights_file(tmp_path)


def test_a_recipe_may_ask_for_the_shipped_bundle():
    assert TrainConfig(warm_start="shipped").warm_start == shipped_bundle()
