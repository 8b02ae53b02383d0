"""The page of an evaluation holds its figures, its pictures, and the real views where they are at hand."""

import numpy as np
import pytest
from stated import snapshot_of

from or_spatial.evaluation.evaluation_report import Shown, write_report
from or_spatial.evaluation.frames import FrameScores, Look
from or_spatial.evaluation.metrics.results import plain
from or_spatial.perception.perceiver import Perception
from or_spatial.world.samples import render_sample
from or_spatial.world.simulation import Simulation


class Blind:
    """A perceiver that sees nothing, with just what the page asks of one."""

    class bundle:
        vocabulary, model_id, calibration = "or_world", "blind-1", {}

    def perceive(self, frames):
        return [Perception(depth_m=np.full((16, 28), 2.0, np.float32)) for _ in frames]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    sample = render_sample(Simulation("val", 3, cameras=1, duration_s=4.0, hazards=()), 1.5, 0, 160, 96)
    scores, shown = FrameScores(), Shown()
    look = Look(sample, Perception(depth_m=sample.depth_m), snapshot_of(sample.graph))
    shown.consider(look, scores.add(look))
    command = "or_spatial evaluate --split val --frames 1 --clips 0"
    made = {"command": command, "model": "blind-1", "split": "val", "frames": 1, "clips": 0, "world_version": 1}
    figures = plain({**scores.figures(), "made_with": made})
    return write_report(tmp_path_factory.mktemp("report"), figures, shown, Blind()).read_text()


def test_the_page_says_what_was_measured_with_what(page):
    assert "blind-1" in page and "or_spatial evaluate --split val --frames 1 --clips 0" in page
    assert "action macro F1" in page and "closeTo" in page


def test_pictures_are_inside_the_page(page):
    assert page.count("data:image/jpeg;base64,") >= 2 and "http://" not in page


def test_real_views_are_shown_where_they_are_at_hand(page, data_dir):
    assert "Real views" in page and "4d-or_view_6" in page
