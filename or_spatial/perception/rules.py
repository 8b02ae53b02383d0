"""The honest baseline: a perceiver that is told the truth and adds noise, with relations from box rules alone.

It exists so that everything behind a perceiver can be built, tested and compared without a model. IT USES GROUND
TRUTH: its figures say how far box rules go when objects are found almost perfectly, and nothing about seeing. Its
`model_id` says so in every graph it leads to.
"""

import logging
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import ConfigError
from or_spatial.geometry.boxes import OrientedBox
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.relations import PREDICATES, all_pairs_probabilities
from or_spatial.geometry.transforms import apply, invert, levelled_viewer
from or_spatial.perception.fusion import graph_from_camera
from or_spatial.perception.perceiver import Detection, Frame, Perception, RelationEvidence
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.objects import Box2D, Category, SceneObject
from or_spatial.scene.relations import EvidenceSource, Family
from or_spatial.scene.vocabulary import load_vocabulary

_log = logging.getLogger(__name__)
Array = NDArray[np.float64]

TruthFor = Callable[[Frame], "tuple[SceneGraph, NDArray[np.float32] | None] | None"]
"""Gives the truth at a frame's stamp: graph in the room frame, depth (h, w) along optical z or None; None: unknown."""

_TELL_ABOVE = 0.05
_SLACK_M = 0.1


@dataclass(frozen=True, kw_only=True)
class RuleNoise:
    """What is added to the truth: position sigma = `position_m` + `range_fraction` x distance to the camera, and the
    fraction of visible objects that are missed. `least_visible` of an object's box must show in the depth image."""

    position_m: float = 0.02
    range_fraction: float = 0.0
    miss: float = 0.0
    least_visible: float = 0.05

    def __post_init__(self) -> None:
        if not (self.position_m > 0 and self.range_fraction >= 0 and 0 <= self.miss <= 1):
            raise ConfigError(f"rule noise: position_m > 0, range_fraction >= 0, miss in [0, 1] expected, got {self}")


class RulePerceiver:
    """`Perceiver` fed by truth; see the module. The same seed, camera and stamp give the same noise."""

    model_id = "rules-on-truth"

    def __init__(
        self,
        truth_for: TruthFor,
        noise: RuleNoise | None = None,
        seed: int = 0,
        vocabulary: str = "or_world",
        relations: bool = True,
    ) -> None:
        """`relations=False` leaves out what boxes tell, for those who only need places (it is most of the time)."""
        self._truth_for, self._noise, self._seed = truth_for, noise or RuleNoise(), seed
        self._relates = relations
        self.vocabulary = vocabulary

    def perceive(self, frames: Sequence[Frame]) -> list[Perception]:
        """One perception per frame; empty where the camera's place or the truth is not known."""
        return [self._perceive(frame) for frame in frames]

    def _perceive(self, frame: Frame) -> Perception:
        pose = graph_from_camera(frame)
        truth = self._truth_for(frame) if frame.camera is not None and pose is not None else None
        if truth is None or frame.camera is None or pose is None:
            _log.debug("no truth for camera %s at %d ns", frame.name, frame.stamp_ns)
            return Perception()
        graph, depth_m = truth
        rng = np.random.default_rng([self._seed, zlib.crc32(frame.name.encode()), frame.stamp_ns % 2**63])
        detections = []
        for o in graph.objects:
            seen = self._detect(o, frame.name, frame.camera, pose, depth_m, rng)
            if seen is not None:
                detections.append(seen)
        relations = box_relations(detections, pose) if self._relates else ()
        return Perception(tuple(detections), relations, depth_m=depth_m, depth_camera=_at(frame.camera, depth_m))

    def _detect(
        self,
        o: SceneObject,
        camera_name: str,
        camera: Camera,
        pose: Array,
        depth_m: NDArray[np.float32] | None,
        rng: np.random.Generator,
    ) -> Detection | None:
        noise, missed = (
            rng.normal(size=3),
            rng.random() < self._noise.miss,
        )  # drawn for all: one more object, same noise
        if missed or not np.isfinite((*o.center_m, *o.size_m)).all():
            return None
        yaw = o.yaw_rad if np.isfinite(o.yaw_rad) else 0.0
        corners = apply(invert(pose), OrientedBox(np.array(o.center_m), np.array(o.size_m), yaw).corners())
        window = _window(corners, camera)
        if window is None or not self._shows(window, corners, camera, depth_m):
            return None
        center = apply(invert(pose), np.array(o.center_m))
        sigma_m = self._noise.position_m + self._noise.range_fraction * float(np.linalg.norm(center))
        given = next((b for b in o.boxes if b.camera == camera_name), None)
        return Detection(
            label=o.label,
            existence=0.95,
            center_m=center + sigma_m * noise,
            covariance_m2=sigma_m**2 * np.eye(3),
            size_m=np.array(o.size_m),
            yaw_rad=yaw,
            box=given or Box2D(camera_name, *window, score=0.95),
            sterile=o.sterile,
        )

    def _shows(
        self, window: tuple[float, ...], corners: Array, camera: Camera, depth_m: NDArray[np.float32] | None
    ) -> bool:
        """Whether enough of the image window has the depth of the box; without a depth image all is in plain view."""
        if depth_m is None:
            return True
        scale = np.array([depth_m.shape[1] / camera.width, depth_m.shape[0] / camera.height] * 2)
        x0, y0, x1, y1 = np.round((np.array(window) + 0.5) * scale - 0.5).astype(int)
        patch = depth_m[max(y0, 0) : y1 + 1, max(x0, 0) : x1 + 1]
        low, high = corners[:, 2].min() - _SLACK_M, corners[:, 2].max() + _SLACK_M
        return patch.size > 0 and bool(((patch >= low) & (patch <= high)).mean() >= self._noise.least_visible)


