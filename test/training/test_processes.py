"""Two processes that learn together: one model, one step, one checkpoint that any number can go on from."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from toy_rooms import WORDS, tiny_recipe

from or_spatial.errors import ConfigError
from or_spatial.training.augment import augment, resized
from or_spatial.training.config import load
from or_spatial.training.data import seeded
from or_spatial.training.journal import read_curves
from or_spatial.training.processes import Processes, joined
from or_spatial.training.train import Trainer, TrainingDiverged

ROOT = Path(__file__).resolve().parents[2]


def recipe(folder: Path, steps: int = 4) -> Path:
    """Batches of all four rooms; gradients are not clipped, so that they can be looked at after a step."""
    changes = tiny_recipe(folder, clip=1e9)
    changes["stages"][0] |= {"steps": steps, "batch": 4}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(changes))
    return path


def learner(number: int, count: int, port: int, path: Path) -> None:
    """What each process does: one step, the rest of the run, then a loss that is no number in the second one alone."""
    told = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in told.items()})
    with joined() as processes:
        run = Trainer(load(path), path.parent / "run", resume=False, processes=processes)
        stage = run.config.stages[0]
        terms = run._learn(next(run._batches(stage.batch)), stage, 0)
        gradients = {name: p.grad.clone() for name, p in run.model.named_parameters() if p.grad is not None}
        statistics = {name: b.clone() for name, b in run.model.named_buffers()}
        run.run(None)
        weights = {name: value.clone() for name, value in run.model.state_dict().items()}
        heard = processes.any(processes.rank == 1), processes.any(False)
        if number == 1:
            with torch.no_grad():
                run.model.graph.pair.out.bias += float("nan")
        with pytest.raises(TrainingDiverged) as stopped:
            run._learn(next(run._batches(stage.batch)), stage, 0)
    found = {"terms": terms, "gradients": gradients, "statistics": statistics, "weights": weights, "heard": heard}
    torch.save({**found, "average": run.average, "stopped": str(stopped.value)}, path.parent / f"{number}.pt")


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """A run of two processes: its folder, and what each of them held."""
    folder = tmp_path_factory.mktemp("together")
    path = recipe(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(learner, (2, port, path), nprocs=2)
    return folder, [torch.load(folder / f"{k}.pt", weights_only=True) for k in (0, 1)]


def test_all_processes_hold_one_model(together):
    _, (one, two) = together
    for kind in ("weights", "average", "gradients", "statistics"):
        assert one[kind].keys() == two[kind].keys()
        for name, value in one[kind].items():
            assert torch.equal(value, two[kind][name]), (kind, name)
    assert one["terms"] == two["terms"]


def test_the_step_follows_the_mean_of_the_shares(together, tmp_path):
    """Both shares one after the other in this process, each in its own light: the mean of their gradients."""
    _, (found, _) = together
    alone = []
    for number in (0, 1):
        run = Trainer(load(recipe(tmp_path / str(number))), tmp_path / "none", resume=False)
        run.processes = Processes(number, 2)
        stage, generator = run.config.stages[0], seeded("cpu", run.config.seed, 0, number)
        batch = resized(next(run._batches(4)), stage.height, stage.width)
        assert len(batch.label) == 2
        run.model.train()
        terms = run._terms(run.model, augment(batch, WORDS, generator), stage, generator)
        terms["total"].backward()
        alone.append((run.model, float(terms["total"].detach())))
    (first, loss), (second, other) = alone
    assert loss != other
    assert found["terms"]["total"] == pytest.approx((loss + other) / 2, rel=1e-6)
    grown = [[p.grad for p in model.parameters()] for model in (first, second)]
    for (name, _), a, b in zip(first.named_parameters(), *grown, strict=True):
        assert (a is None) == (name not in found["gradients"])
        if a is not None:
            torch.testing.assert_close(found["gradients"][name], (a + b) / 2, rtol=1e-4, atol=1e-6)
    means = [dict(model.named_buffers()) for model in (first, second)]
    for name in (n for n in means[0] if n.endswith(("running_mean", "running_var"))):
        torch.testing.assert_close(found["statistics"][name], (means[0][name] + means[1][name]) / 2)


def test_what_one_process_says_all_of_them_hear(together):
    _, found = together
    assert [one["heard"] for one in found] == [(True, False), (True, False)]


def test_a_loss_that_is_no_number_in_one_process_stops_all(together):
    folder, (one, two) = together
    assert "another process" in one["stopped"] and "diverged_1.pt" in two["stopped"]
    assert (folder / "run" / "diverged_1.pt").exists() and not (folder / "run" / "diverged.pt").exists()


def test_one_process_goes_on_where_two_stopped(together):
    folder, (found, _) = together
    assert read_curves(folder / "run").steps == (4,)  # only one of them wrote
    path = folder / "longer.yaml"
    path.write_text((folder / "recipe.yaml").read_text().replace("steps: 4", "steps: 6"))
    again = Trainer(load(path), folder / "run", resume=True)
    assert again.step == 4
    assert torch.equal(again.model.state_dict()["depth.out.1.bias"], found["weights"]["depth.out.1.bias"])
    again.run(None)
    assert again.step == 6


def test_torchrun_trains_with_the_command_that_the_documentation_names(tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "or_spatial.cli", "train", "--config", str(recipe(tmp_path)), "--runs", str(tmp_path / "runs")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("checkpoint:") == 1
    assert read_curves(tmp_path / "runs" / "tiny").steps == (4,)
    assert (tmp_path / "runs" / "tiny" / "curves.png").exists()


@pytest.mark.parametrize(
    ("batch", "frames", "said"),
    [(16, 100, "3 processes cannot share a batch of 16"), (12, 8, "3 processes cannot share 8 frames in batches")],
)
def test_a_batch_that_cannot_be_shared_out_is_refused(batch, frames, said):
    with pytest.raises(ConfigError, match=said):
        Processes(0, 3).require_shares([3, batch], frames)
    Processes().require_shares([batch], frames)  # alone there is nothing to share


def test_more_processes_than_gpus_are_refused(monkeypatch):
    for name, value in {"WORLD_SIZE": 4, "RANK": 3, "LOCAL_RANK": 3, "LOCAL_WORLD_SIZE": 4}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="4 processes for 1 GPUs"), joined():
        pass
