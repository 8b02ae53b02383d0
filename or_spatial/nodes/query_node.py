"""Answers questions about the scene graph: services, an action, and watched questions whose changes are published.

Everything is answered from a history of graphs in memory. The action and the services run in threads of their own, so
that a talkative client never keeps a graph from coming in.
"""

import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from rclpy.action import ActionServer, CancelResponse
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup

from or_spatial.action import AskScene
from or_spatial.geometry.boxes import OrientedBox
from or_spatial.msg import SceneGraph as SceneGraphMessage
from or_spatial.msg import SpatialAnswer as SpatialAnswerMessage
from or_spatial.nodes import conversions, qos, queries
from or_spatial.nodes.answerers import Answerer, SymbolicAnswerer
from or_spatial.nodes.base import TabledLifecycleNode, guarded, run_node
from or_spatial.nodes.conversions import time_from_message, time_to_message
from or_spatial.nodes.diagnostics import Diagnostics, Level, Report, StageTimes
from or_spatial.nodes.extrinsics import FirstThatKnows, poses_for
from or_spatial.nodes.queries import Refusal, Status
from or_spatial.nodes.stamps import StreamClock
from or_spatial.nodes.watching import WatchList
from or_spatial.scene import FrameOfReference, GraphHistory, SceneGraph, SpatialAnswer
from or_spatial.srv import (
    AskSpatial,
    FindObjects,
    GetSceneGraph,
    GetTrajectory,
    QueryRelation,
    WatchQuestion,
)

_THREADS = 4
_GRAPH_DEPTH = 10  # a busy moment must not cost a graph: who judges or remembers wants them all
_JUMP_BACK_NS = 5_000_000_000


