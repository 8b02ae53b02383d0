"""The clinical node in a process of its own: graphs in, readings out, abstentions when graphs stop or make no sense."""

import math

import pytest
from or_spatial.msg import ClinicalState as ClinicalStateMessage
from or_spatial.msg import SceneGraph as SceneGraphMessage
from std_srvs.srv import Trigger
from talking import wait_until

from or_spatial.evaluation.clinical_world import STEP_S, read_operation
from or_spatial.nodes import conversions, qos
from or_spatial.nodes.runner import Suite
from or_spatial.scene import SceneGraph

pytestmark = pytest.mark.dds
AGO_NS = 3600 * 1_000_000_000


@pytest.fixture(scope="module")
def operation():
    return read_operation("val", 0, "total_knee")


class Talk:
    """Publishes graphs at stamps of an hour ago, one by one, and hears the readings."""

    def __init__(self, node):
        self._node, self._begin_ns = node, node.get_clock().now().nanoseconds - AGO_NS
        self._graphs = node.create_publisher(SceneGraphMessage, "scene_graph", qos.profile("LATCHED", 200))
        self.heard = []
        self._states = node.create_subscription(
            ClinicalStateMessage,
            "clinical",
            lambda m: self.heard.append(conversions.clinical_state_from_message(m)),
            qos.profile("LATCHED", 200),
        )
        wait_until(self._graphs.get_subscription_count, what="the clinical node")
        wait_until(lambda: node.count_publishers("clinical"), what="its publisher")

    def stamp_ns(self, step):
        return self._begin_ns + round(step * STEP_S * 1e9)

    def tell(self, graph, step):
        """Publish a graph as that of this step, and wait for its reading."""
        from dataclasses import replace

        stamp_ns = self.stamp_ns(step)
        self._graphs.publish(conversions.scene_graph_to_message(replace(graph, stamp_ns=stamp_ns)))
        return wait_until(lambda: next((s for s in list(self.heard) if s.stamp_ns == stamp_ns), None), what="a reading")

    def send(self, graph):
        self._graphs.publish(conversions.scene_graph_to_message(graph))

    def close(self):
        self._node.destroy_publisher(self._graphs)
        self._node.destroy_subscription(self._states)


def test_an_operation_is_read_and_silence_and_nonsense_are_answered_with_an_abstention(
    transport, listener, operation, tmp_path
):
    parameters = {"clinical": {"stale_after_s": 2.0, "min_confidence": 0.4}}
    with Suite(("clinical",), transport=transport, parameters=parameters, log_folder=tmp_path):
        talk = Talk(listener.node)
        states = [talk.tell(step.graph, n) for n, step in enumerate(operation.steps[:30])]
        right = sum(state.phase == step.phase for state, step in zip(states, operation.steps, strict=False))
        assert right >= 12
        nurse = next(id for id, role in operation.steps[0].roles.items() if role == "nurse")
        last = {r.object_id: r for r in states[-1].roles}
        assert last[nurse].role == "nurse" and last[nurse].sterile == 1.0
        assert set(last) == set(operation.steps[29].roles)
        assert states[-1].model_id == "or_world"

        silent = wait_until(lambda: not talk.heard[-1].roles and talk.heard[-1], what="the abstention of silence")
        assert (silent.stamp_ns, silent.phase, silent.procedure) == (talk.stamp_ns(29), "", "")
        assert math.isnan(silent.phase_confidence)
        wait_until(lambda: "no scene graph for" in listener.status["clinical_node"].message, what="the warning")

        talk.send(SceneGraph(stamp_ns=talk.stamp_ns(30), vocabulary="esperanto"))
        wait_until(lambda: "esperanto" in listener.status["clinical_node"].message, what="the refusal by name")

        answer = listener.call(Trigger, "restart_reading")
        assert answer.success
        again = talk.tell(operation.steps[0].graph, 31)
        assert again.phase == operation.steps[0].phase
        talk.close()
    assert "or_world reads total_knee, robotic_knee, vertebroplasty" in (tmp_path / "clinical_node.log").read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "cannot be read"), ("{", "is damaged")],
    ids=["missing", "damaged"],
)
def test_a_model_that_cannot_be_read_ends_the_node_with_its_name(transport, tmp_path, text, words):
    file = tmp_path / "team.json"
    if text is not None:
        file.write_text(text)
    parameters = {"clinical": {"model_file": str(file)}}
    with Suite(("clinical",), transport=transport, parameters=parameters, log_folder=tmp_path) as suite:
        wait_until(lambda: suite.failed, what="the refusal")
    said = (tmp_path / "clinical_node.log").read_text()
    assert "team.json" in said and words in said
