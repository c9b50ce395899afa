# Copyright 2026 ssap_ros maintainers
# SPDX-License-Identifier: Apache-2.0
#
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file
# except in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND,
# either express or implied. See the License for the specific language governing permissions
# and limitations under the License.

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
