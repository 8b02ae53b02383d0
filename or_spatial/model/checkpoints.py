"""Reading checkpoints in the hub's format so that a foreign, damaged or half-empty one is refused by name.

transformers warns and goes on with random weights where a checkpoint lacks some; here that is an error.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModel, AutoModelForDepthEstimation, PretrainedConfig, PreTrainedModel
from transformers.utils import cached_file

from or_spatial.errors import BundleError
from or_spatial.model.backbones import NORM_NAMES, TOWERS

DEPTHS = ("depth_anything",)


@contextmanager
def naming(source: str | PathLike) -> Iterator[None]:
    """What goes wrong while `source` is read becomes a BundleError that names it."""
    try:
        yield
    except SafetensorError as error:
        raise BundleError(f"the weights in {source} are damaged or cut off: {error}") from error
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BundleError(f"{source} cannot be loaded: {str(error).splitlines()[0]}") from error


def read_config(source: str | PathLike) -> dict[str, Any]:
    """The configuration of a SpatialORModel's checkpoint.

    Raises:
        BundleError: there is none, or it is another architecture's.
    """
    with naming(source):
        found, _ = PretrainedConfig.get_config_dict(source)
    if not found:
        raise BundleError(f"{source} is no checkpoint: config.json is missing")
    if found.get("model_type") != "spatial_or":
        raise BundleError(f"{source} is a checkpoint of {found.get('model_type')!r}, not of 'spatial_or'")
    return found


def require_vocabulary(source: str | PathLike, config: Mapping[str, Any], wanted: str | None) -> None:
    """Refuse a checkpoint of another vocabulary than `wanted`; None wants any.

    Raises:
        BundleError: names both.
    """
    if wanted is not None and config.get("vocabulary") != wanted:
        raise BundleError(f"{source} speaks vocabulary {config.get('vocabulary')!r}, not {wanted!r}")


def complete(source: str | PathLike, kind: str, loaded: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that did not hold every weight: what it lacks would be random.

    Raises:
        BundleError: names the source, the architecture and some of the weights.
    """
    lacking = sorted(loaded["missing_keys"])
    if lacking:
        named = ", ".join(lacking[:3])
        raise BundleError(f"{source} lacks {len(lacking)} weights of a {kind!r} ({named} ...); is it another model?")


def pretrained_part(source: str | PathLike, role: str) -> PreTrainedModel:
    """The pretrained network for `role` (`depth` or `vision`), with how it wants its pictures in its configuration.

    Raises:
        BundleError: it cannot be read, is not an architecture for that role (both are named), or lacks weights.
    """
    with naming(source):
        config = AutoConfig.from_pretrained(source)
    config = getattr(config, "vision_config", config) if role == "vision" else config
    fitting = DEPTHS if role == "depth" else tuple(TOWERS)
    if config.model_type not in fitting:
        raise BundleError(
            f"{source} is a {config.model_type!r}, which cannot be the {role} part; these can: {', '.join(fitting)}"
        )
    for name, value in _picture_norm(source).items():
        setattr(config, name, value)
    if role == "vision" and hasattr(config, "vision_use_head"):
        config.vision_use_head = False  # a pooled summary of the picture: nobody asks for it here
    loader = AutoModelForDepthEstimation if role == "depth" else AutoModel
    with naming(source):
        # fp16 and bf16 weights train in fp32; the configuration takes the type over.
        model, loaded = loader.from_pretrained(
            source, config=config, dtype=torch.float32, output_loading_info=True, use_safetensors=True
        )
    complete(source, config.model_type, loaded)
    return model


def _picture_norm(source: str | PathLike) -> dict[str, list[float]]:
    """Mean and scale of the pictures as the checkpoint's `preprocessor_config.json` says, where it has one."""
    with naming(source):
        path = cached_file(source, "preprocessor_config.json", _raise_exceptions_for_missing_entries=False)
        said = json.loads(Path(path).read_text()) if path else {}
    return {name: list(said[name]) for name in NORM_NAMES if said.get(name)}
