"""The weights that a run begins with when they are not fresh: those of a checkpoint or of a bundle."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from safetensors.torch import load_file
from torch import Tensor

from or_spatial.errors import BundleError
from or_spatial.inference.bundle import Bundle, read_manifest, sha256
from or_spatial.model.checkpoints import naming, read_config
from or_spatial.model.configuration import SpatialORConfig
from or_spatial.model.modeling import SpatialORModel
from or_spatial.scene.vocabulary import Vocabulary
from or_spatial.training.bundle_weights import is_bundle, unfolded

SPEAKING = {"graph", "semantic"}
"""Parts of the model whose shapes are those of its words."""


def warm_started(source: Path, words: Vocabulary, overrides: dict, parts: Sequence[str] = ()) -> SpatialORModel:
    """The model of a checkpoint or bundle, grown by `overrides`; parts that it lacks start as a fresh model's do, and
    so does everything that is not in `parts` where those are named. Without the `SPEAKING` parts it may have had other
    words.

    New parts are built to be silent at first (zero gates), so that a grown model starts where the old one stood. The
    norms of a bundle's model want to be settled (`bundle_weights.settle`) before it learns.

    Raises:
        BundleError: neither a checkpoint nor a bundle, of other words, or of other sizes than the overrides say.
    """
    config, known = _of_bundle(source, overrides) if is_bundle(source) else _of_checkpoint(source)
    if not parts or set(parts) & SPEAKING:
        same_words(source, config, words)
    model = SpatialORModel(SpatialORConfig.for_vocabulary(words.name, **{**config.sizes(), **overrides}))
    if parts:
        known = {name: value for name, value in known.items() if name.partition(".")[0] in parts}
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    if odd := [name for name, value in known.items() if shapes.get(name, value.shape) != value.shape]:
        made = differing(config, overrides) or "other sizes than the recipe's `model` says"
        raise BundleError(
            f"{source} was made with {made}: its {odd[0]} is {tuple(known[odd[0]].shape)}, not {tuple(shapes[odd[0]])}"
        )
    fresh, unknown = model.load_state_dict(known, strict=False)
    if unknown:
        raise BundleError(f"{source} holds weights that this model has no place for: {', '.join(unknown[:3])} ...")
    if fresh := [name for name in fresh if not name.endswith("num_batches_tracked")]:
        Console(stderr=True).print(f"{len(fresh)} tensors are new beside {source}: {', '.join(fresh[:3])} ...")
    return model


def weights_file(source: Path) -> Path:
    """The file with the weights of a checkpoint or a bundle.

    Raises:
        BundleError: the folder is neither.
    """
    if is_bundle(source):
        return Bundle.load(source).perceive
    read_config(source)
    return source / "model.safetensors"


def digest(source: Path) -> str:
    """sha256 of the weights of a checkpoint or a bundle: what a run began with, wherever that lay."""
    return sha256(weights_file(source))


def _of_checkpoint(source: Path) -> tuple[SpatialORConfig, dict[str, Tensor]]:
    read_config(source)
    config = SpatialORConfig.from_pretrained(source)
    return config, weights_of(source, config)


def _of_bundle(source: Path, overrides: dict) -> tuple[SpatialORConfig, dict[str, Tensor]]:
    """Sizes that an old bundle does not tell are those of the recipe."""
    bundle = Bundle.load(source)
    words = {name: list(getattr(bundle, name)) for name in ("labels", "actions", "geometric")}
    sizes = {**overrides, **read_manifest(source).get("sizes", {})}
    config = SpatialORConfig(vocabulary=bundle.vocabulary, **words, **sizes)
    return config, unfolded(bundle.perceive, SpatialORModel(config))


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
