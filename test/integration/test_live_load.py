"""The live benchmark runs the real suite over real DDS, and its figures say what happened."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from or_spatial.commands.load import Load, Outcome, benchmark_live, figures, parse_size
from or_spatial.errors import ConfigError
from or_spatial.nodes.streamer import there_and_back

SUITE = {"perception_node", "hazard_node", "query_node", "marker_node", "clinical_node"}


@pytest.mark.timeout(180)
def test_every_image_of_a_short_load_arrives_and_becomes_a_graph():
    found = benchmark_live(Load(width=320, height=180, rate_hz=2.0, seconds=4.0), bundle=None)
    assert found["transport"]["sent"] == 8
    assert found["transport"]["delivered"] == 1.0
    assert found["transport"]["graphs_per_moment"] >= 0.5  # a busy machine may skip to a newer image
    assert found["latency"]["graph_p95_ms"] > 0.0
    assert set(found["memory"]["by_node"]) == SUITE
    assert found["made_with"]["restarts"] == 0


def test_a_growing_queue_shows():
    outcome = Outcome(sent=100, moments=100, received=50, graphs=100, latencies_s=list(np.linspace(0.1, 0.6, 100)))
    found = figures(Load(), outcome)
    assert found["latency"]["graph_growth_ms"] == pytest.approx(400.0, abs=10.0)
    assert found["transport"]["delivered"] == 0.5


def test_pictures_are_shown_there_and_back():
    assert [there_and_back(k, 4) for k in range(8)] == [0, 1, 2, 3, 2, 1, 0, 1]
    assert [there_and_back(k, 1) for k in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("text", ["640", "x360", "640x", "8x8", "640*360"])
def test_a_size_of_another_form_is_refused(text):
    with pytest.raises(ConfigError, match="640x360"):
        parse_size(text)
