"""One sample as the fixed-size arrays that training reads: picture, dense targets, objects, relations.

A frame of the world knows everything about itself; a picture of a real room does not: what is unknown is marked so, and
the losses pass over it.
Dense targets live on the stride-4 grid, each cell read at one of its own pixels: averaging would invent depths
between near and far.
"""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import DatasetError
from or_spatial.geometry.mounting import mounting, viewer_yaw
from or_spatial.geometry.transforms import apply, invert, levelled_viewer
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.relations import Family
from or_spatial.scene.vocabulary import Vocabulary
from or_spatial.world.sample import FrameSample

STRIDE = 4
MAX_OBJECTS = 32
UNKNOWN = 255
"""In `semantic`: nobody said what this is."""


@dataclass
class Packed:
    """Arrays of one sample (or of a batch, with a leading axis). N = MAX_OBJECTS, padded; `label` is -1 on padding.

    NaN in `peak`, `box`, `center`, `size` or `yaw` of an object: not known.
    """

    image: NDArray[np.uint8]  # (H, W, 3)
    depth: NDArray[np.float16]  # (H/4, W/4) m, 0 = none
    semantic: NDArray[np.uint8]  # (H/4, W/4) label index + 1, 0 = scenery, UNKNOWN
    intrinsics: NDArray[np.float32]  # (4,)
    viewer_from_camera: NDArray[np.float32]  # (3, 3)
    height: NDArray[np.float32]  # (1,)
    label: NDArray[np.int8]  # (N,)
    peak: NDArray[np.float32]  # (N, 2) px, the visible pixel nearest to the middle of the visible part
    center: NDArray[np.float32]  # (N, 3) m, optical frame
    size: NDArray[np.float32]  # (N, 3) m
    yaw: NDArray[np.float32]  # (N,) rad, levelled viewer
    box: NDArray[np.float32]  # (N, 4) px
    sterile: NDArray[np.int8]  # (N,) 0, 1, or -1 unknown
    action: NDArray[np.int8]  # (N, N) predicate index, len(actions) = none
    geometric: NDArray[np.uint16]  # (N, N) bit p set: predicate p holds
    unjudged: NDArray[np.int64]  # () bit l set: objects of label l may be in the picture where no `peak` says so


def pack(sample: FrameSample, words: Vocabulary) -> Packed:
    """Arrays of one sample; objects beyond MAX_OBJECTS, smallest in the picture first, are left out."""
    views = sorted(enumerate(sample.views), key=lambda item: -item[1].visible_px)[:MAX_OBJECTS]
    views = [(i, v) for i, v in views if sample.graph.find(v.object_id) is not None]
    order = {view.object_id: row for row, (_, view) in enumerate(views)}
    viewer_from_camera, height = mounting(sample.room_from_camera)
    camera = sample.camera
    packed = Packed(
        image=sample.image,
        depth=np.nan_to_num(sample.depth_m[1::STRIDE, 1::STRIDE]).astype(np.float16),
        semantic=_semantic(sample, words),
        intrinsics=np.array([camera.fx, camera.fy, camera.cx, camera.cy], np.float32),
        viewer_from_camera=viewer_from_camera,
        height=np.array([height], np.float32),
        unjudged=np.array(0, np.int64),
        **empty_objects(len(words.actions)),
    )
    for row, (instance, view) in enumerate(views):
        _fill_object(packed, row, sample, instance, view.object_id, view.box_xyxy, words)
    _fill_relations(packed, sample.graph, order, words)
    return packed


def empty_objects(actions: int) -> dict[str, NDArray]:
    """The object and relation arrays of a sample that holds nothing; `actions` is the index of `none`."""
    n = MAX_OBJECTS
    return {
        "label": np.full(n, -1, np.int8),
        "peak": np.zeros((n, 2), np.float32),
        "center": np.zeros((n, 3), np.float32),
        "size": np.ones((n, 3), np.float32),
        "yaw": np.zeros(n, np.float32),
        "box": np.zeros((n, 4), np.float32),
        "sterile": np.full(n, -1, np.int8),
        "action": np.full((n, n), actions, np.int8),
        "geometric": np.zeros((n, n), np.uint16),
    }


