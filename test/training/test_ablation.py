"""The arms of an ablation are alike in everything but what their fusion reads; one command trains and compares them."""

import json
from importlib.util import find_spec

import pytest
import torch
import yaml
from toy_rooms import WORDS, seen_room, tiny_recipe
from typer.testing import CliRunner

from or_spatial.cli import app
from or_spatial.errors import ConfigError
from or_spatial.evaluation.ablation_task import CONTROLS, FUSED, TRUTH, Sets, bundle_of, looked
from or_spatial.inference.bundle import Bundle
from or_spatial.model import SpatialORConfig, SpatialORModel
from or_spatial.model.fusion import patch_median
from or_spatial.model.session import TorchSession
from or_spatial.training.ablation import (
    ARMS,
    BEFORE_FUSION,
    AblationConfig,
    Run,
    recipe_of,
    runs_of,
    steps_done,
    trained,
)
from or_spatial.training.config import TrainConfig, load
from or_spatial.training.export import example_inputs
from or_spatial.training.train import Trainer
from or_spatial.training.warm_start import warm_started


class Watched(Trainer):
    """A run that keeps the pictures it learns from."""

    def _terms(self, model, batch, stage, generator):
        if model is self.model:  # not the averaged one, which is validated
            self.pictures = [*getattr(self, "pictures", []), batch.image]
        return super()._terms(model, batch, stage, generator)


def recipe(tmp_path, **changes) -> AblationConfig:
    values = tiny_recipe(tmp_path, name="ablation", seeds=[0, 1], **changes)
    values["stages"][0]["steps"] = 3
    path = tmp_path / "ablation.yaml"
    path.write_text(yaml.safe_dump(values))
    return load(path, AblationConfig)


@pytest.fixture
def config(tmp_path) -> AblationConfig:
    return recipe(tmp_path)


def run_of(config: AblationConfig, tmp_path, arm: str, seed: int = 0) -> Run:
    return next(r for r in runs_of(config, tmp_path / "runs") if (r.arm, r.seed) == (arm, seed))


def started(config: AblationConfig, tmp_path, arm: str, seed: int = 0) -> Watched:
    run = run_of(config, tmp_path, arm, seed)
    return Watched(run.recipe, run.folder, resume=False)


def test_arms_of_a_seed_start_from_the_same_weights_and_seeds_from_others(config, tmp_path):
    weights = {arm: started(config, tmp_path, arm).model.state_dict() for arm in ARMS}
    other = started(config, tmp_path, "fused", seed=1).model.state_dict()
    for name, value in weights["fused"].items():
        assert all(torch.equal(value, weights[arm][name]) for arm in ARMS), name
    assert any(not torch.equal(value, other[name]) for name, value in weights["fused"].items())


def test_arms_of_a_seed_see_the_same_pictures_in_the_same_order(config, tmp_path):
    seen = {}
    for arm in ARMS:
        trainer = started(config, tmp_path, arm)
        trainer.run(None)
        seen[arm] = torch.stack(trainer.pictures)
    assert len(seen["fused"]) == 3
    assert all(torch.equal(seen["fused"], seen[arm]) for arm in ARMS)


def test_the_gate_of_the_twin_stays_shut_and_that_of_fused_opens(config, tmp_path):
    gates = {}
    for arm in ("fused", "twin"):
        trainer = started(config, tmp_path, arm)
        trainer.run(None)
        gates[arm] = TorchSession(trainer.last, threads=1).model.fusion.gate
    assert not gates["twin"].any() and gates["fused"].abs().max() > 0


def test_what_the_depth_map_says_of_objects_reaches_all_but_the_blind(config, tmp_path):
    for arm in ARMS:
        model = started(config, tmp_path, arm).model.eval()
        given = example_inputs(model, 1)
        with torch.no_grad():
            centres = [model(*given)["center"]]
            model.depth.out[-1].bias += 0.5  # everything is said to be farther by half an e-fold
            centres.append(model(*given)["center"])
        assert torch.equal(*centres) == (arm == "blind"), arm


