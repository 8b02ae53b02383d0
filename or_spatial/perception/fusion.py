"""Detections of one camera become observations in the room: rotated, checked, rid of duplicates.

What cannot be used is left out here, so that nothing after this has to look for NaN again.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import invert
from or_spatial.perception.labels import Labels
from or_spatial.perception.perceiver import Detection, Frame, Perception
from or_spatial.perception.tracker_config import TrackerConfig

Array = NDArray[np.float64]

_SAME_VIEW_IOU = 0.7  # chosen: two boxes of one label that overlap this much in one image show one thing
_LARGEST_VARIANCE = 25.0  # (5 m)^2


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

    def __len__(self) -> int:
        return len(self.detections)


def graph_from_camera(frame: Frame) -> Array | None:
    """The frame's pose if it is one: finite, (4, 4), with a rotation that keeps lengths; else None."""
    pose = frame.room_from_camera
    if pose is None or np.shape(pose) != (4, 4) or not np.isfinite(pose).all():
        return None
    R = np.asarray(pose, dtype=np.float64)[:3, :3]
    return np.asarray(pose, dtype=np.float64) if np.allclose(R @ R.T, np.eye(3), atol=1e-3) else None


def observe(frame: Frame, perception: Perception, pose: Array, labels: Labels, config: TrackerConfig) -> Observations:
    """The usable detections of one frame under `pose` (4, 4), graph from camera; the surest ones if there are many."""
    detections = perception.detections
    existence = np.array([d.existence for d in detections], dtype=np.float64)
    existence = np.where(np.isfinite(existence), existence, 0.5).clip(0.0, 1.0)
    centers = _stack([d.center_m for d in detections], (3,))
    good = np.isfinite(centers).all(1) & (existence >= config.min_existence)
    good &= np.linalg.norm(np.nan_to_num(centers).clip(-1e6, 1e6), axis=1) <= config.max_range_m
    index = np.flatnonzero(good)
    index = index[np.argsort(-existence[index], kind="stable")][: config.max_detections]
    boxes = np.array([[b.xmin, b.ymin, b.xmax, b.ymax] for b in (detections[i].box for i in index)]).reshape(-1, 4)
    unique = _distinct(boxes, [detections[i].label for i in index])
    index, boxes = index[unique], boxes[unique]
    chosen = tuple(detections[i] for i in index)
    beliefs = np.array([labels.belief(d.label, d.scores) for d in chosen]).reshape(len(chosen), labels.other + 1)
    return Observations(
        camera=frame.name,
        stamp_ns=frame.stamp_ns,
        detections=chosen,
        index=index,
        centers=centers[index] @ pose[:3, :3].T + pose[:3, 3],
        covariances=_room_covariances(chosen, pose[:3, :3], config),
        sizes=_usable_sizes(chosen),
        beliefs=beliefs,
        existence=existence[index],
        sterile=_probabilities([d.sterile for d in chosen]),
        boxes=boxes,
        camera_from_graph=invert(pose),
        intrinsics=frame.camera,
    )


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
    """(D, 3, 3) in the graph's frame; a covariance that is none counts as (0.5 m)^2 in all directions."""
    given = _stack([d.covariance_m2 for d in detections], (3, 3))
    given = 0.5 * (given + given.transpose(0, 2, 1))
    usable = np.isfinite(given).all((1, 2))
    given[~usable] = 0.25 * np.eye(3)
    values, vectors = np.linalg.eigh(given)
    values = values.clip(1e-6, _LARGEST_VARIANCE)
    given = (vectors * values[:, None, :]) @ vectors.transpose(0, 2, 1)
    return R @ given @ R.T + config.pose_error_m**2 * np.eye(3)


def _distinct(boxes: Array, labels: list[str]) -> NDArray[np.int64]:
    """Places of the boxes that no surer box of the same label covers; boxes come surest first."""
    covered = boxes_iou(boxes) > _SAME_VIEW_IOU
    if covered.sum() <= len(boxes):  # each covers itself
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
    shared = (high - low).clip(0.0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).clip(0.0).prod(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(shared / (area[:, None] + area[None] - shared))
