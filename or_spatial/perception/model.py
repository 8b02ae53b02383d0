"""The network as a `Perceiver`: frames become its inputs, its outputs become detections and relation evidence.

All frames of one call run as one batch. Pictures of another shape are scaled to the network's; when the aspect ratio
differs by more than a tenth the rest is padded, so that nothing is squeezed out of what training showed.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from or_spatial.errors import BundleError
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.floor_scale import floor_scale, onto_floor
from or_spatial.geometry.letterbox import GREY, Letterbox, bent_box, straightening
from or_spatial.geometry.mounting import mounting, room_yaw
from or_spatial.geometry.transforms import levelled_viewer
from or_spatial.inference.bundle import Bundle
from or_spatial.inference.contract import OUTPUTS
from or_spatial.inference.session import Arrays, OnnxSession, Session, example_input
from or_spatial.perception.depth_factors import DepthFactors
from or_spatial.perception.perceiver import Detection, Frame, Perception, RelationEvidence
from or_spatial.perception.statements import Statements
from or_spatial.scene.objects import Box2D
from or_spatial.scene.relations import Family

_GUESSED_FOV_RAD = np.radians(70.0)  # for cameras without calibration; their scale is RELATIVE all the same


@dataclass(frozen=True)
class ModelSettings:
    """What is read off the network's outputs. Thresholds come from the bundle's calibration on validation.

    `floor_half`: the share of rays on the floor at which its word about the depth's scale is taken by half. It corrects
    the depth map only: the network places objects by more than its depth, and their errors do not go with it.
    """

    existence: float = 0.3
    relation: float = 0.15
    duplicate_m: float = 0.35
    floor_half: float = 0.1
    threads: int = 2


@dataclass(frozen=True)
class _Fitted:
    """A picture at the network's size and the way back: full = (fitted - shift) / scale, in px, through `lens` where
    the picture was taken by one that bends lines."""

    image: NDArray[np.uint8]
    camera: Camera
    scale: NDArray[np.float64]
    shift: NDArray[np.float64]
    lens: Camera | None = None

    def full_box(self, box: NDArray[np.float64], columns: int, rows: int) -> NDArray[np.float64]:
        """A box (4,) px of the fitted picture in the full one of that size, nothing of it outside."""
        corners = (box.reshape(2, 2) + 0.5 - self.shift) / self.scale - 0.5
        if self.lens is not None:
            corners = bent_box(corners.ravel(), self.lens).reshape(2, 2)
        return np.clip(corners, 0, (columns - 1, rows - 1)).ravel()


@dataclass(frozen=True)
class Trust:
    """From a network's existence to a probability: `slope` on its log-odds and a bias per label (Platt scaling).

    Two of them follow each other. The first, fitted on faint queries too, is what decides which are reported; the
    second says how likely those are that were, and leaves the decision alone.
    """

    slope: float
    bias: NDArray[np.float32]

    @classmethod
    def of(cls, bundle: Bundle, name: str = "existence") -> "Trust":
        """What was fitted with a bundle, `existence` or `reported`; no change where nothing was."""
        fitted = bundle.calibration
        bias = np.asarray(fitted.get(f"{name}_bias", np.zeros(len(bundle.labels))), np.float32)
        return cls(float(fitted.get(f"{name}_slope", 1.0)), bias)

    def calibrated(self, found: Arrays) -> Arrays:
        """The outputs of one picture with calibrated existence."""
        odds = self.slope * existence_odds(found) + self.bias[found["label"].argmax(-1)]
        return {**found, "existence": expit(odds).astype(np.float32)}


def existence_odds(found: Arrays) -> NDArray[np.float32]:
    """Log-odds (K,) of existence, finite."""
    return logit(np.clip(found["existence"], 1e-4, 1 - 1e-4))


def tracker_settings(bundle: Bundle) -> dict[str, Any]:
    """The tracker's settings that were fitted with a bundle: its weight against geometry, how well a place can be known
    however long it is watched, and how sure relations are said to be. What is reported has been chosen by then.
    """
    fitted = bundle.calibration
    return {
        "model_weight": float(fitted.get("model_weight", 0.5)),
        "min_existence": 0.0,
        "floor_error_m": float(fitted.get("persistent_error_m", 0.02)),
        "statements": statements_of(fitted.get("relation_statements", {})),
    }


def statements_of(fitted: dict[str, list[float]]) -> Statements:
    """What a manifest holds of how relations are stated: rows by predicate (`Family.key`), and `knots`.

    Raises:
        BundleError: a row says no family; `touching` is a name of both.
    """
    rows = {name: tuple(row) for name, row in fitted.items()}
    knots = rows.pop("knots", Statements.knots)
    if bare := sorted(name for name in rows if "/" not in name):
        raise BundleError(f"relation_statements: {bare[0]!r} says no family; export the bundle's checkpoint again")
    return Statements(knots, rows)


class ModelPerceiver:
    """Runs a bundle's `perceive` graph."""

    def __init__(
        self,
        bundle: Bundle | Path | str | None = None,
        settings: ModelSettings | None = None,
        session: Session | None = None,
    ) -> None:
        """Load and warm up; `bundle` None takes the shipped one.

        Raises:
            BundleError: the bundle is missing, damaged or foreign.
        """
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        self.model_id = self.bundle.model_id
        self.vocabulary = self.bundle.vocabulary
        self.tracker_settings = tracker_settings(self.bundle)
        fitted = self.bundle.calibration
        self.settings = settings or ModelSettings(existence=float(fitted.get("existence_threshold", 0.3)))
        self._action_bias = np.asarray(fitted.get("action_bias", np.zeros(len(self.bundle.actions) + 1)), np.float32)
        self._geometric_bias = np.asarray(
            fitted.get("geometric_bias", np.zeros(len(self.bundle.geometric))), np.float32
        )
        self._sigma_scale = float(fitted.get("sigma_scale", 1.0))
        self._trust, self._reported = Trust.of(self.bundle), Trust.of(self.bundle, "reported")
        self._depth_factors = DepthFactors.of(self.bundle)
        self._session = session or OnnxSession(self.bundle.perceive, self.settings.threads)
        self._session.run(example_input(self.bundle.image_height, self.bundle.image_width))

    def perceive(self, frames: Sequence[Frame], tokens: bool = False) -> list[Perception]:
        """One perception per frame; an unusable frame (no pixels) gives an empty one. Tokens only when asked for."""
        usable = [i for i, frame in enumerate(frames) if frame.image.ndim == 3 and min(frame.image.shape[:2]) >= 2]
        results = [Perception() for _ in frames]
        if not usable:
            return results
        started = time.perf_counter()
        fitted = [fit(frames[i], self.bundle.image_height, self.bundle.image_width) for i in usable]
        inputs = _inputs([frames[i] for i in usable], fitted)
        prepared = time.perf_counter()
        outputs = self._session.run(inputs, None if tokens else _without_tokens(OUTPUTS))
        ran = time.perf_counter()
        for row, i in enumerate(usable):
            found = self._trust.calibrated({name: value[row] for name, value in outputs.items()})
            results[i] = self._read(frames[i], fitted[row], found)
        read = time.perf_counter()
        timings = {"prepare": prepared - started, "network": ran - prepared, "read": read - ran}
        for i in usable:
            results[i].timings_ms.update({name: 1e3 * seconds for name, seconds in timings.items()})
        return results

    def _read(self, frame: Frame, fitted: _Fitted, found: Arrays) -> Perception:
        keep = select(found, self.settings)
        found = self._reported.calibrated(found)
        detections = tuple(self._detection(frame, fitted, found, k) for k in keep)
        tokens = found.get("tokens")
        depth_m = self._depth_factors.calibrated(found["depth"])
        camera = fitted.camera.scaled(depth_m.shape[1], depth_m.shape[0])
        floor = floor_scale(depth_m, camera, frame.room_from_camera)
        factor = 1.0 if floor is None else floor.damped(self.settings.floor_half)
        return Perception(
            detections=detections,
            relations=tuple(self._relations(found, keep)),
            depth_m=onto_floor(depth_m * np.float32(factor), camera, frame.room_from_camera),
            depth_confidence=found["depth_confidence"],
            depth_camera=camera,
            depth_factor=float("nan") if floor is None else factor,
            guide=fitted.image,
            tokens=None if tokens is None else tokens.astype(np.float16),
        )

    def _detection(self, frame: Frame, fitted: _Fitted, found: Arrays, k: int) -> Detection:
        scores = found["label"][k]
        center = found["center"][k].astype(np.float64)
        rows, columns = frame.image.shape[:2]
        box = fitted.full_box(found["box"][k], columns, rows)
        yaw = float(found["yaw"][k])
        if frame.room_from_camera is not None:
            yaw = room_yaw(yaw, levelled_viewer(frame.room_from_camera))
        return Detection(
            label=self.bundle.labels[int(scores.argmax())],
            existence=float(found["existence"][k]),
            center_m=center,
            covariance_m2=ray_covariance(center, *(self._sigma_scale * found["sigma"][k].astype(np.float64))),
            size_m=found["size"][k].astype(np.float64),
            yaw_rad=yaw,
            box=Box2D(frame.name, *(float(v) for v in box), score=float(found["existence"][k])),
            sterile=float(found["sterile"][k]),
            scores=scores,
        )

    def _relations(self, found: Arrays, keep: Sequence[int]) -> Iterable[RelationEvidence]:
        rows = np.asarray(keep, np.int64)
        action = decided(found["action"][rows][:, rows], self._action_bias)
        geometric = shifted(found["geometric"][rows][:, rows], self._geometric_bias)
        pairs = ~np.eye(len(rows), dtype=bool)[..., None]
        for values, names, family in (
            (action, self.bundle.actions, Family.ACTION),
            (geometric, self.bundle.geometric, Family.GEOMETRIC),
        ):
            for subject, target, p in zip(*np.nonzero((values > self.settings.relation) & pairs), strict=True):
                yield RelationEvidence(int(subject), int(target), names[p], family, float(values[subject, target, p]))


