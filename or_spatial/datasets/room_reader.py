"""The files of one view of 4D-OR or MM-OR become a labelled picture.

Convention
    world    both recordings have y up; the room's z is that y, its floor taken at 0
    joints   4D-OR's annotation tool: 25 units of 2 mm, then y and z exchanged, one reversed (egeozsoy/4D-OR)
    clouds   4D-OR: 500 units per metre. MM-OR's are not read: their frame is not documented and could not be checked
    masks    one grey value per entity, MASK_VALUES; a camera's masks are drawn on the picture as it is stored
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from or_spatial.datasets import four_d_or
from or_spatial.datasets.annotation_files import AnnotatedScene, parse_one, read_json
from or_spatial.datasets.clouds import read_pcd
from or_spatial.datasets.kinect_camera import Z_UP_FROM_Y_UP, read_camera
from or_spatial.datasets.packed import UNKNOWN
from or_spatial.datasets.picture_files import Fitting, read_picture
from or_spatial.datasets.room_pictures import LabelledPicture, PictureFiles, Place, place_of_joints, places_in_mask
from or_spatial.errors import DatasetError
from or_spatial.geometry.transforms import apply
from or_spatial.scene.vocabulary import Vocabulary, load_vocabulary

MASK_VALUES = {
    "instrument_table": 1, "anesthesia_equipment": 2, "operating_table": 3, "mps_station": 4, "patient": 5, "drape": 6,
    "anaesthetist": 7, "circulator": 8, "assistant_surgeon": 9, "head_surgeon": 10, "mps": 11, "nurse": 12, "drill": 13,
    "hammer": 15, "saw": 16, "tracker": 17, "mako_robot": 18, "monitor": 24, "c_arm": 25, "unrelated_person": 26,
    "student": 27, "secondary_table": 28,
}  # fmt: skip
"""MM-OR's entities by the value of their pixels; 0 is scenery, 29 (a cementer) no entity of the scene graphs."""

_ROLES = {
    "anaesthetist": "anaesthetist",
    "circulating-nurse": "circulator",
    "assistant-surgeon": "assistant_surgeon",
    "head-surgeon": "head_surgeon",
}
_UNITS_PER_M = 500.0
_TOOL_UNITS, _TOOL_RISE = 25.0, 1000.0


def read_view(files: PictureFiles, height: int, width: int) -> LabelledPicture:
    """Read one view at the size (height, width) px. Masks, joints and clouds may be absent, not damaged.

    Raises:
        DatasetError: picture or camera are missing, or any file is damaged; names it.
    """
    kinect = read_camera(files.camera, Z_UP_FROM_Y_UP)
    image = read_picture(files.image)
    rows, columns = image.shape[:2]
    camera = kinect.camera
    if (camera.width, camera.height) != (columns, rows):
        if abs(camera.width / camera.height - columns / rows) > 0.01:
            raise DatasetError(
                f"picture {files.image} has {columns}x{rows} px, its camera file says {camera.width}x{camera.height}"
            )
        camera = camera.scaled(columns, rows)
    fitting = Fitting(camera, height, width)
    words = load_vocabulary(files.scene.dataset)
    found = LabelledPicture(
        files.scene, fitting.picture(image), fitting.camera, kinect.room_from_camera, {}, set(), set()
    )
    if files.scene.dataset == four_d_or.VOCABULARY:
        found.judged = set(words.objects)  # 4D-OR lists everything that is in the room
    _add_masks(found, files, fitting, words, image.shape[:2])
    _add_joints(found, files.joints)
    if files.cloud is not None and files.cloud.exists():
        found.points_room = apply(Z_UP_FROM_Y_UP, read_pcd(files.cloud) / _UNITS_PER_M)
    return found


def mask_values(scene: AnnotatedScene, words: Vocabulary) -> dict[str, int]:
    """Entities of this scene's data set by their value in a mask; in 4D-OR persons are told apart by their role."""
    if scene.dataset != four_d_or.VOCABULARY:
        return MASK_VALUES
    values = {name: value for name, value in MASK_VALUES.items() if name in words.objects}
    people = {who: MASK_VALUES[_ROLES[role]] for who, role in scene.roles.items() if role in _ROLES}
    return {**values, "Patient": MASK_VALUES["patient"], **people}


def _add_masks(
    found: LabelledPicture, files: PictureFiles, fitting: Fitting, words: Vocabulary, size: tuple[int, ...]
) -> None:
    path = next((mask for mask in files.masks if mask.exists()), None)
    if path is None:
        return
    ids = read_picture(path, grey=True)
    if ids.shape != size:
        raise DatasetError(f"mask {path} has {ids.shape[1]}x{ids.shape[0]} px, its picture {size[1]}x{size[0]}")
    ids = fitting.mask(ids, outside=UNKNOWN)
    values = mask_values(found.scene, words)
    found.places = places_in_mask(ids, values)
    found.hidden = set(values) - set(found.places)
    found.judged |= set(values)
    table = np.full(256, UNKNOWN, np.uint8)
    table[0] = 0
    for name, value in values.items():
        table[value] = words.object_index(name) + 1
    found.semantic = table[ids]


def _add_joints(found: LabelledPicture, path: Path | None) -> None:
    """Middle of the body for all persons whose joints are annotated, and their place where no mask gave it."""
    if path is None or not path.exists():
        return
    people = parse_one(path, "joints", read_json(path), joints_in_room)
    for name, joints in people.items():
        place = place_of_joints(joints, found.camera, found.room_from_camera)
        if name in found.places and place is not None:
            found.places[name] = replace(found.places[name], center=place.center)
        elif name not in found.hidden and found.scene.graph.find(name) is not None:
            _place_or_hide(found, name, place)


def _place_or_hide(found: LabelledPicture, name: str, place: Place | None) -> None:
    if place is None:
        found.hidden.add(name)
    else:
        found.places[name] = place


def joints_in_room(data: Any) -> dict[str, NDArray[np.float64]]:
    """Joints (J, 3) m in the room of each person of an `annotations/P.json`, by the names of the relationships.

    The relationships count persons in the order of their names here, the patient apart.
    """
    people: dict[str, list[list[float]]] = {}
    for label in sorted(data["labels"], key=lambda one: one["humanName"]):
        place = label["point3d"]["location"]
        people.setdefault(label["humanName"], []).append([float(place[axis]) for axis in "xyz"])
    staff = [name for name in people if name != "Patient"]
    names = {"Patient": "Patient", **{name: f"human_{i}" for i, name in enumerate(staff)}}
    return {names[name]: _room_from_tool(np.array(points)) for name, points in people.items()}


def _room_from_tool(points: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y, z = (points * _TOOL_UNITS).T
    world = np.stack([x, z + _TOOL_RISE, -y], axis=1) / _UNITS_PER_M
    return apply(Z_UP_FROM_Y_UP, world)