@pytest.mark.parametrize("arm", ARMS)
def test_only_the_truth_arm_reads_true_depth(config, tmp_path, arm):
    trainer = started(config, tmp_path, arm)
    read, predicted = [], []
    trainer.model.fusion.register_forward_hook(lambda _, given, out: read.append(given[2]))
    trainer.model.depth.register_forward_hook(lambda _, given, out: predicted.append(out[0]))
    trainer.run(None)
    depth = read[0].exp()
    if arm == "truth":  # the toy rooms are 3, 4, 5 and 6 m deep everywhere
        torch.testing.assert_close(depth, depth.round(), atol=1e-3, rtol=0)
        assert set(depth.round().unique().tolist()) <= {3.0, 4.0, 5.0, 6.0}
    else:
        torch.testing.assert_close(read[0], patch_median(predicted[0]).flatten(1))


def test_a_finished_run_is_taken_as_it_is_and_a_begun_one_goes_on(config, tmp_path):
    run = run_of(config, tmp_path, "fused")
    Trainer(run.recipe, run.folder, resume=False).run(minutes=1e-6)
    assert steps_done(run.folder / "last") == 1
    last = trained(run)
    assert steps_done(last) == 3
    made = (last / "model.safetensors").stat().st_mtime_ns
    assert trained(run) == last
    assert (last / "model.safetensors").stat().st_mtime_ns == made


def test_a_run_by_another_recipe_is_not_taken_for_this_one(config, tmp_path):
    trained(run_of(config, tmp_path, "twin"))
    longer = config.model_copy(update={"stages": (config.stages[0].model_copy(update={"steps": 5}),)})
    with pytest.raises(ConfigError, match=r"twin-0 was trained by another recipe \(stages differ\)"):
        trained(run_of(longer, tmp_path, "twin"))


def test_more_threads_do_not_make_another_recipe(config, tmp_path):
    trained(run_of(config, tmp_path, "twin"))
    trained(run_of(config.model_copy(update={"threads": 2}), tmp_path, "twin"))


def test_a_warm_start_brings_nothing_that_has_seen_depth(config, tmp_path):
    trainer = started(config, tmp_path, "fused", seed=1)
    trainer.run(None)
    warm, old = config.model_copy(update={"warm_start": trainer.last}), trainer.average
    for arm in ARMS:
        start = recipe_of(warm, arm, seed=0)
        assert start.warm_parts == BEFORE_FUSION
        torch.manual_seed(0)
        found = warm_started(start.warm_start, WORDS, start.model, start.warm_parts).state_dict()
        torch.manual_seed(0)
        fresh = SpatialORModel(SpatialORConfig.for_vocabulary(**start.model)).state_dict()
        for name, value in found.items():
            assert torch.equal(value, (old if name.partition(".")[0] in BEFORE_FUSION else fresh)[name]), name


def test_arms_are_plain_recipes_of_one_size(config):
    fused, twin, blind, truth = (recipe_of(config, arm, 0) for arm in ARMS)
    assert type(fused) is TrainConfig
    assert fused.model["image_height"] == 64 and fused.model["image_width"] == 112
    for hidden in (twin, blind):
        assert fused.model_copy(update={"name": "", "model": {}}) == hidden.model_copy(update={"name": "", "model": {}})
    assert blind.model == twin.model | {"depth_at_objects": False}
    assert fused.model_copy(update={"name": "", "fusion_reads": "truth"}) == truth.model_copy(update={"name": ""})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seeds": []}, "seeds"),
        ({"seeds": [1, 1]}, "same seed twice"),
        ({"data": {"dataset": "4d-or", "root": "."}}, "synthetic world"),
        ({"stages": [{"height": 192, "width": 336}, {}]}, "one picture"),
    ],
)
def test_a_recipe_that_compares_nothing_is_refused(tmp_path, changes, said):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(changes))
    with pytest.raises(ConfigError, match=said):
        load(path, AblationConfig)


