"""The live suite in the synthetic operating room: nothing but a processor is needed.

ros2 launch or_spatial simulation.launch.py seed:=7 cameras:=2 rviz:=true
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription
from or_spatial.nodes.launching import given, nodes_with
from or_spatial.nodes.table import SIMULATION
from or_spatial.paths import share_path

ARGUMENTS = {
    "split": ("", "train, val or test; this and what follows, empty: as the parameters say"),
    "seed": ("", "seed of the room and its procedure"),
    "cameras": ("", "how many cameras look into the room, 1 to 4; empty: 2"),
    "rate": ("", "images per second and camera"),
    "perceiver": ("", "model, or rules for the baseline fed by /truth/scene_graph"),
    "namespace": ("", "namespace of all nodes"),
    "parameters": ("", "a parameter file of your own, on top of config/or_spatial.yaml"),
    "rviz": ("false", "open RViz"),
}


def nodes(context):
    """The processes that the arguments ask for."""
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    names = [f"camera_{i + 1}" for i in range(int(value["cameras"] or 2))]
    kinds = {"split": str, "seed": int, "cameras": int, "rate": float}
    named = {"split": "split", "seed": "seed", "cameras": "camera_count", "rate": "rate_hz"}
    world = {named[name]: kinds[name](text) for name, text in given(value, *kinds).items()}
    perception = {**given(value, "perceiver"), **({"cameras": names} if value["cameras"] else {})}
    overrides = {"world_node": world, "perception_node": perception}
    defaults = {"perception_node": {"cameras": names, "transport": "compressed"}}
    wanted = {"namespace": value["namespace"], "parameter_file": value["parameters"]}
    wanted |= {"overrides": overrides, "defaults": defaults}
    return [Node(**arguments) for arguments in nodes_with(SIMULATION, **wanted)]


def generate_launch_description():
    """Called by `ros2 launch`."""
    declared = [DeclareLaunchArgument(n, default_value=d, description=text) for n, (d, text) in ARGUMENTS.items()]
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", str(share_path("config", "or_spatial.rviz"))],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return LaunchDescription([*declared, OpaqueFunction(function=nodes), rviz])
