"""Starting nodes: refusals that name the parameter, restarts, clean ends; replaying what cannot be replayed."""

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import rclpy
from rclpy.node import Node
from std_srvs.srv import Trigger
from synthetic_room import SyntheticRoom
from talking import wait_until

from or_spatial.errors import ConfigError, DatasetError
from or_spatial.nodes import runner
from or_spatial.nodes.bags import Bag, BagWriter
from or_spatial.nodes.base import TabledLifecycleNode, run_node
from or_spatial.nodes.replayer import ReplayOptions
from or_spatial.nodes.runner import Suite
from or_spatial.nodes.session import replay
from or_spatial.nodes.transport import Transport

pytestmark = pytest.mark.dds


def started(transport: Transport, node: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A node that is expected to end by itself."""
    command = [sys.executable, "-m", f"or_spatial.nodes.{node}", "--ros-args", *arguments]
    environment = os.environ | transport.environment()
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("node", "given", "said"),
    [
        ("query_node", "stale_aftr_s:=1.0", "has no parameter 'stale_aftr_s'; did you mean 'stale_after_s'"),
        ("hazard_node", "repeat_hz:=99.0", "parameter 'repeat_hz' is 99.0, allowed is 0.1 to 10"),
        ("perception_node", "processing:=newst", "did you mean 'newest'"),
        ("marker_node", "lifetime_s:=long", "'lifetime_s' takes a double, got 'long'"),
        ("hazard_node", "rules_file:=/nowhere.yaml", "/nowhere.yaml"),
        ("perception_node", "model_bundle:=/nowhere", "/nowhere is no model bundle: manifest.json is missing"),
    ],
)
def test_a_node_started_wrongly_ends_with_code_2_and_says_why_in_words(transport, node, given, said):
    ended = started(transport, node, "-p", given)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_runner_refuses_the_same_before_anything_starts():
    with pytest.raises(ConfigError, match="query_node has no parameter 'stale_aftr_s'"):
        Suite(("query",), parameters={"query": {"stale_aftr_s": 1.0}})
    with pytest.raises(ConfigError, match="no node 'qurey'; did you mean 'query_node'"):
        Suite(("qurey",))
    with pytest.raises(ConfigError, match="no node 'qurey'"):
        Suite(("query",), parameters={"qurey": {}})


def test_a_damaged_bundle_is_named_and_the_node_is_not_started_again(transport, tmp_path):
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "manifest.json").write_text("{")
    said: list[str] = []
    parameters = {"perception": {"model_bundle": str(folder)}}
    with Suite(
        ("perception",), transport=transport, parameters=parameters, log_folder=tmp_path, say=said.append
    ) as suite:
        wait_until(lambda: suite.failed, what="the refusal")
        assert suite.failed == {"perception_node": 2}
    assert "manifest.json is not readable JSON" in (tmp_path / "perception_node.log").read_text()
    assert said[0].startswith("perception_node ended with code 2; see ")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_node_that_is_killed_is_started_again(transport, tmp_path, how):
    said: list[str] = []
    with Suite(("marker",), transport=transport, log_folder=tmp_path, say=said.append) as suite:
        first = wait_until(lambda: suite.pids.get("marker_node"))
        os.kill(first, how)
        second = wait_until(lambda: suite.pids.get("marker_node") not in (None, first) and suite.pids["marker_node"])
        assert suite.restarts["marker_node"] == 1
    assert not Path(f"/proc/{second}").exists()
    assert "starting it again in 0.5 s" in said[0]


def test_all_nodes_end_cleanly_within_the_patience_of_the_runner(transport, tmp_path, listener):
    with Suite(("hazard", "query", "marker"), transport=transport, log_folder=tmp_path) as suite:
        wanted = {"hazard_node", "query_node", "marker_node"}
        wait_until(lambda: wanted <= set(listener.node.get_node_names()), what="all nodes")
        processes = [r.process for r in suite._running.values()]
    logs = "\n".join((tmp_path / f"{name}.log").read_text() for name in wanted)
    assert [p.returncode for p in processes] == [0, 0, 0], logs
    assert "Traceback" not in logs


def test_nodes_run_in_a_namespace_with_parameters_from_a_file(transport, tmp_path, listener):
    file = tmp_path / "mine.yaml"
    file.write_text("/**/hazard_node:\n  ros__parameters:\n    state_file: none\n    repeat_hz: 5.0\n")
    options = {"namespace": "theatre_2", "parameter_files": [file], "log_folder": tmp_path}
    with Suite(("hazard",), transport=transport, **options):
        wait_until(lambda: listener.values("theatre_2/hazard_node"), what="diagnostics from the namespace")
        assert listener.node.count_publishers("/theatre_2/active_hazards") == 1


def test_every_frame_mode_answers_every_picture_of_a_fast_replay(transport, tmp_path, listener):
    room = SyntheticRoom(seconds=3.0, rate_hz=10.0, cameras=("camera_1", "camera_2"))
    bag = room.write_bag(tmp_path / "bag", transport="raw")
    parameters = {
        "perception": {"cameras": ["camera_1", "camera_2"], "perceiver": "rules", "processing": "every_frame"}
    }
    with Suite(("perception",), transport=transport, parameters=parameters, log_folder=tmp_path):
        result = replay(bag, tmp_path / "out", transport=transport, options=ReplayOptions(every_frame=True))
    assert (result.report.moments, result.report.unanswered) == (30, [])
    assert (result.graphs, result.delivered) == (30, 1.0)
    with Bag(tmp_path / "out") as out:
        stamps = [m.stamp_ns for m in out.messages(["/scene_graph"])]
    assert stamps == [room.stamp_ns(t) for t in room.times_s]


def test_a_recording_without_images_says_what_it_holds(transport, tmp_path):
    writer = BagWriter(tmp_path / "bag")
    writer.add_topic("/truth/scene_graph", "or_spatial/msg/SceneGraph")
    writer.close()
    with pytest.raises(DatasetError, match="holds no images to play; its topics are: /truth/scene_graph"):
        replay(tmp_path / "bag", transport=transport)


def test_a_topic_that_is_not_there_is_named_with_those_that_are(transport, tmp_path, bag):
    with pytest.raises(DatasetError, match=r"holds no /camera_9/image_raw; its topics are: /camera_1/camera_info"):
        replay(bag, transport=transport, options=ReplayOptions(topics=["/camera_9/image_raw"]))


def test_nobody_listening_is_said_with_the_topic_and_the_likely_cause(transport, bag):
    with pytest.raises(DatasetError, match="nobody listens to /camera_1/image_raw/compressed.*cameras and transport"):
        replay(bag, transport=transport, listeners_within_s=0.2)


@pytest.mark.parametrize("what", ["missing", "empty", "damaged"])
def test_what_is_no_recording_is_refused_by_name(tmp_path, bag, what):
    path = tmp_path / "bag"
    if what == "empty":
        path.mkdir()
    if what == "damaged":
        shutil.copytree(bag, path)
        mcap = next(path.glob("*.mcap"))
        mcap.write_bytes(mcap.read_bytes()[:200])
    with pytest.raises(DatasetError, match=str(path)):
        Bag(path)


def test_a_recording_is_never_written_over(tmp_path, bag):
    with pytest.raises(DatasetError, match="cannot be written"):
        BagWriter(bag)


RUN = """
import sys
from or_spatial.nodes.runner import run
from or_spatial.nodes.transport import Transport
sys.exit(run(("marker", "hazard"), transport=Transport(domain={domain}, loopback=True),
             parameters={{"hazard": {{"state_file": "none"}}}}))
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nodes_end_with_their_runner_however_it_ends(transport, listener, how):
    command = [sys.executable, "-c", RUN.format(domain=transport.domain)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as runner:
        wanted = {"marker_node", "hazard_node"}
        wait_until(lambda: wanted <= set(listener.node.get_node_names()), what="both nodes")
        children = Path(f"/proc/{runner.pid}/task/{runner.pid}/children").read_text().split()
        runner.send_signal(how)
        assert runner.wait(30) == (0 if how == signal.SIGINT else -9)
    assert len(children) == 2
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), what="the end of the nodes")


