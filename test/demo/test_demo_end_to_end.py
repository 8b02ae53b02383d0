"""The whole demo once: real nodes in their own processes, real DDS on loopback, a recording of four seconds."""

import json
import re
import subprocess
import sys

import cv2
import pytest
from recorded_room import of_another_suite, write_bag

from or_spatial.commands import interfaces
from or_spatial.commands.recordings import read_recording

pytestmark = pytest.mark.dds

KEYS = (
    "relations.action_macro_f1",
    "relations.geometric_macro_f1",
    "relations.strict_macro_f1",
    "objects.center_error_median_m",
    "hazards.recall",
    "hazards.false_per_10min",
    "latency.graph_p50_ms",
    "latency.graph_p95_ms",
    "transport.delivered",
    "memory.pss_mb",
)
SUITE = {"perception_node", "hazard_node", "query_node", "marker_node", "clinical_node"}
SERVICES = (
    "get_scene_graph",
    "find_objects",
    "query_relation",
    "get_trajectory",
    "ask_spatial",
    "watch_question",
    "list_hazards",
    "acknowledge_hazard",
    "ask_scene",
)


@pytest.fixture(scope="module")
def used_bag(tmp_path_factory):
    """Four seconds recorded while another suite was running."""
    return write_bag(tmp_path_factory.mktemp("bags") / "used", seconds=4.0, more=of_another_suite())


@pytest.fixture(scope="module")
def demo(used_bag, tmp_path_factory):
    """(folder, finished process) of one demo; the rule baseline, which needs no bundle."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    command = [sys.executable, "-m", "or_spatial.cli", "demo", "--bag", str(used_bag), "--out", str(folder)]
    done = subprocess.run([*command, "--perceiver", "rules"], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder, done


@pytest.fixture(scope="module")
def figures(demo):
    return json.loads((demo[0] / "metrics.json").read_text())


def test_every_figure_of_the_limits_is_there(figures):
    for key in KEYS:
        value = figures
        for part in key.split("."):
            value = value[part]
        assert isinstance(value, (int, float)), key


def test_the_baseline_finds_nearly_what_it_was_told(figures):
    assert figures["objects"]["center_error_median_m"] < 0.1 and figures["objects"]["recall"] > 0.5
    assert figures["transport"]["delivered"] > 0.2  # a busy machine drops frames, and says so
    assert 50 < figures["memory"]["pss_mb"] < 800
    assert set(figures["memory"]["by_node"]) == SUITE


def test_every_service_and_the_action_answered(demo):
    for name in SERVICES:
        assert name in demo[1].stdout
    assert "TIMEOUT" not in demo[1].stdout and "NOT_READY" not in demo[1].stdout


def test_the_baseline_says_loudly_what_it_is(demo):
    assert "READS THE TRUTH" in demo[1].stderr
    assert "READS THE TRUTH" in (demo[0] / "report.html").read_text()


def test_the_output_bag_holds_graphs_and_markers_of_this_suite_alone(demo, used_bag):
    heard = read_recording(demo[0] / "bag")
    sent = {s for stamps in read_recording(used_bag).image_stamps.values() for s in stamps}
    assert heard.markers > 100
    assert heard.alerts and "theirs" not in {a.id for a in heard.alerts}
    assert {r.graph.stamp_ns for r in heard.graphs} <= sent  # stamps are copied, never re-made


def test_the_page_and_the_picture_stand_alone(demo):
    html = (demo[0] / "report.html").read_text()
    assert html.count("data:image/jpeg") >= 3 and not re.findall(r'src="(?!data:)', html)
    for words in ("sterile breach", "What made this page", "rules-on-truth", "get_trajectory"):
        assert words in html
    picture = demo[0] / "picture.png"
    assert picture.stat().st_size <= 300_000 and cv2.imread(str(picture)).shape[1] == 960


def test_the_documented_topics_are_those_of_the_running_nodes(figures):
    documented = {}
    for topic in (*interfaces.INPUTS, *interfaces.OUTPUTS):
        name = topic.name.replace("<camera>", "camera_1")
        documented[name if name.startswith("/") else f"/{name}"] = topic.type
    present = {name: kind for name, kind in figures["topics"].items() if not name.startswith(("/truth", "/rosout"))}
    extra = {"/parameter_events", "/clock"} | {n for n in present if "transition_event" in n or "_action" in n}
    assert {n: k for n, k in present.items() if n not in extra}.items() <= documented.items()
    chosen_by_parameter = {"/camera_1/image_raw", "/camera_1/boxes"}
    assert documented.keys() - present.keys() <= chosen_by_parameter
