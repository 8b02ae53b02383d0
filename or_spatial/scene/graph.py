"""One moment of the room: objects, relations and what they were seen with. JSON in and out, exactly."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from or_spatial.scene.objects import Box2D, Category, Hypothesis, SceneObject
from or_spatial.scene.relations import EvidenceSource, Family, FrameOfReference, SpatialRelation

SCHEMA_VERSION = 1


class Scale(IntEnum):
    """Whether the graph's lengths are metres. Metric answers abstain unless METRIC."""

    UNKNOWN = 0
    RELATIVE = 1
    METRIC = 2


class CameraStatus(IntEnum):
    """What the newest image of a camera is worth; the numbers are those of SceneSource.msg."""

    OK = 0
    DARK = 1
    FROZEN = 2
    COVERED = 3
    LOST = 4
    BAD_IMAGE = 5
    UNCALIBRATED = 6
    DISAGREES = 7

    @property
    def sees(self) -> bool:
        """Whether things show in its image; where in the room they are is another question."""
        return self in (CameraStatus.OK, CameraStatus.UNCALIBRATED, CameraStatus.DISAGREES)


@dataclass(frozen=True)
class Source:
    """One configured camera of a graph: its optical frame, its newest image's acquisition time, and its health.

    Every configured camera is listed, seen or not: a blind camera is a fact that hazards are raised on.
    """

    camera: str
    frame_id: str
    stamp_ns: int
    status: CameraStatus = CameraStatus.OK


@dataclass(frozen=True, kw_only=True)
class SceneGraph:
    """All that is known of the room at `stamp_ns`, in frame `frame_id` (z up, metres when `scale` is METRIC).

    `stamp_ns` is the newest contributing image's acquisition time. `sequence` counts published graphs; a gap means
    that a receiver missed one. `model_id` names the weights, or the rules, that made it.
    """

    stamp_ns: int
    frame_id: str = "map"
    sequence: int = 0
    sources: tuple[Source, ...] = ()
    scale: Scale = Scale.UNKNOWN
    model_id: str = ""
    vocabulary: str = "or_world"
    objects: tuple[SceneObject, ...] = ()
    relations: tuple[SpatialRelation, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def find(self, object_id: str) -> SceneObject | None:
        """The object with this id, or None."""
        return next((o for o in self.objects if o.id == object_id), None)

    def labelled(self, *labels: str) -> tuple[SceneObject, ...]:
        """The objects whose best label is one of these."""
        return tuple(o for o in self.objects if o.label in labels)

    def between(self, subject_id: str, object_id: str) -> Iterator[SpatialRelation]:
        """The relations that are written from this subject to this object; see `told`."""
        return (r for r in self.relations if r.subject_id == subject_id and r.object_id == object_id)

    def told(self, subject_id: str, object_id: str, converse: Mapping[str, str]) -> Iterator[SpatialRelation]:
        """The relations from this subject to this object, then those that follow from the other way round.

        A graph tells each relation once, from one end: `b right_of a` is not written beside `a left_of b`.
        """
        yield from self.between(subject_id, object_id)
        yield from filter(None, (r.turned(converse) for r in self.between(object_id, subject_id)))

    def to_json(self) -> str:
        """One JSON object; NaN is written as null so that any reader accepts it."""
        return json.dumps(_plain(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "SceneGraph":
        """Read what `to_json` wrote."""
        return _build(cls, json.loads(text))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if isinstance(value, IntEnum):
        return int(value)
    if isinstance(value, float):
        return None if value != value else value
    return value


_PARTS: dict[str, Any] = {
    "sources": Source,
    "objects": SceneObject,
    "relations": SpatialRelation,
    "hypotheses": Hypothesis,
    "boxes": Box2D,
}
_ENUMS: dict[str, Any] = {
    "scale": Scale,
    "category": Category,
    "family": Family,
    "source": EvidenceSource,
    "frame_of_reference": FrameOfReference,
    "status": CameraStatus,
}


def _build(cls: Any, data: dict[str, Any]) -> Any:
    return cls(**{name: _field(name, value) for name, value in data.items()})


def _field(name: str, value: Any) -> Any:
    if name in _PARTS:
        return tuple(_build(_PARTS[name], v) for v in value)
    if name in _ENUMS:
        return _ENUMS[name](value)
    if isinstance(value, list):
        return tuple(float("nan") if v is None else v for v in value)
    return float("nan") if value is None else value
