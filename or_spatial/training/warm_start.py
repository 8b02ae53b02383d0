"""The weights that a run begins with when they are not fresh: a checkpoint's, as far as the new model has them."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from safetensors.torch import load_file
from torch import Tensor

from or_spatial.errors import BundleError
from or_spatial.model.checkpoints import naming, read_config
from or_spatial.model.configuration import SpatialORConfig
from or_spatial.model.modeling import SpatialORModel
from or_spatial.scene.vocabulary import Vocabulary


def warm_started(checkpoint: Path, words: Vocabulary, overrides: dict, parts: Sequence[str] = ()) -> SpatialORModel:
    """The model of a checkpoint, grown by `overrides`; parts that the checkpoint lacks start as a fresh model's do, and
    so does everything that is not in `parts` where those are named.

    New parts are built to be silent at first (zero gates), so that a grown model starts where the old one stood.
    """
    read_config(checkpoint)
    config = SpatialORConfig.from_pretrained(checkpoint)
    same_words(checkpoint, config, words)
    model = SpatialORModel(SpatialORConfig.for_vocabulary(words.name, **{**config.sizes(), **overrides}))
    known = weights_of(checkpoint, config)
    if parts:
        known = {name: value for name, value in known.items() if name.partition(".")[0] in parts}
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    if odd := [name for name, value in known.items() if shapes.get(name, value.shape) != value.shape]:
        raise BundleError(
            f"{checkpoint} was made with {differing(config, overrides)}: its {odd[0]} is {tuple(known[odd[0]].shape)}, "
            f"not {tuple(shapes[odd[0]])}"
        )
    fresh, unknown = model.load_state_dict(known, strict=False)
    if unknown:
        raise BundleError(f"{checkpoint} holds weights that this model has no place for: {', '.join(unknown[:3])} ...")
    if fresh:
        Console(stderr=True).print(f"{len(fresh)} tensors are new beside {checkpoint}: {', '.join(fresh[:3])} ...")
    return model


def weights_of(checkpoint: Path, config: SpatialORConfig) -> dict[str, Tensor]:
    """Every weight of a checkpoint by the name that it has in the model."""
    if config.depth_config or config.vision_config:  # stored under the hub's names, which transformers translates
        return SpatialORModel.from_pretrained(checkpoint).state_dict()
    with naming(checkpoint):
        return load_file(checkpoint / "model.safetensors")


def differing(config: SpatialORConfig, wanted: dict) -> str:
    """Where a recipe's `model` says something else than a checkpoint's configuration, with both values; "" nowhere."""
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in wanted.items()}
    return ", ".join(
        f"{name} = {getattr(config, name)} (the recipe says {value})"
        for name, value in plain.items()
        if getattr(config, name) != value
    )


def same_words(checkpoint: Path, config: SpatialORConfig, words: Vocabulary) -> None:
    """Refuse a checkpoint whose words are not the run's, in the same order.

    Raises:
        BundleError: names both vocabularies.
    """
    spoken = (config.labels, config.actions, config.geometric)
    if [*map(tuple, spoken)] != [words.objects, words.actions, words.geometric]:
        raise BundleError(
            f"{checkpoint} speaks vocabulary {config.vocabulary!r} with {len(config.labels)} labels, this run "
            f"{words.name!r} with {len(words.objects)}"
        )
