"""Time as images tell it: is this stamp acceptable, and what time is it now for a stream that may be a replay?"""

import time
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

_NS = 1_000_000_000


class Verdict(Enum):
    """What a stamp is worth. Only FINE and RESTARTED images are used."""

    FINE = "fine"
    RESTARTED = "restarted"
    OUT_OF_ORDER = "out_of_order"
    FUTURE = "from_the_future"
    UNSTAMPED = "unstamped"

    @property
    def usable(self) -> bool:
        """Whether the image may be looked at."""
        return self in (Verdict.FINE, Verdict.RESTARTED)


@dataclass
class StampGuard:
    """Judges the stamps of one camera, in order of arrival, and counts what it refuses.

    A stamp older than the last by less than `jump_back_s` is out of order. Two in a row that are older by more are
    believed: somebody has started the recording again. One alone is a fault.
    """

    jump_back_s: float = 5.0
    refused: Counter[Verdict] = field(default_factory=Counter)
    _last_ns: int = 0
    _jumped_ns: int = 0

    def judge(self, stamp_ns: int, now_ns: int, future_tolerance_s: float) -> Verdict:
        """Verdict on one stamp. `now_ns` is the node's clock, 0 when simulated time has not begun."""
        verdict = self._verdict(stamp_ns, now_ns, future_tolerance_s)
        if verdict.usable:
            self._last_ns, self._jumped_ns = stamp_ns, 0
        else:
            self.refused[verdict] += 1
        return verdict

    def _verdict(self, stamp_ns: int, now_ns: int, future_tolerance_s: float) -> Verdict:
        if stamp_ns <= 0:
            return Verdict.UNSTAMPED
        if now_ns > 0 and stamp_ns > now_ns + future_tolerance_s * _NS:
            return Verdict.FUTURE
        if stamp_ns > self._last_ns:
            return Verdict.FINE
        if self._last_ns - stamp_ns < self.jump_back_s * _NS:
            return Verdict.OUT_OF_ORDER
        if self._jumped_ns and stamp_ns > self._jumped_ns:
            return Verdict.RESTARTED
        self._jumped_ns = stamp_ns
        return Verdict.OUT_OF_ORDER


class StreamClock:
    """The present time of a stream of stamped messages, for judging how old its newest one is.

    A live stream is stamped within `live_within_s` of the node's clock: then the node's clock tells the time. The
    stamps of a replayed recording lie hours back: there, now is the newest stamp plus the time since it was received.
    """

    def __init__(self, live_within_s: float = 10.0) -> None:
        self._live_within_ns = int(live_within_s * _NS)
        self._stamp_ns = 0
        self._received_s = 0.0
        self._live = True

    def received(self, stamp_ns: int, node_now_ns: int) -> None:
        """Note a message that has just come."""
        self._stamp_ns, self._received_s = stamp_ns, time.monotonic()
        self._live = abs(node_now_ns - stamp_ns) <= self._live_within_ns

    def now_ns(self, node_now_ns: int) -> int:
        """The stream's present time; the node's clock before anything was received."""
        if self._stamp_ns == 0 or self._live:
            return node_now_ns
        return self._stamp_ns + int((time.monotonic() - self._received_s) * _NS)
