"""`--task cameras` without pictures: poses that are made wrong, and one short clip end to end."""

import json
import math

import numpy as np
import pytest
from typer.testing import CliRunner

from or_spatial.cli import app
from or_spatial.evaluation import cameras_task
from or_spatial.evaluation.cameras_task import CamerasTask, evaluate_cameras, moved
from or_spatial.geometry.transforms import look_at
from or_spatial.perception.rig_estimation import pose_difference


@pytest.mark.parametrize(("shift_m", "yaw_deg"), [(0.3, 0.0), (0.0, 6.0), (0.5, 5.0)])
def test_a_wrong_pose_is_wrong_by_what_its_name_says_and_upright(shift_m, yaw_deg):
    pose = look_at((2.4, -1.9, 2.6), (0.1, 0.2, 0.9))
    wrong = moved(pose, shift_m, yaw_deg)
    assert pose_difference(pose, wrong) == pytest.approx((shift_m, yaw_deg), abs=1e-6)
    np.testing.assert_allclose(wrong[2], pose[2])


@pytest.fixture
def one_error(monkeypatch):
    monkeypatch.setattr(cameras_task, "ERRORS", {"0.5_m": (0.5, 0.0)})


def test_a_short_clip_gives_every_figure(one_error):
    task = CamerasTask(split="val", clips=1, healthy_s=12.0, wrong_s=12.0)
    figures = evaluate_cameras(task)["cameras"]
    assert figures["healthy_minutes"] == pytest.approx(0.2)
    assert figures["false_reports_per_hour"] == 0.0
    wrong = figures["wrong"]["0.5_m"]
    assert wrong["found"] == 1.0 and wrong["alone"] == 1.0 and 2.0 < wrong["found_after_s"] < 8.0
    assert wrong["people_error_m"] < wrong["trusted_error_m"]
    rig = figures["rig"]
    assert rig["refused"] == 0 and rig["error_median_m"] < 0.2 and math.isfinite(rig["error_over_sigma_rms"])


def test_the_command_writes_the_figures(one_error, monkeypatch, tmp_path):
    short = CamerasTask(split="val", clips=1, healthy_s=2.0, wrong_s=2.0)
    monkeypatch.setattr(cameras_task, "CamerasTask", lambda **given: short)
    file = tmp_path / "cameras.json"
    ended = CliRunner().invoke(
        app, ["evaluate", "--task", "cameras", "--split", "val", "--clips", "1", "--workers", "1", "--json", str(file)]
    )
    assert ended.exit_code == 0, ended.output
    written = json.loads(file.read_text())
    assert written["cameras"]["wrong"]["0.5_m"]["found"] == 0.0  # two seconds are not enough to accuse anybody
    assert written["made_with"]["split"] == "val"