def _without_tokens(names: Sequence[str]) -> list[str]:
    return [name for name in names if name != "tokens"]


def fit(frame: Frame, height: int, width: int) -> _Fitted:
    """Scale (and where the shape differs much, pad) a frame to the network's size, its camera with it; a bent lens is
    straightened."""
    rows, columns = frame.image.shape[:2]
    box = Letterbox(columns, rows, width, height)
    camera = frame.camera or Camera.from_fov(columns, rows, _GUESSED_FOV_RAD)
    small = cv2.resize(frame.image, box.inner_size, interpolation=cv2.INTER_AREA)
    if camera.distorted:
        bent = straightening(camera.scaled(*box.inner_size))
        small = cv2.remap(small, bent, None, cv2.INTER_LINEAR, borderValue=(GREY,) * 3)
    lens = camera.scaled(columns, rows) if camera.distorted else None
    return _Fitted(box.framed(small), box.camera(camera), box.scale, box.shift.astype(np.float64), lens)


def _inputs(frames: Sequence[Frame], fitted: Sequence[_Fitted]) -> Arrays:
    mounts = [mounting(frame.room_from_camera) for frame in frames]
    return {
        "image": np.stack([f.image for f in fitted]),
        "intrinsics": np.array([[f.camera.fx, f.camera.fy, f.camera.cx, f.camera.cy] for f in fitted], np.float32),
        "viewer_from_camera": np.stack([rotation for rotation, _ in mounts]),
        "height": np.array([[height] for _, height in mounts], np.float32),
    }


