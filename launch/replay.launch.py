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

"""Plays a bag through the SSAP node and scores the outputs, as `ssap replay` does.

ros2 launch ssap_ros replay.launch.py bag:=drive.mcap out:=drive_replay

The folder `out` then holds report.html and recording.mcap, the outputs for RViz or Foxglove. The
node runs apart from all others; to watch a bag being played, start ssap.launch.py beside
`ros2 bag play`.
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.substitutions import ExecutableInPackage

from ssap_ros.node.launch import END_WITH_LAUNCH

# launch argument: option of `ssap replay`, default, description
OPTIONS = {
    "out": ("--out", "replay", "folder for report, recording and pictures"),
    "policy": ("--policy", "every", "every frame, or only the latest at the bag's own speed"),
    "rate": ("--rate", "", "speed of the bag (empty: as fast as nothing is lost)"),
    "image_topic": ("--topic", "", "camera topics, with commas (empty: the first one)"),
    "gt_instances": ("--gt-instances", "", "their true instances, with commas (empty: no scores)"),
    "model_file_path": ("--model", "", "ONNX model (empty: the one shipped)"),
}


def generate_launch_description() -> LaunchDescription:
    """Runs `ssap replay` and ends with it."""
    arguments = [DeclareLaunchArgument("bag", description="the bag to play: a file or a folder")]
    for name, (_, default, description) in OPTIONS.items():
        arguments.append(
            DeclareLaunchArgument(name, default_value=default, description=description)
        )
    return LaunchDescription([*arguments, OpaqueFunction(function=_replay)])


def _replay(context: LaunchContext) -> list[ExecuteProcess]:
    options = []
    for name, (option, _, _) in OPTIONS.items():
        for value in LaunchConfiguration(name).perform(context).split(","):
            options += [option, value] if value else []
    command = [ExecutableInPackage(package="ssap_ros", executable="ssap"), "replay"]
    return [
        ExecuteProcess(
            cmd=[*command, LaunchConfiguration("bag"), *options],
            prefix=END_WITH_LAUNCH,
            name="ssap",
            output="screen",
            on_exit=Shutdown(),
        )
    ]
