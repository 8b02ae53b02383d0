"""How promptly hazards are raised, held and cleared, after the patience that their rule is meant to have.

    truth    begins                due            ends
               |---- patience_s ----|---------------|--- calm_s ---|
    alert                            raised ........................ cleared
                                 raise delay                    clear delay

A true stretch that is over before it has been due for `settle_s` need not be told, and is no mistake when it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from or_spatial.evaluation.metrics.hazards import HazardInterval
from or_spatial.evaluation.metrics.results import Result

SETTLE_S = 0.6  # the raise delay that the project allows
TOLERANCE_S = 1.0  # an alert this long before or after a true stretch still means it


@dataclass(frozen=True)
class Patience:
    """What a rule waits for by design: `patience_s` before it raises, `calm_s` before it clears."""

    patience_s: float
    calm_s: float


@dataclass(frozen=True, kw_only=True)
class TimingScores(Result):
    """`recall`: share of the due hazards that were raised. `raise_*_s` after they were due, `clear_*_s` after they were
    over and calm; 0 when early. `held`: share of the time from raise to end in which an alert stood. `false_per_30min`:
    alerts of no true hazard. `brief`: true but over before they were due for `SETTLE_S`; counted nowhere else.
    """

    rule_id: str
    recall: float
    raise_p50_s: float
    raise_p95_s: float
    clear_p50_s: float
    clear_p95_s: float
    held: float
    false_per_30min: float
    true: int
    brief: int
    false: int
    watched_s: float
    by_rule: tuple["TimingScores", ...] = ()


@dataclass
class _Tally:
    """Counts of one rule."""

    raise_s: list[float]
    clear_s: list[float]
    held_s: float = 0.0
    meant_s: float = 0.0
    missed: int = 0
    brief: int = 0
    false: int = 0

    def __add__(self, other: "_Tally") -> "_Tally":
        return _Tally(*(getattr(self, n) + getattr(other, n) for n in self.__dataclass_fields__))


class TimingAccumulator:
    """Adds up recordings. Stretches meet when rule and at least one object are the same (or both name none)."""

    def __init__(self, patience: dict[str, Patience]) -> None:
        """Rules that are not in `patience` are not judged."""
        self.patience = patience
        self._tally = {rule_id: _Tally([], []) for rule_id in patience}
        self._watched_s = 0.0

    def add(self, truth: Sequence[HazardInterval], alerts: Sequence[HazardInterval], duration_s: float) -> None:
        """Count one recording of `duration_s`; times are seconds from its start."""
        self._watched_s += duration_s
        for hazard in truth:
            if hazard.rule_id in self.patience:
                self._count(hazard, [a for a in alerts if _meet(hazard, a)], duration_s)
        for alert in alerts:
            if alert.rule_id in self.patience and not any(_meet(hazard, alert) for hazard in truth):
                self._tally[alert.rule_id].false += 1

    def _count(self, hazard: HazardInterval, alerts: list[HazardInterval], duration_s: float) -> None:
        tally, rule = self._tally[hazard.rule_id], self.patience[hazard.rule_id]
        due_s = hazard.start_s + rule.patience_s
        if hazard.end_s - due_s < SETTLE_S:
            tally.brief += 1
            return
        if not alerts:
            tally.missed += 1
            return
        raised_s = min(a.start_s for a in alerts)
        tally.raise_s.append(max(0.0, raised_s - due_s))
        from_s = max(due_s, raised_s)
        tally.meant_s += max(0.0, hazard.end_s - from_s)
        tally.held_s += _covered(alerts, from_s, hazard.end_s)
        over_s = hazard.end_s + rule.calm_s
        if over_s + TOLERANCE_S < duration_s:
            tally.clear_s.append(max(0.0, max(a.end_s for a in alerts) - over_s))

    def result(self) -> TimingScores:
        """All rules together, and those that were true or raised one by one in `by_rule`."""
        seen = [r for r, t in self._tally.items() if t.raise_s or t.missed or t.brief or t.false]
        whole = sum((self._tally[r] for r in seen), _Tally([], []))
        return self._scores("all", whole, tuple(self._scores(r, self._tally[r]) for r in sorted(seen)))

    def _scores(self, name: str, tally: _Tally, by_rule: tuple[TimingScores, ...] = ()) -> TimingScores:
        true = len(tally.raise_s) + tally.missed
        nan = float("nan")
        return TimingScores(
            rule_id=name,
            recall=len(tally.raise_s) / true if true else nan,
            raise_p50_s=_quantile(tally.raise_s, 0.5),
            raise_p95_s=_quantile(tally.raise_s, 0.95),
            clear_p50_s=_quantile(tally.clear_s, 0.5),
            clear_p95_s=_quantile(tally.clear_s, 0.95),
            held=tally.held_s / tally.meant_s if tally.meant_s else nan,
            false_per_30min=tally.false / self._watched_s * 1800.0 if self._watched_s else nan,
            true=true,
            brief=tally.brief,
            false=tally.false,
            watched_s=self._watched_s,
            by_rule=by_rule,
        )


def _meet(hazard: HazardInterval, alert: HazardInterval) -> bool:
    same = hazard.object_ids & alert.object_ids or not (hazard.object_ids or alert.object_ids)
    in_time = alert.start_s <= hazard.end_s + TOLERANCE_S and alert.end_s >= hazard.start_s - TOLERANCE_S
    return hazard.rule_id == alert.rule_id and bool(same) and in_time


def _covered(alerts: Sequence[HazardInterval], start_s: float, end_s: float) -> float:
    """Seconds between start and end in which at least one alert stands."""
    covered, until = 0.0, start_s
    for alert in sorted(alerts, key=lambda a: a.start_s):
        begin, end = max(alert.start_s, until), min(alert.end_s, end_s)
        covered, until = covered + max(0.0, end - begin), max(until, end)
    return covered


def _quantile(values: Sequence[float], q: float) -> float:
    return float(np.quantile(values, q)) if values else float("nan")
