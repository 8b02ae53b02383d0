"""Parameters by declaration: types, ranges and descriptions in one place, errors that name the key and the range.

`parameter_table.py` holds the declarations. A node takes them in with `declare_all(self, PARAMETERS[name])` and reads
values as attributes. The same declarations check YAML files before anything starts and print the documentation.
"""

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from or_spatial.errors import ConfigError
from or_spatial.nodes.names import check_names

Value = bool | int | float | str | list[str]

# Keys that ROS itself declares or understands in any node's section.
_ROS_KEYS = ("use_sim_time", "start_type_description_service")
_ROS_PREFIXES = ("qos_overrides.",)


@dataclass(frozen=True, kw_only=True)
class ParameterSpec:
    """One parameter. The default's type is the parameter's; units stand at the end of the name (`_s`, `_m`, `_hz`).

    `minimum` and `maximum` bound numbers, both inclusive. `choices` bound strings. `names`: a list of ROS names, one at
    least, none twice. `read_only` values are fixed once the node has started.
    """

    name: str
    default: Value
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    names: bool = False
    read_only: bool = True

    @property
    def type_name(self) -> str:
        """The type as ROS users write it."""
        return {bool: "bool", int: "int", float: "double", str: "string", list: "string[]"}[type(self.default)]

    @property
    def allowed(self) -> str:
        """What is allowed, in words; empty when anything of the type is."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.minimum is not None or self.maximum is not None:
            return f"{_number(self.minimum, '-inf')} to {_number(self.maximum, 'inf')}"
        return ""

    def check(self, value: Any) -> Value:
        """The value as this parameter keeps it (an integer is accepted where a double is meant).

        Raises:
            ConfigError: wrong type or out of range; the message names the parameter, the value and what is allowed.
        """
        kind = type(self.default)
        if kind is float and type(value) is int:
            value = float(value)
        if kind is list and isinstance(value, (list, tuple)):
            value = list(value)
        if type(value) is not kind or (kind is list and not all(isinstance(v, str) for v in value)):
            raise ConfigError(f"parameter {self.name!r} takes a {self.type_name}, got {value!r}")
        if self.names:
            check_names(value, f"parameter {self.name!r}")
        if self.choices and value not in self.choices:
            close = difflib.get_close_matches(str(value), self.choices, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ConfigError(f"parameter {self.name!r} is {value!r}, allowed is {self.allowed}{hint}")
        if isinstance(value, float) and math.isnan(value) or not self._in_range(value):
            raise ConfigError(f"parameter {self.name!r} is {value!r}, allowed is {self.allowed or 'a number'}")
        return value

    def _in_range(self, value: Any) -> bool:
        low = self.minimum is None or value >= self.minimum
        return low and (self.maximum is None or value <= self.maximum)


def _number(value: float | None, unbounded: str) -> str:
    return unbounded if value is None else f"{value:g}"


def unknown_key(key: str, known: Iterable[str], where: str) -> ConfigError:
    """The error for a key that nobody declares, with the closest one that somebody does."""
    known = sorted(known)
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(known)}"
    return ConfigError(f"{where} has no parameter {key!r}; {hint}")


def belongs_to_ros(key: str) -> bool:
    """True for keys that rclpy declares itself, such as `use_sim_time` and `qos_overrides.*`."""
    return key in _ROS_KEYS or key.startswith(_ROS_PREFIXES)


def check_values(values: Mapping[str, Any], specs: Iterable[ParameterSpec], where: str) -> dict[str, Value]:
    """All values as the declarations keep them; keys of ROS itself pass through.

    Raises:
        ConfigError: an unknown key, or a value that its declaration refuses; the message begins with `where`.
    """
    by_name = {spec.name: spec for spec in specs}
    checked: dict[str, Value] = {}
    for key, value in values.items():
        if belongs_to_ros(key):
            checked[key] = value
        elif key not in by_name:
            raise unknown_key(key, by_name, where)
        else:
            try:
                checked[key] = by_name[key].check(value)
            except ConfigError as error:
                raise ConfigError(f"{where}: {error}") from None
    return checked


def check_file(path: str | Path, tables: Mapping[str, Iterable[ParameterSpec]]) -> None:
    """Check every section of a ROS parameter file that is meant for one of our nodes (`tables`: node -> declarations).

    A wildcard section (`/**`) may hold what any of our nodes declares; sections of other nodes are not ours to judge,
    unless they look like a misspelt one of ours.

    Raises:
        ConfigError: the file is missing, is not a parameter file, or holds an unknown key or a value out of range.
    """
    for name, values in _sections(Path(path)):
        node = name.rsplit("/", 1)[-1]
        if node in tables:
            check_values(values, tables[node], f"{path}: {node}")
        elif node in ("*", "**"):
            everything = {spec.name: spec for specs in tables.values() for spec in specs}
            check_values(values, everything.values(), f"{path}: {name[1:]}")
        elif close := difflib.get_close_matches(node, tables, 1, 0.8):
            raise ConfigError(f"{path}: no node {node!r}; did you mean {close[0]!r}?")


def section_values(path: str | Path, node: str, specs: Iterable[ParameterSpec], namespace: str = "") -> dict[str, Any]:
    """What a parameter file says to this node, unchecked: wildcard sections first, then those that name it.

    Keys of a wildcard section that another node declares are left out, and so are sections of other namespaces; a name
    without any means the node wherever it runs.
    """
    known = {spec.name for spec in specs}
    wild, named = [], []
    for name, values in _sections(Path(path)):
        *space, last = [part for part in name.split("/") if part] or [""]
        if last in ("*", "**") and _inside(namespace, [*space, "**"]):
            wild.append({key: value for key, value in values.items() if key in known or belongs_to_ros(key)})
        elif last == node and (not space or _inside(namespace, space)):
            named.append(values)
    merged: dict[str, Any] = {}
    for values in (*wild, *named):
        merged |= values
    return merged


def _inside(namespace: str, space: Iterable[str]) -> bool:
    """Whether a namespace is the one that parts of a section's name mean: `*` is any one level, `**` any number."""
    levels = {"*": "[^/]+/", "**": "(?:[^/]+/)*"}
    pattern = "".join(levels.get(part, re.escape(part) + "/") for part in space)
    return re.fullmatch(pattern, "".join(f"{part}/" for part in namespace.split("/") if part)) is not None


def _sections(path: Path) -> list[tuple[str, dict[str, Any]]]:
    if path.is_dir():
        raise ConfigError(f"parameter file {path} is a folder; name a file in it")
    if not path.is_file():
        raise ConfigError(f"parameter file {path} does not exist")
    try:
        tree = yaml.safe_load(path.read_text("utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"parameter file {path} is not YAML in UTF-8: {error}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"parameter file {path} holds no sections; expected 'node: ros__parameters: ...'")
    return list(_flat_sections(path, tree))


def _flat_sections(path: Path, tree: dict[str, Any], name: str = "") -> Iterable[tuple[str, dict[str, Any]]]:
    for key, value in tree.items():
        if key == "ros__parameters":
            if not isinstance(value or {}, dict):
                raise ConfigError(
                    f"{path}: ros__parameters of {name[1:]} is {value!r}; expected 'parameter: value' lines"
                )
            yield name, dict(_dotted(value or {}))
        elif isinstance(value, dict):
            yield from _flat_sections(path, value, f"{name}/{key}")
        else:
            raise ConfigError(f"{path}: {key!r} stands outside 'ros__parameters'; a parameter must stand inside it")


def _dotted(tree: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _dotted(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
