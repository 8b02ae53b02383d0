"""MVOR (CAMMA-public/MVOR): real staff in a real hybrid operating room, seen by three calibrated cameras.

Convention, checked by reprojecting the 3D keypoints onto the 2D ones (median 3 to 12 px, by joint)
    keypoints3D     (12, 4): x, y, z in mm in the FIRST camera's optical frame whatever `ref_camera` says, visibility
    joints          the ten of the 2D annotation in the same order, then the two hands
    extrinsics      first camera from camera i, row by row, mm
    distortion      k1, k2, k3, p1, p2 (NOT OpenCV's order). The pictures agree better with no distortion at all
                    (head of camera 1: 5.6 px against 7.1 px), so they seem to be rectified: off unless asked for
    room            `firstCamToRoomRef`: z up, but its origin is about a metre above the floor

Numbers are kept as they stand in the file, so that it can be written again exactly; properties give arrays in metres.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from or_spatial.datasets.annotation_files import parse_each, parse_one, read_json
from or_spatial.errors import DatasetError
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import apply
from or_spatial.scene.graph import Scale, SceneGraph
from or_spatial.scene.objects import Category, SceneObject
from or_spatial.scene.values import vec3

JOINTS_2D: tuple[str, ...] = (
    "head",
    "neck",
    "left_shoulder",
    "right_shoulder",
    "left_hip",
    "right_hip",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
)
JOINTS_3D: tuple[str, ...] = (*JOINTS_2D, "left_hand", "right_hand")
LABELS: dict[str, str] = {"clinician": "person", "patient": "patient"}
"""MVOR's roles in the words of `or_world`."""

_LISTS = ("images", "annotations", "annotations3D", "multiview_images")


@dataclass(frozen=True)
class Person2D:
    """One person in one image: `box` [x, y, w, h] px; keypoints x, y, visibility (0 absent, 1 hidden, 2 seen)."""

    data: dict[str, Any]

    @property
    def image_id(self) -> int:
        """Id of the image."""
        return self.data["image_id"]

    @property
    def person_id(self) -> int:
        """The same person in all views of a moment; -1 for people nobody linked."""
        return self.data["person_id"]

    @property
    def label(self) -> str:
        """`person` or `patient`."""
        return LABELS[self.data["person_role"]]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x, y, width, height, px."""
        return tuple(self.data["bbox"])  # type: ignore[return-value]

    @property
    def keypoints_px(self) -> NDArray[np.float64]:
        """(10, 2) px in the order of JOINTS_2D, NaN where not annotated."""
        points = np.reshape(np.array(self.data["keypoints"], dtype=np.float64), (10, 3))
        return np.where(points[:, 2:] > 0, points[:, :2], np.nan)

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(10,) whether the joint is seen, not only guessed."""
        return np.array(self.data["keypoints"][2::3]) == 2


@dataclass(frozen=True)
class Person3D:
    """One person in the room at one moment."""

    data: dict[str, Any]

    @property
    def moment(self) -> str:
        """Id of the moment: the ids of its three images joined by `_`."""
        return self.data["image_ids"]

    @property
    def person_id(self) -> int:
        """As in Person2D."""
        return self.data["person_id"]

    @property
    def keypoints_m(self) -> NDArray[np.float64]:
        """(12, 3) m in the first camera's optical frame, in the order of JOINTS_3D, NaN where not annotated."""
        points = np.reshape(np.array(self.data["keypoints3D"], dtype=np.float64), (12, 4))
        return np.where(points[:, 3:] > 0, points[:, :3] / 1000.0, np.nan)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(12,) whether the joint was seen rather than inferred."""
        return np.array(self.data["keypoints3D"][3::4]) == 2


@dataclass(frozen=True)
class Detection:
    """A detector's person box [x, y, w, h], px, with its score."""

    image_id: int
    box: tuple[float, float, float, float]
    score: float
    category_id: str

    def to_json(self) -> dict[str, Any]:
        """The entry again, as it was read."""
        return {
            "image_id": self.image_id,
            "bbox": list(self.box),
            "score": self.score,
            "category_id": self.category_id,
        }


