"""What one update of the tracker costs: cameras at a steady rate, from detections to the written graph, one thread.

Two ways in which images come: `together`, all cameras in one update, as cameras with a common trigger are gathered; and
`one_by_one`, an update per image, as from cameras that run freely. Making the detections is not timed.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from or_spatial.evaluation.moving_room import MovingRoom
from or_spatial.perception.perceiver import Frame, Perception
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig

_WARM_UP_S = 1.0

Look = tuple[list[Frame], list[Perception], int]


@dataclass(frozen=True)
class TrackingLoad:
    """What comes in: cameras, images per second and camera, seconds, people beside the six pieces of furniture."""

    cameras: int = 6
    rate_hz: float = 30.0
    seconds: float = 20.0
    people: int = 6

    @property
    def moments(self) -> int:
        """Images of each camera."""
        return max(int(self.rate_hz * self.seconds), 1)


def tracking_latency(load: TrackingLoad, done: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Figures `tracking.*`, ms; `done` is called after each of the load's 2 x `moments`."""
    room = MovingRoom(load.cameras, load.people)
    together = _timed(room, load, _together, done)
    one_by_one = _timed(room, load, _one_by_one, done)
    return {"tracking": {**together, "one_by_one": one_by_one}, "made_with": _made_with(room, load)}


def _timed(room: MovingRoom, load: TrackingLoad, split: Callable[[Look], Iterator[Look]], done: Callable) -> dict:
    """Percentiles of wall time, the same of processor time (which a busy machine disturbs less), share of one core."""
    tracker = SceneTracker(TrackerConfig(cameras=room.names))
    wall_ms, own_ms = [], []
    warm_up = int(_WARM_UP_S * load.rate_hz)
    for k in range(warm_up + load.moments):
        for look in split(room.look(k / load.rate_hz)):
            before, own_before = time.perf_counter(), time.thread_time()
            tracker.update(*look)
            if k >= warm_up:
                wall_ms.append(1e3 * (time.perf_counter() - before))
                own_ms.append(1e3 * (time.thread_time() - own_before))
        if k >= warm_up:
            done()
    return {
        **{f"update_p{q}_ms": float(np.percentile(wall_ms, q)) for q in (50, 95, 99)},
        **{f"cpu_p{q}_ms": float(np.percentile(own_ms, q)) for q in (50, 95, 99)},
        "share_of_core": sum(own_ms) / 1e3 * load.rate_hz / load.moments,
        "updates": len(wall_ms),
    }


def _together(look: Look) -> Iterator[Look]:
    yield look


def _one_by_one(look: Look) -> Iterator[Look]:
    frames, seen, stamp_ns = look
    for frame, perception in zip(frames, seen, strict=True):
        yield [frame], [perception], stamp_ns


def _made_with(room: MovingRoom, load: TrackingLoad) -> dict[str, Any]:
    frames, seen, _ = room.look(0.0)
    return {
        "cameras": load.cameras,
        "rate_hz": load.rate_hz,
        "seconds": load.seconds,
        "objects": load.people + 6,
        "detections_per_update": sum(len(p.detections) for p in seen),
        "picture": f"{frames[0].image.shape[1]}x{frames[0].image.shape[0]}",
    }
