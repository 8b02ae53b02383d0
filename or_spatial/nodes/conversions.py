"""Between the values of `or_spatial.scene` and our messages: the one place where ROS types and ours meet.

`<thing>_to_message` fills every field, so that no float is left at 0.0, which would read as contact; an unknown number
is NaN on both sides. `<thing>_from_message` gives back an equal value. Stamps are integer nanoseconds here, Time there.
Pixels (Image, CameraInfo, PointCloud2) are in `nodes/images.py`.
"""

from collections import Counter
from collections.abc import Iterable
from enum import IntEnum
from typing import Any, TypeVar

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import Header

from or_spatial import msg, scene
from or_spatial.errors import OrSpatialError
from or_spatial.scene.values import Mat3, Vec3

_SECOND_NS = 1_000_000_000
_Enum = TypeVar("_Enum", bound=IntEnum)


class MessageError(OrSpatialError, ValueError):
    """A message holds what this version has no value for."""


def time_to_message(stamp_ns: int) -> Time:
    """Time of integer nanoseconds since the epoch."""
    sec, nanosec = divmod(int(stamp_ns), _SECOND_NS)
    return Time(sec=sec, nanosec=nanosec)


def time_from_message(message: Any) -> int:
    """Nanoseconds of a Time or Duration message."""
    return message.sec * _SECOND_NS + message.nanosec


def header_to_message(stamp_ns: int, frame_id: str) -> Header:
    """Header with this acquisition time and frame."""
    return Header(stamp=time_to_message(stamp_ns), frame_id=frame_id)


def point_to_message(position_m: Iterable[float]) -> Point:
    """Point of three metres."""
    x, y, z = position_m
    return Point(x=float(x), y=float(y), z=float(z))


def vector_to_message(values: Iterable[float]) -> Vector3:
    """Vector3 of three numbers."""
    x, y, z = values
    return Vector3(x=float(x), y=float(y), z=float(z))


def vec3_from_message(message: Point | Vector3) -> Vec3:
    """The three numbers of a Point or Vector3."""
    return (message.x, message.y, message.z)


def hypothesis_to_message(value: scene.Hypothesis) -> msg.Hypothesis:
    """One possible label with its probability."""
    return msg.Hypothesis(label=value.label, score=float(value.score))


def hypothesis_from_message(message: msg.Hypothesis) -> scene.Hypothesis:
    """Inverse of `hypothesis_to_message`."""
    return scene.Hypothesis(message.label, message.score)


def box_to_message(value: scene.Box2D, object_id: str = "", label: str = "") -> msg.ObservedBox2D:
    """A box in an image; a Box2D does not know whose it is, so its owner tells."""
    return msg.ObservedBox2D(
        camera=value.camera,
        object_id=object_id,
        label=label,
        xmin=float(value.xmin),
        ymin=float(value.ymin),
        xmax=float(value.xmax),
        ymax=float(value.ymax),
        score=float(value.score),
    )


def box_from_message(message: msg.ObservedBox2D) -> scene.Box2D:
    """Inverse of `box_to_message`; whose box it is stays in the message."""
    return scene.Box2D(message.camera, message.xmin, message.ymin, message.xmax, message.ymax, message.score)


def source_to_message(value: scene.Source) -> msg.SceneSource:
    """One camera with its newest image's header and its health."""
    header = header_to_message(value.stamp_ns, value.frame_id)
    return msg.SceneSource(header=header, camera=value.camera, status=int(value.status))


def source_from_message(message: msg.SceneSource) -> scene.Source:
    """Inverse of `source_to_message`."""
    return scene.Source(
        camera=message.camera,
        frame_id=message.header.frame_id,
        stamp_ns=time_from_message(message.header.stamp),
        status=_enum(scene.CameraStatus, message, "status"),
    )


def scene_object_to_message(value: scene.SceneObject) -> msg.SceneObject:
    """One object; its boxes carry its id and label."""
    return msg.SceneObject(
        id=value.id,
        label=value.label,
        category=int(value.category),
        hypotheses=[hypothesis_to_message(h) for h in value.hypotheses],
        center=point_to_message(value.center_m),
        covariance=np.array(value.covariance_m2, dtype=np.float64),
        yaw=float(value.yaw_rad),
        size=vector_to_message(value.size_m),
        velocity=vector_to_message(value.velocity_m_s),
        existence=float(value.existence),
        sterile=float(value.sterile),
        last_seen=time_to_message(value.last_seen_ns),
        occluded=bool(value.occluded),
        boxes=[box_to_message(b, value.id, value.label) for b in value.boxes],
    )


