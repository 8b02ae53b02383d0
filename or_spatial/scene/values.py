"""Small shared values: vectors as tuples (hashable, JSON as they are) and the unknown number."""

import math
from collections.abc import Iterable

Vec3 = tuple[float, float, float]
Mat3 = tuple[float, float, float, float, float, float, float, float, float]

NAN = math.nan
UNKNOWN3: Vec3 = (NAN, NAN, NAN)
UNKNOWN33: Mat3 = (NAN,) * 9


def vec3(values: Iterable[float]) -> Vec3:
    """Three floats as a tuple; accepts any iterable, a numpy array too."""
    x, y, z = (float(v) for v in values)
    return (x, y, z)


def mat3(values: Iterable[float]) -> Mat3:
    """Nine floats in row order as a tuple; a (3, 3) array is flattened row by row."""
    flat = [float(v) for row in values for v in (row if hasattr(row, "__iter__") else (row,))]
    if len(flat) != 9:
        raise ValueError(f"a 3x3 matrix has 9 numbers, got {len(flat)}")
    return tuple(flat)  # type: ignore[return-value]


def same(a: object, b: object) -> bool:
    """Equality in which NaN equals NaN, at any depth of tuples, lists, dicts and dataclasses."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if hasattr(a, "__dataclass_fields__") and type(a) is type(b):
        return all(same(getattr(a, f), getattr(b, f)) for f in a.__dataclass_fields__)
    return a == b