@dataclass(frozen=True, eq=False)
class MvorCamera:
    """One of the three cameras: poses (4, 4) in m of its optical frame in the first camera's and in the room's."""

    camera: Camera
    first_from_camera: NDArray[np.float64]
    room_from_camera: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mvor:
    """The whole annotation file; `content` is what was read and is written again."""

    content: dict[str, Any]
    people_2d: tuple[Person2D, ...]
    people_3d: tuple[Person3D, ...]

    @property
    def moments(self) -> tuple[str, ...]:
        """Ids of the moments (three images each), in the file's order."""
        return tuple(m["id"] for m in self.content["multiview_images"])

    def images(self, moment: str) -> tuple[dict[str, Any], ...]:
        """The image entries of one moment (id, file_name, cam_id, day_id, width, height ...)."""
        found = next((m for m in self.content["multiview_images"] if m["id"] == moment), None)
        if found is None:
            raise DatasetError(f"MVOR has no moment {moment!r}; the first is {self.moments[0]!r}")
        return tuple(found["images"])

    def camera(self, number: int, distorted: bool = False) -> MvorCamera:
        """Camera 1, 2 or 3; `distorted` uses the file's coefficients, see Convention."""
        parameters = self.content["cameras_info"]["camParams"]
        if not 1 <= number <= len(parameters["intrinsics"]):
            raise DatasetError(f"MVOR has cameras 1 to {len(parameters['intrinsics'])}, got {number}")
        first_from_camera = _metres(parameters["extrinsics"][number - 1])
        room_from_first = _metres(parameters["firstCamToRoomRef"])
        camera = _intrinsics(parameters["intrinsics"][number - 1], distorted)
        return MvorCamera(camera, first_from_camera, room_from_first @ first_from_camera)

    def graph(self, moment: str) -> SceneGraph:
        """The people of one moment in the room frame: centre and extents of their annotated joints. No relations."""
        room_from_first = self.camera(1).room_from_camera
        roles = {p.person_id: p.label for p in self.people_2d if str(p.image_id) in moment.split("_")}
        objects = []
        for person in (p for p in self.people_3d if p.moment == moment):
            joints = apply(room_from_first, person.keypoints_m)
            low, high = np.nanmin(joints, axis=0), np.nanmax(joints, axis=0)
            objects.append(
                SceneObject(
                    id=f"person_{person.person_id}",
                    label=roles.get(person.person_id, "person"),
                    category=Category.PERSON,
                    center_m=vec3((low + high) / 2),
                    size_m=vec3(high - low),
                    yaw_rad=0.0,
                    existence=1.0,
                )
            )
        return SceneGraph(
            stamp_ns=0, frame_id="mvor_room", scale=Scale.METRIC, model_id="annotation", objects=tuple(objects)
        )

    def to_json(self) -> str:
        """The text of the file again, byte for byte as published."""
        lists = {"annotations": self.people_2d, "annotations3D": self.people_3d}
        return json.dumps({**self.content, **{name: [p.data for p in people] for name, people in lists.items()}})


def read_annotations(path: str | Path) -> Mvor:
    """Read `camma_mvor_2018.json`.

    Raises:
        DatasetError: the file is missing, damaged or of another kind; names file and item.
    """
    data = read_json(path)
    if not isinstance(data, dict) or (missing := [name for name in _LISTS if name not in data]):
        raise DatasetError(f"{path}: not MVOR's annotations; {missing if isinstance(data, dict) else 'a list'} instead")
    people_2d = parse_each(path, data["annotations"], _person_2d)
    people_3d = parse_each(path, data["annotations3D"], _person_3d)
    found = Mvor(data, people_2d, people_3d)
    parse_one(path, "cameras", range(1, 4), lambda numbers: [found.camera(n) for n in numbers])
    return found


def read_detections(path: str | Path) -> tuple[Detection, ...]:
    """Read a detector's boxes (`faster_rcnn_bbox.json`).

    Raises:
        DatasetError: the file is missing, damaged or of another kind.
    """
    return parse_each(
        path, read_json(path), lambda d: Detection(d["image_id"], tuple(d["bbox"]), d["score"], d["category_id"])
    )


def detections_to_json(detections: tuple[Detection, ...]) -> str:
    """The text of the file again, byte for byte as published."""
    return json.dumps([d.to_json() for d in detections])


def _person_2d(data: dict[str, Any]) -> Person2D:
    person = Person2D(data)
    if len(data["keypoints"]) != 30 or len(person.box) != 4:
        raise ValueError(f"a 2D annotation has 30 keypoint numbers and 4 box numbers, got {len(data['keypoints'])}")
    _ = person.image_id, person.person_id, person.label
    return person


def _person_3d(data: dict[str, Any]) -> Person3D:
    person = Person3D(data)
    if len(data["keypoints3D"]) != 48:
        raise ValueError(f"a 3D annotation has 48 keypoint numbers, got {len(data['keypoints3D'])}")
    _ = person.moment, person.person_id
    return person


def _intrinsics(data: dict[str, Any], distorted: bool) -> Camera:
    (fx, fy), (cx, cy), (width, height) = data["focallength"], data["principalpoint"], data["imagesize"]
    k1, k2, k3, p1, p2 = data["distortion"]
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    return Camera(K, width, height, (k1, k2, p1, p2, k3) if distorted else ())


def _metres(values_mm: list[float]) -> NDArray[np.float64]:
    T = np.reshape(np.array(values_mm, dtype=np.float64), (4, 4))
    T[:3, 3] /= 1000.0
    return T
