"""The fitted numbers of the clinical reader, and their JSON: probabilities and lengths, no annotation of any frame."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from or_spatial.clinical.chains import Channel
from or_spatial.clinical.cues import ACTS, PERSON_CHANNELS, ROOM_CHANNELS
from or_spatial.clinical.next_acts import NextActModel
from or_spatial.clinical.phases import PhaseModel
from or_spatial.clinical.roles import RoleModel
from or_spatial.errors import ConfigError

_VERSION = 1
_DIGITS = 5


@dataclass(frozen=True, kw_only=True)
class ClinicalModel:
    """Everything that a reader needs for one kind of operation, read in steps of `step_s` seconds."""

    model_id: str
    step_s: float
    phases: PhaseModel
    roles: RoleModel
    next_acts: NextActModel
    procedure: str = ""

    def to_json(self) -> str:
        """One JSON object; probabilities are rounded to five digits and normalised again when they are read."""
        phases, roles = self.phases, self.roles
        data = {
            "version": _VERSION,
            "model_id": self.model_id,
            "procedure": self.procedure,
            "step_s": self.step_s,
            "words": _words(),
            "phases": {
                "names": phases.names,
                "length": _plain(phases.length),
                "spread": phases.spread,
                "leave_below": phases.leave_below,
                "channels": [_of_channel(c) for c in phases.channels],
                "opening": [_plain(table) for table in phases.opening],
            },
            "roles": {
                "names": roles.names,
                "scrubbed": roles.scrubbed,
                "channels": [_of_channel(c) for c in roles.channels],
                "comes": _plain(roles.comes),
                "leaves": _plain(roles.leaves),
                "others": _plain(roles.others),
            },
            "next_acts": _plain(self.next_acts.table),
        }
        return json.dumps(data)

    @classmethod
    def from_json(cls, text: str, source: str = "clinical model") -> "ClinicalModel":
        """Read what `to_json` wrote.

        Raises:
            ConfigError: damaged, of another version, or fitted with other cues than these; `source` is named.
        """
        try:
            data = json.loads(text)
            if (data["version"], data["words"]) != (_VERSION, _words()):
                raise ConfigError(f"{source} was fitted with other cues or by another version; fit it again")
            return cls(
                model_id=data["model_id"],
                procedure=data["procedure"],
                step_s=float(data["step_s"]),
                phases=_phases(data["phases"]),
                roles=_roles(data["roles"]),
                next_acts=NextActModel(_table(data["next_acts"])),
            )
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"{source} is damaged: {type(error).__name__} {error}; fit it again") from error

    @classmethod
    def load(cls, path: str | Path) -> "ClinicalModel":
        """Read a file; raises ConfigError as `from_json` does, and where the file cannot be read."""
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"), str(path))
        except OSError as error:
            raise ConfigError(f"clinical model {path} cannot be read: {error.strerror}") from error


def _words() -> dict[str, Any]:
    """The values that the tables are over: a file of other values would be read as nonsense."""
    return {
        "room": {name: list(values) for name, values in ROOM_CHANNELS.items()},
        "person": {name: list(values) for name, values in PERSON_CHANNELS.items()},
        "next": list(ACTS),
    }


def _of_channel(channel: Channel) -> dict[str, Any]:
    return {"keep": channel.keep, "steady": channel.steady, "table": _plain(channel.table)}


def _plain(table: np.ndarray) -> list:
    return np.round(table, _DIGITS).tolist()


def _table(rows: list) -> np.ndarray:
    """Rows that sum to one again; rounding never makes an event impossible."""
    table = np.maximum(np.asarray(rows, dtype=float), 10.0**-_DIGITS)
    if not np.isfinite(table).all():
        raise ValueError("a table holds a number that is not finite")
    return table / table.sum(axis=-1, keepdims=True)


def _channels(items: list[dict]) -> tuple[Channel, ...]:
    return tuple(Channel(float(c["keep"]), _table(c["table"]), bool(c["steady"])) for c in items)


def _phases(data: dict) -> PhaseModel:
    return PhaseModel(
        names=tuple(data["names"]),
        length=np.asarray(data["length"], dtype=float),
        spread=float(data["spread"]),
        channels=_channels(data["channels"]),
        opening=tuple(_table(t) for t in data["opening"]),
        leave_below=float(data["leave_below"]),
    )


def _roles(data: dict) -> RoleModel:
    rates = (np.clip(np.asarray(data[k], dtype=float), 1e-5, 1.0 - 1e-5) for k in ("comes", "leaves"))
    return RoleModel(
        tuple(data["names"]), _channels(data["channels"]), *rates, _table(data["others"]), tuple(data["scrubbed"])
    )