def _semantic(sample: FrameSample, words: Vocabulary) -> NDArray[np.uint8]:
    labels = [0] * (len(sample.views) + 1)  # the last entry serves instance -1
    for i, view in enumerate(sample.views):
        found = sample.graph.find(view.object_id)
        labels[i] = words.object_index(found.label) + 1 if found else 0
    return np.array(labels, np.uint8)[sample.instances[1::STRIDE, 1::STRIDE]]


def _fill_object(
    packed: Packed, row: int, sample: FrameSample, instance: int, object_id: str, box: tuple, words: Vocabulary
) -> None:
    found = sample.graph.find(object_id)
    packed.label[row] = words.object_index(found.label)
    packed.peak[row] = visible_middle(sample.instances == instance, box)
    packed.center[row] = apply(invert(sample.room_from_camera), np.array(found.center_m))
    packed.size[row] = np.maximum(found.size_m, 0.02)
    packed.yaw[row] = viewer_yaw(found.yaw_rad, levelled_viewer(sample.room_from_camera))
    packed.box[row] = box
    packed.sterile[row] = -1 if np.isnan(found.sterile) else int(found.sterile > 0.5)


def visible_middle(mask: NDArray[np.bool_], box: tuple[float, float, float, float]) -> NDArray[np.float32]:
    """The visible pixel (u, v) nearest to the mean of the visible ones; the box's middle when none is visible."""
    rows, columns = np.nonzero(mask)
    if rows.size == 0:
        return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], np.float32)
    nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    return np.array([columns[nearest], rows[nearest]], np.float32)


def _fill_relations(packed: Packed, graph: SceneGraph, order: dict[str, int], words: Vocabulary) -> None:
    for relation in graph.relations:
        subject, target = order.get(relation.subject_id), order.get(relation.object_id)
        if subject is None or target is None:
            continue
        if relation.family == Family.ACTION:
            packed.action[subject, target] = words.action_index(relation.predicate)
        else:
            packed.geometric[subject, target] |= np.uint16(1 << words.geometric_index(relation.predicate))


def stack(samples: list[Packed]) -> Packed:
    """A batch along a new leading axis."""
    return Packed(**{f.name: np.stack([getattr(s, f.name) for s in samples]) for f in fields(Packed)})


def unstack(batch: Packed) -> list[Packed]:
    """The samples of a batch; undoes `stack`."""
    return [Packed(**{f.name: getattr(batch, f.name)[i] for f in fields(Packed)}) for i in range(len(batch.label))]


def shards(folder: Path) -> Iterator[Packed]:
    """The shards that are there, in order.

    Raises:
        DatasetError: the folder holds none, or one is damaged; names the file.
    """
    require_shards(folder)
    yield from map(read_shard, shard_paths(folder))


def require_shards(folder: Path) -> None:
    """Refuse a folder without shards.

    Raises:
        DatasetError: names it.
    """
    if not shard_paths(folder):
        raise DatasetError(f"{folder} holds no shards; render them first (or_spatial train does)")


def shard_paths(folder: Path) -> list[Path]:
    """The files of the shards that are whole, in order; those still being written are none yet."""
    return sorted(p for p in folder.glob("*.npz") if not p.name.endswith(".partial.npz"))


def read_shard(path: Path) -> Packed:
    """One shard.

    Raises:
        DatasetError: it is damaged; names the file.
    """
    try:
        with np.load(path) as arrays:
            # Shards of before real rooms could be read have no `unjudged`: the world judges everything.
            judged = {} if "unjudged" in arrays else {"unjudged": np.zeros(len(arrays["label"]), np.int64)}
            return Packed(**judged, **{f.name: arrays[f.name] for f in fields(Packed) if f.name not in judged})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path} is damaged ({error}); delete it and it will be made again") from error
