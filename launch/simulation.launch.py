"""The live suite in the synthetic operating room: nothing but a processor is needed.

ros2 launch or_spatial simulation.launch.py seed:=7 cameras:=2 rviz:=true
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription
from or_spatial.nodes.launching import nodes_with
from or_spatial.nodes.table import SIMULATION
from or_spatial.paths import share_path

ARGUMENTS = {
    "split": ("test", "train, val or test"),
    "seed": ("0", "seed of the room and its procedure"),
    "cameras": ("2", "how many cameras look into the room, 1 to 4"),
    "rate": ("2.0", "images per second and camera"),
    "perceiver": ("model", "model, or rules for the baseline fed by /truth/scene_graph"),
    "namespace": ("", "namespace of all nodes"),
    "parameters": ("", "a parameter file of your own, on top of config/or_spatial.yaml"),
    "rviz": ("false", "open RViz"),
}


def nodes(context):
    """The processes that the arguments ask for."""
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    count = int(value["cameras"])
    world = {
        "split": value["split"],
        "seed": int(value["seed"]),
        "camera_count": count,
        "rate_hz": float(value["rate"]),
    }
    names = [f"camera_{i + 1}" for i in range(count)]
    perception = {"cameras": names, "transport": "compressed", "perceiver": value["perceiver"]}
    overrides = {"world_node": world, "perception_node": perception}
    given = {"namespace": value["namespace"], "parameter_file": value["parameters"], "overrides": overrides}
    return [Node(**arguments) for arguments in nodes_with(SIMULATION, **given)]


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
