"""One labelled picture of a real data set, and its arrays for training: what nobody labelled stays unknown.

Annotations name who does what to whom in the room. Where an entity is in THIS picture comes from segmentation masks or
projected joints; without either it is known to be there but not where, and training looks for it itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from or_spatial.datasets.annotation_files import AnnotatedScene
from or_spatial.datasets.clouds import seen_depth
from or_spatial.datasets.packed import MAX_OBJECTS, STRIDE, UNKNOWN, Packed, empty_objects, visible_middle
from or_spatial.geometry.camera import Camera
from or_spatial.geometry.mounting import mounting
from or_spatial.geometry.transforms import apply, invert
from or_spatial.scene.vocabulary import Vocabulary

_LEAST_PX = 4  # fewer visible pixels at the network's size than this are not seen


@dataclass(frozen=True)
class PictureFiles:
    """The files of one view of one annotated moment. `masks` are alternatives; what does not exist is not labelled."""

    scene: AnnotatedScene
    image: Path
    camera: Path
    masks: tuple[Path, ...] = ()
    joints: Path | None = None
    cloud: Path | None = None


@dataclass(frozen=True)
class Place:
    """Where an entity is in a picture: px, and m in the optical frame where 3D is known (else NaN)."""

    peak: NDArray[np.float32]
    box: NDArray[np.float32]
    center: NDArray[np.float32] = field(default_factory=lambda: np.full(3, np.nan, np.float32))


@dataclass
class LabelledPicture:
    """A fitted picture with all that is known of it.

    `places` of those that are seen, `hidden` those that are known not to be; entities in neither are somewhere.
    `judged` labels: if one of them is not among the entities, it is nowhere in the picture.
    `semantic` (H, W) holds label index + 1, 0 for scenery, UNKNOWN where nobody said.
    """

    scene: AnnotatedScene
    image: NDArray[np.uint8]
    camera: Camera
    room_from_camera: NDArray[np.float64]
    places: dict[str, Place]
    hidden: set[str]
    judged: set[str]
    semantic: NDArray[np.uint8] | None = None
    points_room: NDArray[np.float64] | None = None


def places_in_mask(ids: NDArray[np.uint8], entities: Mapping[str, int]) -> dict[str, Place]:
    """Places of those entities (name to mask value) that show at least a few pixels in `ids` (H, W)."""
    found = {}
    for name, value in entities.items():
        mask = ids == value
        if int(mask.sum()) < _LEAST_PX:
            continue
        rows, columns = np.nonzero(mask)
        box = np.array([columns.min(), rows.min(), columns.max(), rows.max()], np.float32)
        found[name] = Place(visible_middle(mask, tuple(box)), box)
    return found


def place_of_joints(
    joints_room: NDArray[np.float64], camera: Camera, room_from_camera: NDArray[np.float64]
) -> Place | None:
    """A person by its joints (J, 3) m in the room; None when fewer than half of them are in the picture.

    The box is that of the joints in the picture, a little narrower than the body; the place is the joints' middle.
    """
    camera_from_room = invert(room_from_camera)
    pixels = camera.project(apply(camera_from_room, joints_room))
    inside = (pixels > -0.5).all(axis=1) & (pixels < (camera.width - 0.5, camera.height - 0.5)).all(axis=1)
    if inside.mean() < 0.5:
        return None
    seen = pixels[inside].astype(np.float32)
    middle = apply(camera_from_room, (joints_room.min(axis=0) + joints_room.max(axis=0)) / 2)
    return Place(np.median(seen, axis=0), np.r_[seen.min(axis=0), seen.max(axis=0)], middle.astype(np.float32))


def pack_picture(found: LabelledPicture, words: Vocabulary) -> Packed:
    """Arrays of one picture; unknown numbers are NaN, unknown classes UNKNOWN, unjudged labels bits of `unjudged`."""
    entities = [o.label for o in found.scene.graph.objects if o.label not in found.hidden]
    entities += [name for name in found.places if name not in entities]
    order = {name: row for row, name in enumerate(entities[:MAX_OBJECTS])}
    viewer_from_camera, height = mounting(found.room_from_camera)
    camera = found.camera
    cells = (camera.height // STRIDE, camera.width // STRIDE)
    unseen = [name for name in order if name not in found.places]
    packed = Packed(
        image=found.image,
        depth=_depth(found, cells),
        semantic=np.full(cells, UNKNOWN, np.uint8) if found.semantic is None else found.semantic[1::STRIDE, 1::STRIDE],
        intrinsics=np.array([camera.fx, camera.fy, camera.cx, camera.cy], np.float32),
        viewer_from_camera=viewer_from_camera,
        height=np.array([height], np.float32),
        unjudged=_bits(words.objects.index(n) for n in {*words.objects} - found.judged | {*unseen}),
        **empty_objects(len(words.actions)),
    )
    for name, row in order.items():
        packed.label[row] = words.object_index(name)
        for numbers in (packed.peak, packed.box, packed.center, packed.size, packed.yaw):
            numbers[row] = np.nan
        if name in found.places:
            place = found.places[name]
            packed.peak[row], packed.box[row], packed.center[row] = place.peak, place.box, place.center
    for relation in found.scene.graph.relations:
        subject, target = order.get(relation.subject_id), order.get(relation.object_id)
        if subject is not None and target is not None:
            packed.action[subject, target] = words.action_index(relation.predicate)
    return packed


def _depth(found: LabelledPicture, cells: tuple[int, int]) -> NDArray[np.float16]:
    if found.points_room is None:
        return np.zeros(cells, np.float16)
    return seen_depth(apply(invert(found.room_from_camera), found.points_room), found.camera, STRIDE)


def _bits(indices: Iterable[int]) -> NDArray[np.int64]:
    return np.array(sum(1 << i for i in indices), np.int64)
