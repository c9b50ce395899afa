"""Plays a bag into the SSAP node, which works on every frame, and ends with the bag.

ros2 launch ssap_ros replay.launch.py bag:=drive.mcap image_topic:=/camera/image_raw use_rviz:=true

For scores, pictures and byte-identical masks use `ssap replay`, which waits for the node.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    RegisterEventHandler,
    Shutdown,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.event_handlers import OnStateTransition

SHARE = Path(get_package_share_directory("ssap_ros"))


def generate_launch_description() -> LaunchDescription:
    """`ssap.launch.py` with other defaults, all of its arguments, and the bag."""
    arguments = [
        DeclareLaunchArgument("bag", description="the bag to play: a file or a folder"),
        DeclareLaunchArgument("rate", default_value="1.0", description="speed of the bag"),
        DeclareLaunchArgument(
            "use_sim_time", default_value="true", description="take the time from the bag"
        ),
        DeclareLaunchArgument(
            "drop_policy", default_value="every", description="every frame, or only the latest"
        ),
    ]
    launch_file = str(SHARE / "launch" / "ssap.launch.py")
    include = IncludeLaunchDescription(PythonLaunchDescriptionSource(launch_file))
    play = ExecuteProcess(
        cmd=[
            *("ros2", "bag", "play", LaunchConfiguration("bag"), "--clock"),
            *("--rate", LaunchConfiguration("rate")),
        ],
        output="screen",
        on_exit=Shutdown(),
    )
    play_once_active = RegisterEventHandler(
        OnStateTransition(goal_state="active", entities=[play], handle_once=True)
    )
    return LaunchDescription([*arguments, play_once_active, include])
