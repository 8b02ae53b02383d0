"""The training recipe: one YAML file, every key checked."""

from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from or_spatial.errors import ConfigError
from or_spatial.inference.bundle import shipped_bundle
from or_spatial.world.splits import WORLD_VERSION


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_DATASETS = {"world": "or_world", "4d-or": "4d-or", "mm-or": "mm-or"}  # and the vocabulary of each


class DataConfig(_Strict):
    """Where frames come from: rendered from seeds alone, or packed from a real data set, when the folder lacks them."""

    dataset: Literal["world", "4d-or", "mm-or"] = "world"
    root: Path | None = Field(None, description="a real data set's folder of takes")
    annotations: Path | None = Field(None, description="folder of its relationships_*.json; none means root")
    cameras: tuple[int, ...] | None = Field(None, description="numbers of its cameras; none means the usual ones")
    on_damage: Literal["stop", "skip"] = Field("stop", description="at a file of it that is missing or damaged")
    folder: Path = Field(Path("cache/train"), description="packed training frames")
    val_folder: Path = Field(Path("cache/val"), description="packed validation frames")
    frames: int = Field(8000, ge=32, description="how many, in whole shards of 32; of a real data set, at most")
    val_frames: int = Field(512, ge=32)
    pairs: int = Field(0, ge=0, description="counterfactual pairs beside the training frames, two pictures each")
    seed: int = 0
    world: Literal[1, 2] = Field(WORLD_VERSION, description="version of the synthetic world that they are drawn in")
    workers: int = Field(2, ge=1)

    @model_validator(mode="after")
    def _real_ones_have_a_root(self) -> "DataConfig":
        if (self.dataset == "world") != (self.root is None):
            wanted = "has no folder: leave 'root' out" if self.root else "needs 'root', the folder of its takes"
            raise ValueError(f"dataset {self.dataset!r} {wanted}")
        if self.pairs and self.dataset != "world":
            raise ValueError(f"dataset {self.dataset!r} has no counterfactual pairs: leave 'pairs' out")
        return self

    @property
    def vocabulary(self) -> str:
        """The words that its labels are in."""
        return _DATASETS[self.dataset]


class BackbonesConfig(_Strict):
    """Pretrained parts: folders in the hub's format, or hub ids, and how fast they learn beside the fresh ones."""

    depth: str | None = Field(None, description="a Depth Anything V2")
    vision: str | None = Field(None, description="a SigLIP, SigLIP 2 or DINOv3 ViT")
    depth_rate: float = Field(0.1, ge=0, le=1, description="share of the learning rate; 0 freezes it")
    vision_rate: float = Field(0.1, ge=0, le=1, description="share of the learning rate; 0 freezes it")


class Stage(_Strict):
    """A part of the curriculum at one picture size; `steps` optimiser steps."""

    height: int = Field(256, multiple_of=16)
    width: int = Field(448, multiple_of=16)
    steps: int = Field(2000, ge=1)
    batch: int = Field(16, ge=1)
    peak_rate: float = Field(1.5e-3, gt=0)
    final_rate: float = Field(1e-5, ge=0)
    crop: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the batches that are windows cut out of the pictures instead of whole pictures shrunk: "
        "instruments keep their pixels, at the price of what lies outside",
    )
    zoom: tuple[float, float] = Field(
        (0.8, 1.3), description="range of the windows' scale, which stands for lenses of other focal lengths"
    )
    cover: float = Field(
        0.0, ge=0, le=1, description="share of the pictures of which a plain rectangle hides 5 to 25 %"
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description="of convolutions and matrix products; bf16 nearly halves the time where hardware has it",
    )

    @field_validator("zoom")
    @classmethod
    def _rising(cls, zoom: tuple[float, float]) -> tuple[float, float]:
        if not 0 < zoom[0] <= zoom[1]:
            raise ValueError("a range of positive scales, the smaller one first")
        return zoom


class LossWeights(_Strict):
    """Weights of the terms of the loss; chosen on the validation split of the first model."""

    depth: float = Field(1.0, ge=0)
    heat: float = Field(1.0, ge=0)
    semantic: float = Field(0.3, ge=0)
    place: float = Field(0.5, ge=0)
    size: float = Field(0.5, ge=0)
    yaw: float = Field(0.3, ge=0)
    box: float = Field(0.5, ge=0)
    label: float = Field(0.5, ge=0)
    existence: float = Field(0.5, ge=0)
    sterile: float = Field(0.5, ge=0)
    action: float = Field(1.0, ge=0)
    geometric: float = Field(2.0, ge=0)


_ALIKE = 1.05  # shapes of pictures that may be stretched into each other: sizes go by patches
_ABOUT_THE_MACHINE = ("threads", "checkpoint_minutes", "minutes")


