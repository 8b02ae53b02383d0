"""Hazards found, missed, late and invented, by comparing stretches of time."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from or_spatial.evaluation.metrics.bootstrap import interval
from or_spatial.evaluation.metrics.results import Result
from or_spatial.scene.alerts import AlertState, HazardAlert


@dataclass(frozen=True)
class HazardInterval:
    """A rule that is true (or an alert that is up) from `start_s` to `end_s`; `object_ids` in any order."""

    rule_id: str
    start_s: float
    end_s: float
    object_ids: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, kw_only=True)
class HazardScores(Result):
    """`recall`: share of true hazards that an alert of the same rule met, about whomever unless objects count.
    `delay_*_s`: from the true start to the alert's, 0 when it was early. `false_per_10min`: alerts that met no true
    hazard, per 600 s watched. `standing_too_long`: of the time that alerts stood, the share when no hazard of their
    rule held within the tolerance, so that an alert that never clears does not go for a good one.
    """

    rule_id: str
    recall: float
    delay_p50_s: float
    delay_p95_s: float
    false_per_10min: float
    standing_too_long: float
    true: int
    false: int
    watched_s: float
    by_rule: tuple["HazardScores", ...] = ()


class HazardAccumulator:
    """Adds up recordings."""

    def __init__(self, tolerance_s: float = 1.0, by_objects: bool = False) -> None:
        """An alert meets a hazard when their stretches, widened by `tolerance_s`, overlap.

        `by_objects` asks that they also name at least one common object (ids of truth and alert must be of one kind).
        """
        self.tolerance_s, self.by_objects = tolerance_s, by_objects
        self._delays: dict[str, list[float]] = defaultdict(list)
        self._missed: dict[str, int] = defaultdict(int)
        self._false: dict[str, int] = defaultdict(int)
        self._stood_s: dict[str, float] = defaultdict(float)
        self._too_long_s: dict[str, float] = defaultdict(float)
        self._watched_s = 0.0

    def add(self, truth: Sequence[HazardInterval], alerts: Sequence[HazardInterval], duration_s: float) -> None:
        """Count one recording of `duration_s`."""
        self._watched_s += duration_s
        for hazard in truth:
            met = [alert.start_s for alert in alerts if self._meet(hazard, alert)]
            if met:
                self._delays[hazard.rule_id].append(max(0.0, min(met) - hazard.start_s))
            else:
                self._missed[hazard.rule_id] += 1
        for alert in alerts:
            if not any(self._meet(hazard, alert) for hazard in truth):
                self._false[alert.rule_id] += 1
            self._stood_s[alert.rule_id] += alert.end_s - alert.start_s
            self._too_long_s[alert.rule_id] += self._outside_s(alert, truth)

    def _outside_s(self, alert: HazardInterval, truth: Sequence[HazardInterval]) -> float:
        """Seconds of an alert outside every hazard it meets, those widened by the tolerance."""
        outside_s, reached_s = 0.0, alert.start_s
        for hazard in sorted((h for h in truth if self._meet(h, alert)), key=lambda h: h.start_s):
            outside_s += max(0.0, hazard.start_s - self.tolerance_s - reached_s)
            reached_s = max(reached_s, hazard.end_s + self.tolerance_s)
        return outside_s + max(0.0, alert.end_s - reached_s)

    def _meet(self, hazard: HazardInterval, alert: HazardInterval) -> bool:
        return (
            hazard.rule_id == alert.rule_id
            and alert.start_s <= hazard.end_s + self.tolerance_s
            and alert.end_s >= hazard.start_s - self.tolerance_s
            and (not self.by_objects or bool(hazard.object_ids & alert.object_ids))
        )

    def result(self) -> HazardScores:
        """All rules together, and one by one in `by_rule`."""
        rules = sorted({*self._delays, *self._missed, *self._false})  # who stood at all is in one of them
        return self._scores("all", rules, tuple(self._scores(rule, [rule]) for rule in rules))

    def _scores(self, name: str, rules: list[str], by_rule: tuple[HazardScores, ...] = ()) -> HazardScores:
        delays = [d for rule in rules for d in self._delays.get(rule, ())]
        true = len(delays) + sum(self._missed.get(rule, 0) for rule in rules)
        false = sum(self._false.get(rule, 0) for rule in rules)
        stood_s = sum(self._stood_s.get(rule, 0.0) for rule in rules)
        nan = float("nan")
        return HazardScores(
            rule_id=name,
            recall=len(delays) / true if true else nan,
            delay_p50_s=float(np.quantile(delays, 0.5)) if delays else nan,
            delay_p95_s=float(np.quantile(delays, 0.95)) if delays else nan,
            false_per_10min=false / self._watched_s * 600.0 if self._watched_s > 0 else nan,
            standing_too_long=sum(self._too_long_s.get(r, 0.0) for r in rules) / stood_s if stood_s > 0 else nan,
            true=true,
            false=false,
            watched_s=self._watched_s,
            by_rule=by_rule,
        )


def hazard_intervals(clips: Sequence[HazardScores]) -> dict[str, tuple[float, float]]:
    """95 % intervals of recall and of false alerts from the scores of single clips, clips drawn again."""
    true, false, watched = (np.array([getattr(c, name) for c in clips]) for name in ("true", "false", "watched_s"))
    met = np.array([c.recall * c.true if c.true else 0.0 for c in clips])

    def recall(times: NDArray[np.int64]) -> float:
        return float(times @ met / (times @ true)) if times @ true else float("nan")

    def false_per_10min(times: NDArray[np.int64]) -> float:
        return float(600.0 * (times @ false) / (times @ watched))

    each = range(len(clips))
    return {
        "hazards.recall": interval(recall, each),
        "hazards.false_per_10min": interval(false_per_10min, each),
    }


def intervals_from_alerts(alerts: Iterable[HazardAlert], end_ns: int) -> list[HazardInterval]:
    """Stretches from transitions in order of time: from a raise to its clear, or to `end_ns` if it never cleared.

    An alert of which only later states were heard starts at the first of them; one that is cleared unheard is dropped.
    """
    open_: dict[str, HazardAlert] = {}
    done: list[HazardInterval] = []
    for alert in alerts:
        if alert.state is not AlertState.CLEARED:
            open_.setdefault(alert.id, alert)
        elif alert.id in open_:
            done.append(_interval(open_.pop(alert.id), alert.stamp_ns))
    return done + [_interval(alert, end_ns) for alert in open_.values()]


def _interval(first: HazardAlert, end_ns: int) -> HazardInterval:
    return HazardInterval(first.rule_id, first.stamp_ns * 1e-9, end_ns * 1e-9, frozenset(first.object_ids))


def intervals_from_active(
    times_s: Sequence[float], active: Sequence[Iterable[str]], gap_s: float = 0.0
) -> list[HazardInterval]:
    """Stretches from samples: at each of `times_s` (rising) the rule ids that are true; pauses <= `gap_s` are closed.

    A stretch runs from the first to the last sample that holds its rule.
    """
    stretches: dict[str, list[list[float]]] = defaultdict(list)
    previous: dict[str, int] = {}
    for i, (time_s, rules) in enumerate(zip(times_s, active, strict=True)):
        for rule in set(rules):
            goes_on = rule in previous and (previous[rule] == i - 1 or time_s - stretches[rule][-1][1] <= gap_s)
            if goes_on:
                stretches[rule][-1][1] = time_s
            else:
                stretches[rule].append([time_s, time_s])
            previous[rule] = i
    return [HazardInterval(rule, start, end) for rule, some in stretches.items() for start, end in some]
