"""Which perceiver the perception node runs: a bundle's model, boxes of any detector, or the rules fed by truth."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from rclpy.node import Node

from or_spatial.msg import SceneGraph as SceneGraphMessage
from or_spatial.nodes import conversions, qos
from or_spatial.perception.perceiver import Frame, Perceiver, Perception
from or_spatial.scene import GraphHistory, SceneGraph

_TRUTH_WITHIN_NS = 20_000_000  # a truth belongs to an image when their stamps differ by less
_TRUTH_KEPT = 64


class TruthFeed:
    """The last truths from `/truth/scene_graph`, and a wait for one that is still on its way."""

    def __init__(self, node: Node, wait_s: float) -> None:
        self._node, self._wait_s = node, wait_s
        self._history = GraphHistory(_TRUTH_KEPT)
        self._arrived = threading.Condition()
        profile = qos.profile("DEFAULT", depth=_TRUTH_KEPT)
        self._subscription = node.create_subscription(SceneGraphMessage, "/truth/scene_graph", self._take, profile)

    def __call__(self, frame: Frame) -> tuple[SceneGraph, None] | None:
        """The truth at an image's stamp (depth is not sent over the wire), or None when there is none in time."""
        graph = self._at(frame.stamp_ns)
        return None if graph is None else (graph, None)

    def close(self) -> None:
        """End the subscription."""
        self._node.destroy_subscription(self._subscription)

    def _at(self, stamp_ns: int) -> SceneGraph | None:
        deadline = time.monotonic() + self._wait_s
        with self._arrived:
            while (found := self._history.nearest(stamp_ns, _TRUTH_WITHIN_NS)) is None:
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not self._arrived.wait(left_s):
                    return self._history.nearest(stamp_ns, _TRUTH_WITHIN_NS)
            return found

    def _take(self, message: SceneGraphMessage) -> None:
        with self._arrived:
            newest = self._history.newest
            graph = conversions.scene_graph_from_message(message)
            if newest is not None and graph.stamp_ns < newest.stamp_ns - 5_000_000_000:
                self._history.clear()  # the recording has begun again
            self._history.add(graph)
            self._arrived.notify_all()


class LoadedPerceiver:
    """A perceiver with what it needs from ROS; `perceive` asks for tokens only when the perceiver has them."""

    def __init__(
        self,
        perceiver: Perceiver,
        feed: TruthFeed | None = None,
        gives_tokens: bool = False,
        looks_at_images: bool = True,
    ) -> None:
        self._perceiver, self._feed, self._gives_tokens = perceiver, feed, gives_tokens
        self.looks_at_images = looks_at_images
        self.model_id, self.vocabulary = perceiver.model_id, perceiver.vocabulary
        self.tracker_settings: dict[str, Any] = getattr(perceiver, "tracker_settings", {})

    def perceive(self, frames: Sequence[Frame], tokens: bool) -> list[Perception]:
        """One perception per frame."""
        if self._gives_tokens and tokens:
            return self._perceiver.perceive(frames, tokens=True)  # type: ignore[call-arg]
        return self._perceiver.perceive(frames)

    def close(self) -> None:
        """Let go of subscriptions."""
        if self._feed is not None:
            self._feed.close()


def load_perceiver(node: Any) -> LoadedPerceiver:
    """The perceiver that the node's parameters `perceiver`, `model_bundle`, `threads` and `boxes_shape` ask for.

    Raises:
        BundleError: the bundle is missing, damaged or foreign; names the file.
        ConfigError: the file of a person's shape is missing or has a mistake; names file and key.
    """
    if node.value("perceiver") == "rules":
        from or_spatial.perception.rules import RulePerceiver

        feed = TruthFeed(node, node.value("truth_wait_s"))
        return LoadedPerceiver(RulePerceiver(feed), feed)
    if node.value("perceiver") == "boxes":
        return _take_boxes(node.value("boxes_shape"))
    return _load_model(node.value("model_bundle"), node.value("threads"))


def _load_model(folder: str, threads: int) -> LoadedPerceiver:
    # Late: the rule baseline must run on machines without an inference runtime.
    from os import cpu_count

    from or_spatial.inference.bundle import Bundle
    from or_spatial.perception.model import ModelPerceiver, ModelSettings

    bundle = Bundle.load(folder or None)
    threads = threads or max(1, (cpu_count() or 2) - 1)
    existence = float(bundle.calibration.get("existence_threshold", ModelSettings.existence))
    settings = ModelSettings(existence=existence, threads=threads)
    return LoadedPerceiver(ModelPerceiver(bundle, settings), gives_tokens=True)


def _take_boxes(shape_file: str) -> LoadedPerceiver:
    from or_spatial.perception.boxes_to_room import BoxPerceiver
    from or_spatial.perception.person_shape import read_shape, shipped_shape

    shape = read_shape(shape_file) if shape_file else shipped_shape()
    perceiver = BoxPerceiver(lambda frame: (frame.boxes, frame.scores), shape)  # type: ignore[attr-defined]
    return LoadedPerceiver(perceiver, looks_at_images=False)
