"""Two tracks of one thing, and things that a camera should see but may not: judgements on whole sets of tracks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.camera import Camera
from or_spatial.perception.association import attire_cost
from or_spatial.perception.fusion import Observations
from or_spatial.perception.kalman import mahalanobis_squared
from or_spatial.perception.labels import Labels
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.perception.tracks import Track

Array = NDArray[np.float64]

_CHI2_3DOF_95 = 7.81
_TOGETHER_NS = 5_000_000_000  # chosen: who meet may be one to all cameras for a second or two, and are still two
_MEETING_M = 1.2  # who are told apart within this may be one to all cameras a second later
_NEARER_M = 0.25  # what hides a thing is nearer to the camera by at least this
_SMALL_THING_M = 0.5  # of its own length: instruments lie side by side, people do not stand in each other


class Together:
    """When one camera last saw two tracks at once, which proves that they are two; only of those near each other."""

    def __init__(self) -> None:
        self._seen_ns: dict[tuple[int, int], int] = {}

    def note(self, tracks: Sequence[Track], stamp_ns: int) -> None:
        """All of these `tracks` were seen in one picture."""
        places = np.array([t.mean[:3] for t in tracks]).reshape(-1, 3)
        keys = [t.key for t in tracks]
        gap2 = ((places[:, None] - places[None]) ** 2).sum(-1)
        for a, b in np.argwhere(gap2 <= _MEETING_M**2).tolist():
            if keys[a] < keys[b]:
                self._seen_ns[keys[a], keys[b]] = stamp_ns

    def lately(self, a: Track, b: Track) -> bool:
        """Whether there is a proof that is not too old; see `forget`."""
        return _pair(a, b) in self._seen_ns

    def forget(self, stamp_ns: int) -> None:
        """Drop proofs that are too old at `stamp_ns`: the memory stays small."""
        self._seen_ns = {pair: at_ns for pair, at_ns in self._seen_ns.items() if stamp_ns - at_ns <= _TOGETHER_NS}


def _pair(a: Track, b: Track) -> tuple[int, int]:
    return (min(a.key, b.key), max(a.key, b.key))


def find_doubles(tracks: Sequence[Track], labels: Labels, config: TrackerConfig, together: Together) -> set[int]:
    """Places of the tracks that are doubles of a better one (named first, then longer seen).

    Two tracks are one thing when their kinds agree, their places agree within their own doubt and within
    `merge_within_m` (half the thing's length for small things), and no camera has lately seen both at once.
    """
    if len(tracks) < 2:
        return set()
    places = np.array([t.mean[:3] for t in tracks])
    covariances = np.array([t.covariance[:3, :3] for t in tracks])
    gap2 = ((places[:, None] - places[None]) ** 2).sum(-1)
    reach = _reaches(tracks, config)
    gone: set[int] = set()
    for a, b in np.argwhere(gap2 <= np.minimum(reach[:, None], reach[None]) ** 2).tolist():
        if a >= b or gone & {a, b} or together.lately(tracks[a], tracks[b]):
            continue
        common_m2 = (2 * config.pose_error_m) ** 2 + 2 * config.floor_error_m**2
        doubt = covariances[a] + covariances[b] + common_m2 * np.eye(3)
        alike = labels.agreement(tracks[a].belief[None], tracks[b].belief[None])[0, 0] > 0.3
        unlike = mahalanobis_squared(places[a] - places[b], doubt) + attire_cost(_gown(tracks[a]), _gown(tracks[b]))
        if alike and unlike[0, 0] <= _CHI2_3DOF_95:
            worse = max(a, b, key=lambda k: (not tracks[k].id, tracks[k].first_seen_ns, tracks[k].key))
            gone.add(worse)
    return gone


def _gown(track: Track) -> Array:
    return np.array([track.sterile])


def _reaches(tracks: Sequence[Track], config: TrackerConfig) -> Array:
    """(T,) m: how far apart two tracks of one such thing may be."""
    sizes = np.array([t.size for t in tracks])
    length = np.where(np.isfinite(sizes).all(1), sizes.max(1), config.merge_within_m)
    return np.minimum(np.maximum(_SMALL_THING_M * length, 0.05), config.merge_within_m)


def in_view(places: Array, view: Observations) -> NDArray[np.bool_]:
    """Whether the camera of this view looks at places (T, 3); False when its intrinsics are unknown.

    The outer tenth of the image does not count: a thing cut by the border is easily missed.
    """
    camera: Camera | None = view.intrinsics
    if camera is None:
        return np.zeros(len(places), dtype=bool)
    pixels = camera.project(_in_camera(places, view))
    margin = 0.1 * np.array([camera.width, camera.height])
    with np.errstate(invalid="ignore"):
        return ((pixels > margin) & (pixels < (camera.width, camera.height) - margin)).all(-1)


def hidden_from(places: Array, view: Observations) -> NDArray[np.bool_]:
    """Whether something that the camera did see stands before places (T, 3)."""
    if view.intrinsics is None or not len(view):
        return np.zeros(len(places), dtype=bool)
    points = _in_camera(places, view)
    pixels = view.intrinsics.project(points)[:, None]
    depth = _in_camera(view.centers, view)[:, 2]
    with np.errstate(invalid="ignore"):
        covered = ((pixels >= view.boxes[None, :, :2]) & (pixels <= view.boxes[None, :, 2:])).all(-1)
        return (covered & (depth[None] < points[:, 2:] - _NEARER_M)).any(1)


def _in_camera(points: Array, view: Observations) -> Array:
    T = view.camera_from_graph
    return points @ T[:3, :3].T + T[:3, 3]
