"""A hazard node that is killed comes back with its alerts and still knows who is contaminated."""

import json
import os
import signal
import time

import pytest
from or_spatial.msg import SceneGraph as SceneGraphMessage
from talking import wait_until

from or_spatial.nodes import conversions, qos
from or_spatial.nodes.runner import Suite
from or_spatial.scene import Scale, SceneGraph, SceneObject

pytestmark = [pytest.mark.dds, pytest.mark.slow]
BACK_WITHIN_S = 5.0


def person(id, x, sterile):
    return SceneObject(
        id=id,
        label="person",
        center_m=(x, 0.0, 0.85),
        size_m=(0.5, 0.5, 1.7),
        yaw_rad=0.0,
        covariance_m2=(1e-4, 0, 0, 0, 1e-4, 0, 0, 0, 1e-4),
        velocity_m_s=(0.0, 0.0, 0.0),
        existence=1.0,
        sterile=sterile,
    )


def test_a_killed_hazard_node_comes_back_with_its_alerts(transport, tmp_path, listener):
    state = tmp_path / "hazards.json"
    talk = listener.node.create_publisher(SceneGraphMessage, "scene_graph", qos.profile("LATCHED", 100))
    parameters = {"hazard": {"state_file": str(state)}}
    with Suite(("hazard",), transport=transport, parameters=parameters, log_folder=tmp_path) as suite:
        wait_until(lambda: talk.get_subscription_count(), what="the hazard node")

        def reported():
            """One more graph as they come live (a burst would leave only its last), then what has been told."""
            objects = (person("nurse", 0.0, 0.95), person("visitor", 0.2, 0.05))
            graph = SceneGraph(stamp_ns=time.time_ns(), scale=Scale.METRIC, objects=objects)
            talk.publish(conversions.scene_graph_to_message(graph))
            return [h for h in listener.hazards if h.rule_id == "contamination"]

        alert = wait_until(reported, what="the contamination")[0]
        wait_until(lambda: state.is_file(), what="the state file")
        assert list(json.loads(state.read_text())["contamination"]["contamination"]) == ["nurse"]
        first = suite.pids["hazard_node"]
        os.kill(first, signal.SIGKILL)
        killed_s = time.monotonic()
        wait_until(lambda: suite.restarts["hazard_node"] and suite.pids.get("hazard_node") not in (None, first))
        listener.forget()  # what the killed one said last
        wait_until(lambda: [a for m in list(listener.active) for a in m.alerts if a.id == alert.id], what="the alert")
        assert time.monotonic() - killed_s < BACK_WITHIN_S
    assert "1 count as contaminated" in (tmp_path / "hazard_node.log").read_text()
