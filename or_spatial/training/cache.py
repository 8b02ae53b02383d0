"""The training set on disk: packed shards, rendered by all cores from seeds alone, so that a seed can rebuild them.

A shard is written whole or not at all; an interrupted build goes on where it stopped.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from or_spatial.datasets.packed import Packed, pack, shard_paths, stack
from or_spatial.errors import DatasetError
from or_spatial.files import write_whole
from or_spatial.scene.vocabulary import load_vocabulary
from or_spatial.world.counterfactual import DrawnPair, draw_pair
from or_spatial.world.plan import SEEDS, planned_simulation, sample_plan
from or_spatial.world.renderer import Quality
from or_spatial.world.rig import CAMERAS
from or_spatial.world.sample import FrameSample
from or_spatial.world.samples import look, sample_of

SHARD = 32
_VIEWS = 2
_QUALITY = Quality(
    shadow_rays=1, ambient_rays=4, shading_step=3, edge_samples=1
)  # training needs many more than fine ones
_PAIRS = {"hand_on_drape": 6, "tool_on_table": 5, "robot_arm": 3, "depth_order": 2}  # of a shard: cheap kinds oftener


@dataclass(frozen=True)
class Recipe:
    """What a folder of shards holds: `count` planned frames of a split, and `pairs` counterfactual pairs besides."""

    split: str
    count: int
    width: int
    height: int
    seed: int
    pairs: int = 0


def build(folder: Path, recipe: Recipe, workers: int) -> None:
    """Render what `folder` lacks of a recipe, shard by shard, with a progress bar.

    Raises:
        DatasetError: the folder holds frames of another recipe, or more than this one asks for; a longer build of the
            same ones goes on.
    """
    names, there = shard_names(recipe), {path.stem for path in shard_paths(folder)}
    if more := there - {*names}:
        raise DatasetError(
            f"{folder} holds {len(more)} shards beyond the {recipe.count} frames and {recipe.pairs} pairs asked for, "
            "which would be learnt from too: ask for as many, name another folder or delete it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    agree(folder, asdict(recipe), growing=("count", "pairs"))
    wanted = [name for name in names if name not in there]
    with Progress() as bar, ProcessPoolExecutor(workers) as pool:
        task = bar.add_task(f"rendering {recipe.split}", total=len(wanted) * SHARD)
        jobs = [pool.submit(render_shard, folder, name, recipe) for name in wanted]
        for job in as_completed(jobs):
            job.result()
            bar.advance(task, SHARD)


def agree(folder: Path, wanted: dict[str, Any], growing: Sequence[str] = ()) -> None:
    """Keep what a folder of shards is built from, or see that it is the same; numbers named in `growing` may change.

    Raises:
        DatasetError: the folder was built from something else: going on would mix two sets.
    """
    path = folder / "recipe.json"
    kept = _read(path) if path.exists() else {}
    found = {**wanted, **kept}
    if {**found, **dict.fromkeys(growing)} != {**wanted, **dict.fromkeys(growing)}:
        raise DatasetError(f"{folder} was built as {found}, not {wanted}; name another folder or delete it")
    if kept != wanted:
        write_whole(path, json.dumps(wanted))


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise DatasetError(
            f"{path} is damaged ({error}); delete it if the shards beside it are those wanted"
        ) from error


def write_shard(path: Path, samples: list[Packed]) -> None:
    """Write a shard whole or not at all."""
    batch = stack(samples)
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **{f.name: getattr(batch, f.name) for f in fields(Packed)})
    partial.rename(path)


def shard_names(recipe: Recipe) -> list[str]:
    """The shards of a recipe, frames before pairs."""
    frames = [f"{i:05d}" for i in range(-(-recipe.count // SHARD))]
    return frames + [f"pairs_{i:05d}" for i in range(-(-2 * recipe.pairs // SHARD))]


def shard_path(folder: Path, name: str) -> Path:
    """The file of a shard."""
    return folder / f"{name}.npz"


def render_shard(folder: Path, name: str, recipe: Recipe) -> None:
    """Render one of a recipe's shards; its name and the recipe's seed decide every pixel."""
    words = load_vocabulary()
    kind, index = name.rpartition("_")[::2]
    drawn = _draw_pairs(int(index), recipe) if kind else _draw(int(index), recipe)
    write_shard(shard_path(folder, name), [pack(sample, words) for sample in drawn])


def _draw(index: int, recipe: Recipe) -> Iterator[FrameSample]:
    """The frames of one shard: each planned moment from its own camera and from others, which cost half a room."""
    seed = recipe.seed * 1_000_003 + index
    rng = np.random.default_rng([91, seed])
    for frame in sample_plan(recipe.split, SHARD // _VIEWS, seed=seed):
        simulation = planned_simulation(frame)
        state = simulation.state(frame.time_s)
        others = [(frame.camera_index + 1 + int(k)) % CAMERAS for k in rng.permutation(CAMERAS - 1)]
        for camera in (frame.camera_index, *others[: _VIEWS - 1]):
            view = look(simulation, state, camera, recipe.width, recipe.height, _QUALITY, occlusion=False)
            yield sample_of(simulation, state, view, alerts=())


def _draw_pairs(index: int, recipe: Recipe) -> Iterator[FrameSample]:
    """Both pictures of each pair of one shard of pairs, kind by kind."""
    rng = np.random.default_rng([92, recipe.seed * 1_000_003 + index])
    for kind, count in _PAIRS.items():
        for _ in range(count):
            yield from _next_pair(kind, recipe, rng).samples


def _next_pair(kind: str, recipe: Recipe, rng: np.random.Generator) -> DrawnPair:
    """The pair of the next seed that gives one."""
    while True:
        seed = int(rng.integers(SEEDS))
        if drawn := draw_pair(kind, recipe.split, seed, recipe.width, recipe.height, _QUALITY):
            return drawn


def digest(folder: Path) -> str:
    """sha256 over names and sizes of the shards and the recipe: enough to tell two training sets apart."""
    summed = hashlib.sha256((folder / "recipe.json").read_bytes())
    for path in shard_paths(folder):
        summed.update(f"{path.name}:{path.stat().st_size}".encode())
    return summed.hexdigest()
