"""MVOR: people placed from a real detector's boxes and real calibrations, against the torsos of the annotated people.

Definitions
    torso           mean of four 3D keypoints: left and right shoulder, left and right hip; no 3D annotation lacks one
    match           one to one within a moment: as many pairs within 0.5 m as possible, and of those the nearest
    centre error    distance of the placed torso to the annotated one, m, over the matched pairs
    recall          matched people / all 3D-annotated people of the day, also those whom no box shows
    precision       of the people placed where all three cameras look (the placed torso projects into all three
                    images), those that are matched. Elsewhere MVOR annotates in 3D only some of the people
    placed          existence of 0.4 or more, chosen on day 1, where 0.30 to 0.45 place the same people
    floor           MVOR's room has no floor; it is put where the median annotated head of the fitted day is at 1.60 m,
                    the middle of the head of somebody of 1.71 m
Every moment stands alone: MVOR's images are far apart in time. Numbers are fitted on one day (`mvor_fit`) and scored
on another.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from or_spatial.datasets.mvor import JOINTS_3D, Detection, Mvor, Person2D, Person3D, read_annotations, read_detections
from or_spatial.geometry.transforms import apply, pose_matrix
from or_spatial.perception.box_matching import shows
from or_spatial.perception.box_views import BoxView
from or_spatial.perception.boxes_to_room import people_in_room
from or_spatial.perception.person_shape import PersonShape

Array = NDArray[np.float64]

WITHIN_M = 0.5
PLACED_ABOVE = 0.4
TORSO = tuple(JOINTS_3D.index(name) for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip"))
_HEAD = JOINTS_3D.index("head")
_HEAD_ABOVE_FLOOR_M = 1.60


@dataclass(frozen=True, eq=False)
class Moment:
    """One multi-view moment: its images' people and boxes by camera, 3D people with torsos (P, 3) m above the floor."""

    id: str
    views: tuple[BoxView, ...]
    people_2d: tuple[tuple[Person2D, ...], ...]
    people_3d: tuple[Person3D, ...]
    torsos: Array


@dataclass(frozen=True, eq=False)
class MvorBoxes:
    """The annotations and a detector's boxes together."""

    annotations: Mvor
    detections: tuple[Detection, ...]

    def ids(self, day: int) -> tuple[str, ...]:
        """Ids of one day's moments, in order of time."""
        return tuple(m["id"] for m in self.annotations.content["multiview_images"] if m["images"][0]["day_id"] == day)

    def floor_m(self, ids: Sequence[str]) -> float:
        """Height of the floor in MVOR's room frame, from the heads in these moments; see Definitions."""
        room_from_first = self.annotations.camera(1).room_from_camera
        heads = [apply(room_from_first, p.keypoints_m[_HEAD])[2] for i in ids for p in self._people_3d[i]]
        return float(np.median(heads)) - _HEAD_ABOVE_FLOOR_M

    def moment(self, moment_id: str, floor_m: float) -> Moment:
        """One moment in a room whose floor is z = 0."""
        images = self.annotations.images(moment_id)
        raised = pose_matrix(np.eye(3), (0.0, 0.0, -floor_m))
        people = self._people_3d[moment_id]
        room_from_first = raised @ self.annotations.camera(1).room_from_camera
        joints = apply(room_from_first, np.array([p.keypoints_m for p in people]).reshape(-1, len(JOINTS_3D), 3))
        return Moment(
            moment_id,
            tuple(self._view(image["id"], image["cam_id"], raised) for image in images),
            tuple(tuple(self._people_2d[image["id"]]) for image in images),
            tuple(people),
            joints[:, TORSO].mean(1),
        )

    def _view(self, image_id: int, number: int, raised: Array) -> BoxView:
        own, found = self.annotations.camera(number), self._boxes[image_id]
        xywh = np.array([d.box for d in found]).reshape(-1, 4)
        corners = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
        scores = np.array([d.score for d in found])
        return BoxView(f"camera_{number}", own.camera, raised @ own.room_from_camera, corners, scores)

    @cached_property
    def _boxes(self) -> dict[int, list[Detection]]:
        return _grouped(self.detections, "image_id")

    @cached_property
    def _people_2d(self) -> dict[int, list[Person2D]]:
        return _grouped(self.annotations.people_2d, "image_id")

    @cached_property
    def _people_3d(self) -> dict[str, list[Person3D]]:
        return _grouped(self.annotations.people_3d, "moment")


