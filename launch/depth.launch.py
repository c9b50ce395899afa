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

"""Starts the SSAP node and the depth node beside it: objects in space, with rviz2 on request.

ros2 launch ssap_ros depth.launch.py image_topic:=/camera/color/image_raw \
    depth_topic:=/camera/aligned_depth_to_color/image_raw \
    camera_info_topic:=/camera/color/camera_info use_rviz:=true
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import Action, LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from ssap_ros.node.launch import END_WITH_LAUNCH

SHARE = Path(get_package_share_directory("ssap_ros"))

# Those of ssap.launch.py are taken as well; only rviz_config has another default here.
ARGUMENTS = [
    DeclareLaunchArgument(
        "depth_topic",
        default_value="depth",
        description="depth images aligned to image_topic: 16UC1 in millimetres, 32FC1 in metres",
    ),
    DeclareLaunchArgument(
        "depth_params_file",
        default_value=str(SHARE / "config" / "ssap_depth.yaml"),
        description="parameter file of the depth node",
    ),
    DeclareLaunchArgument(
        "target_frame",
        default_value="",
        description="frame to publish in, by tf2; empty means that of the parameter file",
    ),
    DeclareLaunchArgument(
        "sync_tolerance_ms",
        default_value="",
        description="how far stamps of depth and masks may differ; empty: as the file says",
    ),
    DeclareLaunchArgument(
        "rviz_config",
        default_value=str(SHARE / "rviz" / "depth.rviz"),
        description="display configuration of rviz2",
    ),
]


def depth_node(context: LaunchContext) -> list[Action]:
    """The depth node; it configures and activates itself unless `autostart` is false."""

    def value(argument: str) -> str:
        return LaunchConfiguration(argument).perform(context)

    if value("build_only") == "true":
        return []
    overrides = {
        "use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)
    }
    if value("target_frame"):
        overrides["target_frame"] = value("target_frame")
    if value("sync_tolerance_ms"):
        overrides["sync_tolerance_ms"] = float(value("sync_tolerance_ms"))
    if value("drop_policy"):
        overrides["drop_policy"] = value("drop_policy")
    if value("drop_policy") == "every":
        overrides["input_qos"] = "reliable"
    return [
        Node(
            package="ssap_ros",
            executable="ssap_depth_node",
            exec_name="ssap_depth_node",
            prefix=END_WITH_LAUNCH,
            name="ssap_depth",
            namespace=LaunchConfiguration("namespace"),
            parameters=[LaunchConfiguration("depth_params_file"), overrides],
            remappings=[
                ("depth", value("depth_topic")),
                ("camera_info", value("camera_info_topic")),
            ],
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            output="screen",
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """`ssap.launch.py`, which takes all of its arguments, and the depth node."""
    launch_file = str(SHARE / "launch" / "ssap.launch.py")
    include = IncludeLaunchDescription(PythonLaunchDescriptionSource(launch_file))
    return LaunchDescription([*ARGUMENTS, include, OpaqueFunction(function=depth_node)])
