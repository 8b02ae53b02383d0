import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from or_spatial import __version__
from or_spatial.cli import app

COMMANDS = ("demo", "run", "replay", "world", "calibrate", "train", "export", "evaluate", "benchmark", "doctor")
HEAVY = ("torch", "onnxruntime", "cv2", "rclpy", "matplotlib", "scipy", "tensorrt", "transformers")


def run(*arguments):
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"})


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_teaches_with_an_example(name):
    shown = run(name, "--help")
    assert shown.exit_code == 0
    assert "Example" in shown.output and f"or_spatial {name}" in shown.output


def test_the_version_is_the_packages():
    assert run("--version").output.strip() == f"or_spatial {__version__}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "--config", "nowhere.yaml"), "nowhere.yaml does not exist"),
        (("evaluate",), "one of --split, --bag, --dataset"),
        (("evaluate", "--split", "val", "--bag", "x"), "--split, --bag"),
        (("evaluate", "--task", "calibration", "--bag", "room"), "takes no --bag"),
        (("evaluate", "--task", "hazards", "--bundle", "b"), "--task hazards takes no --bundle"),
        (("evaluate", "--task", "hazards", "--scenes", "9"), "--scenes, which belongs to --task calibration"),
        (("evaluate", "--task", "calibration", "--clips", "0"), "--task calibration takes no --clips"),
        (("evaluate", "--task", "counterfactual", "--frames", "9"), "takes no --frames"),
        (("evaluate", "--task", "tracking", "--runs", "x"), "--runs, which belongs to --task ablation"),
        (("evaluate", "--task", "ablation", "--bundle", "b"), "--task ablation takes no --bundle"),
        (("evaluate", "--split", "test", "--data", "d"), "--data, which belongs to --dataset"),
        (("evaluate", "--split", "test", "--config", "c"), "--config, which belongs to --task ablation"),
        (("evaluate", "--dataset", "mvor", "--bundle", "b"), "--dataset takes no --bundle"),
        (("evaluate", "--dataset", "mvor", "--record"), "--record, which belongs to --split"),
        (("evaluate", "--bag", "room", "--report", "r"), "--bag takes no --report"),
        (("evaluate", "--bag", "room", "--workers", "3"), "it takes --bundle, --json"),
        (("benchmark", "--bundle", "nowhere"), "manifest.json is missing"),
        (("export", "nowhere", "out"), "nowhere is no checkpoint"),
        (("replay", "nowhere"), "nowhere"),
        (("run", "percption"), "did you mean 'perception_node'"),
        (("run", "-p", "nonsense"), "node.parameter=value"),
        (("run", "-p", "perception.camera=[a]"), "did you mean 'cameras'"),
        (("run", "-p", "perception.cameras=[]"), "'cameras' is empty"),
        (("run", "-p", "perception.cameras=[a, a]"), "names 'a' more than once"),
        (("run", "-p", "perception.cameras=[1 b]"), "'1 b' is no ROS name"),
        (("run", "--namespace", "1 bad"), "namespace: '1 bad' is no ROS name"),
        (("hazards", "check", "nowhere.yaml"), "nowhere.yaml does not exist"),
        (("world",), "--out"),
        (("world", "--split", "tset", "--out", "x"), "tset"),
        (("demo", "--bag", "nowhere"), "nowhere"),
    ],
)
def test_a_mistake_is_one_message_with_its_remedy_and_exit_code_2(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = run(*arguments)
    assert ended.exit_code == 2, ended.output
    assert "error:" in ended.output and words in ended.output
    assert "Traceback" not in ended.output


@pytest.mark.parametrize("command", ["evaluate --split val", "benchmark", "replay room", "clinical score"])
def test_figures_that_could_not_be_written_are_refused_before_the_work(command, tmp_path):
    ended = run(*command.split(), "--json", str(tmp_path))
    assert ended.exit_code == 2 and "is a directory" in ended.output


def test_a_file_in_the_place_of_a_folder_is_one_message(tmp_path):
    (tmp_path / "text").write_text("")
    ended = run("world", "--seconds", "0.2", "--out", str(tmp_path / "text" / "room"))
    assert ended.exit_code == 2 and "error:" in ended.output and str(tmp_path / "text") in ended.output


def test_a_list_in_an_example_is_shown_as_it_must_be_typed():
    assert 'perception.cameras="[ceiling, wall]"' in run("run", "--help").output


def test_a_message_with_brackets_is_not_read_as_markup():
    assert "[a]" in run("run", "-p", "perception.rate[a]=1").output


def test_help_and_doctor_import_nothing_heavy_and_take_less_than_a_second():
    code = (
        "import sys, time\nfrom typer.testing import CliRunner\nfrom or_spatial.cli import app\n"
        "r = CliRunner()\nr.invoke(app, ['--help'])\nr.invoke(app, ['doctor'])\n"
        f"print(time.process_time(), [m for m in {HEAVY!r} if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    took_s, imported = answer.stdout.split(" ", 1)
    assert imported.strip() == "[]"
    assert float(took_s) < 1.0  # of processor time: the machine may be busy with other tests


def test_a_rules_file_is_checked_as_the_node_would(tmp_path):
    good = run("hazards", "check")
    assert good.exit_code == 0 and "no mistake" in good.output
    bad = tmp_path / "rules.yaml"
    bad.write_text("version: 1\nvocabulary: or_world\nrules:\n  r:\n    severty: high\n")
    refused = run("hazards", "check", str(bad))
    assert refused.exit_code == 2 and "severty" in refused.output


def test_the_doctor_speaks_markdown_and_json():
    assert "| part | status | found | cost | remedy |" in run("doctor", "--markdown").output
    names = {f["name"] for f in json.loads(run("doctor", "--json").output)}
    assert {"Python", "ROS 2", "ONNX Runtime", "model bundle", "/dev/shm", "tf2_ros"} <= names
