"""How a node of the table is started: its effective parameters, and the keyword arguments that a launch file needs.

`launch` itself is imported only in launch/*.launch.py: `launch_ros.actions.Node(**node_arguments(...))` there starts
the same process with the same parameters as `or_spatial run`.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from or_spatial.errors import ConfigError
from or_spatial.nodes.parameter_table import PARAMETERS
from or_spatial.nodes.parameters import Value, check_file, check_values, section_values
from or_spatial.nodes.table import DEFAULT_PARAMETERS, NodeEntry, entry
from or_spatial.nodes.transport import Transport
from or_spatial.paths import share_path


def effective_parameters(
    node: NodeEntry, files: Iterable[str | Path] = (), overrides: Mapping[str, Any] | None = None
) -> dict[str, Value]:
    """What a node is to be told: the shipped file, then `files` in order, then `overrides`; later ones win.

    All is merged here, and every node gets one flat set: ROS's own rules on which of several files wins depend on the
    order in which section names first appear.

    Raises:
        ConfigError: a file or value that the node would refuse.
    """
    values: dict[str, Any] = {}
    for path in (share_path(*DEFAULT_PARAMETERS), *files):
        check_file(path, PARAMETERS)
        values |= section_values(path, node.name, PARAMETERS[node.name])
    return check_values(values | dict(overrides or {}), PARAMETERS[node.name], node.name)


def node_arguments(
    name: str, *, namespace: str = "", parameter_file: str = "", overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Keyword arguments of `launch_ros.actions.Node` for a node of the table.

    Raises:
        ConfigError: an unknown node, or a parameter that its node would refuse.
    """
    node = entry(name)
    return {
        "package": "or_spatial",
        "executable": node.executable,
        "name": node.name,
        "namespace": namespace or node.namespace,
        "parameters": [effective_parameters(node, [parameter_file] if parameter_file else [], overrides)],
        "remappings": list(node.remappings),
        "additional_env": _environment(node),
        "output": "screen",
        "respawn": True,
        "respawn_delay": 0.5,
    }


def camera_names(text: str) -> list[str]:
    """`camera_1, camera_2` as a list.

    Raises:
        ConfigError: no name at all.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ConfigError(f"cameras is {text!r}; expected names with commas between them, such as camera_1,camera_2")
    return names


def nodes_with(
    names: Sequence[str], *, namespace: str, parameter_file: str, overrides: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """`node_arguments` of several nodes; `overrides` by node name, "" for every node."""
    return [
        node_arguments(
            name,
            namespace=namespace,
            parameter_file=parameter_file,
            overrides={**overrides.get("", {}), **overrides.get(name, {})},
        )
        for name in names
    ]


def _environment(node: NodeEntry) -> dict[str, str]:
    """The large segment for image publishers; a launch leaves the choice of middleware and domain to the site."""
    if not node.publishes_images:
        return {}
    variables = Transport().environment(publishes_images=True)
    return {"FASTDDS_DEFAULT_PROFILES_FILE": variables["FASTDDS_DEFAULT_PROFILES_FILE"]}
