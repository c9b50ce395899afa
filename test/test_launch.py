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

"""Launch files, RViz and Foxglove configurations: the right arguments, topics and parameters.

Where launch is installed the files are run for real; the checks of their text run everywhere.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "launch").glob("*.launch.py"))
LAUNCH = importlib.util.find_spec("launch_ros") is not None
PATIENCE_S = 60


def declared(file: Path) -> set[str]:
    """Names of the launch arguments that a file declares by literal names, or by a dictionary."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "DeclareLaunchArgument":
            if isinstance(node.args[0], ast.Constant):
                names.add(node.args[0].value)
        elif isinstance(node, ast.Dict):
            names |= {key.value for key in node.keys if isinstance(key, ast.Constant)}
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_compile_and_use_neither_eval_nor_the_network(file: Path) -> None:
    tree = ast.parse(file.read_text())
    compile(tree, str(file), "exec")
    called = {
        getattr(node.func, "id", getattr(node.func, "attr", ""))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    }
    assert not called & {"eval", "exec", "system", "urlopen", "PythonExpression"}
    assert "generate_launch_description" in {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
    }


def test_the_documented_arguments_are_declared() -> None:
    assert [file.name for file in FILES] == [
        "cameras.launch.py",
        "depth.launch.py",
        "replay.launch.py",
        "ssap.launch.py",
    ]
    assert declared(ROOT / "launch" / "ssap.launch.py") >= {
        "namespace",
        "params_file",
        "use_sim_time",
        "cameras",
        "image_topic",
        "image_transport",
        "camera_info_topic",
        "drop_policy",
        "model_file_path",
        "engine_file_path",
        "build_only",
        "use_rviz",
        "rviz_config",
        "log_level",
    }
    assert declared(ROOT / "launch" / "depth.launch.py") >= {
        "depth_topic",
        "depth_params_file",
        "target_frame",
        "sync_tolerance_ms",
        "rviz_config",
    }


def topics_of(rviz: Path) -> list[str]:
    manager = yaml.safe_load(rviz.read_text())["Visualization Manager"]
    return [display["Topic"]["Value"] for display in manager["Displays"] if "Topic" in display]


def test_rviz_opens_on_the_topics_of_the_node_without_transforms() -> None:
    assert topics_of(ROOT / "rviz" / "ssap.rviz") == ["ssap/overlay", "ssap/instances"]
    cameras = [f"ssap/{name}/overlay" for name in ("front", "left", "right")]
    assert topics_of(ROOT / "rviz" / "cameras.rviz") == cameras
    depth = ["ssap/overlay", "ssap_depth/markers", "ssap_depth/points"]
    assert topics_of(ROOT / "rviz" / "depth.rviz") == depth
    assert "front,left,right" in (ROOT / "launch" / "cameras.launch.py").read_text()


def panels(layout: Any) -> list[str]:
    if isinstance(layout, str):
        return [layout]
    assert layout["direction"] in ("row", "column")
    return panels(layout["first"]) + panels(layout["second"])


def test_foxglove_layout_shows_what_the_node_publishes() -> None:
    pytest.importorskip("rclpy", reason="rclpy is not installed")
    from ssap_ros.node.publishers import NODE_STAGES

    layout = json.loads((ROOT / "foxglove" / "ssap.json").read_text())
    assert set(layout) == {
        "configById",
        "globalVariables",
        "userNodes",
        "playbackConfig",
        "layout",
    }
    assert sorted(panels(layout["layout"])) == sorted(layout["configById"])
    text = json.dumps(layout)
    for topic in ("overlay", "instances", "detections", "annotations"):
        assert f'"/ssap/{topic}"' in text
    raw = layout["configById"]["Image!ssap-raw"]["imageMode"]
    assert raw["annotations"] == {"/ssap/annotations": {"visible": True}}
    shown = layout["configById"]["3D!ssap-depth"]["topics"]
    assert set(shown) == {"/ssap_depth/markers", "/ssap_depth/points"}
    plotted = [path["value"] for path in layout["configById"]["Plot!ssap-times"]["paths"]]
    assert all(path["enabled"] for path in layout["configById"]["Plot!ssap-times"]["paths"])
    stages = [value.split("/debug/")[1].removesuffix("_ms.data") for value in plotted]
    assert set(stages) <= set(NODE_STAGES)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkout as an installed package: its entry in the index, share folder and commands."""
    if not LAUNCH:
        pytest.skip("launch_ros is not installed")
    index = tmp_path / "share" / "ament_index" / "resource_index" / "packages"
    index.mkdir(parents=True)
    (index / "ssap_ros").touch()
    (tmp_path / "share" / "ssap_ros").symlink_to(ROOT)
    (tmp_path / "lib").mkdir()
    commands = tmp_path / "lib" / "ssap_ros"
    commands.mkdir()
    for name, module in (
        ("ssap_node", "ssap_ros.node"),
        ("ssap_depth_node", "ssap_ros.node.depth"),
        ("ssap", "ssap_ros.cli"),
    ):
        script = commands / name
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
        script.chmod(0o755)
    paths = os.pathsep.join([str(tmp_path), os.environ.get("AMENT_PREFIX_PATH", "")])
    monkeypatch.setenv("AMENT_PREFIX_PATH", paths)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, sys.path)]))
    monkeypatch.setenv("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    return tmp_path


PROGRAM = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
arguments = [tuple(a.split(":=", 1)) for a in sys.argv[2:]]
source = PythonLaunchDescriptionSource(sys.argv[1])
service = LaunchService()
service.include_launch_description(LaunchDescription(
    [IncludeLaunchDescription(source, launch_arguments=arguments)]
))
sys.exit(service.run())
"""


