"""Drawn frames on disk, compact and exact enough to train and score on, rebuildable from a seed.

A shard is a folder of up to SHARD frames; per frame `NNNN.jpg` (quality 95), `NNNN.depth.png` (uint16 mm, 0 = nothing),
`NNNN.ids.png` (uint8, 255 = scenery) and `NNNN.json`. A shard is written whole or not at all, so that a build that was
interrupted goes on where it stopped, and which process draws which shard changes nothing.
"""

import json
import os
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from or_spatial.errors import DatasetError
from or_spatial.files import write_whole
from or_spatial.geometry.camera import Camera
from or_spatial.scene.graph import SceneGraph
from or_spatial.world.sample import FrameSample, ObjectView
from or_spatial.world.splits import world_version

SHARD = 32
_NOTHING = 255


@dataclass(frozen=True)
class CacheRecipe:
    """What a cache holds; `count` frames of plan `seed` of a split at a size."""

    split: str
    count: int
    width: int = 448
    height: int = 256
    seed: int = 0
    world_version: int = 1


def build_cache(
    split: str,
    n: int,
    out_dir: Path,
    width: int = 448,
    height: int = 256,
    seed: int = 0,
    workers: int = 2,
    progress: bool = True,
) -> Path:
    """Draw `n` planned frames of a split into `out_dir`, shard by shard, and return it.

    Raises:
        DatasetError: the folder holds another recipe; delete it or name another folder. It may hold fewer frames, in
            whole shards.
    """
    recipe = CacheRecipe(split, n, width, height, seed, world_version(split))
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    _agree(out / "recipe.json", recipe)
    wanted = [k for k in range(-(-n // SHARD)) if not _shard(out, k).is_dir()]
    if not wanted:
        return out
    from rich.progress import Progress

    with Progress(disable=not progress) as bar, ProcessPoolExecutor(workers) as pool:
        task = bar.add_task(f"drawing {split}", total=len(wanted) * SHARD)
        for job in as_completed([pool.submit(_draw_shard, out, k, recipe) for k in wanted]):
            job.result()
            bar.advance(task, SHARD)
    return out


def _agree(path: Path, recipe: CacheRecipe) -> None:
    """A longer build of the same frames may go on after whole shards; anything else would mix two sets."""
    if path.exists():
        found = CacheRecipe(**json.loads(path.read_text()))
        longer = recipe.count > found.count and found.count % SHARD == 0
        if found != (replace(recipe, count=found.count) if longer else recipe):
            raise DatasetError(f"{path.parent} was built as {found}, not {recipe}; name another folder or delete it")
    write_whole(path, json.dumps(vars(recipe)))


def _shard(out: Path, index: int) -> Path:
    return out / f"{index:05d}"


def _draw_shard(out: Path, index: int, recipe: CacheRecipe) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from or_spatial.world.samples import render_planned, sample_plan

    final, part = _shard(out, index), _shard(out, index).with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    plan = sample_plan(recipe.split, min(SHARD, recipe.count - index * SHARD), seed=recipe.seed * 1_000_003 + index)
    for k, sample in enumerate(render_planned(plan, recipe.width, recipe.height)):
        save_sample(sample, part / f"{k:04d}")
    part.rename(final)


def save_sample(sample: FrameSample, stem: Path) -> None:
    """Write one frame as four files that begin with `stem`.

    Raises:
        DatasetError: a picture could not be written; names it.
    """
    depth = np.nan_to_num(np.clip(sample.depth_m * 1000, 0, 65535)).round().astype(np.uint16)
    ids = np.where(sample.instances < 0, _NOTHING, sample.instances).astype(np.uint8)
    for name, pixels in (("jpg", sample.image[..., ::-1]), ("depth.png", depth), ("ids.png", ids)):
        if not cv2.imwrite(f"{stem}.{name}", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95] if name == "jpg" else []):
            raise DatasetError(f"{stem}.{name} could not be written: is the disk full?")
    told = {
        "split": sample.split,
        "seed": sample.seed,
        "time_s": sample.time_s,
        "procedure": sample.procedure,
        "phase": sample.phase,
        "camera_name": sample.camera_name,
        "K": sample.camera.K.tolist(),
        "room_from_camera": np.asarray(sample.room_from_camera).tolist(),
        "views": [[v.object_id, v.visible_px, v.occlusion, list(v.box_xyxy)] for v in sample.views],
        "graph": json.loads(sample.graph.to_json()),
        "roles": sample.roles,
        "alerts": list(sample.alerts),
    }
    Path(f"{stem}.json").write_text(json.dumps(told))


def load_sample(stem: Path) -> FrameSample:
    """Read what `save_sample` wrote: depth to a millimetre, the picture as JPEG keeps it, all else exactly.

    Raises:
        DatasetError: a file of the frame is missing or damaged; the message names it.
    """
    image, depth = cv2.imread(f"{stem}.jpg"), cv2.imread(f"{stem}.depth.png", cv2.IMREAD_UNCHANGED)
    ids = cv2.imread(f"{stem}.ids.png", cv2.IMREAD_UNCHANGED)
    for name, found in (("jpg", image), ("depth.png", depth), ("ids.png", ids)):
        if found is None:
            raise DatasetError(f"{stem}.{name} is missing or damaged; delete its folder and build the cache again")
    try:
        told = json.loads(Path(f"{stem}.json").read_text())
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{stem}.json cannot be read ({error}); delete its folder and build the cache again"
        ) from error
    height, width = depth.shape
    return FrameSample(
        split=told["split"],
        seed=told["seed"],
        time_s=told["time_s"],
        procedure=told["procedure"],
        phase=told["phase"],
        camera_name=told["camera_name"],
        camera=Camera(np.array(told["K"]), width, height),
        room_from_camera=np.array(told["room_from_camera"]),
        image=np.ascontiguousarray(image[..., ::-1]),
        depth_m=np.where(depth == 0, np.nan, depth / np.float32(1000)).astype(np.float32),
        instances=np.where(ids == _NOTHING, -1, ids.astype(np.int16)),
        views=tuple(ObjectView(i, px, o, tuple(box)) for i, px, o, box in told["views"]),
        graph=SceneGraph.from_json(json.dumps(told["graph"])),
        roles=told["roles"],
        alerts=tuple(told["alerts"]),
    )


def stems(out_dir: Path) -> list[Path]:
    """All frames of a cache in order.

    Raises:
        DatasetError: the folder is no cache, or an empty one.
    """
    out = Path(out_dir)
    found = sorted(p.with_suffix("") for p in out.glob("[0-9]*[0-9]/*.json"))
    if not found:
        raise DatasetError(f"{out} holds no drawn frames; build them with or_spatial.world.cache.build_cache")
    return found
