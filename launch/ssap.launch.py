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

"""Starts the SSAP node on one camera or several, with rviz2 on request.

ros2 launch ssap_ros ssap.launch.py image_topic:=/camera/image_raw use_rviz:=true
"""

from pathlib import Path

from ament_index_python.packages import get_package_prefix, get_package_share_directory
from launch import Action, LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.conditions import IfCondition
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from ssap_ros.node.launch import END_WITH_LAUNCH
from ssap_ros.node.transport import profile_variable

SHARE = Path(get_package_share_directory("ssap_ros"))

ARGUMENTS = [
    DeclareLaunchArgument("namespace", default_value="", description="namespace of the node"),
    DeclareLaunchArgument(
        "params_file",
        default_value=str(SHARE / "config" / "ssap.yaml"),
        description="parameter file of the node",
    ),
    DeclareLaunchArgument(
        "use_sim_time", default_value="false", description="take the time from /clock"
    ),
    DeclareLaunchArgument(
        "cameras",
        default_value="",
        description="names of several cameras, with commas; {camera} in the topics stands for each",
    ),
    DeclareLaunchArgument(
        "image_topic", default_value="image", description="camera images, sensor_msgs/Image"
    ),
    DeclareLaunchArgument(
        "camera_info_topic", default_value="camera_info", description="their sensor_msgs/CameraInfo"
    ),
    DeclareLaunchArgument(
        "image_transport",
        default_value="",
        description="raw or compressed (image_topic/compressed); empty: as the parameter file says",
    ),
    DeclareLaunchArgument(
        "drop_policy",
        default_value="",
        description="latest, or every with reliable images; empty means that of the parameter file",
    ),
    DeclareLaunchArgument(
        "model_file_path",
        default_value="",
        description="ONNX model; empty means the one of the parameter file",
    ),
    DeclareLaunchArgument(
        "engine_file_path",
        default_value="",
        description="TensorRT engine; empty means the one of the parameter file",
    ),
    DeclareLaunchArgument(
        "build_only",
        default_value="false",
        description="build the TensorRT engine of the model into the cache, and end",
    ),
    DeclareLaunchArgument("use_rviz", default_value="false", description="also start rviz2"),
    DeclareLaunchArgument(
        "rviz_config",
        default_value=str(SHARE / "rviz" / "ssap.rviz"),
        description="display configuration of rviz2",
    ),
    DeclareLaunchArgument("log_level", default_value="info", description="log level of the node"),
]

# What the user has set stays.
PROFILE = profile_variable()
TRANSPORT = SetEnvironmentVariable(
    PROFILE, EnvironmentVariable(PROFILE, default_value=str(SHARE / "config" / "fastdds_shm.xml"))
)


def ssap_node(context: LaunchContext) -> list[Action]:
    """The node; it configures and activates itself unless its parameter `autostart` is false."""

    def value(argument: str) -> str:
        return LaunchConfiguration(argument).perform(context)

    if value("build_only") == "true":
        return [engine_build(value("model_file_path"))]
    overrides = {
        "use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)
    }
    for name in ("model_file_path", "engine_file_path", "drop_policy", "image_transport"):
        if value(name):
            overrides[name] = value(name)
    if value("drop_policy") == "every":
        overrides["input_qos"] = "reliable"
    cameras = [name.strip() for name in value("cameras").split(",") if name.strip()]
    if cameras:
        overrides["cameras"] = cameras
    # For a LifecycleNode the launch would take part in DDS, and leave shared memory on SIGTERM.
    return [
        Node(
            package="ssap_ros",
            executable="ssap_node",
            name="ssap",
            namespace=LaunchConfiguration("namespace"),
            parameters=[LaunchConfiguration("params_file"), overrides],
            remappings=[
                (f"{camera}/{end}" if camera else end, value(f"{end}_topic").format(camera=camera))
                for camera in cameras or [""]
                for end in ("image", "camera_info")
            ],
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            prefix=END_WITH_LAUNCH,
            exec_name="ssap_node",
            output="screen",
        )
    ]


def engine_build(model: str) -> ExecuteProcess:
    """`ssap build-engine`, after which the launch ends."""
    command = Path(get_package_prefix("ssap_ros"), "lib", "ssap_ros", "ssap")
    options = ["--model", model] if model else []
    return ExecuteProcess(
        cmd=[str(command), "build-engine", *options],
        prefix=END_WITH_LAUNCH,
        name="ssap",
        output="screen",
        on_exit=Shutdown(),
    )


def generate_launch_description() -> LaunchDescription:
    """Everything that `ros2 launch ssap_ros ssap.launch.py` starts."""
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["-d", LaunchConfiguration("rviz_config")],
        prefix=END_WITH_LAUNCH,
        exec_name="rviz2",
        condition=IfCondition(LaunchConfiguration("use_rviz")),
    )
    return LaunchDescription([*ARGUMENTS, TRANSPORT, OpaqueFunction(function=ssap_node), rviz])