def _window(corners: Array, camera: Camera) -> tuple[float, float, float, float] | None:
    """Image box (xmin, ymin, xmax, ymax), px, of corners (8, 3) in the optical frame, cut at the image's border.

    None when no corner is in front of the camera or less than a pixel remains.
    """
    pixels = camera.project(corners)
    pixels = pixels[np.isfinite(pixels).all(1)]
    if len(pixels) == 0:
        return None
    low = np.maximum(pixels.min(0), -0.5)
    high = np.minimum(pixels.max(0), (camera.width - 0.5, camera.height - 0.5))
    if (high - low < 1.0).any():
        return None
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def _at(camera: Camera, depth_m: NDArray[np.float32] | None) -> Camera | None:
    return None if depth_m is None else camera.scaled(depth_m.shape[1], depth_m.shape[0])


def box_relations(detections: Sequence[Detection], pose: Array) -> tuple[RelationEvidence, ...]:
    """What the boxes (detections in the optical frame under `pose` (4, 4)) say: geometry's predicates, and the three
    actions that a box can tell: lyingOn (a patient on a table), holding (an instrument at a person and on nothing),
    closeTo (a person near a machine or table). Probabilities below 0.05 are not told.
    """
    if len(detections) < 2:
        return ()
    R = pose[:3, :3]
    table = all_pairs_probabilities(
        apply(pose, np.array([d.center_m for d in detections])),
        np.array([R @ d.covariance_m2 @ R.T for d in detections]),
        np.array([d.size_m for d in detections]),
        np.array([d.yaw_rad for d in detections]),
        levelled_viewer(pose),
    )
    a, b, k = np.nonzero(np.nan_to_num(table) >= _TELL_ABOVE)
    told = [
        _evidence(i, j, PREDICATES[at], Family.GEOMETRIC, p)
        for i, j, at, p in zip(a.tolist(), b.tolist(), k.tolist(), table[a, b, k].tolist(), strict=True)
    ]
    return (*told, *_actions(detections, np.nan_to_num(table)))


def _actions(detections: Sequence[Detection], table: Array) -> list[RelationEvidence]:
    at = {name: i for i, name in enumerate(PREDICATES)}
    kinds = [_kind(d.label) for d in detections]
    lifted = 1.0 - table[..., at["on"]].max(1, initial=0.0)
    told = []
    for a, b in np.argwhere(table[..., at["near"]] + table[..., at["touching"]] >= _TELL_ABOVE).tolist():
        touching = float(table[a, b, at["touching"]])
        close = min(touching + float(table[a, b, at["near"]]), 1.0)
        if detections[a].label == "patient" and detections[b].label == "operating_table":
            told.append(_evidence(a, b, "lyingOn", Family.ACTION, max(float(table[a, b, at["on"]]), touching)))
        elif kinds[a] == Category.PERSON and kinds[b] == Category.INSTRUMENT:
            told.append(_evidence(a, b, "holding", Family.ACTION, touching * float(lifted[b])))
        elif kinds[a] == Category.PERSON and kinds[b] in (Category.EQUIPMENT, Category.ROBOT, Category.FURNITURE):
            told.append(_evidence(a, b, "closeTo", Family.ACTION, close))
    return [r for r in told if r.probability >= _TELL_ABOVE]


def _kind(label: str) -> Category:
    return Category.UNKNOWN if label == "patient" else load_vocabulary().category(label)


def _evidence(a: int, b: int, predicate: str, family: Family, p: float) -> RelationEvidence:
    return RelationEvidence(a, b, predicate, family, p, EvidenceSource.GEOMETRY)
