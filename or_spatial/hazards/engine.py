"""Runs the rules over a stream of graphs and keeps the alerts: an awareness aid, not a certified alarm.

Time is that of the graphs; `tick` brings the clock in, so that silence is noticed as well. Nothing is published here:
each call returns the transitions it caused, oldest cause first.
"""

import logging
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from or_spatial.errors import OrSpatialError
from or_spatial.hazards import state_file
from or_spatial.hazards.conditions import find
from or_spatial.hazards.contamination import Sterility
from or_spatial.hazards.findings import SAME_PLACE_M, Finding
from or_spatial.hazards.lifecycle import Watch
from or_spatial.hazards.rule_file import load_rules
from or_spatial.hazards.schema import Contamination, Rule, Silence
from or_spatial.hazards.wording import Moment, sentence, word
from or_spatial.scene.alerts import AlertState, HazardAlert
from or_spatial.scene.graph import SceneGraph

_log = logging.getLogger(__name__)
_NS = 1_000_000_000
_JUMP_BACK_NS = _NS // 2
_REMEMBER_CLEARED = 50


class UnknownAlert(OrSpatialError, LookupError):
    """An alert id that is not active."""


class HazardEngine:
    """Rules in, graphs in, alerts out. Not to be shared between threads."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self.rules = dict(rules)
        self._sterility = Sterility(
            {i: r.condition for i, r in rules.items() if isinstance(r.condition, Contamination)}
        )
        self._watches: dict[tuple[str, str], Watch] = {}
        self._number = 0
        self._cleared: deque[HazardAlert] = deque(maxlen=_REMEMBER_CLEARED)
        self._graph_ns: int | None = None
        self._sequence = 0
        self._now_ns: int | None = None
        self._waiting_ns: int | None = None

    @classmethod
    def from_yaml(cls, path: str | Path | None = None) -> "HazardEngine":
        """Engine of a rule file, the shipped one by default; raises ConfigError as `load_rules` does."""
        return cls(load_rules(path))

    @property
    def graph_ns(self) -> int | None:
        """Stamp of the newest graph, None before the first."""
        return self._graph_ns

    @property
    def contaminated(self) -> tuple[str, ...]:
        """Ids of what counts as contaminated by touch at present."""
        return tuple(id for ledger in self._sterility.ledgers.values() for id in ledger.stains)

    def update(self, graph: SceneGraph) -> list[HazardAlert]:
        """Judge one graph. A graph older than the last one changes nothing; time that ran back clears everything."""
        cleared: list[HazardAlert] = []
        if self._graph_ns is not None and graph.stamp_ns <= self._graph_ns:
            if self._graph_ns - graph.stamp_ns <= _JUMP_BACK_NS:
                return []
            cleared = self._restart(graph.stamp_ns)
        elif self._graph_ns is None and self._from_later(graph.stamp_ns):
            cleared = self._restart(graph.stamp_ns)
        elif graph.sequence < self._sequence:
            _log.warning("graphs count from %d again: a tracker has started anew, ids mean others", graph.sequence)
            self._sterility.renamed()
        self._graph_ns, self._sequence = graph.stamp_ns, graph.sequence
        moment = Moment(graph.stamp_ns, graph.frame_id, self._sterility.follow(graph))
        told = list(cleared)
        for rule_id, rule in self.rules.items():
            if isinstance(rule.condition, Silence):
                told += self._listen(rule_id, rule, max(self._now_ns or 0, graph.stamp_ns))
            else:
                told += self._judge(rule_id, rule, moment)
        return told

    def tick(self, now_ns: int) -> list[HazardAlert]:
        """Let time pass without a graph; `now_ns` is on the graphs' clock. Only silence is judged."""
        if self._now_ns is not None and now_ns < self._now_ns - _JUMP_BACK_NS:
            self._waiting_ns = None
        self._now_ns = now_ns
        self._waiting_ns = now_ns if self._waiting_ns is None else self._waiting_ns
        silent = [(i, r) for i, r in self.rules.items() if isinstance(r.condition, Silence)]
        return [alert for rule_id, rule in silent for alert in self._listen(rule_id, rule, now_ns)]

    def active(self) -> tuple[HazardAlert, ...]:
        """The alerts that stand, worst first, then oldest, with their newest numbers."""
        standing = [w.alert for w in self._watches.values() if w.alert]
        return tuple(sorted(standing, key=lambda a: (-a.severity, a.first_detected_ns, a.id)))

    def acknowledge(self, alert_id: str, by: str) -> HazardAlert:
        """Somebody has taken notice; the alert stands on until it clears. A second acknowledgement changes nothing.

        Raises:
            UnknownAlert: the alert has cleared, or never was; the message says which.
        """
        watch = next((w for w in self._watches.values() if w.alert and w.alert.id == alert_id), None)
        if watch is None or watch.alert is None:
            raise UnknownAlert(self._why_unknown(alert_id))
        if watch.alert.state != AlertState.ACKNOWLEDGED:
            watch.alert = replace(watch.alert, state=AlertState.ACKNOWLEDGED, acknowledged_by=by)
        return watch.alert

    def save(self, path: str | Path) -> None:
        """Write the standing alerts, and who is contaminated, to a small JSON file, whole or not at all."""
        watches = [(w.key, w.alert) for w in self._watches.values() if w.alert]
        state_file.write(Path(path), self._number, watches, self._sterility.plain())

    def load(self, path: str | Path) -> str:
        """Take up the alerts and the contamination of a former run; returns one sentence that says what was found.

        A missing, damaged or foreign file starts clean. Alerts of rules that are no longer there are left out.
        """
        state = state_file.read(Path(path))
        note, self._number = state.note, max(self._number, state.number)
        kept = [(key, alert) for key, alert in state.watches if alert.rule_id in self.rules]
        for key, alert in kept:
            watch = Watch(alert.rule_id, self.rules[alert.rule_id], key)
            watch.alert = watch.told = alert
            self._watches[alert.rule_id, key] = watch
        if left := len(state.watches) - len(kept):
            note += f"; {left} left out, as their rules are gone"
        if contaminated := self._sterility.take_up(state.stains):
            note += f"; {contaminated} count as contaminated"
        _log.info("%s", note)
        return note

    def _judge(self, rule_id: str, rule: Rule, moment: Moment) -> list[HazardAlert]:
        assert moment.graph is not None
        findings = {f.key: f for f in self._find(rule_id, rule, moment.graph)}
        self._pass_on(rule_id, findings, moment.graph)
        told = []
        for key in [*(k for r, k in self._watches if r == rule_id and k not in findings), *findings]:
            watch = self._watches.setdefault((rule_id, key), Watch(rule_id, rule, key))
            if alert := self._follow(watch, findings.get(key), moment):
                told.append(alert)
            if watch.idle:
                del self._watches[rule_id, key]
        return told

    def _find(self, rule_id: str, rule: Rule, graph: SceneGraph) -> list[Finding]:
        """What the rule's condition finds, without what a rule that says it better already tells of the same thing."""
        if ledger := self._sterility.ledgers.get(rule_id):
            found = ledger.findings()
        else:
            found = [self._with_story(f) for f in find(rule.condition, graph, rule.per)]
        told = {w.alert.object_ids[0] for (r, _), w in self._watches.items() if r in rule.unless and _about(w)}
        return [f for f in found if not f.object_ids or f.object_ids[0] not in told]

    def _with_story(self, finding: Finding) -> Finding:
        story = self._sterility.story(finding.object_ids[0]) if finding.object_ids else ""
        return replace(finding, chain=story) if story else finding

    def _follow(self, watch: Watch, finding: Finding | None, moment: Moment) -> HazardAlert | None:
        match watch.see(finding, moment.stamp_ns):
            case "raise":
                assert finding is not None
                first_ns = moment.stamp_ns if watch.since_ns is None else watch.since_ns
                return watch.raised(word(self._next_id(watch), watch.rule_id, watch.rule, finding, first_ns, moment))
            case "keep":
                assert finding is not None and watch.alert is not None
                old = watch.alert
                return watch.kept(word(old.id, old.rule_id, watch.rule, finding, old.first_detected_ns, moment))
            case "clear":
                return self._clear(watch, moment.stamp_ns)
        return None

    def _next_id(self, watch: Watch) -> str:
        self._number += 1
        return f"{watch.rule_id}_{self._number}"

    def _clear(self, watch: Watch, stamp_ns: int, why: str = "") -> HazardAlert:
        assert watch.alert is not None
        message = f"cleared: {watch.alert.message}" + (f" ({why})" if why else "")
        alert = replace(watch.alert, state=AlertState.CLEARED, stamp_ns=stamp_ns, message=message)
        watch.alert = watch.told = watch.since_ns = watch.gone_ns = None
        self._cleared.append(alert)
        return alert

    def _pass_on(self, rule_id: str, findings: dict[str, Finding], graph: SceneGraph) -> None:
        """An alert whose object vanished goes on with the new object that appears in its place under another id."""
        ids = {o.id for o in graph.objects}
        for watch in [w for (r, _), w in self._watches.items() if r == rule_id and w.alert]:
            alert = watch.alert
            if alert is None or watch.key in findings or not alert.object_ids or set(alert.object_ids) <= ids:
                continue
            heirs = [k for k, f in findings.items() if (rule_id, k) not in self._watches and _same_place(f, alert)]
            if heirs:
                del self._watches[rule_id, watch.key]
                watch.key = heirs[0]
                self._watches[rule_id, watch.key] = watch

    def _listen(self, rule_id: str, rule: Rule, now_ns: int) -> list[HazardAlert]:
        """Silence since the newest graph's stamp; before the first graph, since the first tick."""
        assert isinstance(rule.condition, Silence)
        since_ns = now_ns if self._waiting_ns is None else self._waiting_ns
        if self._graph_ns is not None and self._graph_ns <= now_ns + _JUMP_BACK_NS:
            since_ns = self._graph_ns  # one that lies ahead is of another time: the clock was set back since
        silence_s = max(now_ns - since_ns, 0) / _NS
        watch = self._watches.setdefault((rule_id, "graph"), Watch(rule_id, rule, "graph"))
        finding = Finding(key="graph", probability=1.0, confidence=1.0, certainty="confirmed")
        patience_s = rule.condition.after_s if self._graph_ns is not None else rule.condition.first_after_s
        stale = silence_s >= patience_s
        if watch.alert is None and not stale:
            return []
        words = sentence(rule, finding, silence_s, silence_s)
        if watch.alert is None:
            first_ns = since_ns + round(patience_s * _NS)
            alert = word(self._next_id(watch), rule_id, rule, finding, first_ns, Moment(now_ns))
            return [watch.raised(replace(alert, message=words))]
        if stale:
            watch.alert = replace(watch.alert, stamp_ns=now_ns, message=words)
            return []
        return [self._clear(watch, now_ns)]

    def _from_later(self, stamp_ns: int) -> bool:
        """Whether alerts of a former run are of a time that is yet to come, as when an older recording is played."""
        return any(w.alert.stamp_ns > stamp_ns + _JUMP_BACK_NS for w in self._watches.values() if w.alert)

    def _restart(self, stamp_ns: int) -> list[HazardAlert]:
        """Time ran back, as when a recording starts again: no alert of that other time can stand."""
        _log.warning("time ran back from %s to %d ns: all hazards are cleared", self._graph_ns, stamp_ns)
        cleared = [self._clear(w, stamp_ns, "time ran back") for w in self._watches.values() if w.alert]
        self._watches.clear()
        self._sterility.reset()
        self._now_ns = self._waiting_ns = None
        return cleared

    def _why_unknown(self, alert_id: str) -> str:
        gone = next((a for a in self._cleared if a.id == alert_id), None)
        if gone is not None:
            return f"alert {alert_id!r} cleared at {gone.stamp_ns} ns and needs no acknowledgement"
        standing = ", ".join(a.id for a in self.active()) or "none"
        return f"no alert {alert_id!r}; active are: {standing}"


def _about(watch: Watch) -> bool:
    return watch.alert is not None and bool(watch.alert.object_ids)


def _same_place(finding: Finding, alert: HazardAlert) -> bool:
    gap = math.dist(finding.position, alert.position)
    return gap <= SAME_PLACE_M and bool(set(finding.object_ids) & set(alert.object_ids) or len(alert.object_ids) == 1)
