"""Both renderers are asked the same; what is lost is a share of what ours gives."""

import json
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from or_spatial.cli import app
from or_spatial.errors import MissingDependency
from or_spatial.evaluation.domain_task import OURS, TRACED, evaluate_domain, figures
from or_spatial.evaluation.slices import FrameRecord


def record(hits: int, misses: int, room: str) -> FrameRecord:
    tallies = {name: np.array([[hits, 0, misses], [0, 3, 0]]) for name in ("action", "geometric", "strict")}
    return FrameRecord(room, "total_knee", "wide", "level", tallies, np.array([0.1]), np.array([1.0, 10.0, 10.0]))


def test_the_loss_is_a_share_of_what_our_renderer_gives():
    found = figures({OURS: [record(9, 1, "a"), record(9, 1, "b")], TRACED: [record(6, 4, "a"), record(3, 7, "b")]})
    before, after = 2 * 18 / (36 + 2), 2 * 9 / (18 + 11)
    assert found["strict_loss"] == pytest.approx(1 - after / before)
    assert found["strict_loss_low"] < found["strict_loss"] < found["strict_loss_high"]
    assert found[TRACED]["strict_macro_f1"] < found[OURS]["strict_macro_f1"]


def test_the_command_draws_every_frame_twice(tmp_path):
    json_file = tmp_path / "domain.json"
    command = ["evaluate", "--task", "domain", "--split", "val", "--frames", "1", "--json", str(json_file)]
    done = CliRunner().invoke(app, [*command, "--report", str(tmp_path / "page"), "--workers", "1"])
    assert done.exit_code == 0, done.output
    found = json.loads(json_file.read_text())
    assert found["made_with"]["frames"] == 1 and found["domain"][TRACED]["abs_rel"] > 0
    page = (tmp_path / "page" / "report.html").read_text()
    assert "path_traced" in page and page.count("<img") == 2


def test_without_mitsuba_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    with pytest.raises(MissingDependency, match="pip install mitsuba"):
        evaluate_domain("val", frames=1)
