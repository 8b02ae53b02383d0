"""Images of all cameras (or boxes that a detector saw in them) in, one tracked scene graph out.

The callbacks only judge stamps and put images into the mailbox; the worker takes the newest set, decodes it, lets the
perceiver look, updates the tracker and publishes. A bad image costs one camera one frame and nothing else.
"""

import sys
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from or_spatial.errors import ConfigError, MissingDependency
from or_spatial.nodes import qos
from or_spatial.nodes.base import TabledLifecycleNode, run_node
from or_spatial.nodes.box_input import BoxInput, BoxTopics, topics_of
from or_spatial.nodes.camera_input import CameraInput, image_topic
from or_spatial.nodes.diagnostics import Diagnostics, Level, Report, StageTimes
from or_spatial.nodes.extrinsics import FirstThatKnows, poses_for
from or_spatial.nodes.gathering import FrameGatherer
from or_spatial.nodes.perceivers import LoadedPerceiver, load_perceiver
from or_spatial.nodes.perception_outputs import PerceptionOutputs
from or_spatial.nodes.stamps import StampGuard, StreamClock, Verdict
from or_spatial.perception.camera_health import CameraHealth, HealthConfig, classify
from or_spatial.perception.perceiver import Frame, Perception
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene import CameraStatus, Scale, SceneGraph

_EVERY_FRAME_DEPTH = 30
_BOXES_DEPTH = 10  # several cameras may share a topic, and one must not push out another's boxes
_EVERY_FRAME_WAIT_S = 1.0
_GONE_AFTER_S = 3.0  # nobody waits for a camera that has been silent for this long


