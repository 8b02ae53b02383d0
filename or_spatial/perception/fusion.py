"""Detections of one camera become observations in the room: rotated, checked, rid of duplicates.

What cannot be used is left out here, so that nothing after this has to look for NaN again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import invert
from or_spatial.perception.labels import Labels
from or_spatial.perception.perceiver import Detection, Frame, Perception
from or_spatial.perception.tracker_config import TrackerConfig

Array = NDArray[np.float64]

_SAME_VIEW_IOU = 0.7  # chosen: two boxes of one label that overlap this much in one image show one thing
_LEAST_VARIANCE, _LARGEST_VARIANCE = 1e-6, 25.0  # (1 mm)^2, (5 m)^2
_EYE = np.eye(3)


@dataclass(frozen=True)
class Observations:
    """D usable detections of one camera at `stamp_ns`, in the graph's frame.

    `index` (D,) places in the perception; `centers` (D, 3); `covariances` (D, 3, 3); `sizes` (D, 3), NaN rows where
    unusable; `beliefs` (D, L + 1); `existence` (D,); `sterile` (D,), NaN where not said; `boxes` (D, 4) px;
    `camera_from_graph` (4, 4); `intrinsics` None when the camera is not calibrated.
    """

    camera: str
    stamp_ns: int
    detections: tuple[Detection, ...]
    index: NDArray[np.int64]
    centers: Array
    covariances: Array
    sizes: Array
    beliefs: Array
    existence: Array
    sterile: Array
    boxes: Array
    camera_from_graph: Array
    intrinsics: Camera | None

    @cached_property
    def variances(self) -> list[float]:
        """Mean variance per axis of each detection (D,), m2."""
        return (self.covariances[:, (0, 1, 2), (0, 1, 2)].sum(1) / 3.0).tolist()

    def part(self, rows: slice, first: int, frame: Frame, camera_from_graph: Array) -> "Observations":
        """Those of one frame, whose perception begins at place `first` of the index."""
        return Observations(
            frame.name,
            frame.stamp_ns,
            self.detections[rows],
            self.index[rows] - first,
            self.centers[rows],
            self.covariances[rows],
            self.sizes[rows],
            self.beliefs[rows],
            self.existence[rows],
            self.sterile[rows],
            self.boxes[rows],
            camera_from_graph,
            frame.camera,
        )

    def __len__(self) -> int:
        return len(self.detections)


def graph_from_camera(frame: Frame) -> Array | None:
    """The frame's pose if it is one: finite, (4, 4), with a rotation that keeps lengths; else None."""
    pose = frame.room_from_camera
    if pose is None or np.shape(pose) != (4, 4) or not np.isfinite(pose).all():
        return None
    R = np.asarray(pose, dtype=np.float64)[:3, :3]
    return np.asarray(pose, dtype=np.float64) if np.abs(R @ R.T - _EYE).max() <= 1e-3 else None


def observe_all(
    seen: Sequence[tuple[Frame, Perception, Array]], labels: Labels, config: TrackerConfig
) -> list[Observations]:
    """The usable detections of each frame under its pose (4, 4), graph from camera; the surest ones if there are many.

    The numbers of all cameras are worked out together: half the time of one camera after the other.
    """
    everything = [d for _, perception, _ in seen for d in perception.detections]
    existence = np.array([d.existence for d in everything], dtype=np.float64)
    existence = np.where(np.isfinite(existence), existence, 0.5).clip(0.0, 1.0)
    centers = _stack([d.center_m for d in everything], (3,))
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is not near either
        near = (centers * centers).sum(1) <= config.max_range_m**2
    good = near & (existence >= config.min_existence)
    starts = np.cumsum([0, *(len(perception.detections) for _, perception, _ in seen)]).tolist()
    picked = [
        start + _pick(perception.detections, good[start:end], existence[start:end], config.max_detections)
        for (_, perception, _), start, end in zip(seen, starts, starts[1:], strict=False)
    ]
    if not picked:
        return []
    index = np.concatenate(picked)
    chosen = tuple(everything[i] for i in index.tolist())
    poses = np.repeat(np.stack([pose for _, _, pose in seen]), [len(p) for p in picked], axis=0)
    whole = Observations(
        camera="",
        stamp_ns=0,
        detections=chosen,
        index=index,
        centers=(poses[:, :3, :3] @ centers[index, :, None])[..., 0] + poses[:, :3, 3],
        covariances=_room_covariances(chosen, poses[:, :3, :3], config),
        sizes=_usable_sizes(chosen),
        beliefs=np.array([labels.belief(d.label, d.scores) for d in chosen]).reshape(len(chosen), labels.other + 1),
        existence=existence[index],
        sterile=_probabilities([d.sterile for d in chosen]),
        boxes=_image_boxes(chosen),
        camera_from_graph=np.eye(4),
        intrinsics=None,
    )
    ends = np.cumsum([len(p) for p in picked]).tolist()
    return [
        whole.part(slice(end - len(mine), end), start, frame, invert(pose))
        for (frame, _, pose), mine, start, end in zip(seen, picked, starts, ends, strict=False)
    ]


