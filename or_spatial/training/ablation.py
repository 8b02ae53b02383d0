"""The arms of the fusion's ablation: networks alike in everything but what they are told of depth.

    fused   the prediction of depth, as the shipped model does
    twin    nothing: its gate stays at zero (`use_depth: false`), the exact RGB-only twin of the fusion block
    blind   nothing either, and its objects and pairs do not know the depth at their pixels (`depth_at_objects: false`)
    truth   the true depth, in training as in evaluation: what a perfect depth head would be worth to the fusion

The arms of a seed share weights at the start, data and their order, augmentation, losses and steps.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from or_spatial.errors import ConfigError
from or_spatial.files import write_whole
from or_spatial.training import cache, warm_start
from or_spatial.training.config import DataConfig, Stage, TrainConfig
from or_spatial.training.train import Trainer, recovered

ARMS = ("fused", "twin", "blind", "truth")

_HIDDEN = {"twin": {"use_depth": False}, "blind": {"use_depth": False, "depth_at_objects": False}}

BEFORE_FUSION = ("stem", "depth", "patch", "place")
"""Parts that a warm start may bring: all others have learnt from tokens with depth in them."""

_RECIPE = "recipe.json"
_WITHOUT_EFFECT = {"threads", "checkpoint_minutes", "minutes", "data", "warm_start"}  # the last two go by digest


class AblationConfig(TrainConfig):
    """One recipe for all arms, at one picture size. With `warm_start`, every arm begins with its `BEFORE_FUSION`."""

    name: str = "ablation"
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1, description="one run of every arm for each")
    stages: tuple[Stage, ...] = (Stage(height=192, width=336, steps=500),)

    @field_validator("seeds")
    @classmethod
    def _different(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("the same seed twice is the same run twice")
        return seeds

    @field_validator("data")
    @classmethod
    def _with_exact_truth(cls, data: DataConfig) -> DataConfig:
        if data.dataset != "world":
            raise ValueError(f"the arms are judged in the synthetic world; leave dataset {data.dataset!r} out")
        return data

    @field_validator("stages")
    @classmethod
    def _of_one_size(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        if len({(stage.height, stage.width) for stage in stages}) != 1:
            raise ValueError("the arms are compared at one picture size; name one height and width")
        return stages

    @property
    def size(self) -> Stage:
        """A stage with the picture size of the comparison."""
        return self.stages[-1]


@dataclass(frozen=True)
class Run:
    """One arm at one seed."""

    arm: str
    seed: int
    recipe: TrainConfig
    folder: Path


def runs_of(config: AblationConfig, folder: Path) -> list[Run]:
    """All runs, seed by seed, each with its own folder below `folder`."""
    return [
        Run(arm, seed, recipe_of(config, arm, seed), folder / f"{arm}-{seed}") for seed in config.seeds for arm in ARMS
    ]


def recipe_of(config: AblationConfig, arm: str, seed: int) -> TrainConfig:
    """The common recipe with what makes an arm."""
    size = {"image_height": config.size.height, "image_width": config.size.width}
    changes = {
        "name": f"{arm}-{seed}",
        "seed": seed,
        "model": {**config.model, **size, "use_depth": True, **_HIDDEN.get(arm, {})},
        "fusion_reads": "truth" if arm == "truth" else "prediction",
        "warm_parts": BEFORE_FUSION if config.warm_start else (),
    }
    return TrainConfig(**config.model_dump(exclude={"seeds"}) | changes)


def trained(run: Run) -> Path:
    """The checkpoint of a run that has ended: at once if it had, else after training it, or the rest of it.

    Raises:
        ConfigError: the folder holds a run by another recipe or on other data.
        BundleError: the recipe starts from a checkpoint that is none.
    """
    _agree(run)
    last = run.folder / "last"
    begun = recovered(run.folder)
    if steps_done(last) < run.recipe.steps:
        Trainer(run.recipe, run.folder, resume=begun).run(None)
    return last


def steps_done(checkpoint: Path) -> int:
    """How far a checkpoint has come; 0 where there is none."""
    progress = checkpoint / "progress.json"
    return json.loads(progress.read_text())["step"] if progress.is_file() else 0


def _agree(run: Run) -> None:
    """Keep the recipe beside a run, and refuse to go on with one that was begun by another."""
    wanted: dict[str, Any] = run.recipe.model_dump(mode="json", exclude=_WITHOUT_EFFECT)
    wanted["data"] = cache.digest(run.recipe.data.folder)
    if run.recipe.warm_start:
        wanted["warm_start"] = warm_start.digest(run.recipe.warm_start)
    path = run.folder / _RECIPE
    found = json.loads(path.read_text()) if path.is_file() else wanted
    differ = [key for key in wanted if found.get(key) != wanted[key]]
    if differ:
        raise ConfigError(
            f"{run.folder} was trained by another recipe ({', '.join(differ)} differ); delete it or name another --runs"
        )
    write_whole(path, json.dumps(wanted, indent=1) + "\n")
