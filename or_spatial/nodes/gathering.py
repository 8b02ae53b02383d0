"""The mailbox between image callbacks and the worker: newest picture wins, and pictures of several cameras are paired.

No ROS here. `offer` is called from callbacks and returns at once; `take` is called by the worker and blocks.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class _Waiting:
    stamp_ns: int
    arrived_s: float
    item: Any


class FrameGatherer:
    """Pairs frames of several cameras by their stamps: newest within a slop, never waiting for a camera that is gone.

    In `newest` mode each camera has one place: a frame that arrives while another waits replaces it (`dropped`).
    With `every` frames queue up to `capacity` and leave in the order of their stamps.
    A set is complete when every camera that is alive has a frame within `slop_ns` of the set's stamp; an incomplete set
    leaves after `wait_s`. A frame that comes too late for its set is dropped too (`late`).
    """

    def __init__(
        self,
        cameras: Sequence[str],
        *,
        slop_ns: int,
        wait_s: float,
        every: bool = False,
        gone_after_s: float = 2.0,
        capacity: int = 256,
    ) -> None:
        self.cameras = tuple(cameras)
        self.slop_ns = slop_ns
        self.wait_s = wait_s
        self.gone_after_s = gone_after_s
        self.dropped: Counter[str] = Counter()
        self.late: Counter[str] = Counter()
        self._every = every
        self._capacity = capacity if every else 1
        self._queues: dict[str, deque[_Waiting]] = {name: deque() for name in cameras}
        self._seen_s = dict.fromkeys(cameras, time.monotonic())
        self._taken_ns = -1
        self._changed = threading.Condition()
        self._closed = False

    def offer(self, camera: str, stamp_ns: int, item: Any) -> None:
        """Hand in one frame; never blocks."""
        with self._changed:
            queue = self._queues[camera]
            self._seen_s[camera] = time.monotonic()
            if len(queue) >= self._capacity:
                queue.popleft()
                self.dropped[camera] += 1
            queue.append(_Waiting(stamp_ns, self._seen_s[camera], item))
            self._changed.notify()

    def take(self, timeout_s: float) -> dict[str, Any] | None:
        """The next set, camera -> item, or None when there is none within `timeout_s` or after `close`."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not self._closed:
                self._forget_late()
                now = time.monotonic()
                ready_s = self._ready_at(now)
                if ready_s <= now:
                    return self._leave()
                if now >= deadline:
                    return None
                self._changed.wait(min(ready_s, deadline) - now)
            return None

    def clear(self) -> None:
        """Forget waiting frames and the time of the last set, as after a jump back in time."""
        with self._changed:
            for queue in self._queues.values():
                queue.clear()
            self._taken_ns = -1

    def close(self) -> None:
        """Wake the worker and end every later `take`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether `close` has been called."""
        return self._closed

    @property
    def waiting(self) -> int:
        """Frames that wait now; a number that grows means that the worker does not keep up."""
        return sum(len(queue) for queue in self._queues.values())

    def _heads(self) -> dict[str, _Waiting]:
        return {name: queue[0] for name, queue in self._queues.items() if queue}

    def _anchor(self, heads: dict[str, _Waiting]) -> _Waiting:
        """The frame the next set is built around: the earliest in turn, or the newest of all."""
        choose = min if self._every else max
        return choose(heads.values(), key=lambda w: w.stamp_ns)

    def _ready_at(self, now: float) -> float:
        """The moment (monotonic) at which a set may leave; now or earlier means at once."""
        heads = self._heads()
        if not heads:
            return float("inf")
        anchor = self._anchor(heads)
        if anchor.stamp_ns <= self._taken_ns:
            return float("inf")  # a straggler within the slop: it may still join the next set
        missing = [c for c in self.cameras if c not in heads or not self._together(heads[c], anchor)]
        if not any(now - self._seen_s[c] < self.gone_after_s for c in missing):
            return now
        return anchor.arrived_s + self.wait_s

    def _together(self, a: _Waiting, b: _Waiting) -> bool:
        return abs(a.stamp_ns - b.stamp_ns) <= self.slop_ns

    def _leave(self) -> dict[str, Any]:
        heads = self._heads()
        anchor = self._anchor(heads)
        members = [c for c, w in heads.items() if self._together(w, anchor)]
        taken = {c: self._queues[c].popleft() for c in members}
        self._taken_ns = max(w.stamp_ns for w in taken.values())
        return {c: w.item for c, w in taken.items()}

    def _forget_late(self) -> None:
        # In turn, a straggler would stand before all others for ever; newest first, it may still join the next set.
        limit_ns = self._taken_ns if self._every else self._taken_ns - self.slop_ns - 1
        for camera, queue in self._queues.items():
            while queue and queue[0].stamp_ns <= limit_ns:
                queue.popleft()
                self.late[camera] += 1
