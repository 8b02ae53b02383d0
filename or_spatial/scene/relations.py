"""How two objects stand to each other, who says so, and whose left it is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

from or_spatial.scene.values import NAN, UNKNOWN3, Vec3


class Family(IntEnum):
    """Two vocabularies share the wire: clinical actions (at most one per ordered pair) and geometry (several).

    `touching` exists in both: as an action it is on purpose (MM-OR), as geometry it is surface contact.
    """

    ACTION = 0
    GEOMETRIC = 1

    def key(self, predicate: str) -> str:
        """A predicate's name in tables that hold both families: `action/touching`, `geometric/touching`."""
        return f"{self.name.lower()}/{predicate}"


class EvidenceSource(IntEnum):
    """Where a relation's confidence comes from."""

    UNKNOWN = 0
    GEOMETRY = 1
    MODEL = 2
    FUSED = 3
    TRUTH = 4


class FrameOfReference(IntEnum):
    """Whose left and right: nobody's (the predicate needs none), the room's, the object's own, or a camera's view."""

    NONE = 0
    WORLD = 1
    OBJECT = 2
    VIEWER = 3


@dataclass(frozen=True, kw_only=True)
class SpatialRelation:
    """`subject predicate object`, with a calibrated confidence in [0, 1].

    Distances are metres, NaN when unknown: between centres, and between the nearest surfaces (0 = contact).
    `direction` is the unit vector from subject to object in the graph's frame. `reference_frame_id` names the camera
    or object whose left it is. `since_ns` is the stamp at which the relation began to hold, 0 when unknown.
    """

    subject_id: str
    predicate: str
    object_id: str
    family: Family = Family.GEOMETRIC
    confidence: float = NAN
    source: EvidenceSource = EvidenceSource.UNKNOWN
    frame_of_reference: FrameOfReference = FrameOfReference.NONE
    reference_frame_id: str = ""
    center_distance_m: float = NAN
    surface_distance_m: float = NAN
    surface_distance_stddev_m: float = NAN
    direction: Vec3 = UNKNOWN3
    since_ns: int = 0

    @property
    def triplet(self) -> tuple[str, str, str]:
        """(subject id, predicate, object id)."""
        return (self.subject_id, self.predicate, self.object_id)

    def turned(self, converse: Mapping[str, str]) -> "SpatialRelation | None":
        """The same from the object on: `b right_of a` for `a left_of b`. None for actions and what has no converse."""
        if self.family is not Family.GEOMETRIC or self.predicate not in converse:
            return None
        way = tuple(-v for v in self.direction)
        names = {"subject_id": self.object_id, "predicate": converse[self.predicate], "object_id": self.subject_id}
        return replace(self, **names, direction=way)
