"""Every way of installing, each in a new venv. Minutes each: `make test-slow`."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from scratch import ROOT, copy_checkout, fresh_environment, make_venv, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not shutil.which("cmake"), reason="needs CMake"),
]
REQUIREMENTS = ROOT / "requirements"
BUILD_TOOLS = ("-r", REQUIREMENTS / "ros.txt", "-r", REQUIREMENTS / "ros-build.txt")
SAYS_HELLO = """
from or_spatial.msg import SceneGraph
from or_spatial.srv import AskSpatial
from or_spatial.action import AskScene
from rclpy.serialization import deserialize_message, serialize_message
graph = SceneGraph(model_id="hello", sequence=7)
assert deserialize_message(serialize_message(graph), SceneGraph) == graph
import or_spatial.scene
print(or_spatial.scene.__file__)
"""
WAIT_FOR_NODE = """
import sys, time, rclpy
rclpy.init()
node = rclpy.create_node("watcher")
deadline = time.monotonic() + 180
while sys.argv[1] not in node.get_node_names():
    assert time.monotonic() < deadline, f"{sys.argv[1]} did not appear; there are {node.get_node_names()}"
    rclpy.spin_once(node, timeout_sec=0.1)
"""


def where_our_modules_are(python: Path, **more: str) -> Path:
    """Exercise the messages from a neutral folder; the file that `or_spatial.scene` came from."""
    return Path(run(python, "-c", SAYS_HELLO, cwd=Path("/"), **more).strip().splitlines()[-1])


def install_with_cmake(source: Path, venv: Path) -> None:
    """What `make env` does, without its pip part."""
    path = f"{venv / 'bin'}:{fresh_environment()['PATH']}"
    run("bash", source / "cmake/install_interfaces.sh", venv, venv / "build", PATH=path)


def force_with_pip(python: Path, wheel: Path) -> None:
    """Install the wheel although the same version is there, as CMake's egg-info makes pip believe."""
    run(python, "-m", "pip", "install", "-q", "--no-deps", "--force-reinstall", wheel)


def start(program: Path, python: Path, ros_domain: int, *arguments: str) -> None:
    """Start a node from its installed script, wait until the graph shows it, end it; it must not fail meanwhile."""
    shared = {"ROS_DOMAIN_ID": str(ros_domain), "PATH": f"{python.parent}:{fresh_environment()['PATH']}"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen([program, *arguments], env=fresh_environment(**shared), **pipes) as node:
        try:
            run(python, "-c", WAIT_FOR_NODE, program.name, **shared)
        finally:
            node.terminate()
            said = node.communicate(timeout=120)[0]
    assert "Traceback" not in said, said


def test_a_wheel_in_a_bare_venv_brings_messages_programs_and_share_files(wheel, tmp_path, ros_domain):
    venv = tmp_path / "venv"
    python = make_venv(venv, wheel)
    assert where_our_modules_are(python).is_relative_to(venv)
    found = run(python, "-c", "from or_spatial.paths import share_path as s; print(s('config', 'hazards.yaml'))")
    assert found.strip() == str(venv / "share/or_spatial/config/hazards.yaml")
    assert "Usage" in run(venv / "bin/or_spatial", "--help")
    for name in ("hazard_node", "query_node", "marker_node", "perception_node", "world_node"):
        if name == "perception_node" and not (venv / "share/or_spatial/resource/models/tiny").is_dir():
            continue  # without a bundle it ends with a clear error: test/nodes
        start(venv / "lib/or_spatial" / name, python, ros_domain)


def test_pip_over_what_cmake_installed_loses_no_message(checkout, wheel, tmp_path):
    venv = tmp_path / "venv"
    python = make_venv(venv, *BUILD_TOOLS, "pyyaml")
    install_with_cmake(checkout, venv)
    assert where_our_modules_are(python).is_relative_to(checkout)
    for arguments in ((checkout,), ("-e", checkout)):
        refused = run(python, "-m", "pip", "install", "--no-build-isolation", "--no-deps", *arguments, ok=False)
        assert "`make env`" in refused
        assert where_our_modules_are(python).is_relative_to(checkout)
    force_with_pip(python, wheel)  # setup.py has no say in this one
    assert where_our_modules_are(python).is_relative_to(venv)


def test_cmake_over_what_pip_installed_loses_no_message(checkout, wheel, tmp_path):
    venv = tmp_path / "venv"
    python = make_venv(venv, *BUILD_TOOLS, "pyyaml")
    run(python, "-m", "pip", "install", "-q", "--no-deps", wheel)
    assert where_our_modules_are(python).is_relative_to(venv)
    install_with_cmake(checkout, venv)
    assert where_our_modules_are(python).is_relative_to(checkout)
    force_with_pip(python, wheel)
    refused = run("cmake", "--install", venv / "build", ok=False)
    assert "pip uninstall or_spatial" in refused
    assert where_our_modules_are(python).is_relative_to(venv)


@pytest.mark.parametrize("options", [(), ("--symlink-install",)], ids=["copied", "symlinked"])
def test_colcon_builds_over_a_venv(options, tmp_path):
    venv = tmp_path / "venv"
    python = make_venv(venv, *BUILD_TOOLS, "pyyaml", "colcon-common-extensions")
    source = copy_checkout(tmp_path / "workspace/src/or_spatial")
    workspace = source.parents[1]
    over = {"AMENT_PREFIX_PATH": str(venv), "CMAKE_PREFIX_PATH": str(venv)}
    over["PATH"] = f"{venv / 'bin'}:{fresh_environment()['PATH']}"
    colcon = (venv / "bin/colcon", "build", "--packages-select", "or_spatial", *options)
    flags = ("--cmake-args", "-G", "Ninja", "-DBUILD_TESTING=OFF", "-DOR_SPATIAL_UNITY_BUILD=ON")
    for _ in range(2):  # a second build must not lose our __init__.py to rosidl's
        run(*colcon, *flags, cwd=workspace, **over)
    script = tmp_path / "hello.py"
    script.write_text(SAYS_HELLO)
    module = run("bash", "-c", f". install/local_setup.bash; python {script}", cwd=workspace, **over).strip()
    at_home = Path(module.splitlines()[-1]).resolve().is_relative_to(source)
    assert at_home == bool(options)
    assert (workspace / "install/or_spatial/lib/or_spatial/perception_node").stat().st_mode & 0o111
    assert python.is_file()


def test_a_second_make_env_does_nothing_and_a_removed_message_disappears(tmp_path):
    source = copy_checkout(tmp_path / "or_spatial")
    run("make", "env", cwd=source)
    started = time.monotonic()
    assert "Nothing to be done" in run("make", "env", cwd=source)
    assert time.monotonic() - started < 5
    generated = next(source.glob(".venv/lib/python3*/site-packages/or_spatial/msg/_role_estimate.py"))
    lists = (source / "CMakeLists.txt", source / "msg/ClinicalState.msg")
    for path in lists:
        kept = [line for line in path.read_text().splitlines() if "RoleEstimate" not in line]
        path.write_text("\n".join(kept) + "\n")
    (source / "msg/RoleEstimate.msg").unlink()
    run("make", "env", cwd=source)
    assert not generated.exists()
    assert where_our_modules_are(source / ".venv/bin/python").is_relative_to(source)
