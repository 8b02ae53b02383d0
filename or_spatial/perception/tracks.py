"""One tracked thing: its state and how each kind of evidence changes it. Time is in seconds, never in frames."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from or_spatial.perception.fusion import Observations
from or_spatial.perception.labels import Labels
from or_spatial.perception.motion_modes import Modes
from or_spatial.scene.objects import Box2D

Array = NDArray[np.float64]

_SUREST = 5.0  # log-odds: 0.993; keeps a long-seen track mortal
_AGREEMENT_BONUS = 1.0  # log-odds: a detection where one was expected says more than its own score
_STERILE_SUREST = 4.0
_STERILE_RATE_S = 0.5  # answers of one camera within half a second are one answer
_STERILE_HALF_LIFE_S = 20.0  # people scrub in and break scrub: old evidence fades
_HEIGHT_LOOKS = 100
_BENT = 0.1  # chosen: how much a look below the known height counts against one above
_SYMMETRIC_TURN = math.pi / 2


def logit(p: float) -> float:
    """Log-odds of a probability, which is first held within [0.02, 0.98]; NaN counts as 0.5."""
    p = 0.5 if math.isnan(p) else min(max(p, 0.02), 0.98)
    return math.log(p / (1.0 - p))


def sigmoid(log_odds: float) -> float:
    """Probability of log-odds."""
    return 1.0 / (1.0 + math.exp(-log_odds))


@dataclass
class Track:
    """State of one thing. `modes` as in `motion_modes`, for one track; `mean` (6,) and `covariance` (6, 6) are their
    mixture, kept beside them. `size` (3,) m and `yaw` rad may be NaN.

    `id` is empty until the track is confirmed. `seen_by` maps a camera to the stamp at which it last saw the thing;
    `look_m2` is the variance per axis of the newest detection.
    """

    key: int
    modes: Modes
    mean: Array
    covariance: Array
    belief: Array
    other_label: str
    log_odds: float
    size: Array
    yaw: float
    first_seen_ns: int
    last_seen_ns: int
    id: str = ""
    sterile_log_odds: float = math.nan
    sterile_ns: int = 0
    sterile_by: dict[str, int] = field(default_factory=dict)
    height_m: float = math.nan
    sightings: int = 1
    boxes: dict[str, Box2D] = field(default_factory=dict)
    seen_by: dict[str, int] = field(default_factory=dict)
    look_m2: float = 0.0

    @property
    def existence(self) -> float:
        """Probability in [0, 1] that there is such a thing."""
        return sigmoid(self.log_odds)

    @property
    def sterile(self) -> float:
        """Probability that it counts as sterile, NaN while nobody said."""
        return math.nan if math.isnan(self.sterile_log_odds) else sigmoid(self.sterile_log_odds)

    def label(self, labels: Labels) -> str:
        """The best label by all evidence so far."""
        at = int(np.argmax(self.belief))
        return self.other_label if at == labels.other else labels.names[at]

    def see(self, view: Observations, d: int) -> None:
        """Take in everything of detection `d` of a view but its place, which the Kalman filter handles."""
        self.sightings += 1
        self.log_odds = min(self.log_odds + logit(float(view.existence[d])) + _AGREEMENT_BONUS, _SUREST)
        self.belief += (view.beliefs[d] - self.belief) / min(self.sightings, 20)
        if view.detections[d].label:
            self.other_label = view.detections[d].label
        self.notice(view, d)

    def notice(self, view: Observations, d: int) -> None:
        """Box, size, yaw, attire and time of a detection; also the first one."""
        self.last_seen_ns = max(self.last_seen_ns, view.stamp_ns)
        self.seen_by[view.camera] = view.stamp_ns
        self.boxes[view.camera] = view.detections[d].box
        self.look_m2 = view.variances[d]
        self._smooth_size(view.sizes[d])
        self._smooth_yaw(view.detections[d].yaw_rad)
        self._weigh_sterile(float(view.sterile[d]), view.camera, view.stamp_ns)

    def measure(self, height_m: float) -> None:
        """Take in a height, which people keep but for bending: the mean of the first hundred looks; of later ones those
        that are taller count ten times as much."""
        if math.isnan(height_m):
            return
        if math.isnan(self.height_m):
            self.height_m = height_m
        bent = self.sightings > _HEIGHT_LOOKS and height_m < self.height_m
        share = (_BENT if bent else 1.0) / min(self.sightings, _HEIGHT_LOOKS)
        self.height_m += (height_m - self.height_m) * share

    def miss(self, fades_per_s: float, dt_s: float) -> None:
        """Time in which no camera saw it; an unconfirmed track fades three times as fast."""
        self.log_odds -= fades_per_s * dt_s * (1.0 if self.id else 3.0)

    def _smooth_size(self, measured: Array) -> None:
        """`measured` (3,) is usable as a whole or NaN as a whole."""
        if math.isnan(measured[0]):
            return
        if math.isnan(self.size[0]):
            self.size = measured.copy()
        self.size = self.size + (measured - self.size) / min(self.sightings, 10)

    def _smooth_yaw(self, measured: float) -> None:
        """Boxes look the same from both ends, so a half turn is no news: the nearer of the two headings counts."""
        if not math.isfinite(measured):
            return
        if math.isnan(self.yaw):
            self.yaw = measured
        turn = math.remainder(measured - self.yaw, 2 * math.pi)
        if abs(turn) > _SYMMETRIC_TURN:
            turn = math.remainder(turn + math.pi, 2 * math.pi)
        self.yaw = math.remainder(self.yaw + turn / min(self.sightings, 5), 2 * math.pi)

    def _weigh_sterile(self, probability: float, camera: str, stamp_ns: int) -> None:
        if math.isnan(probability):
            return
        before, weight = 0.0, 1.0
        if not math.isnan(self.sterile_log_odds):
            elapsed_s = max(stamp_ns - self.sterile_ns, 0) / 1e9
            before = self.sterile_log_odds * 0.5 ** (elapsed_s / _STERILE_HALF_LIFE_S)
        if camera in self.sterile_by:
            weight = min(max(stamp_ns - self.sterile_by[camera], 0) / 1e9 / _STERILE_RATE_S, 1.0)
        self.sterile_log_odds = min(max(before + weight * logit(probability), -_STERILE_SUREST), _STERILE_SUREST)
        self.sterile_ns = max(self.sterile_ns, stamp_ns)
        self.sterile_by[camera] = max(self.sterile_by.get(camera, 0), stamp_ns)


def born(key: int, view: Observations, d: int, first_doubt: float) -> Track:
    """A new track from detection `d` of a view, its existence less by `first_doubt` in log-odds."""
    modes = Modes.born(view.centers[d], view.covariances[d])
    mean, P = modes.combined()
    track = Track(
        key=key,
        modes=modes,
        mean=mean,
        covariance=P,
        belief=view.beliefs[d].copy(),
        other_label=view.detections[d].label,
        log_odds=logit(float(view.existence[d])) - first_doubt,
        size=np.full(3, np.nan),
        yaw=math.nan,
        first_seen_ns=view.stamp_ns,
        last_seen_ns=view.stamp_ns,
        height_m=float(view.sizes[d, 2]),
    )
    track.notice(view, d)
    return track
