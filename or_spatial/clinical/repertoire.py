"""Several kinds of operations in one file: a reader weighs them against each other by what the room does."""

import json
from dataclasses import dataclass
from pathlib import Path

from or_spatial.clinical.model import ClinicalModel
from or_spatial.errors import ConfigError

_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Repertoire:
    """Fitted models, one per kind of operation, read in the same steps.

    Raises:
        ConfigError: none, two of the same procedure, or steps that differ.
    """

    model_id: str
    models: tuple[ClinicalModel, ...]

    def __post_init__(self) -> None:
        me = f"clinical repertoire {self.model_id!r}"
        names, steps = [m.procedure for m in self.models], {m.step_s for m in self.models}
        if not names:
            raise ConfigError(f"{me} holds no operation; fit one: or_spatial clinical fit")
        if len(set(names)) < len(names):
            raise ConfigError(f"{me} holds a procedure twice: {', '.join(names)}")
        if len(steps) > 1:
            raise ConfigError(f"{me} mixes steps of {', '.join(f'{s:g} s' for s in sorted(steps))}")

    @property
    def step_s(self) -> float:
        """Seconds between two readings."""
        return self.models[0].step_s

    def to_json(self) -> str:
        """One JSON object, an operation per line."""
        lines = ",\n".join(m.to_json() for m in self.models)
        head = json.dumps({"version": _VERSION, "model_id": self.model_id})
        return f'{head[:-1]}, "operations": [\n{lines}\n]}}\n'

    @classmethod
    def from_json(cls, text: str, source: str = "clinical repertoire") -> "Repertoire":
        """Read what `to_json` wrote, or a single model's JSON as a repertoire of one.

        Raises:
            ConfigError: as `ClinicalModel.from_json`; `source` is named.
        """
        try:
            data = json.loads(text)
            several = "operations" in data
            if several and data["version"] != _VERSION:
                raise ConfigError(f"{source} is of version {data['version']}, expected {_VERSION}; fit it again")
            items = data["operations"] if several else [data]
            models = tuple(ClinicalModel.from_json(json.dumps(item), source) for item in items)
            return cls(model_id=str(data["model_id"]), models=models)
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ConfigError(f"{source} is damaged: {type(error).__name__} {error}; fit it again") from error

    @classmethod
    def load(cls, path: str | Path) -> "Repertoire":
        """Read a file; raises ConfigError as `from_json` does, and where the file cannot be read."""
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"clinical model {path} cannot be read: {error}") from error
