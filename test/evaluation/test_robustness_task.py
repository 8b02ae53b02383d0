"""Severities do what their names say, the same way every time; losses are shares of what was there before."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from or_spatial.cli import app
from or_spatial.evaluation import robustness_task
from or_spatial.evaluation.robustness_task import CLEAN, figures
from or_spatial.evaluation.severities import COVERED, NAMES, covered, suffered
from or_spatial.evaluation.slices import FrameRecord
from or_spatial.world.samples import render_sample
from or_spatial.world.simulation import Simulation

OF_PICTURES = [name for name in NAMES if not name.startswith("fov")]


@pytest.fixture(scope="module")
def sample():
    """One small frame of the validation split."""
    return render_sample(Simulation("val", 3, cameras=1, duration_s=4.0, hazards=()), 1.5, 0, 160, 96, alerts=())


def even(sample, level: int):
    """The frame with a picture of one level."""
    return replace(sample, image=np.full_like(sample.image, level))


@pytest.mark.parametrize("name", OF_PICTURES)
def test_a_frame_suffers_the_same_way_every_time(sample, name):
    once, again = suffered(sample, name), suffered(sample, name)
    np.testing.assert_array_equal(once.image, again.image)
    assert once.image.dtype == np.uint8 and once.image.shape == sample.image.shape
    assert (once.image != sample.image).any()


@pytest.mark.parametrize(
    ("name", "level", "expected"), [("gamma_0.5", 64, 128), ("gamma_2", 128, 64), ("gamma_2", 255, 255)]
)
def test_gamma_is_the_power_of_the_level(sample, name, level, expected):
    sample = even(sample, level)
    assert suffered(sample, name).image[0, 0, 0] == pytest.approx(expected, abs=1)


def test_noise_has_the_sigma_of_its_name(sample):
    noisy = suffered(even(sample, 128), "noise_0.06").image
    assert (noisy / 255.0).std() == pytest.approx(0.06, rel=0.02)


def test_blur_of_two_pixels_spreads_a_line_by_two_pixels(sample):
    dark = even(sample, 0)
    dark.image[:, 80] = 255
    seen = suffered(dark, "blur_2px").image[..., 0].astype(float)
    x = np.arange(seen.shape[1])
    profile = seen.sum(0) / seen.sum()
    assert np.sqrt((profile * (x - 80) ** 2).sum()) == pytest.approx(2.0, abs=0.1)


def test_a_fifth_is_covered_and_what_it_hides_is_asked_of_nobody(sample):
    for seed in range(8):
        cut = covered(sample, np.random.default_rng(seed))
        hidden = np.isnan(cut.depth_m) & ~np.isnan(sample.depth_m)
        assert hidden.mean() == pytest.approx(COVERED, abs=0.02)
        names = {v.object_id for v in cut.views}
        assert {o.id for o in cut.graph.objects} <= names | {o.id for o in sample.graph.objects}
        assert all({r.subject_id, r.object_id} <= {o.id for o in cut.graph.objects} for r in cut.graph.relations)
        for index, view in enumerate(cut.views):
            assert (cut.instances == index).sum() == view.visible_px


def test_a_thing_wholly_under_the_cover_is_gone(sample):
    """Over many covers every object disappears now and then, and then its relations do too."""
    gone = set()
    for seed in range(60):
        cut = covered(sample, np.random.default_rng(seed))
        gone |= {v.object_id for v in sample.views} - {v.object_id for v in cut.views}
    assert gone


def test_another_lens_shows_the_same_room_from_the_same_place():
    room = Simulation("val", 3, cameras=1, duration_s=4.0, hazards=())
    wide, narrow = (render_sample(room, 1.5, 0, 96, 64, alerts=(), fov_rad=np.radians(a)) for a in (100.0, 45.0))
    np.testing.assert_array_equal(wide.room_from_camera, narrow.room_from_camera)
    assert narrow.camera.fx / wide.camera.fx == pytest.approx(np.tan(np.radians(50)) / np.tan(np.radians(22.5)))


def record(hits: int, misses: int, room: str = "a") -> FrameRecord:
    tallies = {name: np.array([[hits, 0, misses], [0, 3, 0]]) for name in ("action", "geometric", "strict")}
    return FrameRecord(room, "total_knee", "wide", "level", tallies, np.array([0.1]), np.array([1.0, 10.0, 10.0]))


def test_the_worst_severity_is_the_one_that_loses_most():
    records = {name: [record(9, 1, "a"), record(9, 1, "b")] for name in (CLEAN, *NAMES)}
    records["blur_2px"] = [record(1, 9, "a"), record(3, 7, "b")]
    found = figures(records)
    before, after = 2 * 18 / (36 + 2), 2 * 4 / (8 + 16)
    assert found["worst"] == "blur_2px"
    assert found["worst_relative_loss"] == pytest.approx(1 - after / before)
    assert found["worst_relative_loss_low"] < found["worst_relative_loss"] < found["worst_relative_loss_high"]
    assert found["by_severity"]["gamma_2"]["strict_loss"] == pytest.approx(0.0)


def test_the_command_looks_at_real_frames_with_the_shipped_model(tmp_path, monkeypatch):
    monkeypatch.setattr(robustness_task, "NAMES", ("blur_2px", "fov_45"))
    json_file = tmp_path / "robustness.json"
    command = ["evaluate", "--task", "robustness", "--split", "val", "--frames", "2", "--json", str(json_file)]
    done = CliRunner().invoke(app, [*command, "--report", str(tmp_path / "page"), "--workers", "1"])
    assert done.exit_code == 0, done.output
    found = json.loads(json_file.read_text())["robustness"]
    assert set(found["by_severity"]) == {"blur_2px", "fov_45"}
    assert "worst loss" in (tmp_path / "page" / "report.html").read_text()
