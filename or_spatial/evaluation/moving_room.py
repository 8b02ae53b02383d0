"""A room that costs next to nothing to look at: people who walk and stay, furniture that stands, any number of cameras.

For measuring what the code behind a perceiver costs, over a minute or a day; nothing here says how well it works
(`noisy_room` does). Everything at time t follows from the seed and t alone, so a day needs no memory.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import ConfigError
from or_spatial.evaluation.noisy_room import Noise
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import apply, invert, look_at
from or_spatial.perception.perceiver import Detection, Frame, Perception, RelationEvidence
from or_spatial.scene.objects import Box2D
from or_spatial.scene.relations import Family

Array = NDArray[np.float64]

NS = 1_000_000_000
START_NS = 1_000 * NS
_PERSON_M = (0.5, 0.5, 1.7)
_FURNITURE = (
    ("operating_table", (0.0, 0.0, 0.45), (2.0, 0.6, 0.9)),
    ("patient", (0.0, 0.0, 1.0), (1.7, 0.5, 0.25)),
    ("instrument_table", (-0.4, 1.6, 0.45), (1.2, 0.6, 0.9)),
    ("secondary_table", (2.6, 1.8, 0.45), (1.0, 0.5, 0.9)),
    ("anesthesia_equipment", (1.9, -0.6, 0.7), (0.7, 0.7, 1.4)),
    ("monitor", (-2.4, -1.2, 0.9), (0.6, 0.5, 1.8)),
)
_TURN_S = 10.0  # a person stays for six seconds, then walks for four
_WALK_S = 4.0
_ROOM_M = np.array([3.0, 2.4])  # half of the floor
_STEP_M = 1.6  # per axis at most from one place to the next: 0.4 m/s on average
_VISIT_S = 300.0  # whoever comes and goes is away for one such stretch in four
_PICTURES = 5  # per camera: no picture comes twice running, which would be a frozen camera


@dataclass(frozen=True)
class MovingRoom:
    """`people` and six pieces of furniture before `cameras` on a ring; `picture_px` is (width, height).

    `come_and_go`: each person leaves every twenty minutes, for five, and is somebody new to a tracker afterwards.

    Raises:
        ConfigError: no camera.
    """

    cameras: int = 6
    people: int = 6
    seed: int = 0
    picture_px: tuple[int, int] = (640, 360)
    come_and_go: bool = False
    noise: Noise = field(default_factory=Noise)

    def __post_init__(self) -> None:
        if self.cameras < 1:
            raise ConfigError(f"a moving room needs cameras, got --cameras {self.cameras}")

    @property
    def names(self) -> tuple[str, ...]:
        """Camera names in order."""
        return tuple(f"camera_{k + 1}" for k in range(self.cameras))

    def look(self, t: float) -> tuple[list[Frame], list[Perception], int]:
        """(frames, what was perceived in them, stamp) of all cameras at t s."""
        stamp_ns = START_NS + round(t * NS)
        labels, centers, sizes = self._there(t)
        rng = np.random.default_rng([self.seed, stamp_ns])
        frames, seen = [], []
        for name, pose in zip(self.names, self._poses, strict=True):
            picture = self._pictures[int(rng.integers(_PICTURES))] ^ np.uint8(stamp_ns // 1000 % 251)
            frames.append(Frame(name, stamp_ns, picture, self._camera, pose))
            seen.append(self._perceive(name, pose, labels, centers, sizes, rng))
        return frames, seen, stamp_ns

    def place(self, person: int, t: float) -> Array:
        """Where somebody is at t s (3,): staying, or on the way to the next place with ease at both ends."""
        turn, within = divmod(t, _TURN_S)
        f = np.clip((within - _TURN_S + _WALK_S) / _WALK_S, 0.0, 1.0)
        here, there = (self._stop(person, int(turn) + k) for k in (0, 1))
        return np.array([*(here + f * f * (3 - 2 * f) * (there - here)), 0.85])

    def _stop(self, person: int, turn: int) -> Array:
        """The place (2,) of one turn: own to each person, so that most pass each other at some distance."""
        angle = 2 * np.pi * person / max(self.people, 1)
        home = 0.75 * _ROOM_M * (np.cos(angle), np.sin(angle))
        off = np.random.default_rng([self.seed, person, turn]).uniform(-_STEP_M / 2, _STEP_M / 2, 2)
        return np.clip(home + off, -_ROOM_M, _ROOM_M)

    def _there(self, t: float) -> tuple[list[str], Array, Array]:
        """Labels, centres (N, 3) and sizes (N, 3) of all that is in the room."""
        away = (int(t / _VISIT_S) % 4) if self.come_and_go else -1
        people = [self.place(k, t) for k in range(self.people) if k % 4 != away]
        labels = ["person"] * len(people) + [label for label, _, _ in _FURNITURE]
        centers = np.array([*people, *(center for _, center, _ in _FURNITURE)])
        return labels, centers, np.array([_PERSON_M] * len(people) + [size for _, _, size in _FURNITURE])

    def _perceive(
        self, name: str, pose: Array, labels: list[str], centers: Array, sizes: Array, rng: np.random.Generator
    ) -> Perception:
        at = apply(invert(pose), centers)
        pixels = self._camera.project(at)
        sigma_m = self.noise.position_m + self.noise.range_fraction * np.linalg.norm(at, axis=1)
        seen_at = at + sigma_m[:, None] * rng.normal(size=at.shape)
        kept = np.flatnonzero(np.isfinite(pixels).all(1) & (rng.random(len(at)) >= self.noise.miss))
        detections = tuple(
            Detection(
                label=labels[i],
                existence=0.95,
                center_m=seen_at[i],
                covariance_m2=sigma_m[i] ** 2 * np.eye(3),
                size_m=sizes[i],
                yaw_rad=0.0,
                box=Box2D(name, *(pixels[i] - (8.0, 20.0)).tolist(), *(pixels[i] + (8.0, 20.0)).tolist(), score=0.95),
                sterile=float(i % 2) if labels[i] == "person" else float("nan"),
            )
            for i in kept
        )
        return Perception(detections, self._actions(detections))

    def _actions(self, detections: tuple[Detection, ...]) -> tuple[RelationEvidence, ...]:
        """What a network would say: who is close to the operating table, and the patient on it."""
        at = {d.label: k for k, d in enumerate(detections)}
        if (table := at.get("operating_table")) is None:
            return ()
        people = [k for k, d in enumerate(detections) if d.label == "person"]
        said = [(k, "closeTo", 0.7) for k in people]
        said += [(at["patient"], "lyingOn", 0.9)] if "patient" in at else []
        return tuple(RelationEvidence(k, table, predicate, Family.ACTION, p) for k, predicate, p in said)

    @cached_property
    def _camera(self) -> Camera:
        return Camera.from_fov(*self.picture_px, 1.5)

    @cached_property
    def _poses(self) -> list[Array]:
        """(4, 4) room from camera, on a ring of 3.5 m at 2.5 m, each looking past the middle."""
        angles = 2 * np.pi * (np.arange(self.cameras) + 0.3) / self.cameras
        return [look_at((3.5 * np.cos(a), 3.5 * np.sin(a), 2.5), (0.1, 0.2, 0.9)) for a in angles]

    @cached_property
    def _pictures(self) -> list[NDArray[np.uint8]]:
        """Pictures full of noise, which no health check takes for a covered lens."""
        rng = np.random.default_rng(self.seed)
        width, height = self.picture_px
        return [rng.integers(0, 255, (height, width, 3), dtype=np.uint8) for _ in range(_PICTURES)]
