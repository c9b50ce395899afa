"""Starts the SSAP node on one camera, with rviz2 on request.

ros2 launch ssap_ros ssap.launch.py image_topic:=/camera/image_raw use_rviz:=true
"""

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue

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
        "image_topic", default_value="image", description="camera images, sensor_msgs/Image"
    ),
    DeclareLaunchArgument(
        "model_file_path",
        default_value="",
        description="ONNX model; empty means the one of the parameter file",
    ),
    DeclareLaunchArgument("use_rviz", default_value="false", description="also start rviz2"),
    DeclareLaunchArgument(
        "rviz_config",
        default_value=str(SHARE / "rviz" / "ssap.rviz"),
        description="display configuration of rviz2",
    ),
    DeclareLaunchArgument("log_level", default_value="info", description="log level of the node"),
]

# The distributions up to Jazzy have Fast DDS 2, which reads the profile under its older name.
# A profile that the user has set stays.
OLD = os.environ.get("ROS_DISTRO") in ("humble", "iron", "jazzy")
PROFILE = "FASTRTPS_DEFAULT_PROFILES_FILE" if OLD else "FASTDDS_DEFAULT_PROFILES_FILE"
TRANSPORT = SetEnvironmentVariable(
    PROFILE,
    EnvironmentVariable(PROFILE, default_value=str(SHARE / "config" / "fastdds_shm.xml")),
)


def ssap_node(context: LaunchContext) -> list[LifecycleNode]:
    """The node; it configures and activates itself unless its parameter `autostart` is false."""
    use_sim_time = ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)
    overrides = {"use_sim_time": use_sim_time}
    model = LaunchConfiguration("model_file_path").perform(context)
    if model:
        overrides["model_file_path"] = model
    return [
        LifecycleNode(
            package="ssap_ros",
            executable="ssap_node",
            name="ssap",
            namespace=LaunchConfiguration("namespace"),
            parameters=[LaunchConfiguration("params_file"), overrides],
            remappings=[("image", LaunchConfiguration("image_topic"))],
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            output="screen",
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Everything that `ros2 launch ssap_ros ssap.launch.py` starts."""
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["-d", LaunchConfiguration("rviz_config")],
        condition=IfCondition(LaunchConfiguration("use_rviz")),
    )
    return LaunchDescription([*ARGUMENTS, TRANSPORT, OpaqueFunction(function=ssap_node), rviz])
