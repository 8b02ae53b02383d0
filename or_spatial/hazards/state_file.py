"""Standing alerts and contamination on disk, so that a restarted node still knows them: some JSON, written whole."""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from enum import IntEnum
from pathlib import Path
from typing import Any

from or_spatial.files import write_whole
from or_spatial.hazards.contamination import Stain, stains_from_plain
from or_spatial.scene.alerts import AlertState, HazardAlert, Severity
from or_spatial.scene.relations import EvidenceSource, Family, FrameOfReference, SpatialRelation

_SCHEMA = 1
_ENUMS: dict[str, type[IntEnum]] = {
    "severity": Severity,
    "state": AlertState,
    "family": Family,
    "source": EvidenceSource,
    "frame_of_reference": FrameOfReference,
}


@dataclass(frozen=True)
class State:
    """What a former run left: ids handed out, alerts with their keys, contamination by rule and id, and one sentence on
    what was found."""

    note: str
    number: int = 0
    watches: tuple[tuple[str, HazardAlert], ...] = ()
    stains: dict[str, dict[str, Stain]] = field(default_factory=dict)


def write(path: Path, number: int, watches: list[tuple[str, HazardAlert]], stains: dict[str, Any]) -> None:
    """Replace the file by `number` (ids handed out so far), the alerts with their keys, and `Sterility.plain()`.

    A power cut leaves the old file or the new one, never half of one.
    """
    alerts = [{"key": key, "alert": _plain(asdict(alert))} for key, alert in watches]
    kept = {"schema": _SCHEMA, "number": number, "alerts": alerts, "contamination": stains}
    write_whole(path, json.dumps(kept, allow_nan=False))


def read(path: Path) -> State:
    """What the file holds; nothing, and why, from a file that is no good. Files without contamination are older."""
    if not path.exists():
        return State(f"hazard state: {path} does not exist yet, starting clean")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["schema"] != _SCHEMA:
            return State(f"hazard state: {path} has schema {data['schema']!r}, expected {_SCHEMA}; starting clean")
        watches = tuple((str(w["key"]), _alert(w["alert"])) for w in data["alerts"])
        stains = stains_from_plain(data.get("contamination", {}))
        note = f"hazard state: {len(watches)} active alerts taken up from {path}"
        return State(note, int(data["number"]), watches, stains)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return State(f"hazard state: {path} is damaged ({type(error).__name__}: {error}); starting clean")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return int(value) if isinstance(value, IntEnum) else value


def _alert(data: dict[str, Any]) -> HazardAlert:
    values = _values(HazardAlert, data)
    values["evidence"] = tuple(SpatialRelation(**_values(SpatialRelation, r)) for r in data["evidence"])
    values["object_ids"] = tuple(str(i) for i in data["object_ids"])
    return HazardAlert(**values)


def _values(cls: type, data: dict[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass from JSON: null becomes NaN, numbers become enums, lists become tuples."""
    return {f.name: _value(f.name, data[f.name]) for f in fields(cls)}


def _value(name: str, value: Any) -> Any:
    if name in _ENUMS:
        return _ENUMS[name](value)
    if isinstance(value, list):
        return tuple(math.nan if v is None else v for v in value)
    return math.nan if value is None else value
