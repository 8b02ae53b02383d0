"""The live suite: perception, hazards, queries and markers over the cameras of a room.

ros2 launch or_spatial or_spatial.launch.py cameras:=camera_1,camera_2 transport:=compressed rviz:=true
"""

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription
from or_spatial.nodes.launching import camera_names, clock, given, nodes_with
from or_spatial.nodes.table import LIVE
from or_spatial.paths import share_path

ARGUMENTS = {
    "cameras": ("", "names of the cameras, with commas between them; empty: those of the parameters"),
    "transport": ("", "raw or compressed; empty: as the parameters say"),
    "namespace": ("", "namespace of all nodes"),
    "parameters": ("", "a parameter file of your own, on top of config/or_spatial.yaml"),
    "use_sim_time": ("", "true: take the time from /clock"),
    "rviz": ("false", "open RViz"),
}


def nodes(context):
    """The processes that the arguments ask for."""
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    perception = {**given(value, "transport"), **camera_names(value["cameras"])}
    overrides = {"": clock(value["use_sim_time"]), "perception_node": perception}
    wanted = {"namespace": value["namespace"], "parameter_file": value["parameters"], "overrides": overrides}
    return [Node(**arguments) for arguments in nodes_with(LIVE, **wanted)]


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