class TrainConfig(_Strict):
    """Everything a run depends on besides the code."""

    name: str = "tiny"
    seed: int = 0
    data: DataConfig = DataConfig()
    stages: tuple[Stage, ...] = Field(
        (Stage(height=192, width=336, steps=4000), Stage(steps=1500, peak_rate=6e-4)), min_length=1
    )
    model: dict[str, Any] = Field(
        default_factory=dict, description="overrides of SpatialORConfig; its picture is the last stage's without"
    )
    backbones: BackbonesConfig = BackbonesConfig()
    warm_start: Path | None = Field(
        None, description="a checkpoint or an exported bundle whose weights the run starts from; shipped: ours"
    )
    warm_parts: tuple[str, ...] = Field(
        (), description="parts of the model (stem, depth, ...) that alone start from it; empty: all of them"
    )
    fusion_reads: Literal["prediction", "truth"] = Field(
        "prediction", description="truth: the fusion block reads the true depth of each batch, an upper bound"
    )
    weight_decay: float = Field(0.02, ge=0)
    ema: float = Field(0.998, gt=0, lt=1)
    clip: float = Field(2.0, gt=0)
    rare_power: float = Field(0.5, ge=0, le=1, description="exponent of inverse frequency in the action loss")
    checkpoint_minutes: float = Field(5.0, gt=0)
    minutes: float | None = Field(None, gt=0, description="stop (resumably) after this long")
    threads: int = Field(2, ge=1)
    loss: LossWeights = LossWeights()

    @field_validator("warm_start", mode="before")
    @classmethod
    def _found(cls, source: Any) -> Any:
        return shipped_bundle() if source == "shipped" else source

    @field_validator("model")
    @classmethod
    def _sizes_of_the_model(cls, model: dict[str, Any]) -> dict[str, Any]:
        if model:
            from or_spatial.model.configuration import SpatialORConfig  # Transformers, which reading a recipe can spare

            if unknown := sorted(model.keys() - SpatialORConfig().sizes().keys()):
                raise ValueError(
                    f"the model has no {', '.join(unknown)}; it has {', '.join(SpatialORConfig().sizes())}"
                )
        return model

    @field_validator("stages")
    @classmethod
    def _one_shape(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        shapes = [stage.width / stage.height for stage in stages]
        if max(shapes) > _ALIKE * min(shapes):
            sizes = ", ".join(f"{stage.width}x{stage.height}" for stage in stages)
            raise ValueError(f"all stages see the same pictures, whose width must be as many heights: {sizes} px")
        return stages

    @model_validator(mode="after")
    def _one_beginning(self) -> "TrainConfig":
        if self.warm_start and (self.backbones.depth or self.backbones.vision):
            raise ValueError("weights come from 'warm_start' or from 'backbones', not from both")
        return self

    @property
    def steps(self) -> int:
        """Optimiser steps of the run, all stages together."""
        return sum(stage.steps for stage in self.stages)

    @property
    def sizes(self) -> dict[str, Any]:
        """What the model is made with."""
        last = self.stages[-1]
        return {"image_height": last.height, "image_width": last.width, **self.model}

    @property
    def picture(self) -> tuple[int, int]:
        """(width, height) px of the packed frames, from which every stage's are made."""
        return max(stage.width for stage in self.stages), max(stage.height for stage in self.stages)

    def told(self) -> dict[str, Any]:
        """What a manifest keeps of it: all that makes the weights, but no folders, which are nobody else's business.

        Data sets and pretrained parts stand in the manifest by name (`Origin`).
        """
        folders = {"root", "annotations", "folder", "val_folder"}
        hidden = {"data": folders | {"workers"}, "warm_start": True, "backbones": {"depth", "vision"}}
        return self.model_dump(mode="json", exclude={**hidden, **dict.fromkeys(_ABOUT_THE_MACHINE, True)})


Recipe = TypeVar("Recipe", bound=TrainConfig)


def load(path: Path, kind: type[Recipe] = TrainConfig) -> Recipe:
    """Read a recipe, or one of a `kind` with more keys.

    Raises:
        ConfigError: the file is missing or no YAML, or a key is unknown or out of range; names the file and the key.
    """
    if not path.is_file():
        raise ConfigError(f"training recipe {path} does not exist; shipped ones are in config/training/")
    try:
        told = yaml.safe_load(path.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not readable YAML: {error}") from error
    if not isinstance(told, dict):
        raise ConfigError(f"{path} holds a {type(told).__name__}; a recipe is a mapping of keys to values")
    try:
        return kind(**told)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: {where}: {first['msg']} (got {first.get('input')!r})") from error