def launched(file: str, *arguments: str) -> subprocess.Popen[str]:
    path = str(ROOT / "launch" / file)
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, path, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def subscribed(topics: set[str]) -> bool:
    """Whether somebody subscribes all of these before patience ends."""
    import rclpy
    from rclpy.context import Context

    context = Context()
    rclpy.init(context=context, domain_id=int(os.environ["ROS_DOMAIN_ID"]))
    node = rclpy.create_node("watcher", context=context)
    deadline = time.monotonic() + PATIENCE_S
    found = False
    while not found and time.monotonic() < deadline:
        found = all(node.count_subscribers(topic) for topic in topics)
        time.sleep(0.2)
    node.destroy_node()
    context.try_shutdown()
    return found


@pytest.mark.parametrize(
    ("file", "arguments", "topics"),
    [
        (
            "ssap.launch.py",
            ("image_topic:=/cam/image_raw", "camera_info_topic:=/cam/info", "namespace:=/robot"),
            {"/cam/image_raw", "/cam/info"},
        ),
        (
            "cameras.launch.py",
            ("cameras:=a,b",),
            {"/a/image_raw", "/b/image_raw", "/b/camera_info"},
        ),
        (
            "depth.launch.py",
            ("image_topic:=/cam/image_raw", "depth_topic:=/cam/depth", "namespace:=/robot"),
            {"/cam/image_raw", "/cam/depth", "/robot/ssap/instances", "/robot/camera_info"},
        ),
    ],
)
def test_launch_starts_the_node_on_the_topics_and_ends_with_it(
    installed: Path, toy_model_path: Path, file: str, arguments: tuple[str, ...], topics: set[str]
) -> None:
    assert installed.is_dir()
    process = launched(file, f"model_file_path:={toy_model_path}", *arguments)
    try:
        assert subscribed(topics), process.communicate(timeout=1)
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    assert "process has finished cleanly" in output, output


@pytest.mark.usefixtures("installed")
def test_a_launch_that_is_terminated_leaves_no_node_behind(toy_model_path: Path) -> None:
    process = launched("ssap.launch.py", f"model_file_path:={toy_model_path}")
    try:
        assert subscribed({"/image"})
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert children
        files = Path(f"/proc/{process.pid}/fd").iterdir()
        # The launch itself has no part in DDS: its shared memory would be left behind.
        assert not [file for file in files if str(file.readlink()).endswith("_el")]
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while left := [pid for pid in children if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.1)


@pytest.mark.usefixtures("installed")
def test_a_replay_ends_with_a_report(toy_model_path: Path, tmp_path: Path) -> None:
    bag, out = tmp_path / "street.mcap", tmp_path / "out"
    made = [sys.executable, "-m", "ssap_ros.cli", "make-bag", "scenes:1", str(bag), "--frames", "3"]
    subprocess.run([*made, "--size", "160x96"], check=True, capture_output=True)
    process = launched(
        "replay.launch.py",
        f"bag:={bag}",
        f"out:={out}",
        "gt_instances:=/camera/gt/instances",
        f"model_file_path:={toy_model_path}",
    )
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    summary = json.loads((out / "summary.json").read_text())
    assert summary["frames_out"] == 3, output
    assert (out / "report.html").is_file()