class QueryNode(TabledLifecycleNode):
    """Keeps the last graphs and answers; see docs/nodes.md for services, topics and parameters."""

    def __init__(self) -> None:
        super().__init__("query_node")
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._history = GraphHistory(self.value("history_graphs"), self.value("day_graphs"))
        self._stream = StreamClock(self.value("live_within_s"))
        self._answerer: Answerer = SymbolicAnswerer()
        self._watched = WatchList()
        self._poses: FirstThatKnows | None = None
        self._active = False
        self._subscription: Any = None
        self._entities: list[tuple[Callable[[Any], Any], Any]] = []
        self._times = StageTimes()
        self._diagnostics = Diagnostics(self, self._report, "or_spatial graph")

    def configure(self) -> None:
        """Create services, the action and the publisher; they say NOT_READY until the node is active."""
        world, file = self.value("world_frame"), self.value("cameras_file")
        self._poses = poses_for(self, self.value("extrinsics"), [], world, file)
        self._answers = self.create_lifecycle_publisher(
            SpatialAnswerMessage, "answers", qos.profile("LATCHED", 10), qos_overriding_options=qos.overridable()
        )
        self._entities = [(self.destroy_lifecycle_publisher, self._answers)]
        group = MutuallyExclusiveCallbackGroup()
        for kind, name, work in (
            (GetSceneGraph, "get_scene_graph", self._get_scene_graph),
            (QueryRelation, "query_relation", self._query_relation),
            (FindObjects, "find_objects", self._find_objects),
            (GetTrajectory, "get_trajectory", self._get_trajectory),
            (AskSpatial, "ask_spatial", self._ask_spatial),
            (WatchQuestion, "watch_question", self._watch_question),
        ):
            service = self.create_service(kind, name, self._served(name, work), callback_group=group)
            self._entities.append((self.destroy_service, service))
        action = ActionServer(
            self,
            AskScene,
            "ask_scene",
            self._ask_scene,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=ReentrantCallbackGroup(),
        )
        self._entities.append((lambda a: a.destroy(), action))

    def activate(self) -> None:
        """Begin to take in graphs."""
        self._subscription = self.create_subscription(
            SceneGraphMessage,
            "scene_graph",
            self._on_graph,
            qos.profile(self.value("graph_qos"), _GRAPH_DEPTH),
            callback_group=MutuallyExclusiveCallbackGroup(),
            qos_overriding_options=qos.overridable(),
        )
        self._timer = self.create_timer(0.5, self._on_tick, callback_group=self._subscription.callback_group)
        self._active = True

    def deactivate(self) -> None:
        """Stop taking in graphs, and forget them: an inactive node knows nothing."""
        self._active = False
        if self._subscription is not None:
            self.destroy_subscription(self._subscription)
            self.destroy_timer(self._timer)
        self._subscription = None
        with self._lock:
            self._history.clear()

    def cleanup(self) -> None:
        """Take services, action and publisher down."""
        for destroy, entity in self._entities:
            destroy(entity)
        self._entities.clear()
        if self._poses is not None:
            self._poses.close()
        self._poses = None

    @guarded
    def _on_graph(self, message: SceneGraphMessage) -> None:
        graph = conversions.scene_graph_from_message(message)
        with self._arrived:
            newest = self._history.newest
            if newest is not None and graph.stamp_ns < newest.stamp_ns - _JUMP_BACK_NS:
                self._history.clear()  # a recording has begun again
            self._history.add(graph)
            self._stream.received(graph.stamp_ns, self._node_now_ns())
            self._arrived.notify_all()
        for source in graph.sources:
            if self._poses is not None:
                self._poses.watch(source.camera)
        self._tell_changes(graph)

    @guarded
    def _on_tick(self) -> None:
        """Watched questions must not stand unanswered when graphs stop coming."""
        graph = self._newest()
        if graph is None or len(self._watched) == 0:
            return
        age_s = 1e-9 * (self._now_ns() - graph.stamp_ns)
        if age_s > self.value("stale_after_s"):
            for answer in self._watched.gone_stale(graph, self.value("stale_after_s")):
                self._answers.publish(conversions.spatial_answer_to_message(answer))

    def _tell_changes(self, graph: SceneGraph) -> None:
        for answer in self._watched.changed(graph, lambda question, camera: self._answer(question, camera, graph)):
            self._answers.publish(conversions.spatial_answer_to_message(answer))

    def _served(self, name: str, work: Callable[[Any, Any], None]) -> Callable[[Any, Any], Any]:
        """A service callback: `work` fills the response or raises a Refusal; nothing it does ends the node."""

        def serve(request: Any, response: Any) -> Any:
            fill_unknown(response, request)
            try:
                if not self._active:
                    raise Refusal(Status.NOT_READY, "query_node is not active")
                with self._times.measure(name):
                    work(request, response)
            except Refusal as refusal:
                response.status, response.message = int(refusal.status), str(refusal)
            except Exception as error:  # the client gets a status, the log gets the trace
                self.get_logger().error(f"{name} failed:\n{traceback.format_exc()}")
                response.status, response.message = int(Status.NO_DATA), f"{type(error).__name__} in query_node"
            if hasattr(response, "answer") and response.status not in (Status.OK, Status.STALE):
                response.answer.answer = response.answer.answer or response.message
            return response

        return serve

    def _graph_for(self, max_age: Any, response: Any) -> SceneGraph:
        """The newest graph; sets status, message and stamp of the response."""
        graph, status, text = queries.fresh(self._newest(), self._now_ns(), time_from_message(max_age))
        response.status, response.message = int(status), text
        response.stamp = time_to_message(graph.stamp_ns)
        return graph

    def _get_scene_graph(self, request: Any, response: Any) -> None:
        at_ns = time_from_message(request.stamp)
        if at_ns:
            with self._lock:
                graph = self._history.nearest(at_ns, time_from_message(request.max_age) or None)
            if graph is None:
                raise Refusal(Status.NO_DATA, f"no graph within the allowed age of {at_ns * 1e-9:.3f} s")
            response.stamp = time_to_message(graph.stamp_ns)
        else:
            graph = self._graph_for(request.max_age, response)
        if request.all_relations:
            graph = queries.with_all_relations(graph, self._pose_of(graph), request.min_confidence)
        part = queries.part_of(graph, list(request.ids), request.min_confidence)
        response.graph = conversions.scene_graph_to_message(part)

    def _query_relation(self, request: Any, response: Any) -> None:
        graph = self._graph_for(request.max_age, response)
        try:
            frame = FrameOfReference(request.frame_of_reference)
        except ValueError:
            raise Refusal(
                Status.INVALID_REQUEST, f"frame_of_reference is {request.frame_of_reference}; expected 0 to 3"
            ) from None
        subject = queries.resolve(graph, request.subject, "subject")
        target = queries.resolve(graph, request.object, "object")
        found = queries.relations_between(
            graph,
            subject,
            target,
            request.predicate,
            frame,
            request.reference_frame_id,
            self._pose_of(graph),
            self.value("min_confidence"),
        )
        if request.predicate and not found:
            what = f"{subject.id} {request.predicate} {target.id}"
            raise Refusal(Status.LOW_CONFIDENCE, f"nothing supports {what!r} (scale {graph.scale.name})")
        response.relations = [conversions.spatial_relation_to_message(r) for r in found]

    def _find_objects(self, request: Any, response: Any) -> None:
        graph = self._graph_for(request.max_age, response)
        wanted = queries.Wanted(
            labels=tuple(request.labels),
            categories=tuple(request.categories),
            region=region_of(request),
            near=request.near,
            radius_m=request.radius,
            min_existence=request.min_existence,
        )
        response.frame_id = graph.frame_id
        response.objects = [conversions.scene_object_to_message(o) for o in queries.find(graph, wanted)]

    def _get_trajectory(self, request: Any, response: Any) -> None:
        newest, _, _ = queries.fresh(self._newest(), 0, 0)
        object_id = self._remembered(request.object, newest)
        with self._lock:
            held = queries.trajectory(
                self._history,
                object_id,
                time_from_message(request.start),
                time_from_message(request.end),
                request.max_points,
            )
        response.object_id, response.frame_id = object_id, held[-1][0].frame_id
        response.stamp = time_to_message(held[-1][0].stamp_ns)
        response.stamps = [time_to_message(graph.stamp_ns) for graph, _ in held]
        response.positions = [conversions.point_to_message(o.center_m) for _, o in held]
        response.velocities = [conversions.vector_to_message(o.velocity_m_s) for _, o in held]
        response.position_stddev = [queries.position_stddev_m(o) for _, o in held]
        response.occluded = [o.occluded for _, o in held]

    def _ask_spatial(self, request: Any, response: Any) -> None:
        if not request.question.strip():
            raise Refusal(Status.INVALID_REQUEST, "question is empty; ask in English, such as 'Where is the drill?'")
        graph = self._graph_for(request.max_age, response)
        answer = self._answer(request.question, request.camera, graph)
        response.answer = conversions.spatial_answer_to_message(answer)
        if answer.abstained and response.status == Status.OK:
            understood = self._answerer.understands(request.question)
            response.status = int(Status.LOW_CONFIDENCE if understood else Status.INVALID_REQUEST)
            response.message = answer.answer

    def _watch_question(self, request: Any, response: Any) -> None:
        if request.stop:
            if not self._watched.stop(request.question_id):
                raise Refusal(Status.NO_DATA, f"no question {request.question_id!r} is watched")
            response.question_id = request.question_id
            return
        if not request.question.strip():
            raise Refusal(Status.INVALID_REQUEST, "question is empty; ask in English, such as 'Where is the drill?'")
        interval_ns = time_from_message(request.min_interval)
        if (newest := self._newest()) is not None:
            queries.as_seen_by(newest, request.camera, self._pose_of(newest))  # refuses a camera that is not there
        question_id = self._watched.start(
            request.question, request.camera, interval_ns, request.question_id, self.value("max_watched")
        )
        response.question_id = question_id
        graph = self._newest()
        if graph is None:
            raise Refusal(Status.NOT_READY, f"watching as {question_id!r}; no scene graph has come yet")
        response.stamp = time_to_message(graph.stamp_ns)
        answer = self._watched.told(question_id, graph, self._answer(request.question, request.camera, graph))
        response.answer = conversions.spatial_answer_to_message(answer)

    def _ask_scene(self, goal: Any) -> Any:
        """The action: waits for a graph that is fresh enough, then answers; can be cancelled while it waits."""
        request, result = goal.request, AskScene.Result()
        fill_unknown(result, request)
        deadline = time.monotonic() + (1e-9 * time_from_message(request.timeout) or self.value("ask_timeout_s"))
        goal.publish_feedback(AskScene.Feedback(stage="waiting"))
        while not goal.is_cancel_requested:
            if self._fresh_enough(request.max_age):
                goal.publish_feedback(AskScene.Feedback(stage="reading"))
                self._served("ask_scene", self._ask_spatial)(request, result)
                goal.publish_feedback(AskScene.Feedback(stage="answering", partial_answer=result.answer.answer))
                goal.succeed()
                return result
            if time.monotonic() >= deadline:
                result.status, result.message = int(Status.TIMEOUT), "no graph fresh enough came in time"
                goal.abort()
                return result
            with self._arrived:
                self._arrived.wait(0.05)
        result.status, result.message = int(Status.NO_DATA), "cancelled"
        goal.canceled()
        return result

    def _fresh_enough(self, max_age: Any) -> bool:
        try:
            return queries.fresh(self._newest(), self._now_ns(), time_from_message(max_age))[1] == Status.OK
        except Refusal:
            return False

    def _answer(self, question: str, camera: str, graph: SceneGraph) -> SpatialAnswer:
        seen = queries.as_seen_by(graph, camera, self._pose_of(graph))
        with self._lock:
            return self._answerer.answer(question, seen, self._history)

    def _remembered(self, name: str, newest: SceneGraph) -> str:
        """Id of an object that is there, or was within the history."""
        try:
            return queries.resolve(newest, name).id
        except Refusal:
            with self._lock:
                if name and any(graph.find(name) is not None for graph in self._history):
                    return name
            raise

    def _pose_of(self, graph: SceneGraph) -> queries.PoseOf:
        sources = {source.camera: source for source in graph.sources}

        def pose(camera: str) -> Any:
            source = sources.get(camera)
            if source is None or self._poses is None:
                return None
            return self._poses.pose(camera, source.frame_id, source.stamp_ns)

        return pose

    def _newest(self) -> SceneGraph | None:
        with self._lock:
            return self._history.newest

    def _node_now_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _now_ns(self) -> int:
        return self._stream.now_ns(self._node_now_ns())

    def _report(self) -> Report:
        report = Report()
        graph = self._newest()
        report.put({"graphs_kept": len(self._history), "watched": len(self._watched)} | self._times.summary())
        if not self._active:
            report.say(Level.WARN, "not active")
        elif graph is None:
            report.say(Level.WARN, "no scene graph has come yet")
        else:
            age_s = 1e-9 * (self._now_ns() - graph.stamp_ns)
            report.put({"graph_age_s": f"{age_s:.3f}"})
            if age_s > self.value("stale_after_s"):
                report.say(Level.STALE, f"the newest graph is {age_s:.1f} s old")
        return report


def region_of(request: Any) -> OrientedBox | None:
    """The region of a FindObjects request, None for a size of all zeros.

    Raises:
        Refusal: a size that is negative or not finite.
    """
    size = conversions.vec3_from_message(request.region_size)
    if size == (0.0, 0.0, 0.0):
        return None
    if not all(v > 0 for v in size):
        raise Refusal(Status.INVALID_REQUEST, f"region_size is {size}; expected three lengths above 0 m")
    return OrientedBox(conversions.vec3_from_message(request.region_center), size, request.region_yaw)


def fill_unknown(response: Any, request: Any) -> None:
    """Give a response's answer or alert its unknown numbers before anything is known: an unset float would read 0.0."""
    if hasattr(response, "answer"):
        nothing = SpatialAnswer(question=request.question, answer="", abstained=True)
        response.answer = conversions.spatial_answer_to_message(nothing)


def main() -> None:
    """Run the node until it is told to end."""
    sys.exit(run_node(QueryNode, threads=_THREADS))


if __name__ == "__main__":
    main()
