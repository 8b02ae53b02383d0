"""Launch files: thin, over the one table of nodes, and (where ROS has launch) producing the processes they promise."""

import ast
import runpy
import sys
import types

import pytest

from or_spatial.errors import ConfigError
from or_spatial.nodes.launching import camera_names, clock, effective_parameters, node_arguments
from or_spatial.nodes.table import LIVE, NODES, SIMULATION, entry
from or_spatial.paths import share_path

FILES = sorted(share_path("launch").glob("*.launch.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_a_launch_file_compiles_is_short_and_imports_only_launch_and_our_tables(path):
    tree = ast.parse(path.read_text(), filename=str(path))
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    ours = {m for m in imported if m.startswith("or_spatial")}
    assert ours <= {"or_spatial.nodes.launching", "or_spatial.nodes.table", "or_spatial.paths"}
    assert {m.split(".")[0] for m in imported - ours} <= {"launch", "launch_ros"}
    assert len(path.read_text().splitlines()) < 70


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_a_launch_file_names_no_node_that_the_table_does_not_have(path):
    texts = {n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)}
    named = {t for t in texts if isinstance(t, str) and t.endswith("_node")}
    assert named <= set(NODES)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_every_override_of_a_launch_file_is_a_parameter_of_its_node(path):
    known = {spec.name for name in SIMULATION for spec in _specs(name)} | {"use_sim_time"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("world", "cameras", "perception"):
            keys = {k.value for d in ast.walk(node.value) if isinstance(d, ast.Dict) for k in d.keys if k is not None}
            assert keys <= known


def _specs(name):
    from or_spatial.nodes.parameter_table import PARAMETERS

    return PARAMETERS[name]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_a_launch_file_describes_itself_where_launch_is_installed(path):
    pytest.importorskip("launch_ros", reason="launch comes with a sourced ROS 2, not from PyPI")
    import launch

    description = runpy.run_path(str(path))["generate_launch_description"]()
    assert isinstance(description, launch.LaunchDescription)


@pytest.mark.parametrize("name", SIMULATION)
def test_the_arguments_of_a_node_name_an_executable_that_exists(name):
    given = node_arguments(name, namespace="theatre")
    assert share_path("scripts", given["executable"]).stat().st_mode & 0o111
    assert (given["name"], given["namespace"], given["respawn"]) == (name, "theatre", True)
    large = "FASTDDS_DEFAULT_PROFILES_FILE" in given["additional_env"]
    assert large == NODES[name].publishes_images


def test_overrides_beat_the_users_file_which_beats_the_shipped_one(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("/**:\n  ros__parameters:\n    transport: compressed\n    lost_after_s: 3.0\n")
    values = effective_parameters(entry("perception"), [file], {"lost_after_s": 4.0})
    assert (values["transport"], values["lost_after_s"], values["world_frame"]) == ("compressed", 4.0, "map")


class _Anything:
    """Stands for `launch` where it is not installed: what a launch file does with it is only to build its objects."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs

    def perform(self, context):
        return context.get(self.args[0], "")


@pytest.fixture
def launched(monkeypatch):
    """Runs a launch file's own `nodes` with some arguments given; node name to its parameters."""
    for name in ("actions", "conditions", "event_handlers", "events", "substitutions", "launch_ros.actions"):
        module = types.ModuleType(name)
        module.__getattr__ = lambda attribute: _Anything
        monkeypatch.setitem(sys.modules, name if "." in name else f"launch.{name}", module)
    for name in ("launch", "launch_ros"):
        module = types.ModuleType(name)
        module.__getattr__ = lambda attribute: _Anything
        monkeypatch.setitem(sys.modules, name, module)

    def run(file, **arguments):
        made = runpy.run_path(str(share_path("launch", file)))["nodes"](arguments)
        return {m.kwargs["name"]: m.kwargs["parameters"][0] for m in made if "parameters" in m.kwargs}

    return run


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_arguments_that_are_not_given_leave_the_users_file_alone(path, launched, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "perception_node: {ros__parameters: {cameras: [ceiling, wall], transport: compressed, perceiver: boxes}}\n"
        "world_node: {ros__parameters: {seed: 9, split: val}}\n"
    )
    found = launched(path.name, parameters=str(file), bag="room")
    told = found["perception_node"]
    assert (told["cameras"], told["transport"], told["perceiver"]) == (["ceiling", "wall"], "compressed", "boxes")
    assert "world_node" not in found or (found["world_node"]["seed"], found["world_node"]["split"]) == (9, "val")
    cameras, expected = ("1", ["camera_1"]) if path.name.startswith("simulation") else ("left", ["left"])
    given = launched(path.name, parameters=str(file), bag="room", cameras=cameras)
    assert given["perception_node"]["cameras"] == expected


def test_a_simulation_looks_through_the_cameras_that_it_has(launched):
    found = launched("simulation.launch.py", cameras="3", seed="7")
    assert found["perception_node"]["cameras"] == ["camera_1", "camera_2", "camera_3"]
    assert (found["world_node"]["camera_count"], found["world_node"]["seed"]) == (3, 7)
    assert launched("simulation.launch.py")["perception_node"]["cameras"] == ["camera_1", "camera_2"]


def test_the_clock_is_read_whatever_its_case():
    assert clock("True") == {"use_sim_time": True} and clock("") == {}
    with pytest.raises(ConfigError, match="use_sim_time is 'yess'"):
        clock("yess")


def test_a_mistake_ends_the_launch_with_its_name():
    with pytest.raises(ConfigError, match="no parameter 'camras'; did you mean 'cameras'"):
        node_arguments("perception_node", overrides={"camras": ["x"]})


def test_camera_names_are_read_from_one_text():
    assert camera_names(" left, right ,") == {"cameras": ["left", "right"]}
    assert camera_names("") == {}
    with pytest.raises(ConfigError, match="cameras is ' , '"):
        camera_names(" , ")


def test_the_live_suite_is_what_the_simulation_adds_a_world_to():
    assert set(SIMULATION) - set(LIVE) == {"world_node"}


def test_the_rviz_file_shows_the_topics_that_the_nodes_publish():
    import yaml

    config = yaml.safe_load(share_path("config", "or_spatial.rviz").read_text())
    topics = {d["Topic"]["Value"] for d in config["Visualization Manager"]["Displays"] if "Topic" in d}
    assert topics == {"markers", "camera_1/image_raw", "camera_1/depth/image", "camera_1/points"}
