"""`or_spatial evaluate --task cameras`: is a wrong camera found, a right one left in peace, an unknown rig estimated?

Clips of consecutive seeds, one minute into whole ten-minute procedures; detections are the truth of four cameras with
noise, misses and dropouts at 5 Hz (`noisy_room`; occlusion is not computed), the tracker as it runs live.

* healthy: all poses right, clocks up to 0.1 s apart; any camera that is told to disagree is a false report.
* wrong: the second camera's pose is shifted or turned about its own place. `found` is the share of clips in which it is
  told within 30 s, `found_after_s` the median of those, `alone` the share of these in which no other is told with it;
  `people_error_m` the mean distance of true people from the nearest one told (within 1 m, after the first 10 s), and
  `trusted_error_m` the same when nobody doubts the camera.
* rig: poses estimated from one look a second for a minute, the first camera's pose given and nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import GeometryError
from or_spatial.evaluation.clips import NS
from or_spatial.evaluation.metrics.results import plain
from or_spatial.evaluation.noisy_room import Noise, NoisyRoom
from or_spatial.evaluation.seeds import SeededClips, each_seed
from or_spatial.geometry.transforms import pose_matrix, rotation_from_yaw
from or_spatial.perception.camera_agreement import AgreementConfig
from or_spatial.perception.perceiver import Frame, Perception
from or_spatial.perception.rig_estimation import RigConfig, RigEstimator, pose_difference, sightings_of
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.world.simulation import Simulation
from or_spatial.world.splits import world_version

Array = NDArray[np.float64]

ERRORS: dict[str, tuple[float, float]] = {  # shift, m, and yaw, degrees
    "0.1_m": (0.1, 0.0),
    "0.3_m": (0.3, 0.0),
    "0.5_m": (0.5, 0.0),
    "1_deg": (0.0, 1.0),
    "3_deg": (0.0, 3.0),
    "6_deg": (0.0, 6.0),
    "0.5_m_5_deg": (0.5, 5.0),
}
CLOCKS_S = (0.0, 0.1, 0.05, 0.0)
_WRONG = 1  # the second camera
_HEADING_RAD = 0.7  # of the shift
_SETTLE_S = 10.0
_RIG_LOOKS = 60


@dataclass(frozen=True)
class CamerasTask(SeededClips):
    """Which procedures, for how long, through what noise."""

    healthy_s: float = 120.0
    wrong_s: float = 30.0
    rate_hz: float = 5.0
    cameras: int = 4
    begin_s: float = 60.0
    noise: Noise = field(default_factory=Noise)


@dataclass(frozen=True)
class _Moment:
    t: float
    frames: list[Frame]
    seen: list[Perception]
    people: Array


@dataclass
class Clip:
    """What one clip gave; `wrong` by error: (seconds until told or None, told alone, error weighed, error trusted)."""

    false_reports: int
    wrong: dict[str, tuple[float | None, bool, float, float]]
    rig: list[tuple[float, float, float, float]]  # per estimated camera: error m, degrees, told sigma m, degrees
    refused: bool


def evaluate_cameras(
    task: CamerasTask | None = None, workers: int = 1, done: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Run the task and return nested figures, `cameras.*`; `done` is called after each clip."""
    task = task or CamerasTask()
    clips = list(each_seed(run_clip, task, task.seeds, workers, done))
    minutes = task.clips * task.healthy_s / 60.0
    figures = {
        "healthy_minutes": minutes,
        "false_reports_per_hour": 60.0 * sum(c.false_reports for c in clips) / minutes,
        "wrong": {name: _wrong([c.wrong[name] for c in clips]) for name in ERRORS},
        "rig": _rig(clips),
    }
    made_with = {**asdict(task), "errors": ERRORS, "clocks_s": CLOCKS_S, "world_version": world_version(task.split)}
    return plain({"cameras": figures, "made_with": made_with})


def run_clip(task: CamerasTask, seed: int) -> Clip:
    """All parts of the task on one procedure."""
    moments = _moments(task, seed)
    names = tuple(f.name for f in moments[0].frames)
    late = dict(zip(names, CLOCKS_S, strict=False))
    healthy = SceneTracker(TrackerConfig(cameras=names))
    ever: set[str] = set()
    for m in moments:
        _update(healthy, m, late_s=late)
        ever |= set(healthy.agreement.told)
    some = moments[: round(task.wrong_s * task.rate_hz)]
    wrong = {name: _play_wrong(some, names, shift_m, yaw_deg) for name, (shift_m, yaw_deg) in ERRORS.items()}
    rig, refused = _estimate(moments[:: round(task.rate_hz)][:_RIG_LOOKS], names)
    return Clip(len(ever), wrong, rig, refused)


