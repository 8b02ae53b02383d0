"""How a node of the table is started: its effective parameters, and the keyword arguments that a launch file needs.

`launch` itself is imported only in launch/*.launch.py: `launch_ros.actions.Node(**node_arguments(...))` there starts
the same process with the same parameters as `or_spatial run`.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from or_spatial.errors import ConfigError
from or_spatial.nodes.names import check_namespace
from or_spatial.nodes.parameter_table import PARAMETERS
from or_spatial.nodes.parameters import Value, check_file, check_values, section_values
from or_spatial.nodes.table import DEFAULT_PARAMETERS, NodeEntry, entry
from or_spatial.nodes.transport import Transport
from or_spatial.paths import share_path


def effective_parameters(
    node: NodeEntry,
    files: Iterable[str | Path] = (),
    overrides: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    namespace: str = "",
) -> dict[str, Value]:
    """What a node is to be told: the shipped file, `defaults`, `files` in order, `overrides`; later ones win.

    All is merged here, and every node gets one flat set: ROS's own rules on which of several files wins depend on the
    order in which section names first appear.

    Raises:
        ConfigError: a file or value that the node would refuse.
    """
    specs, space = PARAMETERS[node.name], namespace or node.namespace
    values = section_values(share_path(*DEFAULT_PARAMETERS), node.name, specs, space) | dict(defaults or {})
    for path in files:
        check_file(path, PARAMETERS)
        values |= section_values(path, node.name, specs, space)
    return check_values(values | dict(overrides or {}), PARAMETERS[node.name], node.name)


def node_arguments(
    name: str,
    *,
    namespace: str = "",
    parameter_file: str = "",
    overrides: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Keyword arguments of `launch_ros.actions.Node` for a node of the table.

    Raises:
        ConfigError: an unknown node, or a parameter that its node would refuse.
    """
    check_namespace(namespace)
    node = entry(name)
    files = [parameter_file] if parameter_file else []
    return {
        "package": "or_spatial",
        "executable": node.executable,
        "name": node.name,
        "namespace": namespace or node.namespace,
        "parameters": [effective_parameters(node, files, overrides, defaults, namespace)],
        "remappings": list(node.remappings),
        "additional_env": _environment(node),
        "output": "screen",
        "respawn": True,
        "respawn_delay": 0.5,
    }


def camera_names(text: str) -> dict[str, list[str]]:
    """`camera_1, camera_2` as the parameter `cameras`, none where the text is empty.

    Raises:
        ConfigError: a text without a name.
    """
    if not text:
        return {}
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ConfigError(f"cameras is {text!r}; expected names with commas between them, such as camera_1,camera_2")
    return {"cameras": names}


def given(values: Mapping[str, str], *names: str) -> dict[str, str]:
    """Those of a launch file's arguments that were given: an empty one leaves the parameter to files and defaults."""
    return {name: values[name] for name in names if values[name]}


def clock(use_sim_time: str) -> dict[str, bool]:
    """The parameter `use_sim_time` of a launch argument, none where that is empty.

    Raises:
        ConfigError: neither true nor false.
    """
    if not use_sim_time:
        return {}
    if use_sim_time.lower() not in ("true", "false", "1", "0"):
        raise ConfigError(f"use_sim_time is {use_sim_time!r}; expected true or false")
    return {"use_sim_time": use_sim_time.lower() in ("true", "1")}


def nodes_with(
    names: Sequence[str],
    *,
    namespace: str,
    parameter_file: str,
    overrides: Mapping[str, Mapping[str, Any]],
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """`node_arguments` of several nodes; `overrides`, which beat the parameter file, by node name, "" for every node;
    `defaults`, which it beats, by node name.
    """
    return [
        node_arguments(
            name,
            namespace=namespace,
            parameter_file=parameter_file,
            overrides={**overrides.get("", {}), **overrides.get(name, {})},
            defaults=(defaults or {}).get(name),
        )
        for name in names
    ]


def _environment(node: NodeEntry) -> dict[str, str]:
    """The large segment for image publishers; a launch leaves the choice of middleware and domain to the site."""
    if not node.publishes_images:
        return {}
    variables = Transport().environment(publishes_images=True)
    return {"FASTDDS_DEFAULT_PROFILES_FILE": variables["FASTDDS_DEFAULT_PROFILES_FILE"]}