def scene_object_from_message(message: msg.SceneObject) -> scene.SceneObject:
    """Inverse of `scene_object_to_message`; raises MessageError for a category that this version does not know."""
    return scene.SceneObject(
        id=message.id,
        label=message.label,
        category=_enum(scene.Category, message, "category"),
        hypotheses=tuple(hypothesis_from_message(h) for h in message.hypotheses),
        center_m=vec3_from_message(message.center),
        covariance_m2=_mat3(message.covariance),
        yaw_rad=message.yaw,
        size_m=vec3_from_message(message.size),
        velocity_m_s=vec3_from_message(message.velocity),
        existence=message.existence,
        sterile=message.sterile,
        last_seen_ns=time_from_message(message.last_seen),
        occluded=message.occluded,
        boxes=tuple(box_from_message(b) for b in message.boxes),
    )


def spatial_relation_to_message(value: scene.SpatialRelation) -> msg.SpatialRelation:
    """One relation."""
    return msg.SpatialRelation(
        subject_id=value.subject_id,
        predicate=value.predicate,
        object_id=value.object_id,
        family=int(value.family),
        confidence=float(value.confidence),
        source=int(value.source),
        frame_of_reference=int(value.frame_of_reference),
        reference_frame_id=value.reference_frame_id,
        center_distance=float(value.center_distance_m),
        surface_distance=float(value.surface_distance_m),
        surface_distance_stddev=float(value.surface_distance_stddev_m),
        direction=vector_to_message(value.direction),
        since=time_to_message(value.since_ns),
    )


def spatial_relation_from_message(message: msg.SpatialRelation) -> scene.SpatialRelation:
    """Inverse of `spatial_relation_to_message`; raises MessageError for enum values of a newer sender."""
    return scene.SpatialRelation(
        subject_id=message.subject_id,
        predicate=message.predicate,
        object_id=message.object_id,
        family=_enum(scene.Family, message, "family"),
        confidence=message.confidence,
        source=_enum(scene.EvidenceSource, message, "source"),
        frame_of_reference=_enum(scene.FrameOfReference, message, "frame_of_reference"),
        reference_frame_id=message.reference_frame_id,
        center_distance_m=message.center_distance,
        surface_distance_m=message.surface_distance,
        surface_distance_stddev_m=message.surface_distance_stddev,
        direction=vec3_from_message(message.direction),
        since_ns=time_from_message(message.since),
    )


def scene_graph_to_message(value: scene.SceneGraph) -> msg.SceneGraph:
    """A whole graph."""
    return msg.SceneGraph(
        header=header_to_message(value.stamp_ns, value.frame_id),
        schema_version=int(value.schema_version),
        sequence=int(value.sequence),
        sources=[source_to_message(s) for s in value.sources],
        scale=int(value.scale),
        model_id=value.model_id,
        vocabulary=value.vocabulary,
        objects=[scene_object_to_message(o) for o in value.objects],
        relations=[spatial_relation_to_message(r) for r in value.relations],
    )


def scene_graph_from_message(message: msg.SceneGraph) -> scene.SceneGraph:
    """Inverse of `scene_graph_to_message`.

    Raises:
        MessageError: an enum value of a newer sender, or an id that two objects share: whom would a relation mean?
    """
    ids = Counter(o.id for o in message.objects)
    if shared := [id for id, count in ids.items() if count > 1]:
        raise MessageError(f"graph {message.sequence}: several objects have the id {shared[0]!r}; ids must be unique")
    return scene.SceneGraph(
        stamp_ns=time_from_message(message.header.stamp),
        frame_id=message.header.frame_id,
        sequence=message.sequence,
        sources=tuple(source_from_message(s) for s in message.sources),
        scale=_enum(scene.Scale, message, "scale"),
        model_id=message.model_id,
        vocabulary=message.vocabulary,
        objects=tuple(scene_object_from_message(o) for o in message.objects),
        relations=tuple(spatial_relation_from_message(r) for r in message.relations),
        schema_version=message.schema_version,
    )


def hazard_alert_to_message(value: scene.HazardAlert) -> msg.HazardAlert:
    """One hazard in its present state."""
    return msg.HazardAlert(
        header=header_to_message(value.stamp_ns, value.frame_id),
        schema_version=msg.HazardAlert.SCHEMA_VERSION,
        id=value.id,
        rule_id=value.rule_id,
        hazard_type=value.hazard_type,
        severity=int(value.severity),
        state=int(value.state),
        confidence=float(value.confidence),
        object_ids=list(value.object_ids),
        evidence=[spatial_relation_to_message(r) for r in value.evidence],
        position=point_to_message(value.position),
        distance=float(value.distance_m),
        time_to_event=float(value.time_to_event_s),
        first_detected=time_to_message(value.first_detected_ns),
        acknowledged_by=value.acknowledged_by,
        message=value.message,
    )


