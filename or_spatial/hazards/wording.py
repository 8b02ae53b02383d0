"""A finding as an alert: one sentence, with the numbers and relations that stand for it. Unknown numbers say so."""

import math
from dataclasses import dataclass

from or_spatial.hazards.findings import Finding
from or_spatial.hazards.schema import Rule
from or_spatial.scene.alerts import AlertState, HazardAlert
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.relations import EvidenceSource, Family, SpatialRelation

_TOUCHING_M, _NEAR_M = 0.02, 0.5  # geometry's definitions of touching and near


class _Number(float):
    """A number that writes itself as "unknown" when it is NaN, whatever format is asked for."""

    def __format__(self, spec: str) -> str:
        return "unknown" if math.isnan(self) else format(float(self), spec)


@dataclass(frozen=True)
class Moment:
    """Where and when alerts are worded: the stamp and frame of the graph, and the graph itself if there is one."""

    stamp_ns: int
    frame_id: str = "map"
    graph: SceneGraph | None = None


def sentence(
    rule: Rule, finding: Finding, held_s: float, silence_s: float = math.nan, graph: SceneGraph | None = None
) -> str:
    """The rule's message with this finding's numbers."""
    ids = [_named(i, graph) for i in finding.object_ids]
    words = {
        "subject": ids[0] if ids else "nobody",
        "object": ids[1] if len(ids) > 1 else finding.place,
        "camera": finding.camera,
        "status": finding.status,
        "certainty": finding.certainty,
        "chain": finding.chain,
        "touched": f", touched: {finding.chain}" if finding.chain else "",
    }
    numbers = {
        "distance_m": finding.distance_m,
        "speed_m_s": finding.speed_m_s,
        "time_s": finding.time_s,
        "silence_s": silence_s,
        "count": finding.count,
        "height_m": finding.height_m,
        "probability": finding.probability,
        "held_s": held_s,
    }
    return rule.message.format(**words, **{name: _Number(v) for name, v in numbers.items()})


def word(alert_id: str, rule_id: str, rule: Rule, finding: Finding, first_ns: int, moment: Moment) -> HazardAlert:
    """The alert that this finding makes at this moment, as newly raised."""
    return HazardAlert(
        id=alert_id,
        rule_id=rule_id,
        hazard_type=rule_id,
        stamp_ns=moment.stamp_ns,
        frame_id=moment.frame_id,
        severity=rule.level,
        state=AlertState.RAISED,
        confidence=finding.confidence,
        object_ids=finding.object_ids,
        evidence=evidence(finding, moment.graph),
        position=finding.position,
        distance_m=finding.distance_m,
        time_to_event_s=finding.time_s,
        first_detected_ns=first_ns,
        message=sentence(rule, finding, (moment.stamp_ns - first_ns) / 1e9, graph=moment.graph),
    )


def _named(object_id: str, graph: SceneGraph | None) -> str:
    """The id, before it what the object is by now where the id was given when it looked like something else."""
    found = graph.find(object_id) if graph is not None else None
    return object_id if found is None or object_id.startswith(found.label) else f"{found.label} ({object_id})"


def evidence(finding: Finding, graph: SceneGraph | None) -> tuple[SpatialRelation, ...]:
    """What the finding brings, and the graph's relations between its objects; if there are none, how near they are.

    The confidence of a relation made here is that of the finding's condition.
    """
    if graph is None or len(finding.object_ids) < 2:
        return finding.evidence
    ids = set(finding.object_ids)
    told = finding.evidence + tuple(r for r in graph.relations if r.subject_id in ids and r.object_id in ids)
    if told or not finding.distance_m <= _NEAR_M:
        return told
    return (
        SpatialRelation(
            subject_id=finding.object_ids[0],
            predicate="touching" if finding.distance_m <= _TOUCHING_M else "near",
            object_id=finding.object_ids[1],
            family=Family.GEOMETRIC,
            confidence=finding.still(),
            source=EvidenceSource.GEOMETRY,
            surface_distance_m=finding.distance_m,
        ),
    )
