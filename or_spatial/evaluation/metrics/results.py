"""What all results share: a plain form for JSON."""

import dataclasses
import math
from typing import Any


class Result:
    """Base of the result dataclasses."""

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values; NaN becomes None."""
        return {f.name: plain(getattr(self, f.name)) for f in dataclasses.fields(self)}  # type: ignore[arg-type]


def plain(value: Any) -> Any:
    """Dataclasses to dicts, tuples to lists, numpy numbers to Python's, NaN to None."""
    if isinstance(value, Result):
        return value.to_dict()
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value