def select(found: Arrays, settings: ModelSettings) -> list[int]:
    """Queries worth reporting, surest first: above the threshold, and no second voice for the same object."""
    existence, labels = found["existence"], found["label"].argmax(-1)
    kept: list[int] = []
    for k in np.argsort(-existence):
        if existence[k] < settings.existence:
            break
        apart = [np.linalg.norm(found["center"][k] - found["center"][j]) for j in kept if labels[j] == labels[k]]
        size = float(found["size"][k].max())
        if not apart or min(apart) > min(0.5 * size, max(settings.duplicate_m, 0.25 * size)):
            kept.append(int(k))
    return kept


def ray_covariance(center: NDArray[np.float64], along: float, across: float) -> NDArray[np.float64]:
    """(3, 3) m²: standard deviation `along` the viewing ray through `center` and `across` it, both m."""
    ray = center / max(float(np.linalg.norm(center)), 1e-6)
    outer = np.outer(ray, ray)
    return along**2 * outer + across**2 * (np.eye(3) - outer)


def decided(probabilities: NDArray[np.float32], bias: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each action against `none`: (..., actions + 1) to (..., actions), above 0.5 where it beats saying nothing.

    `bias` (actions + 1,) on the logits undoes the class weights of training. A rival action that is likelier takes
    its share, so that at most one action of a pair can pass 0.5.
    """
    logits = np.log(np.maximum(probabilities, 1e-9)) + bias
    rival = np.partition(logits, -2, axis=-1)
    best, second = rival[..., -1:], rival[..., -2:-1]
    against = np.where(logits == best, second, best)
    return (1.0 / (1.0 + np.exp(against - logits)))[..., :-1]


def shifted(probabilities: NDArray[np.float32], bias: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities (..., P) with a bias (P,) on their log-odds."""
    p = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return 1.0 / (1.0 + np.exp(-(np.log(p / (1 - p)) + bias)))