def _pick(
    detections: Sequence[Detection], good: NDArray[np.bool_], existence: Array, most: int
) -> NDArray[np.int64]:
    """Places of the usable detections of one camera, surest first, without those that show the same thing again."""
    index = np.flatnonzero(good)
    index = index[np.argsort(-existence[index], kind="stable")][:most]
    chosen = [detections[i] for i in index.tolist()]
    return index[_distinct(_image_boxes(chosen), [d.label for d in chosen])]


def _image_boxes(detections: Sequence[Detection]) -> Array:
    """(D, 4) px."""
    rows = [(b.xmin, b.ymin, b.xmax, b.ymax) for b in (d.box for d in detections)]
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def _stack(rows: list, shape: tuple[int, ...]) -> Array:
    """Rows as one array; a row of the wrong shape or type becomes NaN instead of an exception."""
    try:
        out = np.array(rows, dtype=np.float64)
        if out.shape == (len(rows), *shape):
            return out
    except (TypeError, ValueError):
        pass
    out = np.full((len(rows), *shape), np.nan)
    for i, row in enumerate(rows):
        try:
            out[i] = row
        except (TypeError, ValueError):
            continue
    return out


def _usable_sizes(detections: tuple[Detection, ...]) -> Array:
    """(D, 3); a size that is none becomes a row of NaN."""
    sizes = _stack([d.size_m for d in detections], (3,))
    with np.errstate(invalid="ignore"):
        sizes[~(np.isfinite(sizes) & (sizes > 0.0)).all(1)] = np.nan
    return sizes


def _probabilities(values: list[float]) -> Array:
    """(D,); what is no probability becomes NaN."""
    p = np.array(values, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.where((p >= 0.0) & (p <= 1.0), p, np.nan)


def _room_covariances(detections: tuple[Detection, ...], R: Array, config: TrackerConfig) -> Array:
    """(D, 3, 3) turned by R (D, 3, 3) into the graph's frame; what is no covariance counts as (0.5 m)^2 all round."""
    given = _stack([d.covariance_m2 for d in detections], (3, 3))
    given = 0.5 * (given + given.transpose(0, 2, 1))
    given[~np.isfinite(given).all((1, 2))] = 0.25 * _EYE
    odd = ~_within_range(given)
    if odd.any():
        values, vectors = np.linalg.eigh(given[odd])
        values = values.clip(_LEAST_VARIANCE, _LARGEST_VARIANCE)
        given[odd] = (vectors * values[:, None, :]) @ vectors.transpose(0, 2, 1)
    return R @ given @ R.transpose(0, 2, 1) + config.pose_error_m**2 * _EYE


def _within_range(covariances: Array) -> NDArray[np.bool_]:
    """Whether all variances of (D, 3, 3) surely lie within the two limits; Sylvester's criterion for the lower one."""
    a, b, c = (covariances[:, i, i] - _LEAST_VARIANCE for i in range(3))
    f, e, d = covariances[:, 0, 1], covariances[:, 0, 2], covariances[:, 1, 2]
    minor = a * b - f * f
    determinant = c * minor - a * d * d - b * e * e + 2.0 * d * e * f
    return (a > 0.0) & (minor > 0.0) & (determinant > 0.0) & (a + b + c <= _LARGEST_VARIANCE)


def _distinct(boxes: Array, labels: list[str]) -> NDArray[np.int64]:
    """Places of the boxes that no surer box of the same label covers; boxes come surest first."""
    covered = boxes_iou(boxes) > _SAME_VIEW_IOU
    if np.count_nonzero(covered) <= len(boxes):  # each covers itself
        return np.arange(len(boxes))
    names = np.unique(labels, return_inverse=True)[1]
    same = (names[:, None] == names[None]) & covered
    keep: list[int] = []
    for i in range(len(boxes)):
        if not same[i, keep].any():
            keep.append(i)
    return np.array(keep)


def boxes_iou(boxes: Array) -> Array:
    """(D, D) overlap of image boxes; NaN boxes overlap nothing."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    step = np.maximum(high - low, 0.0)
    shared = step[..., 0] * step[..., 1]
    side = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    area = side[:, 0] * side[:, 1]
    either = area[:, None] + area[None] - shared
    with np.errstate(invalid="ignore"):
        return np.divide(shared, either, out=np.zeros_like(shared), where=(shared > 0.0) & (either > 0.0))
