"""The one table of nodes: launch files, `or_spatial run` and the documentation all read it."""

import difflib
from dataclasses import dataclass

from or_spatial.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class NodeEntry:
    """One node: how it is called, how it is started, and what must be known to start it well.

    `executable` is the script that `ros2 run or_spatial` finds, `module` what `python -m` runs; both start the same
    `main`. `publishes_images` decides who gets a large shared-memory segment. `remappings` are (from, to) topic names.
    """

    name: str
    module: str
    description: str
    lifecycle: bool = False
    publishes_images: bool = False
    namespace: str = ""
    remappings: tuple[tuple[str, str], ...] = ()

    @property
    def executable(self) -> str:
        """The script of this node in `scripts/`, by which `ros2 run` and launch files know it."""
        return self.name


# Nodes of one process each; every default parameter comes from this file of the package's share folder.
DEFAULT_PARAMETERS = ("config", "or_spatial.yaml")

NODES: dict[str, NodeEntry] = {
    entry.name: entry
    for entry in (
        NodeEntry(
            name="perception_node",
            module="or_spatial.nodes.perception_node",
            description="images of all cameras in, one tracked scene graph out",
            lifecycle=True,
            publishes_images=True,  # depth and point clouds, on demand
        ),
        NodeEntry(
            name="hazard_node",
            module="or_spatial.nodes.hazard_node",
            description="scene graphs in, hazard alerts and their life-cycle out",
        ),
        NodeEntry(
            name="clinical_node",
            module="or_spatial.nodes.clinical_node",
            description="reads procedure, phase, roles and next action from the stream of scene graphs",
        ),
        NodeEntry(
            name="query_node",
            module="or_spatial.nodes.query_node",
            description="answers questions about the scene graph: services, an action, watched questions",
            lifecycle=True,
        ),
        NodeEntry(
            name="marker_node",
            module="or_spatial.nodes.marker_node",
            description="draws graphs and hazards as a MarkerArray for RViz and Foxglove",
        ),
        NodeEntry(
            name="world_node",
            module="or_spatial.nodes.world_node",
            description="the synthetic operating room as live cameras, with the truth beside them",
            publishes_images=True,
        ),
    )
}

# What each way of starting the suite starts.
LIVE: tuple[str, ...] = ("perception_node", "hazard_node", "clinical_node", "query_node", "marker_node")
SIMULATION: tuple[str, ...] = ("world_node", *LIVE)


def entry(name: str) -> NodeEntry:
    """The entry of a node; `perception` is accepted for `perception_node`.

    Raises:
        ConfigError: there is no such node; the message offers the closest one.
    """
    for candidate in (name, f"{name}_node"):
        if candidate in NODES:
            return NODES[candidate]
    close = difflib.get_close_matches(name, NODES, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(NODES)}"
    raise ConfigError(f"no node {name!r}; {hint}")
