"""What the tracker assumes about the room, in seconds and metres: one frozen value with checked ranges."""

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import ConfigError
from or_spatial.perception.camera_agreement import AgreementConfig
from or_spatial.perception.camera_health import HealthConfig
from or_spatial.perception.motion_modes import Driving
from or_spatial.perception.statements import Statements
from or_spatial.scene.objects import Category


@dataclass(frozen=True)
class Motion:
    """How one kind of thing moves and how long it is believed in.

    `start_m_s`: the speed per axis with which it sets off. `move_m_s2` drives the velocity while it moves (its
    integral over one second, m/s), `rest_m_s2` while it stands; upwards both count a third. `rests_s`, `moves_s`: how
    long each usually lasts. `memory_s`: how long an unseen mover keeps its velocity. `fades_per_s`: log-odds of
    existence lost per second while it should be seen and is not; a hidden thing loses a sixth of that.
    """

    start_m_s: float
    move_m_s2: float
    rests_s: float
    moves_s: float
    memory_s: float
    fades_per_s: float
    rest_m_s2: float = 0.03


# Chosen. People start and stop within half a second and walk at 0.6-0.9 m/s in the room (nurses' step counts,
# Human Resources for Health 2022); carts are pushed; a table that is not seen for a minute is still there. How long
# things rest, and how still, was set on 40 training scenes of `--task calibration` by the likelihood of true places.
MOTIONS: dict[Category, Motion] = {
    Category.PERSON: Motion(0.55, 0.4, 6.0, 3.0, 2.0, 3.0, rest_m_s2=0.08),
    Category.INSTRUMENT: Motion(0.6, 0.8, 6.0, 2.0, 0.7, 2.0, rest_m_s2=0.05),
    Category.ROBOT: Motion(0.4, 0.2, 60.0, 3.0, 1.0, 0.8, rest_m_s2=0.012),
    Category.EQUIPMENT: Motion(0.4, 0.2, 60.0, 3.0, 1.0, 0.8, rest_m_s2=0.012),
    Category.FURNITURE: Motion(0.3, 0.2, 600.0, 3.0, 0.5, 0.5, rest_m_s2=0.006),
    Category.ANATOMY: Motion(0.3, 0.3, 10.0, 2.0, 0.5, 2.0),
    Category.ZONE: Motion(0.1, 0.05, 600.0, 1.0, 0.5, 0.2, rest_m_s2=0.01),
    Category.UNKNOWN: Motion(0.5, 0.4, 6.0, 3.0, 1.0, 2.0),
}
LABEL_MOTIONS: dict[str, Motion] = {
    "patient": Motion(0.2, 0.2, 60.0, 3.0, 0.5, 0.8, rest_m_s2=0.012)  # a person by category, but lying down
}


@dataclass(frozen=True, kw_only=True)
class TrackerConfig:
    """Settings of `SceneTracker`. Probabilities are in [0, 1]; all numbers are chosen unless a comment says more.

    `cameras` are listed in every graph, seen or not. `viewer` names the camera whose left and right the graph means
    (empty: the first camera with a known pose). `model_id` is copied into the graphs. `health=None` judges no images.
    """

    cameras: tuple[str, ...] = ()
    viewer: str = ""
    world_frame: str = "map"
    vocabulary: str = "or_world"
    model_id: str = ""
    health: HealthConfig | None = field(default_factory=HealthConfig)
    agreement: AgreementConfig = field(default_factory=AgreementConfig)

    min_existence: float = 0.2  # detections below are noise
    confirm_existence: float = 0.7  # a new track is published, and given its id, above
    show_existence: float = 0.5  # a known track is published above
    first_doubt: float = 0.5  # log-odds: over time, one detection alone may be a fluke
    pose_error_m: float = 0.03  # of each camera's extrinsics, added to every measurement
    floor_error_m: float = 0.0  # errors common to all measurements: the published spread never falls below
    published_share: float = 0.86  # of the variance, in the published ellipsoid: see `published_doubt`
    max_range_m: float = 15.0  # a detection farther from its camera is refused
    merge_within_m: float = 0.6  # two tracks of one thing, at most this far apart

    jump_back_s: float = 0.5  # time that runs back by more than this is a restart
    forget_after_s: float = 30.0  # silence longer than this is a restart
    late_after_s: float = 0.5  # a frame older than the graph by more than this is refused
    occluded_after_s: float = 0.3

    relation_memory_s: float = 0.4  # time constant of network evidence
    relation_hold_s: float = 1.5  # evidence older than this counts no more
    relation_on: float = 0.5
    relation_off: float = 0.35
    model_weight: float = 0.5  # of the network against the geometry in the log-odds pool
    unsaid_probability: float = 0.1  # of a predicate that the network speaks of, but not for this pair
    statements: Statements = Statements()  # how sure a relation is said to be; what holds stays what holds
    relation_radius_m: float = 1.5  # geometric relations beyond are computed on demand only
    max_relations: int = 120
    max_detections: int = 200  # per camera, the surest ones
    max_tracks: int = 150

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in _PROBABILITIES and not 0.0 <= value <= 1.0:
                raise ConfigError(f"tracker: {f.name} is a probability in [0, 1], got {value}")
            if f.name.endswith(("_m", "_s")) and not value >= 0.0:
                raise ConfigError(f"tracker: {f.name} must be 0 or more, got {value}")
            if f.name.startswith("max_") and not value >= 1:
                raise ConfigError(f"tracker: {f.name} must be at least 1, got {value}")
        if self.relation_off > self.relation_on:
            raise ConfigError(
                f"tracker: relation_off ({self.relation_off}) must not exceed relation_on ({self.relation_on})"
            )


_PROBABILITIES = {
    "min_existence",
    "confirm_existence",
    "show_existence",
    "relation_on",
    "relation_off",
    "model_weight",
    "unsaid_probability",
}


def motion_of(label: str, category: Category) -> Motion:
    """How a thing of this label moves; the label wins over its category."""
    return LABEL_MOTIONS.get(label) or MOTIONS[category]


def driving_of(motions: list[Motion]) -> Driving:
    """The motions of T tracks as arrays."""

    def column(name: str) -> NDArray[np.float64]:
        return np.array([getattr(m, name) for m in motions])

    axes = np.array([1.0, 1.0, 0.33])
    return Driving(
        rest_m_s2=column("rest_m_s2")[:, None] * axes,
        move_m_s2=column("move_m_s2")[:, None] * axes,
        start_m_s=column("start_m_s")[:, None] * axes,
        memory_s=column("memory_s"),
        rests_s=column("rests_s"),
        moves_s=column("moves_s"),
    )