def moved(pose: Array, shift_m: float, yaw_deg: float) -> Array:
    """The pose (4, 4) of a camera that stands elsewhere and is turned about its own place."""
    R = rotation_from_yaw(np.radians(yaw_deg)) @ pose[:3, :3]
    heading = np.array([np.cos(_HEADING_RAD), np.sin(_HEADING_RAD), 0.0])
    return pose_matrix(R, pose[:3, 3] + shift_m * heading)


def _moments(task: CamerasTask, seed: int) -> list[_Moment]:
    room = NoisyRoom(Simulation(task.split, seed, task.cameras, 600.0, hazards=(), whole=True), task.noise)
    found = []
    for k in range(round(task.healthy_s * task.rate_hz)):
        t = task.begin_s + k / task.rate_hz
        if frames := room.frames(t):
            people = np.array([o.center_m for o in room.truth(t).objects if o.label == "person"]).reshape(-1, 3)
            found.append(_Moment(t, frames, room.perceiver.perceive(frames), people))
    return found


def _update(tracker: SceneTracker, m: _Moment, poses: dict[str, Array] | None = None, late_s: Any = None) -> Any:
    frames = [
        replace(
            f,
            stamp_ns=f.stamp_ns + round((late_s or {}).get(f.name, 0.0) * NS),
            room_from_camera=(poses or {}).get(f.name, f.room_from_camera),
        )
        for f in m.frames
    ]
    return tracker.update(frames, m.seen, max(f.stamp_ns for f in frames))


def _play_wrong(
    moments: Sequence[_Moment], names: tuple[str, ...], shift_m: float, yaw_deg: float
) -> tuple[float | None, bool, float, float]:
    name = names[_WRONG]
    pose = {name: moved(moments[0].frames[_WRONG].room_from_camera, shift_m, yaw_deg)}
    never = AgreementConfig(limit_m=1e3, limit_deg=1e3)
    errors, found_s, ever = [], None, set()
    for config in (AgreementConfig(), never):
        tracker = SceneTracker(TrackerConfig(cameras=names, agreement=config))
        distances = []
        for m in moments:
            graph = _update(tracker, m, pose)
            told = set(tracker.agreement.told)
            ever |= told
            if name in told and found_s is None:
                found_s = m.t - moments[0].t
            if m.t - moments[0].t >= _SETTLE_S:
                distances += _to_nearest(m.people, [o.center_m for o in graph.objects if o.label == "person"])
        errors.append(float(np.mean(distances)) if distances else float("nan"))
    return found_s, ever == {name}, errors[0], errors[1]


def _to_nearest(people: Array, told: list[tuple[float, ...]]) -> list[float]:
    """Distances of true people from the nearest one told, those within 1 m."""
    if not len(people) or not told:
        return []
    gap = np.linalg.norm(people[:, None] - np.array(told)[None], axis=-1).min(1)
    return gap[gap < 1.0].tolist()


def _estimate(moments: Sequence[_Moment], names: tuple[str, ...]) -> tuple[list[tuple[float, ...]], bool]:
    detections = {n: [(k, d) for k, m in enumerate(moments) for d in m.seen[c].detections] for c, n in enumerate(names)}
    true = {f.name: f.room_from_camera for f in moments[0].frames}
    sightings = {n: sightings_of(rows, "or_world") for n, rows in detections.items()}
    try:
        found = RigEstimator(sightings, {names[0]: true[names[0]]}, {}, RigConfig(persistent_error_m=0.02)).estimate()
    except GeometryError:
        return [], True
    free = [n for n in names if not found[n].fixed]
    return [
        (*pose_difference(found[n].room_from_camera, true[n]), found[n].sigma_m, found[n].sigma_deg) for n in free
    ], False


def _wrong(rows: list[tuple[float | None, bool, float, float]]) -> dict[str, float]:
    found = [r for r in rows if r[0] is not None]
    return {
        "found": len(found) / len(rows),
        "found_after_s": float(np.median([r[0] for r in found])) if found else float("nan"),
        "alone": _mean([float(r[1]) for r in found]),
        "people_error_m": _mean([r[2] for r in rows]),
        "trusted_error_m": _mean([r[3] for r in rows]),
    }


def _mean(values: list[float]) -> float:
    """Of those that are numbers; NaN of none."""
    known = [v for v in values if v == v]
    return float(np.mean(known)) if known else float("nan")


def _rig(clips: list[Clip]) -> dict[str, float]:
    refused = sum(c.refused for c in clips)
    rows = np.array([r for c in clips for r in c.rig]).reshape(-1, 4)
    if not len(rows):
        return {"refused": refused}
    return {
        "error_median_m": float(np.median(rows[:, 0])),
        "error_median_deg": float(np.median(rows[:, 1])),
        "error_worst_m": float(rows[:, 0].max()),
        "error_worst_deg": float(rows[:, 1].max()),
        "error_over_sigma_rms": float(np.sqrt(((rows[:, :2] / rows[:, 2:]) ** 2).mean())),
        "refused": refused,
    }
