"""Our values as rosbags messages, field by field, for bags that are written without a ROS installation.

One rule serves every type: a message field takes the attribute of the same name, or of that name with a unit behind it
(`center` <- `center_m`, `since` <- `since_ns`). Header and 2D boxes gather several attributes and are named below.
"""

from dataclasses import is_dataclass
from enum import IntEnum
from functools import cache
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from or_spatial.errors import DatasetError
from or_spatial.paths import share_path

_UNITS = ("", "_m", "_m2", "_rad", "_m_s", "_s", "_ns")
_VECTORS = {"geometry_msgs/msg/Point", "geometry_msgs/msg/Vector3"}


@cache
def typestore() -> Typestore:
    """ROS 2 Kilted's types and ours, read from msg/*.msg."""
    store = get_typestore(Stores.ROS2_KILTED)
    types: dict[str, Any] = {}
    for path in sorted(share_path("msg").glob("*.msg")):
        types |= get_types_from_msg(path.read_text(), f"or_spatial/msg/{path.stem}")
    store.register({name: definition for name, definition in types.items() if name not in store.fielddefs})
    return store


def time(stamp_ns: int) -> Any:
    """builtin_interfaces/Time of integer nanoseconds."""
    return typestore().types["builtin_interfaces/msg/Time"](*(int(v) for v in divmod(int(stamp_ns), 1_000_000_000)))


def header(stamp_ns: int, frame_id: str) -> Any:
    """std_msgs/Header."""
    return typestore().types["std_msgs/msg/Header"](time(stamp_ns), frame_id)


def message(type_name: str, value: Any, **given: Any) -> Any:
    """`value` (a dataclass of `or_spatial.scene`) as a message of `type_name`; `given` fields take precedence.

    Raises:
        DatasetError: the type has a field for which the value has nothing.
    """
    store = typestore()
    constants, fields = store.fielddefs[type_name]
    arguments = {}
    for name, kind in fields:
        if name in given:
            arguments[name] = given[name]
        elif name == "header":
            arguments[name] = header(value.stamp_ns, value.frame_id if hasattr(value, "frame_id") else "map")
        elif name == "schema_version":
            arguments[name] = getattr(value, name, 1)
        elif name == "boxes" and hasattr(value, "label"):
            boxes = [message(_ELEMENT, b, object_id=value.id, label=value.label) for b in value.boxes]
            arguments[name] = boxes
        else:
            arguments[name] = _converted(_attribute(value, name, type_name), kind)
    return store.types[type_name](**arguments)


_ELEMENT = "or_spatial/msg/ObservedBox2D"


def _attribute(value: Any, name: str, type_name: str) -> Any:
    for unit in _UNITS:
        if hasattr(value, name + unit):
            return getattr(value, name + unit)
    raise DatasetError(f"{type(value).__name__} has nothing for the field {name!r} of {type_name}; was it renamed?")


def _converted(value: Any, kind: tuple) -> Any:
    node, detail = kind
    if node.name == "NAME":
        if detail == "builtin_interfaces/msg/Time":
            return time(value)
        if detail in _VECTORS:
            return typestore().types[detail](*(float(v) for v in value))
        return message(detail, value)
    if node.name in ("ARRAY", "SEQUENCE"):
        inner = detail[0]
        items = [_converted(v, inner) for v in value]
        if inner[0].name == "BASE" and inner[1][0] != "string":
            return np.array(items, dtype=inner[1][0])
        return items
    if isinstance(value, IntEnum):
        return int(value)
    if is_dataclass(value):
        raise DatasetError(f"expected a plain value, got {type(value).__name__}")
    return {"string": str, "bool": bool}.get(detail[0], float if detail[0].startswith("float") else int)(value)
