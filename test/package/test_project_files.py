"""What integrators and newcomers read first agrees with itself."""

import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import or_spatial

ROOT = Path(__file__).resolve().parents[2]
NODES = ("perception_node", "query_node", "hazard_node", "clinical_node", "marker_node", "world_node")


def test_there_is_one_version():
    assert ET.parse(ROOT / "package.xml").findtext("version") == or_spatial.__version__


def test_the_package_is_an_ament_cmake_package_of_interfaces_under_apache():
    manifest = ET.parse(ROOT / "package.xml")
    assert manifest.findtext("export/build_type") == "ament_cmake"
    assert manifest.findtext("member_of_group") == "rosidl_interface_packages"
    assert manifest.findtext("license") == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_every_ros_package_that_nodes_import_is_declared():
    manifest = ET.parse(ROOT / "package.xml")
    declared = {e.text for tag in ("depend", "exec_depend") for e in manifest.iter(tag)}
    sources = "\n".join(path.read_text() for path in (ROOT / "or_spatial").rglob("*.py"))
    used = set(re.findall(r"^\s*(?:from|import) (rclpy|cv_bridge|message_filters|tf2_ros|\w+_msgs)\b", sources, re.M))
    assert used <= declared


@pytest.mark.parametrize("name", [*NODES, "or_spatial"])
def test_a_program_only_calls_main(name):
    path = ROOT / "scripts" / name
    module = "or_spatial.cli" if name == "or_spatial" else f"or_spatial.nodes.{name}"
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/usr/bin/env python3\n")
    assert f"from {module} import main" in path.read_text()


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make_alone_lists_what_it_can_do():
    plain = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True, env=plain).stdout
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets >= {"demo", "test", "test-slow", "lint", "train-env"}
    assert set(re.findall(r"^  ([a-z-]+) ", shown, re.MULTILINE)) == targets


def test_continuous_integration_runs_two_targets_and_nothing_else():
    commands = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line and line[0] != "#"]
    assert commands[:2] == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."']
    assert commands[2:] == ["make lint", "make test"]


def test_the_running_system_needs_no_torch():
    wanted = "".join((ROOT / "requirements" / name).read_text() for name in ("runtime.txt", "ros.txt", "ros-build.txt"))
    assert not re.search(r"^(torch|transformers|-r train)", wanted, re.MULTILINE)


def test_image_publishers_get_a_segment_that_holds_several_images():
    profile = ET.parse(ROOT / "config/fastdds.xml")
    ns = "{http://www.eprosima.com}"
    shared = next(t for t in profile.iter(f"{ns}transport_descriptor") if t.findtext(f"{ns}type") == "SHM")
    assert int(shared.findtext(f"{ns}segment_size")) >= 8 * 1280 * 720 * 3
    assert int(shared.findtext(f"{ns}maxMessageSize")) > 1280 * 720 * 3
