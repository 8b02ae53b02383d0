"""What stands in the room: one tracked thing or person with its place, extent and doubt."""

from dataclasses import dataclass
from enum import IntEnum

from or_spatial.scene.values import NAN, UNKNOWN3, UNKNOWN33, Mat3, Vec3


class Category(IntEnum):
    """Coarse kind of an object; the numbers are those of SceneObject.msg."""

    UNKNOWN = 0
    PERSON = 1
    INSTRUMENT = 2
    ROBOT = 3
    EQUIPMENT = 4
    FURNITURE = 5
    ANATOMY = 6
    ZONE = 7


@dataclass(frozen=True)
class Hypothesis:
    """One possible label and its probability in [0, 1]."""

    label: str
    score: float


@dataclass(frozen=True)
class Box2D:
    """Where an object lies in one camera's full-size image, in px; (0, 0) is the centre of the top-left pixel."""

    camera: str
    xmin: float
    ymin: float
    xmax: float
    ymax: float
    score: float = NAN


@dataclass(frozen=True, kw_only=True)
class SceneObject:
    """One object of a scene graph, in the graph's frame (z up, metres).

    `center_m` is the centre of the oriented box, `size_m` its full extents along its own axes (length x, width y,
    height z), `yaw_rad` the turn of its x axis about the room's z axis. Unknown numbers are NaN.
    `sterile` is the probability that the object counts as sterile (a scrubbed person, a draped table).
    """

    id: str
    label: str
    category: Category = Category.UNKNOWN
    hypotheses: tuple[Hypothesis, ...] = ()
    center_m: Vec3 = UNKNOWN3
    covariance_m2: Mat3 = UNKNOWN33
    yaw_rad: float = NAN
    size_m: Vec3 = UNKNOWN3
    velocity_m_s: Vec3 = UNKNOWN3
    existence: float = NAN
    sterile: float = NAN
    last_seen_ns: int = 0
    occluded: bool = False
    boxes: tuple[Box2D, ...] = ()
