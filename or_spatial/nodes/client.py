"""Asks every service and the action once, as any client would, about what the newest graph holds."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from or_spatial.nodes.calls import answer_of
from or_spatial.scene import Family, SceneGraph, SpatialRelation

ANSWER_WITHIN_S = 5.0


@dataclass(frozen=True)
class Exchange:
    """One question and its answer in words. `status` is the response's own, or TIMEOUT when none came."""

    service: str
    asked: str
    status: str
    answer: str
    took_ms: float


class Client:
    """Clients of all services on a node that somebody else spins."""

    def __init__(self, node: Any) -> None:
        from rclpy.action import ActionClient

        from or_spatial import srv
        from or_spatial.action import AskScene

        self._node = node
        self._kinds = {
            "get_scene_graph": srv.GetSceneGraph,
            "find_objects": srv.FindObjects,
            "query_relation": srv.QueryRelation,
            "get_trajectory": srv.GetTrajectory,
            "ask_spatial": srv.AskSpatial,
            "watch_question": srv.WatchQuestion,
            "list_hazards": srv.ListHazards,
            "acknowledge_hazard": srv.AcknowledgeHazard,
        }
        self._clients = {name: node.create_client(kind, name) for name, kind in self._kinds.items()}
        self._action = ActionClient(node, AskScene, "ask_scene")
        self.graph: SceneGraph | None = None

    def missing(self) -> list[str]:
        """Services that nobody offers yet."""
        return [name for name, client in self._clients.items() if not client.service_is_ready()]

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait for every service; whether all are there."""
        deadline = time.monotonic() + timeout_s
        left = (max(0.0, deadline - time.monotonic()) for _ in self._clients)
        return all(client.wait_for_service(t) for client, t in zip(self._clients.values(), left, strict=True))

    def topics(self) -> dict[str, str]:
        """Every topic on the domain with its type, such as {"/markers": "visualization_msgs/MarkerArray"}."""
        return {name: kinds[0].replace("/msg/", "/") for name, kinds in self._node.get_topic_names_and_types()}

    def ask_everything(self) -> list[Exchange]:
        """Every service once, then the action; later questions are about what the first answers said."""
        exchanges = [self._ask_graph(), self._ask_objects(), self._ask_relation(), self._ask_trajectory()]
        exchanges += [self._ask_question(), self._ask_watch(), *self._ask_hazards(), self._ask_scene()]
        return exchanges

    def depth_of(self, camera: str, timeout_s: float) -> tuple[str, np.ndarray] | None:
        """One depth image (H, W) in metres with its camera's name; subscribing makes the node compute it."""
        from sensor_msgs.msg import Image

        from or_spatial.nodes import qos

        came, held = threading.Event(), []

        def take(message: Image) -> None:
            held.append(message)
            came.set()

        topic = f"{camera}/depth/image"
        subscription = self._node.create_subscription(Image, topic, take, qos.profile("DEFAULT", 1))
        came.wait(timeout_s)
        self._node.destroy_subscription(subscription)
        if not held or held[0].encoding != "32FC1":
            return None
        m = held[0]
        return camera, np.frombuffer(m.data, np.float32).reshape(m.height, m.step // 4)[:, : m.width].copy()

    def _call(self, name: str, asked: str, words: Callable[[Any], str], **fields: Any) -> tuple[Exchange, Any]:
        request = self._kinds[name].Request(**fields)
        begun = time.perf_counter()
        response = answer_of(lambda: self._clients[name].call_async(request), ANSWER_WITHIN_S)
        took_ms = 1e3 * (time.perf_counter() - begun)
        if response is None:
            return Exchange(name, asked, "TIMEOUT", f"no answer within {ANSWER_WITHIN_S:g} s", took_ms), None
        text = words(response) or response.message
        return Exchange(name, asked, status_name(response), text, took_ms), response

    def _ask_graph(self) -> Exchange:
        from or_spatial.nodes import conversions

        exchange, response = self._call(
            "get_scene_graph",
            "the newest graph",
            lambda r: f"{len(r.graph.objects)} objects, {len(r.graph.relations)} relations",
        )
        if response is not None:
            self.graph = conversions.scene_graph_from_message(response.graph)
        return exchange

    def _ask_objects(self) -> Exchange:
        def words(response: Any) -> str:
            return ", ".join(f"{o.id} at ({o.center.x:.1f}, {o.center.y:.1f}) m" for o in response.objects) or "none"

        return self._call("find_objects", "every person", words, labels=["person"])[0]

    def _ask_relation(self) -> Exchange:
        chosen = telling_relation(self.graph)
        subject, target = (chosen.subject_id, chosen.object_id) if chosen else ("person", "operating_table")

        def words(response: Any) -> str:
            return ", ".join(f"{r.predicate} {r.confidence:.0%}" for r in response.relations[:4])

        asked = f"{subject} to {target}"
        return self._call("query_relation", asked, words, subject=subject, object=target)[0]

    def _ask_trajectory(self) -> Exchange:
        mover = fastest(self.graph)

        def words(response: Any) -> str:
            if not response.positions:
                return ""
            path = np.array([(p.x, p.y, p.z) for p in response.positions])
            length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum() if len(path) > 1 else 0.0
            return f"{len(path)} positions, {length:.1f} m walked"

        return self._call("get_trajectory", f"of {mover}", words, object=mover)[0]

    def _ask_question(self) -> Exchange:
        question = "Who is close to the patient?"
        return self._call("ask_spatial", question, lambda r: r.answer.answer, question=question)[0]

    def _ask_watch(self) -> Exchange:
        chosen = telling_relation(self.graph)
        label = label_of(self.graph, chosen.object_id) if chosen else "patient"
        question = f"Where is the {label.replace('_', ' ')}?"
        fields = {"question": question, "question_id": "demo"}
        return self._call("watch_question", question, lambda r: r.answer.answer, **fields)[0]

    def _ask_hazards(self) -> list[Exchange]:
        def words(response: Any) -> str:
            return "; ".join(a.message or a.hazard_type for a in response.alerts) or "none"

        listed, response = self._call("list_hazards", "all, also cleared ones", words, include_cleared=True)
        alerts = sorted(response.alerts, key=lambda a: a.state == a.STATE_CLEARED) if response is not None else []
        wanted = alerts[0].id if alerts else "none-is-known"
        by = "or_spatial demo"
        done, _ = self._call("acknowledge_hazard", f"{wanted} by {by}", lambda r: r.alert.message, id=wanted, by=by)
        return [listed, done]

    def _ask_scene(self) -> Exchange:
        from or_spatial.action import AskScene

        question = "What is left of the operating table?"
        begun = time.perf_counter()
        goal = AskScene.Goal(question=question)
        ready = self._action.wait_for_server(1.0)
        handle = answer_of(lambda: self._action.send_goal_async(goal), ANSWER_WITHIN_S) if ready else None
        accepted = handle is not None and handle.accepted
        wrapped = answer_of(handle.get_result_async, ANSWER_WITHIN_S) if accepted else None
        took_ms = 1e3 * (time.perf_counter() - begun)
        if wrapped is None:
            return Exchange("ask_scene", question, "TIMEOUT", "the action did not answer", took_ms)
        result = wrapped.result
        return Exchange("ask_scene", question, status_name(result), result.answer.answer or result.message, took_ms)


def status_name(response: Any) -> str:
    """The name of a response's status, from the constants of its own definition."""
    names = {
        value: name
        for name in ("OK", "NOT_READY", "NO_DATA", "STALE", "UNKNOWN_OBJECT", "LOW_CONFIDENCE", "INVALID_REQUEST")
        if isinstance(value := getattr(type(response), name, None), int)
    }
    return names.get(response.status, "TIMEOUT")


def telling_relation(graph: SceneGraph | None) -> SpatialRelation | None:
    """The surest action that is more than being close; a contact where there is none."""
    relations = graph.relations if graph else ()
    actions = [r for r in relations if r.family == Family.ACTION and r.predicate != "closeTo"]
    contacts = [r for r in relations if r.predicate in ("on", "touching")]
    return max(actions or contacts, key=lambda r: r.confidence, default=None)


def fastest(graph: SceneGraph | None) -> str:
    """Id of the person who moves fastest, "person" when there is none."""
    people = graph.labelled("person") if graph else ()
    speeds = {o.id: float(np.nan_to_num(np.linalg.norm(o.velocity_m_s))) for o in people}
    return max(speeds, key=speeds.__getitem__, default="person")


def label_of(graph: SceneGraph | None, object_id: str) -> str:
    """Label of an object, or its id when the graph does not hold it."""
    found = graph.find(object_id) if graph else None
    return found.label if found else object_id
