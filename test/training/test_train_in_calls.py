"""The run in bounded calls, dry on the CPU: it renders and learns, leaves parts, and goes on from them."""

import importlib.util
import itertools
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from toy_rooms import HEIGHT, WIDTH, tiny_recipe, write_cache

from or_spatial.errors import BundleError, DatasetError
from or_spatial.model import SpatialORModel
from or_spatial.training import cache
from or_spatial.training.config import load
from or_spatial.training.data import Frames
from or_spatial.training.train import Trainer

TOOL = Path(__file__).resolve().parents[2] / "tools" / "train_in_calls.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("train_in_calls", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["train_in_calls"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def recipe(folder: Path) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(tiny_recipe(folder)))
    return path


def call(*arguments: object) -> str:
    """Run one call as a user would; what it printed."""
    steady = [sys.executable, str(TOOL), "call", "--workers", "1", "--begin", "32", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(steady, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Two calls of two steps each that make a whole run, on toy frames that lie there already: folder and output."""
    folder = tmp_path_factory.mktemp("calls")
    path = recipe(folder)
    for number in (0, 1):
        write_cache(folder / "train" / f"call-{number}")
    common = ("--config", path, "--steps", 2, "--calls", 2, "--minutes", 30)
    said = [call(*common, "--out", folder / "one", "--runs", folder / "runs_one")]
    more = ("--state", folder / "one", "--out", folder / "two", "--runs", folder / "runs_two")
    return folder, [*said, call(*common, *more)]


def test_the_second_call_goes_on_where_the_first_one_stopped(calls):
    folder, said = calls
    assert "call 1 of 2" in said[0] and "step 2;" in said[0]
    assert "call 2 of 2" in said[1] and "step 4;" in said[1]
    curve = [json.loads(line)["step"] for line in (folder / "two" / "progress.jsonl").read_text().splitlines()]
    assert curve == [2, 4]


def test_what_a_call_leaves_is_few_and_small(calls, tool):
    folder, _ = calls
    for out in (folder / "one", folder / "two"):
        files = list(out.iterdir())
        assert len(files) <= 8 and max(file.stat().st_size for file in files) <= 16 * 2**20


def test_the_state_survives_its_parts(calls, tool, tmp_path):
    folder, _ = calls
    tool.unpack(folder / "one", tmp_path / "last")
    before, after = folder / "runs_one" / "tiny" / "last", tmp_path / "last"
    old, new = (torch.load(at / "state.pt", weights_only=True) for at in (before, after))
    assert old["step"] == new["step"] == 2
    for name, value in old["model"].items():
        torch.testing.assert_close(new["model"][name], value, rtol=1e-3, atol=1e-6)
    assert old["optimiser"]["state"].keys() == new["optimiser"]["state"].keys()
    for index, moments in old["optimiser"]["state"].items():
        assert new["optimiser"]["state"][index]["step"] == moments["step"]
        for kind, much in (("exp_avg", 0.15), ("exp_avg_sq", 0.3)):  # 8 bits: two of them after the binary point
            found, true = new["optimiser"]["state"][index][kind], moments[kind]
            torch.testing.assert_close(found, true, rtol=much, atol=1e-4 * float(true.abs().max()))
    averages = [SpatialORModel.from_pretrained(at).state_dict() for at in (before, after)]
    for name, value in averages[0].items():
        torch.testing.assert_close(averages[1][name], value, rtol=1e-3, atol=1e-6)


def test_the_end_of_the_run_is_a_usual_checkpoint_with_every_digit(calls, tool, tmp_path):
    folder, _ = calls
    tool.unpack(folder / "two", tmp_path / "last")
    averages = [SpatialORModel.from_pretrained(at) for at in (folder / "runs_two" / "tiny" / "last", tmp_path / "last")]
    for name, value in averages[0].state_dict().items():
        assert torch.equal(averages[1].state_dict()[name], value), name
    assert json.loads((tmp_path / "last" / "progress.json").read_text())["step"] == 4
    assert not (tmp_path / "last" / "state.pt").exists()
    with pytest.raises(SystemExit, match="end of a run of 2 calls"):
        arguments = ("--config", folder / "recipe.yaml", "--calls", 2, "--state", folder / "two", "--out", tmp_path)
        tool.main(["call", *map(str, arguments)])


def test_the_ordinary_trainer_can_go_on_from_the_parts(calls, tool, tmp_path):
    folder, _ = calls
    tool.unpack(folder / "one", tmp_path / "run" / "last")
    config = load(folder / "recipe.yaml")
    data = config.data.model_copy(update={"folder": folder / "train" / "call-0"})
    run = Trainer(config.model_copy(update={"data": data}), tmp_path / "run", resume=True)
    run.run(None)
    assert run.step == 4


def test_parts_that_do_not_belong_together_are_refused(calls, tool, tmp_path):
    folder, _ = calls
    with pytest.raises(BundleError, match=r"holds no state\.json"):
        tool.unpack(tmp_path, tmp_path / "last")
    (tmp_path / "state.json").write_bytes((folder / "two" / "state.json").read_bytes())
    (tmp_path / "state-0.part").write_bytes((folder / "one" / "state-0.part").read_bytes())
    with pytest.raises(BundleError, match="bring all of one call"):
        tool.unpack(tmp_path, tmp_path / "last")


def test_a_mean_square_that_eight_bits_lose_leaves_no_leap(tool):
    mean, square = torch.zeros(5000), torch.zeros(5000)
    mean[:2], square[:2] = torch.tensor([1.0, 1e-4]), torch.tensor([1e12, 1e-8])
    squeezed = tool._squeezed("exp_avg/0", mean) | tool._squeezed("exp_avg_sq/0", square)
    found = tool._moments(squeezed)[0]
    assert float(squeezed["exp_avg_sq/0"].float()[1]) == 0.0  # lost beside the large one
    assert float(found["exp_avg"][1] / found["exp_avg_sq"][1].sqrt()) == pytest.approx(1.7, rel=1e-3)


def test_the_clock_says_how_far_the_run_is(tool):
    now = time.monotonic()
    second = tool.Call(1, 3, now - 60, now + 60)
    assert second.share() == pytest.approx(0.5, abs=1e-3) and not second.last
    assert tool.Call(2, 3, now - 9, now - 1).share() == 1.0


def test_every_call_draws_rooms_of_its_own_and_the_same_ones_to_validate(calls):
    folder, _ = calls
    seeds = [json.loads((folder / "train" / f"call-{k}" / "recipe.json").read_text())["seed"] for k in (0, 1)]
    assert seeds == [0, 1]
    assert json.loads((folder / "val" / "recipe.json").read_text())["seed"] == 0


def test_validation_is_drawn_first_and_pairs_come_among_the_frames(tool, tmp_path):
    train, val = cache.Recipe("train", 320, WIDTH, HEIGHT, 7, pairs=40), cache.Recipe("val", 64, WIDTH, HEIGHT, 7)
    rendering = tool.Rendering(tmp_path / "train", train, tmp_path / "val", val, workers=3)
    first = [(folder.name, name) for folder, name, _ in itertools.islice(rendering.shards(), 11)]
    assert first[:2] == [("val", "00000"), ("val", "00001")]
    assert [name for _, name in first[2:]] == [
        "00000", "00001", "00002", "00003", "pairs_00000", "00004", "00005", "00006", "00007"
    ]  # fmt: skip


def test_a_renderer_that_dies_ends_the_waiting(tool, tmp_path):
    class Dead:
        name = "renderer 3"

        def is_alive(self) -> bool:
            return False

    train, val = cache.Recipe("train", 32, WIDTH, HEIGHT, 7), cache.Recipe("val", 32, WIDTH, HEIGHT, 7)
    rendering = tool.Rendering(tmp_path / "train", train, tmp_path / "val", val, workers=1)
    with pytest.raises(DatasetError, match="renderer 3 ended"):
        tool.await_frames(rendering, [Dead()], 32, time.monotonic() + 60)
    with pytest.raises(DatasetError, match="time is over with 0 shards"):
        tool.await_frames(rendering, [], 32, time.monotonic() - 1)


@pytest.mark.slow
def test_it_learns_from_frames_that_it_renders_itself(tmp_path):
    path = recipe(tmp_path)
    said = call("--config", path, "--steps", 2, "--minutes", 30, "--out", tmp_path / "out", "--runs", tmp_path / "runs")
    assert int(re.search(r"step 2; (\d+) frames rendered", said)[1]) >= 32
    assert Frames(tmp_path / "train" / "call-0").batch(np.arange(32), 10).image.shape == (32, HEIGHT, WIDTH, 3)
