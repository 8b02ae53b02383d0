"""The mean of two checkpoints: of a run and of the one that it went on from, it is often better than either.

Model soups (Wortsman et al., ICML 2022). It serves weights that are near each other, as those of one warm start are:
the running statistics of batch norms are averaged like weights, which is near enough only then.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from or_spatial.errors import BundleError, ConfigError
from or_spatial.model.modeling import SpatialORModel

_BY_THE_WAY = ("transformers_version", "dtype", "_name_or_path")


@dataclass(frozen=True)
class Share:
    """Another checkpoint and how much of the mean is its, 0 to 1.

    Raises:
        ConfigError: a share that leaves nothing of one of the two.
    """

    checkpoint: Path
    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise ConfigError(f"a share of {self.share} leaves nothing of one checkpoint; between 0 and 1 mixes both")

    @property
    def told(self) -> dict[str, Any]:
        """What a manifest tells of it: its share, and the recipe that it was learnt by."""
        path = self.checkpoint / "progress.json"
        told = json.loads(path.read_text()) if path.is_file() else {}
        return {"share": self.share, **{key: told[key] for key in ("recipe", "step") if key in told}}


@torch.no_grad()
def averaged(model: SpatialORModel, other: Share) -> SpatialORModel:
    """`model` itself, its weights moved to the mean.

    Raises:
        BundleError: the other checkpoint cannot be read or is of another network; names what differs.
    """
    second = SpatialORModel.from_folder(other.checkpoint)
    mine, theirs = model.config.to_dict(), second.config.to_dict()
    keys = sorted((mine.keys() | theirs.keys()) - set(_BY_THE_WAY))
    if differing := [key for key in keys if mine.get(key) != theirs.get(key)]:
        raise BundleError(f"{other.checkpoint} is of another network, there is no mean: {', '.join(differing)} differ")
    rest = second.state_dict()
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.lerp_(rest[name].to(value), other.share)
    return model
