"""What a run tells of itself: curves that a resumed run goes on in, a picture of them, training without TensorBoard."""

import json
import sys

import cv2
import numpy as np
import pytest
import yaml
from toy_rooms import tiny_recipe

from or_spatial.commands.learning import write_curves
from or_spatial.training.config import load
from or_spatial.training.journal import PROGRESS, Journal, read_curves
from or_spatial.training.train import Trainer
from or_spatial.visual.curves import draw_curves


def drawn(folder) -> dict[str, list[tuple[int, float]]]:
    """All points of a folder as TensorBoard shows them: (step, value) by curve."""
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulators.EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_the_smoothed_terms_the_rate_and_the_speed_become_curves(tmp_path):
    with Journal(tmp_path, 0) as journal:
        for step in range(1, 41):
            journal.learnt(step, {"depth": 100.0 - step}, rate=step * 1e-5, pictures=16)
        journal.checked(40, {"depth": 60.0}, {"depth": 61.0})
    curves = drawn(tmp_path)
    assert curves["train/depth"] == [(20, 80.0), (40, 60.0)]
    assert curves["run/learning_rate"] == [(20, pytest.approx(2e-4)), (40, pytest.approx(4e-4))]
    assert [step for step, speed in curves["run/pictures_per_s"] if speed > 0] == [20, 40]
    assert curves["val/depth"] == [(40, 61.0)]


def test_a_resumed_run_takes_back_what_came_after_its_checkpoint(tmp_path):
    with Journal(tmp_path, 0) as journal:
        journal.checked(20, {"depth": 3.0}, {"depth": 4.0})
        for step in range(21, 61):  # then the power fails
            journal.learnt(step, {"depth": 2.0}, 1e-3, 16)
    with Journal(tmp_path, 20) as journal:
        for step in range(21, 41):
            journal.learnt(step, {"depth": 1.0}, 1e-3, 16)
    curves = drawn(tmp_path)
    assert curves["val/depth"] == [(20, 4.0)]
    assert curves["train/depth"] == [(40, 1.0)]


def test_of_two_visits_to_a_step_the_later_one_counts(tmp_path):
    lines = [{"step": s, "train": {"depth": t}, "val": {"depth": v}} for s, t, v in ((5, 3, 4), (9, 2, 3), (7, 1, 2))]
    (tmp_path / PROGRESS).write_text("\n".join(map(json.dumps, lines)) + "\n")
    told = read_curves(tmp_path)
    assert (told.steps, told.train, told.val) == ((5, 7), {"depth": (3, 1)}, {"depth": (4, 2)})


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(tiny_recipe(tmp_path)))
    return path


def test_without_tensorboard_a_run_trains_and_says_so_once(recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    run = Trainer(load(recipe), tmp_path / "run", resume=False)
    run.run(None)
    assert run.step == 4 and not (tmp_path / "run" / "tensorboard").exists()
    assert capsys.readouterr().err.count("TensorBoard is not installed") == 1
    assert read_curves(tmp_path / "run").steps == (4,)


def test_a_run_leaves_its_curves_as_numbers_and_as_a_picture(recipe, tmp_path):
    first = Trainer(load(recipe), tmp_path / "run", resume=False)
    first.run(minutes=1e-6)
    Trainer(first.config, first.folder, resume=True).run(None)
    told = read_curves(tmp_path / "run")
    assert told.steps == (1, 4)
    assert set(told.val) == set(told.train) >= {"depth", "action", "total"}
    total = [(step, pytest.approx(value)) for step, value in zip(told.steps, told.val["total"], strict=True)]
    assert drawn(tmp_path / "run")["val/total"] == total
    assert cv2.imread(str(write_curves(tmp_path / "run"))).shape[2] == 3


def test_each_term_has_a_chart_and_validation_is_not_training():
    flat = draw_curves([1, 2], {"depth": [2.0, 1.0]}, {"depth": [2.0, 1.0]})
    apart = draw_curves([1, 2], {"depth": [2.0, 1.0]}, {"depth": [2.0, 1.5]})
    more = draw_curves([1, 2], {}, {name: [2.0, 1.0] for name in "abcde"})
    assert (flat != apart).any()
    assert more.shape[0] == 2 * flat.shape[0] and np.ptp(more) > 0


def test_a_checkpoint_keeps_its_recipe_but_nobodys_folders(recipe, tmp_path):
    run = Trainer(load(recipe), tmp_path / "run", resume=False)
    run.run(minutes=1e-6)
    told = json.loads((run.last / "progress.json").read_text())["recipe"]
    assert told["seed"] == 0 and told["data"]["seed"] == 0
    assert told["stages"][0]["batch"] == 2 and told["model"]["hidden_size"] == 32
    assert str(tmp_path) not in json.dumps(told)
