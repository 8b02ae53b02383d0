"""The training set on disk: packed shards, rendered by all cores from seeds alone, so that a seed can rebuild them.

A shard is written whole or not at all; an interrupted build goes on where it stopped.
"""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import fields
from pathlib import Path

import numpy as np
from rich.progress import Progress

from or_spatial.datasets.packed import Packed, pack, stack
from or_spatial.errors import DatasetError
from or_spatial.scene.vocabulary import load_vocabulary
from or_spatial.world.plan import planned_simulation, sample_plan
from or_spatial.world.renderer import Quality
from or_spatial.world.rig import CAMERAS
from or_spatial.world.sample import FrameSample
from or_spatial.world.samples import look, sample_of

SHARD = 32
_VIEWS = 2
_QUALITY = Quality(
    shadow_rays=1, ambient_rays=4, shading_step=3, edge_samples=1
)  # training needs many more than fine ones


def build(folder: Path, split: str, count: int, width: int, height: int, seed: int, workers: int) -> None:
    """Render `count` frames of `split` into `folder`, shard by shard, with a progress bar."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = {"split": split, "count": count, "width": width, "height": height, "seed": seed}
    _agree(folder / "recipe.json", recipe)
    wanted = [i for i in range(-(-count // SHARD)) if not _shard(folder, i).exists()]
    with Progress() as bar, ProcessPoolExecutor(workers) as pool:
        task = bar.add_task(f"rendering {split}", total=len(wanted) * SHARD)
        jobs = [pool.submit(_render_shard, folder, i, recipe) for i in wanted]
        for job in as_completed(jobs):
            job.result()
            bar.advance(task, SHARD)


def _agree(path: Path, recipe: dict) -> None:
    # A longer build of the same frames may go on; anything else would mix two sets.
    found = json.loads(path.read_text()) if path.exists() else recipe
    if {**found, "count": 0} != {**recipe, "count": 0}:
        raise DatasetError(f"{path.parent} was built as {found}, not {recipe}; name another folder or delete it")
    path.write_text(json.dumps(recipe))


def _shard(folder: Path, index: int) -> Path:
    return folder / f"{index:05d}.npz"


def _render_shard(folder: Path, index: int, recipe: dict) -> None:
    words = load_vocabulary()
    batch = stack([pack(sample, words) for sample in _draw(index, recipe)])
    partial = _shard(folder, index).with_suffix(".partial.npz")
    np.savez(partial, **{f.name: getattr(batch, f.name) for f in fields(Packed)})
    partial.rename(_shard(folder, index))


def _draw(index: int, recipe: dict) -> Iterator[FrameSample]:
    """The frames of one shard: each planned moment from its own camera and from others, which cost half a room."""
    seed = recipe["seed"] * 1_000_003 + index
    rng = np.random.default_rng([91, seed])
    for frame in sample_plan(recipe["split"], SHARD // _VIEWS, seed=seed):
        simulation = planned_simulation(frame)
        state = simulation.state(frame.time_s)
        others = [(frame.camera_index + 1 + int(k)) % CAMERAS for k in rng.permutation(CAMERAS - 1)]
        for camera in (frame.camera_index, *others[: _VIEWS - 1]):
            view = look(simulation, state, camera, recipe["width"], recipe["height"], _QUALITY, occlusion=False)
            yield sample_of(simulation, state, view, alerts=())


def digest(folder: Path) -> str:
    """sha256 over names and sizes of the shards and the recipe: enough to tell two training sets apart."""
    summed = hashlib.sha256((folder / "recipe.json").read_bytes())
    for path in sorted(folder.glob("*.npz")):
        summed.update(f"{path.name}:{path.stat().st_size}".encode())
    return summed.hexdigest()
