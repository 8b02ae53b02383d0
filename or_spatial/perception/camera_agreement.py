"""Do the cameras agree on where things are? Finds the one whose extrinsics contradict the others, and by how much.

Twice a second the newest detections of every two cameras are paired, camera against camera and never against the fused
track, so that no camera confirms itself. Of each pair of cameras the least-squares sums of the differences are kept and
fade with time. The pose error of a camera is the small rigid motion that explains the differences on its side; it is
believed when the others cannot explain them as well (`pose_errors` holds the sums, the convention and the solution).
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from or_spatial.errors import ConfigError
from or_spatial.geometry.transforms import invert
from or_spatial.perception.pose_errors import PairSums, blame, displacement, independent, motion_of

if TYPE_CHECKING:  # the tracker's settings, which fusion reads, hold this file's
    from or_spatial.perception.fusion import Observations

_log = logging.getLogger(__name__)
Array = NDArray[np.float64]

_NS = 1_000_000_000
_EVERY_NS = 400_000_000  # between looks; what was seen is judged in an update of its own, half way to the next
_TOGETHER_NS = 150_000_000  # looks farther apart in time are not compared
_AFRESH_NS = 30 * _NS  # after so long a silence nothing of before counts
_MOST = 40  # detections per camera, the surest ones
_REACH_M = 1.2  # of two opinions on one thing, after what is known of the cameras' errors
_LONE_REACH_M = 3.0  # of a kind that both cameras see one of: it can hardly be another one
_CLOCKS_M = 0.06  # 0.1 s x 0.6 m/s
_SAMPLE_S = 0.5  # chosen: errors of one camera at one thing within this time count as one
_HEAVY_TAIL = 6.0  # degrees of freedom of Student's t: a wrong pair has a bounded say
_TRUST_LESS = 2.0  # a displacement of 0.3 m counts as a sigma of 0.6 m


@dataclass(frozen=True, kw_only=True)
class AgreementConfig:
    """When a camera counts as disagreeing; all chosen, and checked on the world's val split.

    What it sees is displaced by more than `limit_m` (root mean square over what it sees now) or turned by more than
    `limit_deg`, the gain of explaining this by its pose exceeds `least_gain` (chi-squared of 6 degrees of freedom: 25
    is exceeded in 3 of 10,000 looks), and all this holds for `after_s`. It agrees again when it is less than `settled`
    (a share) of both limits or not significant, for `after_s`. `memory_s`: how fast differences fade. Other cameras
    whose gain is less by no more than `tie_gain` may be the wrong one just as well.
    """

    limit_m: float = 0.08
    limit_deg: float = 3.0
    settled: float = 0.6
    least_gain: float = 25.0
    tie_gain: float = 12.0
    after_s: float = 2.0
    memory_s: float = 20.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ConfigError(f"camera agreement: {name} must be above 0, got {value}")
        if self.settled > 1.0:
            raise ConfigError(f"camera agreement: settled is a share of the limits, at most 1, got {self.settled}")


@dataclass(frozen=True)
class Disagreement:
    """What is wrong with one camera: `pose_error` (6,), see `pose_errors`; `displaced_m` of what it sees, on average.

    `certain` is False where another camera may be the wrong one just as well, as always with two cameras.
    """

    camera: str
    pose_error: Array
    displaced_m: float
    certain: bool
    since_ns: int

    @property
    def shift_m(self) -> float:
        """By how much the camera stands elsewhere than its extrinsics say."""
        return float(np.linalg.norm(self.pose_error[:3]))

    @property
    def turn_deg(self) -> float:
        """By how much it looks elsewhere."""
        return math.degrees(float(np.linalg.norm(self.pose_error[3:])))

    def __str__(self) -> str:
        blame = "" if self.certain else " (which of the cameras is wrong cannot be told)"
        return (
            f"{self.camera} contradicts the other cameras: what it sees lies {self.displaced_m:.2f} m off, as if its "
            f"pose were wrong by {self.shift_m:.2f} m and {self.turn_deg:.1f} degrees{blame}; it counts less. "
            "Measure its pose again, or record all cameras and run: or_spatial calibrate BAG"
        )


@dataclass
class _Standing:
    """How long a camera has been found wrong, or right."""

    told: Disagreement | None = None
    other_since_ns: int | None = None  # since when the verdict has differed from what is told


class CameraAgreement:
    """Compares cameras as their detections come; `told` is the judgement so far, by camera."""

    def __init__(self, config: AgreementConfig | None = None, persistent_error_m: float = 0.02) -> None:
        """`persistent_error_m`: of a detector at one thing, however long it is watched."""
        self.config = config or AgreementConfig()
        self._persistent_m2 = persistent_error_m**2
        self.reset()

    def reset(self) -> None:
        """Forget all comparisons, as after a jump back in time."""
        self.told: dict[str, Disagreement] = {}
        self._names: list[str] = []
        self._standing: dict[str, _Standing] = {}
        self._views: dict[str, tuple[Observations, dict[int, int]]] = {}
        self._raw: dict[str, Observations] = {}
        self._eyes = np.zeros((0, 3))
        self._poses: dict[str, Array] = {}
        self._sums = PairSums.none(0)
        self._estimate = np.zeros((0, 6))
        self._looked_ns = 0
        self._look: _Look | None = None  # seen and not judged yet

    def temper(self, view: "Observations") -> "Observations":
        """The view with larger covariances (m2, graph's frame) where its camera is known to be off; else itself."""
        self._raw[view.camera] = view
        known = self.told.get(view.camera)
        if known is None or not len(view):
            return view
        eye = invert(view.camera_from_graph)[:3, 3]
        off_m2 = (displacement(known.pose_error, view.centers, eye) ** 2).sum(-1)
        return replace(view, covariances=view.covariances + _TRUST_LESS**2 * off_m2[:, None, None] * np.eye(3))

    def look(self, seen: "Sequence[Observations]", keys: Sequence[dict[int, int]], stamp_ns: int) -> None:
        """Take in the views of one update (as `temper` got them, oldest first) with the track key per detection."""
        for view, key in zip(seen, keys, strict=True):
            self._views[view.camera] = self._raw.get(view.camera, view), key
        if self._look is not None and stamp_ns - self._looked_ns >= _EVERY_NS // 2:
            self._judge(self._look, stamp_ns)
            self._look = None
            return
        if stamp_ns - self._looked_ns < _EVERY_NS:
            return
        elapsed_s = min((stamp_ns - self._looked_ns) / _NS, _AFRESH_NS / _NS)
        self._looked_ns = stamp_ns
        current = [(v, k) for v, k in self._views.values() if stamp_ns - v.stamp_ns <= _TOGETHER_NS and len(v)]
        self._enrol([view for view, _ in current])
        self._sums.fade(math.exp(-elapsed_s / self.config.memory_s))
        if len(current) < 2:
            return
        look = _Look.of(current, self._names, self._eyes)
        self._add(look, min(elapsed_s / _SAMPLE_S, 1.0))
        self._look = look

    def _enrol(self, views: "list[Observations]") -> None:
        """Give new cameras a place in the sums; a camera that was moved loses what was known of it."""
        for view in views:
            pose = view.camera_from_graph
            if view.camera not in self._poses:
                self._names.append(view.camera)
                self._standing[view.camera] = _Standing()
                self._eyes = np.concatenate([self._eyes, np.zeros((1, 3))])
                self._sums = self._sums.with_one_more()
                self._estimate = np.concatenate([self._estimate, np.zeros((1, 6))])
            elif np.abs(pose - self._poses[view.camera]).max() < 0.005:
                continue
            else:
                self._forget(view.camera)
            self._poses[view.camera] = pose
            self._eyes[self._names.index(view.camera)] = invert(pose)[:3, 3]

    def _forget(self, camera: str) -> None:
        k = self._names.index(camera)
        self._sums.forget(k)
        self._estimate[k] = 0.0
        self._standing[camera] = _Standing()
        if self.told.pop(camera, None):
            _log.info("camera %s got another pose: it is compared afresh", camera)

    def _add(self, look: "_Look", weight: float) -> None:
        """Add the differences of one look to the sums; persistent errors do not average out over the memory."""
        a, b = look.pairs(self._estimate)
        if not len(a):
            return
        lasting = self.config.memory_s / _SAMPLE_S * self._persistent_m2 + _CLOCKS_M**2
        C = look.covariances[a] + look.covariances[b] + 2 * lasting * np.eye(3)
        W = np.linalg.inv(C) / self._sums.scale
        difference = look.centers[a] - look.centers[b]
        J = np.concatenate([look.motion[a], -look.motion[b]], axis=2)  # (K, 3, 12)
        left = difference - look.error(self._estimate)[a] + look.error(self._estimate)[b]
        surprise = np.einsum("ki,kij,kj->k", left, W, left)
        share = weight * independent(a, b, len(look.camera))
        W = W * (share * np.minimum((_HEAVY_TAIL + 3.0) / (_HEAVY_TAIL + surprise), 1.0))[:, None, None]
        self._sums.add(look.camera[a], look.camera[b], J, W, difference, surprise, share)

    def _judge(self, look: "_Look", stamp_ns: int) -> None:
        found, self._estimate = blame(
            *self._sums.normal_equations(), self._sums.counts(), self.config.least_gain, self.config.tie_gain
        )
        for k in np.unique(look.camera).tolist():
            name, standing = self._names[k], self._standing[self._names[k]]
            verdict = None
            if k in found:
                error, certain = found[k]
                off = displacement(error, look.centers[look.camera == k], self._eyes[k])
                since_ns = standing.told.since_ns if standing.told else stamp_ns
                verdict = Disagreement(name, error, float(np.sqrt((off**2).sum(-1).mean())), certain, since_ns)
            self._settle(standing, name, verdict if self._matters(verdict, standing) else None, stamp_ns)

    def _matters(self, verdict: Disagreement | None, standing: _Standing) -> bool:
        """Whether an error is large enough to be told, or to go on being told."""
        if verdict is None:
            return False
        share = self.config.settled if standing.told else 1.0
        return verdict.displaced_m > share * self.config.limit_m or verdict.turn_deg > share * self.config.limit_deg

    def _settle(self, standing: _Standing, name: str, verdict: Disagreement | None, stamp_ns: int) -> None:
        """Tell a verdict that has lasted; one that agrees with what is told refreshes its figures."""
        if (verdict is None) == (standing.told is None):
            standing.other_since_ns = None
            standing.told = verdict
        else:
            standing.other_since_ns = standing.other_since_ns or stamp_ns
            if stamp_ns - standing.other_since_ns >= self.config.after_s * _NS:
                standing.other_since_ns, standing.told = None, verdict
                _log.warning("%s", verdict or f"{name} agrees with the other cameras again")
        self.told.pop(name, None)
        if standing.told is not None:
            self.told[name] = standing.told


@dataclass(frozen=True)
class _Look:
    """All detections of one moment, camera after camera: D rows.

    `camera` (D,) place of the camera; `centers` (D, 3); `covariances` (D, 3, 3); `label` (D,); `motion` (D, 3, 6) how a
    pose error moves them; `apart` (D, D): two things for certain, since one camera sees both.
    """

    camera: NDArray[np.int64]
    centers: Array
    covariances: Array
    label: NDArray[np.int64]
    motion: Array
    apart: NDArray[np.bool_]

    @classmethod
    def of(cls, views: "list[tuple[Observations, dict[int, int]]]", names: list[str], eyes: Array) -> "_Look":
        """The views of this moment, with the track key of each detection by its place in the perception."""
        views = sorted(views, key=lambda view: names.index(view[0].camera))
        keys = [key.get(i, -1) for v, key in views for i in v.index[:_MOST].tolist()]
        camera = np.repeat([names.index(v.camera) for v, _ in views], [len(v.index[:_MOST]) for v, _ in views])
        centers = np.concatenate([v.centers[:_MOST] for v, _ in views])
        return cls(
            camera,
            centers,
            np.concatenate([v.covariances[:_MOST] for v, _ in views]),
            np.concatenate([v.beliefs[:_MOST].argmax(1) for v, _ in views]),
            motion_of(centers, eyes[camera]),
            _apart(np.array(keys), camera),
        )

    def error(self, estimate: Array) -> Array:
        """(D, 3) how far off each is reported if the cameras' pose errors are `estimate` (N, 6)."""
        return np.einsum("dij,dj->di", self.motion, estimate[self.camera])

    def pairs(self, estimate: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Detections (K,), (K,) of two cameras that are each other's nearest of one label, after correction."""
        places = self.centers - self.error(estimate)
        gap = cdist(places, places)
        alike, elsewhere = self.label[:, None] == self.label[None], self.camera[:, None] != self.camera[None]
        lone = (alike & ~elsewhere).sum(1) == 1
        reach = np.where(lone[:, None] & lone[None], _LONE_REACH_M, _REACH_M)
        gap[~(alike & elsewhere) | self.apart | (gap > reach)] = np.inf
        begins = np.diff(self.camera, prepend=-1) > 0
        nearest = np.minimum.reduceat(gap, np.flatnonzero(begins), axis=1)[:, np.cumsum(begins) - 1]
        a, b = np.nonzero((gap == nearest) & (gap == nearest.T) & (gap < np.inf))
        return a[a < b], b[a < b]


def _apart(key: NDArray[np.int64], camera: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(D, D): detections of two tracks that some camera sees both of."""
    tracks, at = np.unique(key, return_inverse=True)
    sees = np.zeros((len(tracks), int(camera.max()) + 1))
    sees[at, camera] = key >= 0
    both = (sees @ sees.T > 0) & ~np.eye(len(tracks), dtype=bool)
    return both[np.ix_(at, at)]
