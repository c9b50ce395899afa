"""Starts one SSAP node on several cameras: one engine, every camera gets its turn.

ros2 launch ssap_ros cameras.launch.py cameras:=front,left,right image_topic:=/{camera}/image_raw
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

SHARE = Path(get_package_share_directory("ssap_ros"))


def generate_launch_description() -> LaunchDescription:
    """`ssap.launch.py` with other defaults; it takes all of its arguments."""
    defaults = {
        "cameras": ("front,left,right", "names of the cameras, with commas"),
        "image_topic": ("/{camera}/image_raw", "their images; {camera} stands for each name"),
        "camera_info_topic": ("/{camera}/camera_info", "their sensor_msgs/CameraInfo"),
        "rviz_config": (str(SHARE / "rviz" / "cameras.rviz"), "display configuration of rviz2"),
    }
    arguments = [
        DeclareLaunchArgument(name, default_value=value, description=description)
        for name, (value, description) in defaults.items()
    ]
    launch_file = str(SHARE / "launch" / "ssap.launch.py")
    include = IncludeLaunchDescription(PythonLaunchDescriptionSource(launch_file))
    return LaunchDescription([*arguments, include])
