"""Hazard alerts as values: what, how bad, since when, and the evidence."""

from dataclasses import dataclass
from enum import IntEnum

from or_spatial.scene.relations import SpatialRelation
from or_spatial.scene.values import NAN, UNKNOWN3, Vec3


class Severity(IntEnum):
    """Order of urgency, after the priority idea of IEC 60601-1-8; this is an awareness aid, not a certified alarm."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3


class AlertState(IntEnum):
    """Life-cycle of one alert."""

    RAISED = 0
    UPDATED = 1
    ACKNOWLEDGED = 2
    CLEARED = 3


@dataclass(frozen=True, kw_only=True)
class HazardAlert:
    """One hazard from raise to clear; `id` stays the same all its life.

    `stamp_ns` is the stamp of the graph (or the moment of the silence) that caused this state. `confidence` is the
    probability that the rule's condition holds. `position` is in frame `frame_id`, metres. `time_to_event_s` is NaN
    for hazards that are present rather than approaching.
    """

    id: str
    rule_id: str
    hazard_type: str
    stamp_ns: int
    frame_id: str = "map"
    severity: Severity = Severity.LOW
    state: AlertState = AlertState.RAISED
    confidence: float = NAN
    object_ids: tuple[str, ...] = ()
    evidence: tuple[SpatialRelation, ...] = ()
    position: Vec3 = UNKNOWN3
    distance_m: float = NAN
    time_to_event_s: float = NAN
    first_detected_ns: int = 0
    acknowledged_by: str = ""
    message: str = ""
