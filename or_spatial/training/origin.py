"""Where a checkpoint's weights come from: data sets and pretrained parts, through warm starts. Its bundle tells it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from or_spatial.inference.bundle import read_manifest
from or_spatial.training.bundle_weights import is_bundle
from or_spatial.training.config import TrainConfig

WORLD = "or_spatial synthetic world, train split"


@dataclass(frozen=True)
class Origin:
    """`data` in the order it was learnt from; `parts` are `depth NAME`, `vision NAME`. Names only, no folders."""

    data: tuple[str, ...] = (WORLD,)
    parts: tuple[str, ...] = ()

    @classmethod
    def of_run(cls, config: TrainConfig) -> "Origin":
        """What a run by this recipe adds to what it starts from."""
        name = config.data.dataset
        data = WORLD if name == "world" else f"{name}, train split"
        given = {"depth": config.backbones.depth, "vision": config.backbones.vision}
        parts = tuple(f"{role} {_name(source)}" for role, source in given.items() if source)
        before = cls.of_checkpoint(config.warm_start) if config.warm_start else cls((), ())
        return cls(tuple(dict.fromkeys((*before.data, data))), before.parts + parts)

    @classmethod
    def of_checkpoint(cls, folder: Path) -> "Origin":
        """What a checkpoint or bundle says of itself; runs of before this was kept had seen the world alone."""
        if is_bundle(folder):
            trained = read_manifest(folder).get("training", {})
            return cls(tuple(trained.get("data", "unknown").split("; ")), tuple(trained.get("parts", ())))
        path = folder / "progress.json"
        if not path.is_file():
            return cls(("unknown",), _unnamed_parts(folder))
        said: dict[str, Any] = json.loads(path.read_text()).get("origin", {})
        return cls(**{key: tuple(value) for key, value in said.items()})

    def with_that_of(self, other: "Origin") -> "Origin":
        """Of weights that are made of both."""
        return Origin(tuple(dict.fromkeys(self.data + other.data)), tuple(dict.fromkeys(self.parts + other.parts)))

    def to_json(self) -> dict[str, list[str]]:
        """For `progress.json`."""
        return {key: list(value) for key, value in asdict(self).items()}

    @property
    def licence(self) -> str:
        """Of a bundle of these weights."""
        if self.data == (WORLD,) and not self.parts:
            return "Apache-2.0"
        foreign = [*self.parts, *(d for d in self.data if d != WORLD)]
        return f"Apache-2.0 and the licences of what it was made from: {'; '.join(foreign)}"


def _unnamed_parts(folder: Path) -> tuple[str, ...]:
    config = json.loads((folder / "config.json").read_text())
    return tuple(f"{role} of unknown origin" for role in ("depth", "vision") if config.get(f"{role}_config"))


def _name(source: str) -> str:
    """A hub id as it is; of a local folder its last name alone."""
    return Path(source).resolve().name if Path(source).exists() else source
