"""The live suite over a recording, on the recording's own clock; ends when the recording does.

ros2 launch or_spatial replay.launch.py bag:=/path/to/room cameras:=camera_1,camera_2 transport:=compressed
"""

from launch.actions import DeclareLaunchArgument, EmitEvent, ExecuteProcess, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription
from or_spatial.nodes.launching import camera_names, given, nodes_with
from or_spatial.nodes.table import LIVE

ARGUMENTS = {
    "bag": (None, "folder of the rosbag2 recording"),
    "rate": ("1.0", "2.0 plays twice as fast as recorded"),
    "cameras": ("", "names of the cameras, with commas between them; empty: those of the parameters"),
    "transport": ("", "raw or compressed; empty: as the parameters say, else compressed"),
    "perceiver": ("", "model, or rules for the baseline fed by /truth/scene_graph; empty: as the parameters say"),
    "parameters": ("", "a parameter file of your own, on top of config/or_spatial.yaml"),
}


def nodes(context):
    """The processes that the arguments ask for, and the player."""
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    perception = {**given(value, "transport", "perceiver"), **camera_names(value["cameras"])}
    overrides = {"": {"use_sim_time": True}, "perception_node": perception}
    defaults = {"perception_node": {"transport": "compressed"}}
    wanted = {"namespace": "", "parameter_file": value["parameters"], "overrides": overrides, "defaults": defaults}
    player = ExecuteProcess(
        cmd=["ros2", "bag", "play", value["bag"], "--clock", "50", "--rate", value["rate"], "--delay", "5"],
        output="screen",
    )
    ended = RegisterEventHandler(OnProcessExit(target_action=player, on_exit=[EmitEvent(event=Shutdown())]))
    return [*(Node(**arguments) for arguments in nodes_with(LIVE, **wanted)), player, ended]


def generate_launch_description():
    """Called by `ros2 launch`."""
    declared = [DeclareLaunchArgument(n, default_value=d, description=text) for n, (d, text) in ARGUMENTS.items()]
    return LaunchDescription([*declared, OpaqueFunction(function=nodes)])
