"""`or_spatial hazards check --bag`: the rules of a file, played on recorded graphs."""

import io

import pytest
from rich.console import Console

from or_spatial.errors import ConfigError, DatasetError
from or_spatial.hazards.engine import HazardEngine
from or_spatial.scene import AlertState, Scale, SceneGraph, SceneObject

pytest.importorskip("or_spatial.msg", reason="needs the interfaces: make env")

from or_spatial.commands import hazard_rules

NS = 1_000_000_000
RULES = """
version: 1
rules:
  fallen:
    severity: medium
    condition: {kind: height, subject: {labels: [drill]}, below_m: 0.3}
    for_s: 1.0
    message: "{subject} lies on the floor"
    source: site policy
"""


def graph(t_s, z_m):
    drill = SceneObject(
        id="drill_1",
        label="drill",
        center_m=(0.5, 1.0, z_m),
        size_m=(0.2, 0.1, 0.2),
        covariance_m2=(1e-3, 0, 0, 0, 1e-3, 0, 0, 0, 1e-3),
        existence=0.9,
    )
    return SceneGraph(stamp_ns=round((1000 + t_s) * NS), scale=Scale.METRIC, objects=(drill,))


def write_bag(path, topics):
    """Graphs at 2 Hz on each topic: on the table for 2 s, on the floor for 3 s, picked up."""
    from rclpy.serialization import serialize_message
    from rosbags.rosbag2 import StoragePlugin, Writer

    from or_spatial.nodes import conversions
    from or_spatial.nodes.bags import typestore

    types = typestore()
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic in topics:
            connection = writer.add_connection(topic, "or_spatial/msg/SceneGraph", typestore=types)
            for i in range(16):
                shown = graph(0.5 * i, 0.05 if 4 <= i < 10 else 0.95)
                message = serialize_message(conversions.scene_graph_to_message(shown))
                writer.write(connection, shown.stamp_ns, message)
    return path


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def shown(rules, *arguments):
    console = Console(record=True, width=200, file=io.StringIO())
    hazard_rules.check_rules(rules, console, *arguments)
    return console.export_text()


def test_a_rule_is_raised_and_cleared_at_the_seconds_of_the_recording(rules, tmp_path):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    bag = write_bag(tmp_path / "bag", ["/scene_graph", "/truth/scene_graph"])
    text = shown(rules, bag)
    assert "fallen" in text and "1 rules, no mistake" in text
    assert "graphs of /scene_graph" in text  # what the nodes published comes before the truth
    assert "    3.00  RAISED  medium  fallen_1: drill_1 lies on the floor" in text
    assert "    5.50  CLEARED medium  fallen_1: cleared: drill_1 lies on the floor" in text
    assert "16 graphs in 7.5 s: 1 raised, 1 cleared, standing at the end: none" in text
    assert "graphs of /truth/scene_graph" in shown(rules, bag, "/truth/scene_graph")
    with pytest.raises(DatasetError, match=r"no scene graphs on '/graph'; --topic may be /scene_graph, /truth/scene_"):
        shown(rules, bag, "/graph")


def test_a_recording_without_graphs_says_what_it_holds(rules, tmp_path):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    bag = write_bag(tmp_path / "bag", [])
    with pytest.raises(DatasetError, match="holds no scene graphs; its topics are: nothing; or_spatial demo records"):
        shown(rules, bag)


def test_a_wrong_rule_is_told_before_the_recording_is_opened(rules, tmp_path):
    rules.write_text(RULES.replace("below_m", "belowm"))
    with pytest.raises(ConfigError, match=r"rules\.yaml: rule 'fallen': condition: unknown key 'belowm'; closest is"):
        shown(rules, tmp_path / "nowhere")


def test_silence_between_graphs_is_noticed_when_it_happened():
    engine = HazardEngine.from_yaml()
    told = [a for t_s in (0.0, 4.0) for a in hazard_rules.judge(engine, graph(t_s, 0.95))]
    assert [(a.rule_id, a.state, a.stamp_ns - 1000 * NS) for a in told] == [
        ("stale_graph", AlertState.RAISED, NS),
        ("stale_graph", AlertState.CLEARED, 4 * NS),
    ]