def test_a_node_that_is_told_to_end_while_it_starts_ends_cleanly():
    def told_to_end() -> Node:
        node = Node("half_made")
        rclpy.try_shutdown()
        node.create_service(Trigger, "too_late", lambda request, response: response)
        raise AssertionError("a closed context took a service")

    assert run_node(told_to_end) == 0


class EndedWhileConfiguring(TabledLifecycleNode):
    """A managed node that a signal reaches in the middle of `configure`."""

    def configure(self) -> None:
        rclpy.try_shutdown()
        self.create_service(Trigger, "too_late", lambda request, response: response)
        raise AssertionError("a closed context took a service")


def test_a_managed_node_that_is_told_to_end_while_it_configures_ends_without_a_word_of_failure(capfd):
    assert run_node(lambda: EndedWhileConfiguring("query_node")) == 0
    said = "".join(capfd.readouterr())
    assert "Traceback" not in said and "could not start" not in said


_HANGS = """
import threading
from or_spatial.nodes.base import TabledNode, run_node

class Hangs(TabledNode):
    def close(self):
        print("told to end", flush=True)
        threading.Event().wait()

def made():
    node = Hangs("marker_node")
    print("made", flush=True)
    return node

run_node(made)
"""


def next_line(process: subprocess.Popen[str]) -> str:
    assert select.select([process.stdout], [], [], 30.0)[0], "nothing said within 30 s"
    return process.stdout.readline()


@pytest.fixture
def hanging(transport) -> Iterator[subprocess.Popen[str]]:
    """A node that never ends, told to end once it is whole: before, it would end at once, and cleanly."""
    command, environment = [sys.executable, "-uc", _HANGS], os.environ | transport.environment()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        assert next_line(process) == "made\n"
        process.send_signal(signal.SIGINT)
        assert next_line(process) == "told to end\n"
        yield process
        process.kill()


def test_a_node_that_hangs_tells_where_it_stands(hanging):
    hanging.send_signal(signal.SIGUSR1)
    assert any("in close" in line for line in hanging.stderr)
    assert hanging.poll() is None


def test_a_second_interrupt_ends_a_node_that_hangs(hanging):
    hanging.send_signal(signal.SIGINT)
    assert hanging.wait(10) != 0
    assert "KeyboardInterrupt" in hanging.stderr.read()


def test_the_runner_kills_a_node_that_does_not_listen_and_says_so(transport, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "_PATIENCE_S", 0.5)
    said: list[str] = []
    with Suite(("marker",), transport=transport, log_folder=tmp_path, say=said.append) as suite:
        pid = wait_until(lambda: suite.pids.get("marker_node"))
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, what="the node to stand still")
    assert not Path(f"/proc/{pid}").exists()
    assert said == [f"marker_node did not end within 0.5 s and was killed; see {tmp_path / 'marker_node.log'}"]
