"""The life of one alert: how long a finding must last to be raised, and how long be gone to be cleared.

    nothing ── at or above raise_probability for for_s ──► RAISED ──► UPDATED … ──► CLEARED
                                                              └─► ACKNOWLEDGED ──────┘
                                 below clear_probability for clear_after_s, whoever acknowledged it

Between the two thresholds nothing changes: that gap, and the two durations, keep a noisy probability from flapping.
"""

from dataclasses import dataclass, field, replace

from or_spatial.hazards.findings import Finding
from or_spatial.hazards.schema import Rule
from or_spatial.scene.alerts import AlertState, HazardAlert

_NS = 1_000_000_000
_UNSEEN_NS = 2_500_000_000  # without a graph for so long nobody knows what has held
_UPDATE_EVERY_NS = _NS // 2  # a changing alert is told again at most this often
_CHANGED_M = 0.1
_CHANGED_P = 0.2


@dataclass
class Watch:
    """One rule watching one key (a person, a pair, a camera): what has been so since when. Stamps in ns."""

    rule_id: str
    rule: Rule
    key: str
    since_ns: int | None = None  # the finding has been strong since
    strong_ns: int = 0  # and was so last at
    gone_ns: int | None = None  # the finding has been weak since
    alert: HazardAlert | None = None
    told: HazardAlert | None = field(default=None, repr=False)

    def see(self, finding: Finding | None, stamp_ns: int) -> str:
        """Take in one graph's finding; returns what to do: "raise", "keep", "clear", or "" for nothing."""
        if self.alert is None:
            return "raise" if self._ripe(finding, stamp_ns) else ""
        weak = finding is None or finding.still() < self.rule.clear_probability
        if not weak:
            self.gone_ns = None
            return "keep"
        self.gone_ns = stamp_ns if self.gone_ns is None else self.gone_ns
        return "clear" if stamp_ns - self.gone_ns >= self.rule.clear_after_s * _NS else ""

    def _ripe(self, finding: Finding | None, stamp_ns: int) -> bool:
        if self.since_ns is not None and stamp_ns - self.strong_ns > _UNSEEN_NS:
            self.since_ns = None  # nobody looked in between: time without graphs is not time that it held
        if finding is not None and finding.probability >= self.rule.raise_probability:
            self.since_ns = stamp_ns if self.since_ns is None else self.since_ns
            self.strong_ns = stamp_ns
            return stamp_ns - self.since_ns >= self.rule.for_s * _NS
        if self.since_ns is not None and stamp_ns - self.strong_ns > self.rule.dropout_s * _NS:
            self.since_ns = None
        return False

    @property
    def idle(self) -> bool:
        """Nothing is known that must be remembered."""
        return self.alert is None and self.since_ns is None

    def raised(self, alert: HazardAlert) -> HazardAlert:
        """The alert begins to stand."""
        self.alert = self.told = alert
        self.gone_ns = None
        return alert

    def kept(self, alert: HazardAlert) -> HazardAlert | None:
        """The standing alert with new numbers; returned when that is worth telling.

        An acknowledged alert is known to somebody: it keeps its state and is not told again.
        """
        assert self.alert is not None and self.told is not None
        tell = self.alert.state != AlertState.ACKNOWLEDGED and _differs(self.told, alert)
        state = AlertState.UPDATED if tell else self.alert.state
        self.alert = replace(alert, state=state, acknowledged_by=self.alert.acknowledged_by)
        if not tell:
            return None
        self.told = self.alert
        return self.alert


def _differs(told: HazardAlert, now: HazardAlert) -> bool:
    """Whether an alert has changed enough since it was last told."""
    if now.stamp_ns - told.stamp_ns < _UPDATE_EVERY_NS:
        return False
    moved = abs(now.distance_m - told.distance_m) > _CHANGED_M
    surer = abs(now.confidence - told.confidence) > _CHANGED_P
    return moved or surer or set(now.object_ids) != set(told.object_ids)