def read_mvor_boxes(folder: str | Path) -> MvorBoxes:
    """Read `camma_mvor_2018.json` and `faster_rcnn_bbox.json` from a folder, or from the folder `mvor` in it.

    Raises:
        DatasetError: one of them is missing, damaged or of another kind; names the file.
    """
    folder = Path(folder)
    if not (folder / "camma_mvor_2018.json").is_file() and (folder / "mvor").is_dir():
        folder = folder / "mvor"
    return MvorBoxes(
        read_annotations(folder / "camma_mvor_2018.json"), read_detections(folder / "faster_rcnn_bbox.json")
    )


@dataclass(frozen=True, eq=False)
class Scores:
    """What was found in some moments: `errors_m` and `views` (matched,), and counts of people."""

    errors_m: Array
    views: NDArray[np.int64]
    annotated: int
    placed: int
    placed_in_common_view: int
    matched_in_common_view: int

    def figures(self) -> dict:
        """The figures of the report; NaN where there is nothing to count."""
        return {
            "center_error_median_m": _quantile(self.errors_m, 0.5),
            "center_error_p90_m": _quantile(self.errors_m, 0.9),
            "recall_50cm": _ratio(len(self.errors_m), self.annotated),
            "precision_50cm": _ratio(self.matched_in_common_view, self.placed_in_common_view),
            "people_annotated": self.annotated,
            "people_placed": self.placed,
            "people_matched": len(self.errors_m),
            "people_placed_in_common_view": self.placed_in_common_view,
            "by_views": {
                str(n): {
                    "people_matched": int((self.views == n).sum()),
                    "center_error_median_m": _quantile(self.errors_m[self.views == n], 0.5),
                    "center_error_p90_m": _quantile(self.errors_m[self.views == n], 0.9),
                }
                for n in np.unique(self.views).tolist()
            },
        }


def score_moments(moments: Sequence[Moment], shape: PersonShape) -> Scores:
    """Place the people of each moment and compare; see Definitions."""
    errors, views, counts = [], [], np.zeros(4, dtype=int)
    for moment in moments:
        people = [p for p in people_in_room(moment.views, shape) if p.existence >= PLACED_ABOVE]
        torsos = np.array([p.torso_m for p in people]).reshape(-1, 3)
        pairs = match_within(torsos, moment.torsos, WITHIN_M)
        common = in_common_view(torsos, moment.views)
        matched = np.isin(np.arange(len(people)), [i for i, _ in pairs])
        errors += [float(np.linalg.norm(torsos[i] - moment.torsos[j])) for i, j in pairs]
        views += [len(people[i].boxes) for i, _ in pairs]
        counts += (len(moment.torsos), len(people), int(common.sum()), int((common & matched).sum()))
    return Scores(np.array(errors), np.array(views, dtype=np.int64), *counts.tolist())


def match_within(placed: Array, true: Array, within_m: float) -> list[tuple[int, int]]:
    """One-to-one pairs (placed, true) of points (N, 3), (M, 3) nearer than `within_m`: most pairs, then shortest."""
    distance = np.linalg.norm(placed[:, None] - true[None], axis=-1)
    # A pair that is too far costs more than all possible pairs together.
    cost = np.where(distance <= within_m, distance, within_m * (1 + min(distance.shape)))
    return [(int(i), int(j)) for i, j in zip(*linear_sum_assignment(cost), strict=True) if distance[i, j] <= within_m]


def in_common_view(points: Array, views: Sequence[BoxView]) -> NDArray[np.bool_]:
    """(N,) whether points (N, 3) m in the room project into the images of all views."""
    seen = [shows(view.camera.project(apply(view.camera_from_room, points)), view) for view in views]
    return np.all(seen, axis=0)


def _grouped(items: Sequence, key: str) -> dict:
    groups = defaultdict(list)
    for item in items:
        groups[getattr(item, key)].append(item)
    return groups


def _quantile(values: Array, q: float) -> float:
    return float(np.quantile(values, q)) if len(values) else float("nan")


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
