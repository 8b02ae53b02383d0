"""Plays a recording over DDS, bytes as they are, so that every stamp is the recorded one.

    node = rclpy.create_node("replayer")
    replayer = Replayer(node, Bag("room"), ReplayOptions(rate=1.0))
    replayer.wait_for_listeners(30.0)          # until somebody listens to the images
    report = replayer.run()                    # from another thread than the one that spins the node

`every_frame` is for evaluation: after the images of one moment the replayer waits for the graph of that moment, so
that no frame is dropped however slow the machine is; perception_node must run with `processing: every_frame`.
`published` holds, for each image stamp, when (`time.perf_counter`) its first image went out: with a `Recorder` in the
same process that gives the end-to-end latency of each graph. `nodes/session.py` does all of this in one call.
"""

import importlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from or_spatial.errors import DatasetError
from or_spatial.nodes import qos
from or_spatial.nodes.bags import IMAGE_TYPES, Bag, BagMessage, stamp_of
from or_spatial.nodes.conversions import time_to_message

_LATCHED_TYPES = ("geometry_msgs/msg/TransformStamped",)
_POLL_S = 0.02
# A publisher learns of its subscription a moment before the subscription learns of it (DDS discovery is not
# symmetric); what is sent in between is lost (measured: the first frame of each replay).
_SETTLE_S = 0.3
_OTHERS_WITHIN_S = 2.0


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """How a recording is played.

    `rate` 2.0 is twice as fast as recorded. `topics` chooses (None: all). `every_frame` ignores the rate and waits up
    to `frame_timeout_s` for each graph. `clock` publishes /clock, for nodes with use_sim_time. Messages within
    `together_s` of an image belong to its moment: what is not an image goes first.
    """

    rate: float = 1.0
    topics: Sequence[str] | None = None
    every_frame: bool = False
    frame_timeout_s: float = 15.0
    clock: bool = False
    together_s: float = 0.02
    graph_topic: str = "scene_graph"


@dataclass
class ReplayReport:
    """What a replay did: messages by topic, moments with images, and stamps whose graph never came."""

    counts: Counter[str] = field(default_factory=Counter)
    moments: int = 0
    unanswered: list[int] = field(default_factory=list)
    wall_s: float = 0.0
    stopped: bool = False


