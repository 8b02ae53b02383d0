"""A model with pretrained parts, in a real data set's words, becomes a bundle that runs and tells its origin."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hub_checkpoints import write_depth, write_vision
from small_model import SMALL

from or_spatial.errors import BundleError
from or_spatial.evaluation.calibrate import calibrate_bundle
from or_spatial.evaluation.harness import evaluate
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import look_at
from or_spatial.inference.bundle import Bundle
from or_spatial.model import SpatialORModel
from or_spatial.perception.model import ModelPerceiver, ModelSettings
from or_spatial.perception.perceiver import Frame
from or_spatial.perception.snapshot import bundle_tracker_config
from or_spatial.perception.tracker import SceneTracker
from or_spatial.scene import load_vocabulary
from or_spatial.training import export as exporting
from or_spatial.training.config import TrainConfig
from or_spatial.training.export import export
from or_spatial.training.origin import WORLD, Origin


def checkpoint(folder, vision="siglip2"):
    torch.manual_seed(0)
    sources = write_depth(folder / "depth"), write_vision(folder / "vision", vision)
    model = SpatialORModel.from_backbones(*sources, "4d-or", **SMALL)
    torch.nn.init.normal_(model.fusion.gate, std=0.2)
    torch.nn.init.normal_(model.graph.heat[-1].weight, std=1.0)
    model.save_pretrained(folder / "own")
    return folder / "own"


@pytest.fixture(scope="module")
def brought(tmp_path_factory):
    folder = tmp_path_factory.mktemp("brought")
    own = checkpoint(folder)
    recipe = TrainConfig(
        data={"dataset": "4d-or", "root": folder, "seed": 6},
        backbones={"depth": str(folder / "depth"), "vision": "some/siglip2"},
        seed=5,
    )
    note = {"step": 7, "run": "theatre_3", "data": "0123abc", "origin": Origin.of_run(recipe).to_json()}
    note |= {"val": {"depth": 0.25, "total": 3.5}, "recipe": recipe.told()}
    (own / "progress.json").write_text(json.dumps(note))
    return export(own, folder / "bundle")


@pytest.mark.slow
@pytest.mark.parametrize("vision", ["siglip", "dinov3"])
def test_the_other_towers_export_too(tmp_path, vision):
    assert json.loads((export(checkpoint(tmp_path, vision), tmp_path / "b") / "manifest.json").read_text())


def test_it_perceives_in_the_data_sets_words(brought):
    perceiver = ModelPerceiver(brought, ModelSettings(existence=0.0, relation=0.0, threads=1))
    assert perceiver.vocabulary == "4d-or"
    image = np.random.default_rng(0).integers(0, 255, (64, 112, 3), dtype=np.uint8)
    frame = Frame("cam", 1, image, Camera.from_fov(112, 64, 1.2), look_at([0, -3, 2.5], [0, 0, 1]))
    (seen,) = perceiver.perceive([frame], tokens=True)
    assert seen.detections and {d.label for d in seen.detections} <= set(load_vocabulary("4d-or").objects)
    tracker = SceneTracker(bundle_tracker_config(perceiver.bundle, cameras=("cam",)))
    for k in range(4):
        later = replace(frame, stamp_ns=1 + k * 200_000_000)
        graph = tracker.update([later], perceiver.perceive([later]), later.stamp_ns)
    assert graph.vocabulary == "4d-or"


def test_its_papers_name_what_it_was_made_from(brought):
    manifest = json.loads((brought / "manifest.json").read_text())
    assert manifest["name"] == "or_spatial-theatre_3"
    assert manifest["training"]["data"] == "4d-or, train split"
    assert manifest["training"]["parts"] == ["depth depth", "vision some/siglip2"]
    assert "some/siglip2" in manifest["licence"] and "4d-or" in manifest["licence"]
    card = (brought / "MODEL_CARD.md").read_text()
    assert "synthetic rooms only" not in card and "No footage" not in card
    assert "4d-or, train split" in card and "nothing was fitted" in card
    assert "Seeds: 5 for weights" in card and "6 for frames" in card and "depth 0.250, total 3.500" in card
    assert manifest["training"]["recipe"]["weight_decay"] == 0.02
    assert str(brought.parent) not in card + json.dumps(manifest)  # names, not somebody's folders


@pytest.mark.parametrize(
    ("recipe", "said"), [({"split": "val"}, "'or_world', the bundle '4d-or'"), ({"dataset": "4d-or"}, "where in 3D")]
)
def test_frames_that_cannot_calibrate_it_are_refused_with_the_reason(brought, tmp_path, recipe, said):
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    with pytest.raises(BundleError, match=said):
        calibrate_bundle(brought, tmp_path)
    assert Bundle.load(brought).calibration == {}


def test_the_world_does_not_score_a_model_of_other_words(brought):
    with pytest.raises(BundleError, match="'4d-or'.*'or_world'"):
        evaluate("val", 1, bundle=brought, clips=0)


def test_a_checkpoint_that_says_nothing_of_itself_gets_no_free_licence(tmp_path):
    own = checkpoint(tmp_path)
    origin = Origin.of_checkpoint(own)
    assert origin == Origin(("unknown",), ("depth of unknown origin", "vision of unknown origin"))
    assert origin.licence != "Apache-2.0"


def test_what_it_started_from_is_remembered_through_warm_starts(tmp_path):
    (tmp_path / "progress.json").write_text(
        json.dumps({"origin": {"data": ["mm-or, train split"], "parts": ["depth x"]}})
    )
    origin = Origin.of_run(TrainConfig(warm_start=tmp_path))
    assert origin == Origin(("mm-or, train split", WORLD), ("depth x",))
    assert Origin.of_run(TrainConfig()).licence == "Apache-2.0"


def test_a_model_too_large_for_one_file_is_refused(tmp_path, monkeypatch):
    own = checkpoint(tmp_path)
    monkeypatch.setattr(exporting, "_MOST_PARAMETERS", 1000)
    with pytest.raises(BundleError, match=r"parameters; one ONNX file takes 1,000"):
        export(own, tmp_path / "bundle")