class PerceptionNode(TabledLifecycleNode):
    """Serves all cameras of a room; see docs/nodes.md for topics and parameters."""

    def __init__(self) -> None:
        super().__init__("perception_node")
        self._cameras: dict[str, CameraInput] = {}
        self._boxes: BoxTopics | None = None
        self._perceiver: LoadedPerceiver | None = None
        self._outputs: PerceptionOutputs | None = None
        self._poses: FirstThatKnows | None = None
        self._gatherer: FrameGatherer | None = None
        self._worker: threading.Thread | None = None
        self._synchroniser: Any = None
        self._times = StageTimes()
        self._depth_factors: dict[str, float] = {}
        self._stream = StreamClock()
        self._graphs = 0
        self._newest: SceneGraph | None = None
        self._restarted = threading.Event()
        self._diagnostics = Diagnostics(self, self._report, "or_spatial cameras")

    def configure(self) -> None:
        """Load the perceiver, build the tracker, create publishers."""
        names = list(dict.fromkeys(name for name in self.value("cameras") if name))
        if not names:
            raise ConfigError("parameter 'cameras' names no camera; expected at least one, such as ['camera_1']")
        self._perceiver = load_perceiver(self)
        self._poses = poses_for(
            self, self.value("extrinsics"), names, self.value("world_frame"), self.value("cameras_file")
        )
        self._make_inputs(names)
        self._tracker = self._make_tracker(names)
        self._outputs = PerceptionOutputs(self, names, self._perceiver.model_id)
        self.get_logger().info(f"{self._perceiver.model_id} looks through {', '.join(names)}")

    def activate(self) -> None:
        """Start the worker and listen to the cameras."""
        every = self.value("processing") == "every_frame"
        self._gatherer = FrameGatherer(
            tuple(self._cameras),
            slop_ns=int(self.value("sync_slop_s") * 1e9),
            wait_s=_EVERY_FRAME_WAIT_S if every else self.value("sync_wait_s"),
            every=every,
            gone_after_s=max(_GONE_AFTER_S, self.value("lost_after_s")),
        )
        self._worker = threading.Thread(target=self._work, args=(self._gatherer,), name="perceive", daemon=True)
        self._worker.start()
        self._listen(every)

    def deactivate(self) -> None:
        """Stop listening, let the worker finish its frame."""
        for camera in self._cameras.values():
            camera.unsubscribe(self)
        if self._boxes is not None:
            self._boxes.unsubscribe()
        self._synchroniser = None
        if self._gatherer is not None:
            self._gatherer.close()
        if self._worker is not None and self._worker is not threading.current_thread():
            self._worker.join(timeout=10.0)
        self._worker = self._gatherer = None

    def cleanup(self) -> None:
        """Let go of the perceiver and the publishers."""
        for part in (self._outputs, self._poses, self._perceiver):
            if part is not None:
                part.close()
        self._outputs = self._poses = self._perceiver = self._boxes = None
        self._cameras.clear()

    def close(self) -> None:
        """End the worker before the process ends."""
        self.deactivate()

    def _make_inputs(self, names: list[str]) -> None:
        assert self._perceiver is not None
        jump_back_s = self.value("jump_back_s")
        if self._perceiver.looks_at_images:
            self._cameras = {name: CameraInput(name, StampGuard(jump_back_s)) for name in names}
            return
        if self.value("synchroniser") != "own":
            raise ConfigError("synchroniser 'message_filters' pairs images; with perceiver 'boxes' set it to 'own'")
        how = {"labels": tuple(self.value("boxes_labels")), "warn": self._warn}
        self._cameras = {name: BoxInput(name, StampGuard(jump_back_s), **how) for name in names}
        self._boxes = BoxTopics(self, self._cameras, topics_of(names, self.value("boxes_topics")))

    def _warn(self, text: str) -> None:
        self.get_logger().warning(text, throttle_duration_sec=5.0)

    def _make_tracker(self, names: list[str]) -> SceneTracker:
        assert self._perceiver is not None
        health = self._health_config()
        config = TrackerConfig(
            cameras=tuple(names),
            world_frame=self.value("world_frame"),
            vocabulary=self._perceiver.vocabulary,
            model_id=self._perceiver.model_id,
            health=health,
            max_relations=self.value("max_relations"),
            **self._perceiver.tracker_settings,
        )
        tracker = SceneTracker(config)
        tracker.health = CameraHealth(config.cameras, health, judges_images=self._perceiver.looks_at_images)
        return tracker

    def _health_config(self) -> HealthConfig:
        names = ("dark_level", "covered_edges", "frozen_after_s", "lost_after_s")
        return HealthConfig(**{name: self.value(name) for name in names})

    def _listen(self, every: bool) -> None:
        depth = self.value("image_qos_depth")
        profile = qos.profile(self.value("image_qos"), depth)
        if every:  # nothing may be lost where everything is to be counted
            profile = qos.profile("DEFAULT", max(depth, _EVERY_FRAME_DEPTH))
        elif self._boxes is not None:
            profile = qos.profile(self.value("image_qos"), max(depth, _BOXES_DEPTH))
        if self._boxes is not None:
            self._boxes.subscribe(profile, self._offer)
            return
        if self.value("synchroniser") == "message_filters":
            self._synchroniser = self._message_filters(profile)
            return
        for camera in self._cameras.values():
            camera.subscribe(self, self.value("transport"), profile, self._offer)

    def _message_filters(self, profile: Any) -> Any:
        """Pair images by upstream's ApproximateTimeSynchronizer; complete sets only, by its rule."""
        try:
            import message_filters
        except ImportError:
            raise MissingDependency("message_filters is not installed; set synchroniser to 'own'") from None
        inputs = []
        for camera in self._cameras.values():
            camera.subscribe_info(self, profile)
            kind, topic = image_topic(camera.name, self.value("transport"))
            inputs.append(message_filters.Subscriber(self, kind, topic, qos_profile=profile))
        both = message_filters.ApproximateTimeSynchronizer(inputs, 10, self.value("sync_slop_s"))
        cameras = tuple(self._cameras.values())

        def together(*messages: Any) -> None:
            for camera, message in zip(cameras, messages, strict=True):
                camera.arrived(message, self, self._offer)

        both.registerCallback(together)
        return both

    def _offer(self, camera: CameraInput, message: Any, stamp_ns: int, verdict: Verdict) -> None:
        gatherer = self._gatherer
        if gatherer is None:
            return
        if verdict is Verdict.RESTARTED:
            self.get_logger().warning(f"{camera.name}: time jumped back to {stamp_ns * 1e-9:.3f} s; tracking anew")
            gatherer.clear()
            self._restarted.set()
        gatherer.offer(camera.name, stamp_ns, (camera, message, stamp_ns, time.perf_counter()))

    def _work(self, gatherer: FrameGatherer) -> None:
        while True:
            taken = gatherer.take(timeout_s=0.5)
            if taken is None:
                if gatherer.closed:
                    return
                continue
            try:
                self._process(list(taken.values()))
            except Exception:  # one frame is lost, the next one is served
                self.get_logger().error(f"a frame failed:\n{traceback.format_exc()}", throttle_duration_sec=1.0)

    def _process(self, taken: Sequence[tuple[CameraInput, Any, int, float]]) -> None:
        assert self._perceiver is not None and self._poses is not None and self._outputs is not None
        begun = time.perf_counter()
        frames = [camera.frame_of(message, stamp_ns, self._poses) for camera, message, stamp_ns, _ in taken]
        decoded = time.perf_counter()
        perceptions = self._perceive(frames)
        perceived = time.perf_counter()
        if self._restarted.is_set():
            self._restarted.clear()
            self._tracker.reset()
        stamp_ns = max(frame.stamp_ns for frame in frames)
        graph = metric_only_while_calibrated(self._tracker.update(frames, perceptions, stamp_ns))
        tracked = time.perf_counter()
        self._outputs.publish(graph, frames, perceptions, self.value("point_stride_px"))
        done = time.perf_counter()
        self._newest, self._graphs = graph, self._graphs + 1
        self._stream.received(graph.stamp_ns, self.get_clock().now().nanoseconds)
        for stage, begin, end in (
            ("wait", min(arrived for *_, arrived in taken), begun),
            ("decode", begun, decoded),
            ("perceive", decoded, perceived),
            ("track", perceived, tracked),
            ("publish", tracked, done),
            ("total", min(arrived for *_, arrived in taken), done),
        ):
            self._times.add(stage, 1e3 * (end - begin))

    def _perceive(self, frames: Sequence[Frame]) -> list[Perception]:
        """Let the perceiver look at what can be looked at; a blind camera's frame gives nothing."""
        assert self._perceiver is not None and self._outputs is not None
        config, blindly = self._tracker.config.health, not self._perceiver.looks_at_images
        seen = [i for i, frame in enumerate(frames) if blindly or classify(frame.image, config) == CameraStatus.OK]
        found = self._perceiver.perceive([frames[i] for i in seen], self._outputs.wants_tokens) if seen else []
        perceptions = [Perception()] * len(frames)
        for i, perception in zip(seen, found, strict=True):
            perceptions[i] = perception
            self._depth_factors[frames[i].name] = perception.depth_factor
            for stage, duration_ms in perception.timings_ms.items():
                self._times.add(f"perceive_{stage}", duration_ms)
        return perceptions

    def _report(self) -> Report:
        report = Report()
        report.put({"graphs": self._graphs, "model_id": self._perceiver.model_id if self._perceiver else ""})
        report.put(self._times.summary())
        if self._gatherer is None:
            report.say(Level.WARN, "not active")
        else:
            report.put({"waiting": self._gatherer.waiting})
        if self._newest is not None:
            age_s = 1e-9 * (self._stream.now_ns(self.get_clock().now().nanoseconds) - self._newest.stamp_ns)
            report.put({"graph_age_s": f"{age_s:.3f}", "scale": self._newest.scale.name})
        if self._boxes is not None:
            report.put({"refused_boxes": self._boxes.refused})
            if self._boxes.complaint:
                report.say(Level.WARN, self._boxes.complaint)
        for camera in self._cameras.values():
            self._report_camera(camera, report)
        return report

    def _report_camera(self, camera: CameraInput, report: Report) -> None:
        sources = {source.camera: source for source in self._newest.sources} if self._newest else {}
        status = sources[camera.name].status if camera.name in sources else CameraStatus.LOST
        told = self._tracker.agreement.told.get(camera.name)
        silent_s = camera.silent_s()
        if silent_s > max(self.value("lost_after_s"), 3.0 * camera.usual_interval_s):
            status = CameraStatus.LOST
        if status == CameraStatus.LOST:
            where = f" on topic {self._boxes.topic_of(camera.name)!r}" if self._boxes is not None else ""
            report.say(Level.ERROR, f"{camera.name}: no {camera.noun}{where} for {silent_s:.1f} s")
        elif status == CameraStatus.UNCALIBRATED:
            report.say(Level.WARN, f"{camera.name}: {camera.calibration_error or 'its pose is not known'}")
        elif status == CameraStatus.DISAGREES:
            report.say(Level.WARN, str(told or f"{camera.name}: DISAGREES"))
        elif status != CameraStatus.OK:
            report.say(Level.ERROR, f"{camera.name}: {status.name}")
        gatherer = self._gatherer
        values: dict[str, object] = {
            "status": status.name,
            **camera.counts(),
            "silent_s": f"{silent_s:.2f}",
            "dropped": gatherer.dropped[camera.name] if gatherer else 0,
            "late": gatherer.late[camera.name] if gatherer else 0,
            "last_error": camera.last_error,
            "pose_error": f"{told.shift_m:.2f} m, {told.turn_deg:.1f} degrees" if told else "",
            "depth_factor_by_floor": f"{self._depth_factors.get(camera.name, np.nan):.3f}",
        }
        values |= {verdict.value: count for verdict, count in camera.guard.refused.items()}
        report.put({f"{camera.name}.{key}": value for key, value in values.items()})


def metric_only_while_calibrated(graph: SceneGraph) -> SceneGraph:
    """The graph with scale RELATIVE when no camera that still sees is calibrated any more.

    What was measured before is carried forward, but nothing confirms that it still is where it was.
    """
    seeing = {s.status for s in graph.sources if s.status.sees}
    if graph.scale == Scale.METRIC and seeing == {CameraStatus.UNCALIBRATED}:
        return replace(graph, scale=Scale.RELATIVE)
    return graph


def main() -> None:
    """Run the node until it is told to end."""
    np.seterr(invalid="ignore")  # NaN means unknown here, and is nothing to warn about
    sys.exit(run_node(PerceptionNode))


if __name__ == "__main__":
    main()