def hazard_alert_from_message(message: msg.HazardAlert) -> scene.HazardAlert:
    """Inverse of `hazard_alert_to_message`; raises MessageError for enum values of a newer sender."""
    return scene.HazardAlert(
        id=message.id,
        rule_id=message.rule_id,
        hazard_type=message.hazard_type,
        stamp_ns=time_from_message(message.header.stamp),
        frame_id=message.header.frame_id,
        severity=_enum(scene.Severity, message, "severity"),
        state=_enum(scene.AlertState, message, "state"),
        confidence=message.confidence,
        object_ids=tuple(message.object_ids),
        evidence=tuple(spatial_relation_from_message(r) for r in message.evidence),
        position=vec3_from_message(message.position),
        distance_m=message.distance,
        time_to_event_s=message.time_to_event,
        first_detected_ns=time_from_message(message.first_detected),
        acknowledged_by=message.acknowledged_by,
        message=message.message,
    )


def hazard_alerts_to_message(
    alerts: Iterable[scene.HazardAlert], stamp_ns: int, frame_id: str = "map"
) -> msg.HazardAlertArray:
    """The active set as of the graph of `stamp_ns` (0: none was judged yet), most severe first."""
    by_severity = sorted(alerts, key=lambda a: -a.severity)
    return msg.HazardAlertArray(
        header=header_to_message(stamp_ns, frame_id),
        schema_version=msg.HazardAlertArray.SCHEMA_VERSION,
        alerts=[hazard_alert_to_message(a) for a in by_severity],
    )


def hazard_alerts_from_message(message: msg.HazardAlertArray) -> tuple[scene.HazardAlert, ...]:
    """The alerts of an active set, in its order."""
    return tuple(hazard_alert_from_message(a) for a in message.alerts)


def spatial_answer_to_message(value: scene.SpatialAnswer) -> msg.SpatialAnswer:
    """An answer or an abstention."""
    return msg.SpatialAnswer(
        header=header_to_message(value.stamp_ns, value.frame_id),
        schema_version=msg.SpatialAnswer.SCHEMA_VERSION,
        question_id=value.question_id,
        question=value.question,
        answer=value.answer,
        confidence=float(value.confidence),
        abstained=bool(value.abstained),
        object_ids=list(value.object_ids),
        evidence=[spatial_relation_to_message(r) for r in value.evidence],
        quantity=float(value.quantity),
        unit=value.unit,
        model_id=value.model_id,
    )


def spatial_answer_from_message(message: msg.SpatialAnswer) -> scene.SpatialAnswer:
    """Inverse of `spatial_answer_to_message`."""
    return scene.SpatialAnswer(
        question=message.question,
        answer=message.answer,
        stamp_ns=time_from_message(message.header.stamp),
        frame_id=message.header.frame_id,
        question_id=message.question_id,
        confidence=message.confidence,
        abstained=message.abstained,
        object_ids=tuple(message.object_ids),
        evidence=tuple(spatial_relation_from_message(r) for r in message.evidence),
        quantity=message.quantity,
        unit=message.unit,
        model_id=message.model_id,
    )


def role_estimate_to_message(value: scene.RoleEstimate) -> msg.RoleEstimate:
    """The role of one person."""
    return msg.RoleEstimate(
        object_id=value.object_id,
        role=value.role,
        confidence=float(value.confidence),
        sterile=float(value.sterile),
    )


def role_estimate_from_message(message: msg.RoleEstimate) -> scene.RoleEstimate:
    """Inverse of `role_estimate_to_message`."""
    return scene.RoleEstimate(message.object_id, message.role, message.confidence, message.sterile)


def clinical_state_to_message(value: scene.ClinicalState) -> msg.ClinicalState:
    """What the team is doing; it has no place, so the header has no frame."""
    return msg.ClinicalState(
        header=header_to_message(value.stamp_ns, ""),
        schema_version=msg.ClinicalState.SCHEMA_VERSION,
        procedure=value.procedure,
        procedure_confidence=float(value.procedure_confidence),
        phase=value.phase,
        phase_confidence=float(value.phase_confidence),
        next_action=value.next_action,
        next_action_confidence=float(value.next_action_confidence),
        roles=[role_estimate_to_message(r) for r in value.roles],
        model_id=value.model_id,
    )


def clinical_state_from_message(message: msg.ClinicalState) -> scene.ClinicalState:
    """Inverse of `clinical_state_to_message`."""
    return scene.ClinicalState(
        stamp_ns=time_from_message(message.header.stamp),
        procedure=message.procedure,
        procedure_confidence=message.procedure_confidence,
        phase=message.phase,
        phase_confidence=message.phase_confidence,
        next_action=message.next_action,
        next_action_confidence=message.next_action_confidence,
        roles=tuple(role_estimate_from_message(r) for r in message.roles),
        model_id=message.model_id,
    )


def _mat3(values: Iterable[float]) -> Mat3:
    return tuple(float(v) for v in values)  # type: ignore[return-value]


def _enum(kind: type[_Enum], message: Any, field: str) -> _Enum:
    number = getattr(message, field)
    try:
        return kind(number)
    except ValueError:
        raise MessageError(
            f"{type(message).__name__}.{field} is {number}; this version knows 0 to {max(kind)}: "
            "is the sender newer, or something else on this topic?"
        ) from None