class Replayer:
    """Publishes one recording once; see the module's text.

    Raises:
        DatasetError: the recording has no images, or a type of which no Python class is installed.
    """

    def __init__(self, node: Node, bag: Bag, options: ReplayOptions | None = None) -> None:
        self._node, self._bag, self.options = node, bag, options or ReplayOptions()
        chosen = bag.topics if self.options.topics is None else self.options.topics
        bag.require(*chosen)
        self._images = [topic for topic in chosen if bag.topics[topic].kind in IMAGE_TYPES]
        if not self._images:
            raise DatasetError(f"{bag.path} holds no images to play; its topics are: {', '.join(sorted(bag.topics))}")
        self._publishers = {topic: self._publisher(topic) for topic in chosen}
        self._clock = node.create_publisher(Clock, "/clock", 10) if self.options.clock else None
        self.published: dict[int, float] = {}
        self._graph_ns = 0
        self._graph_came = threading.Condition()
        self._stop = threading.Event()
        if self.options.every_frame:
            kind = "or_spatial/msg/SceneGraph"
            node.create_subscription(
                class_of(kind), self.options.graph_topic, self._on_graph, qos.profile("LATCHED", 50), raw=True
            )

    def wait_for_listeners(self, timeout_s: float) -> None:
        """Block until somebody listens to the images; to those of every camera, if that takes no longer than a moment.

        Raises:
            DatasetError: nobody listens to any camera in time.
        """
        begun = time.monotonic()
        heard_s = None
        while deaf := [t for t in self._images if not self._publishers[t].get_subscription_count()]:
            now = time.monotonic()
            if len(deaf) < len(self._images):
                heard_s = now if heard_s is None else heard_s
                if now - heard_s > _OTHERS_WITHIN_S:
                    break  # a recording may hold more cameras than the suite looks through
            elif now - begun > timeout_s:
                raise DatasetError(
                    f"nobody listens to {', '.join(deaf)} after {timeout_s:g} s; do the parameters cameras and "
                    "transport of perception_node fit the recording?"
                )
            if self._stop.wait(_POLL_S):
                return
        self._stop.wait(_SETTLE_S)

    def run(self, progress: Callable[[float], None] | None = None) -> ReplayReport:
        """Play everything; `progress` is told the fraction done. Returns early after `stop`."""
        report, begun = ReplayReport(), time.perf_counter()
        self._prime()
        first_ns = 0
        for moment in moments(self._bag.messages(list(self._publishers)), int(self.options.together_s * 1e9)):
            at_ns = moment[0].logged_ns
            first_ns = first_ns or at_ns
            elapsed_s = (at_ns - first_ns) * 1e-9
            if not self._wait_until(begun + elapsed_s / self.options.rate, at_ns):
                report.stopped = True
                break
            self._play(moment, report)
            if progress is not None and self._bag.duration_s > 0:
                progress(min(1.0, elapsed_s / self._bag.duration_s))
        report.wall_s = time.perf_counter() - begun
        return report

    def stop(self) -> None:
        """End `run` soon; may be called from any thread."""
        self._stop.set()
        with self._graph_came:
            self._graph_came.notify_all()

    def _publisher(self, topic: str):
        entry = self._bag.topics[topic]
        latched = entry.latched or entry.kind in _LATCHED_TYPES
        profile = qos.profile("LATCHED" if latched else "DEFAULT")
        return self._node.create_publisher(class_of(entry.kind), topic, profile)

    def _prime(self) -> None:
        """Poses and calibrations first: the first image should not arrive at a camera nobody has described."""
        early = [t for t in self._publishers if self._bag.topics[t].kind not in IMAGE_TYPES]
        early = [t for t in early if self._bag.topics[t].kind in (*_LATCHED_TYPES, "sensor_msgs/msg/CameraInfo")]
        waiting = set(early)
        for message in self._bag.messages(early):
            if message.topic in waiting:
                self._publishers[message.topic].publish(message.data)
                waiting.remove(message.topic)
            if not waiting:
                return

    def _wait_until(self, moment_s: float, at_ns: int) -> bool:
        """Wait for a moment's turn, telling the time meanwhile; False when stopped."""
        while not self.options.every_frame and (left_s := moment_s - time.perf_counter()) > 0:
            self._tell_time(at_ns - int(left_s * self.options.rate * 1e9))
            if self._stop.wait(min(left_s, _POLL_S if self._clock else left_s)):
                return False
        self._tell_time(at_ns)
        return not self._stop.is_set()

    def _tell_time(self, now_ns: int) -> None:
        if self._clock is not None:
            self._clock.publish(Clock(clock=time_to_message(max(now_ns, 0))))

    def _play(self, moment: Sequence[BagMessage], report: ReplayReport) -> None:
        newest_ns = 0
        for message in sorted(moment, key=lambda m: m.kind in IMAGE_TYPES):
            stamp_ns = message.stamp_ns
            if message.kind in IMAGE_TYPES and stamp_ns is not None:
                self.published.setdefault(stamp_ns, time.perf_counter())
                newest_ns = max(newest_ns, stamp_ns)
            self._publishers[message.topic].publish(message.data)
            report.counts[message.topic] += 1
        if newest_ns:
            report.moments += 1
            if self.options.every_frame and not self._wait_for_graph(newest_ns):
                report.unanswered.append(newest_ns)

    def _wait_for_graph(self, stamp_ns: int) -> bool:
        def came() -> bool:
            return self._graph_ns >= stamp_ns or self._stop.is_set()

        with self._graph_came:
            return self._graph_came.wait_for(came, self.options.frame_timeout_s)

    def _on_graph(self, data: bytes) -> None:
        stamp_ns = stamp_of("or_spatial/msg/SceneGraph", data)
        with self._graph_came:
            self._graph_ns = max(self._graph_ns, stamp_ns or 0)
            self._graph_came.notify_all()


def moments(messages: Iterator[BagMessage], together_ns: int) -> Iterator[list[BagMessage]]:
    """Group messages whose recording times lie within `together_ns` of the first of their group."""
    group: list[BagMessage] = []
    for message in messages:
        if group and message.logged_ns - group[0].logged_ns > together_ns:
            yield group
            group = []
        group.append(message)
    if group:
        yield group


def class_of(kind: str) -> type:
    """The Python class of a message type such as `sensor_msgs/msg/Image`.

    Raises:
        DatasetError: its package is not installed.
    """
    package, space, name = kind.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.{space}"), name)
    except (ImportError, AttributeError):
        raise DatasetError(f"no Python class for message type {kind}; is package {package} installed?") from None