def test_each_row_reads_what_it_says_of_each_frame(config, tmp_path):
    checkpoint = trained(run_of(config, tmp_path, "fused"))
    session = TorchSession(checkpoint, threads=1)
    samples = [seen_room(0), seen_room(1)]  # 3 m and 4 m deep
    _, cues = Sets((), samples).cues()
    heard = []
    session.model.fusion.register_forward_hook(lambda _, given, out: heard.append(given[2].reshape(4, 7)))
    read = {}
    for row in (FUSED, TRUTH, *CONTROLS):
        heard.clear()
        looked(bundle_of(checkpoint, session), session, samples, cues, row, lambda: None)
        read[row] = torch.stack(heard[-2:])
    torch.testing.assert_close(read[TRUTH].exp(), torch.tensor([3.0, 4.0])[:, None, None].expand(2, 4, 7))
    torch.testing.assert_close(read["constant"].exp(), torch.full((2, 4, 7), 3.0))
    torch.testing.assert_close(read["mirrored"], read[FUSED].flip(-1))
    torch.testing.assert_close(read["shuffled"], read[FUSED].flip(0))
    assert not torch.equal(read[FUSED][0], read[FUSED][1])


def test_the_command_trains_compares_and_reports(config, tmp_path):
    json_file, page = tmp_path / "ablation.json", tmp_path / "page"
    command = ["evaluate", "--task", "ablation", "--split", "val", "--frames", "2", "--workers", "1"]
    command += ["--config", str(tmp_path / "ablation.yaml"), "--runs", str(tmp_path / "runs")]
    done = CliRunner().invoke(app, [*command, "--json", str(json_file), "--report", str(page)])
    assert done.exit_code == 0, done.output
    figures = json.loads(json_file.read_text())
    found, made = figures["ablation"], figures["made_with"]
    assert set(found["by_row"]) == {
        "fused", "twin", "blind", "truth", "shuffled", "constant", "mirrored", "rules"
    }  # fmt: skip

    assert set(found["by_row"]["fused"]["by_seed"]) == {"0", "1"}
    mean = {row: values["spatial_macro_f1"] for row, values in found["by_row"].items()}
    assert found["gain"] == pytest.approx(mean["fused"] - mean["twin"])
    assert set(found["shipped"]["by_row"]) == {"fused", "truth", "shuffled", "constant", "mirrored"}
    assert set(found["shipped"]["fused_minus"]) == {"truth", "shuffled", "constant", "mirrored"}
    assert made["shipped"] == Bundle.load().model_id
    assert made["seeds"] == [0, 1] and made["steps"] == 3 and made["split"] == "val" and len(made["data"]) == 64
    folders = {path.name for path in (tmp_path / "runs" / "ablation").iterdir()}
    assert folders == {f"{arm}-{seed}" for arm in ARMS for seed in (0, 1)}
    assert "ablation.gain" in done.output and "mirrored" in done.output
    assert "fused minus twin" in (page / "report.html").read_text()


def test_the_split_of_the_arms_is_no_place_to_judge_them():
    done = CliRunner().invoke(app, ["evaluate", "--task", "ablation", "--split", "train"])
    assert done.exit_code != 0 and "trained on the train split" in done.output


@pytest.mark.parametrize("task", [[], ["--task", "hazards"]])
def test_a_recipe_is_refused_where_nothing_is_trained(task):
    done = CliRunner().invoke(app, ["evaluate", *task, "--split", "val", "--config", "ablation.yaml"])
    assert done.exit_code != 0 and "--task ablation" in " ".join(done.output.split())


def test_without_torch_the_command_says_what_to_install(config, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch" else find_spec(name))
    done = CliRunner().invoke(
        app, ["evaluate", "--task", "ablation", "--split", "val", "--config", str(tmp_path / "ablation.yaml")]
    )
    assert done.exit_code != 0
    assert "torch not installed; pip install -r requirements/train.txt" in " ".join(done.output.split())


def test_a_recipe_that_is_not_there_is_named(tmp_path):
    done = CliRunner().invoke(app, ["evaluate", "--task", "ablation", "--config", str(tmp_path / "no.yaml")])
    assert done.exit_code != 0 and "no.yaml" in done.output.replace("\n", "")
