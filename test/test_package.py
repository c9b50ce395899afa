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

"""The package description, the shipped files and the environment fit together."""

import ast
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib.metadata import entry_points, requires
from pathlib import Path

import pytest

import ssap_ros
from ssap_ros.backends.resources import DEFAULT_MODEL, default_model_path, share_path

ROOT = Path(__file__).resolve().parents[1]
CHANGELOG = ROOT / "CHANGELOG.rst"
TYPE_HASHES = {
    "Detection2DArray": "214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968",
    "LabelInfo": "3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783",
}


def manifest() -> ET.Element:
    return ET.parse(ROOT / "package.xml").getroot()


def test_manifest_is_an_ament_python_package_of_this_version():
    package = manifest()
    assert package.get("format") == "3"
    assert package.findtext("name") == "ssap_ros"
    assert package.findtext("version") == ssap_ros.__version__
    assert package.findtext("export/build_type") == "ament_python"
    assert (ROOT / "resource" / "ssap_ros").is_file()


def test_changelog_begins_with_this_version():
    released = re.findall(
        r"^(\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)\n-+$", CHANGELOG.read_text(), re.M
    )
    assert released[0][0] == ssap_ros.__version__
    dates = [date for _, date in released]
    assert dates == sorted(dates, reverse=True)


def test_manifest_names_every_ros_package_that_is_imported():
    ros = {"cv_bridge", "launch", "launch_ros", "rclpy", "rcl_interfaces", "builtin_interfaces"}
    declared = {element.text for element in manifest() if element.tag.endswith("depend")}
    files = [*(ROOT / "ssap_ros").rglob("*.py"), *(ROOT / "launch").glob("*.py")]
    imported = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    assert {name for name in imported if name in ros or name.endswith("_msgs")} <= declared


def setup_without_pybind11(*command: str) -> subprocess.CompletedProcess:
    program = "import sys, runpy; sys.modules['pybind11'] = None; runpy.run_path('setup.py')"
    return subprocess.run(
        [sys.executable, "-c", program, *command], cwd=ROOT, capture_output=True, text=True
    )


def test_setup_describes_the_package_where_pybind11_is_missing():
    done = setup_without_pybind11("--version")
    assert done.stdout.splitlines()[-1] == ssap_ros.__version__


@pytest.mark.skipif(
    any(Path(p, "include", "pybind11").exists() for p in (sys.prefix, sys.base_prefix, "/usr")),
    reason="pybind11-dev is installed",
)
def test_setup_names_the_headers_that_a_build_needs(tmp_path):
    done = setup_without_pybind11("build_ext", "--build-temp", str(tmp_path), "--force")
    assert done.returncode != 0
    assert "expected the headers of pybind11 in" in done.stderr
    assert "sudo apt install pybind11-dev" in done.stderr


@pytest.mark.parametrize("command", ["ssap", "ssap_node", "ssap_depth_node"])
def test_commands_are_installed_and_callable(command):
    (entry,) = entry_points(group="console_scripts", name=command)
    assert callable(entry.load())


def test_shipped_files_are_found():
    for relative in (
        "config/ssap.yaml",
        "config/ssap_depth.yaml",
        "config/fastdds_shm.xml",
        "rviz/ssap.rviz",
        "rviz/depth.rviz",
        "foxglove/ssap.json",
    ):
        assert share_path(relative).is_file()
    assert default_model_path() == ROOT / "engines" / DEFAULT_MODEL


def test_a_file_that_is_not_shipped_is_named_in_the_checkout():
    assert share_path("config/none.yaml") == ROOT / "config" / "none.yaml"


def test_installed_package_finds_its_share_folder(tmp_path):
    package = tmp_path / "lib" / "python3.11" / "site-packages" / "ssap_ros"
    share = tmp_path / "share" / "ssap_ros" / "engines"
    package.mkdir(parents=True)
    share.mkdir(parents=True)
    (share / DEFAULT_MODEL).touch()
    (package / "backends").mkdir()
    (package / "__init__.py").touch()
    (package / "backends" / "__init__.py").touch()
    resources = ROOT / "ssap_ros" / "backends" / "resources.py"
    (package / "backends" / "resources.py").write_bytes(resources.read_bytes())
    program = (
        "from ssap_ros.backends.resources import default_model_path; print(default_model_path())"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=package.parent, capture_output=True, text=True
    )
    assert found.stdout.strip() == str(share / DEFAULT_MODEL)


def test_transport_profile_has_segments_of_256_megabytes():
    text = (ROOT / "config" / "fastdds_shm.xml").read_text()
    assert set(re.findall(r"<(?:segment_size|maxMessageSize)>(\d+)<", text)) == {str(256 << 20)}
    assert "<type>UDPv4</type>" in text


@pytest.mark.skipif("ROS_DISTRO" in os.environ, reason="the distribution brings vision_msgs")
@pytest.mark.parametrize("message", sorted(TYPE_HASHES))
def test_generated_vision_msgs_keep_the_wire_contract(message):
    description = Path(sys.prefix, "share", "vision_msgs", "msg", f"{message}.json")
    hashes = {
        entry["type_name"]: entry["hash_string"]
        for entry in json.loads(description.read_text())["type_hashes"]
    }
    assert hashes[f"vision_msgs/msg/{message}"] == f"RIHS01_{TYPE_HASHES[message]}"


@pytest.mark.skipif("ROS_DISTRO" in os.environ, reason="the distribution brings the messages")
@pytest.mark.parametrize(
    "message", ["vision_msgs/msg/Detection3DArray", "foxglove_msgs/msg/ImageAnnotations"]
)
def test_generated_messages_are_those_that_bags_are_written_with(message):
    pytest.importorskip("rosbags", reason="rosbags is not installed")
    from ssap_ros.replay.bags.messages import standard_types

    package, _, name = message.split("/")
    description = json.loads(Path(sys.prefix, "share", package, "msg", f"{name}.json").read_text())
    hashes = {entry["type_name"]: entry["hash_string"] for entry in description["type_hashes"]}
    assert hashes[message] == standard_types().hash_rihs01(message)


def test_ros_is_found_without_sourcing_anything():
    program = "from vision_msgs.msg import Detection2DArray; import rclpy; rclpy.init()"
    bare = {"HOME": os.environ.get("HOME", "/"), "PATH": os.environ["PATH"]}
    if "ROS_DISTRO" in os.environ:
        bare = dict(os.environ)
    done = subprocess.run([sys.executable, "-c", program], env=bare, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_colcon_test_finds_that_the_tests_are_those_of_pytest():
    assert 'pytest; extra == "test"' in (requires("ssap_ros") or [])


def collect(missing: str, module: str) -> subprocess.CompletedProcess:
    """Collect the tests of a module where a package is missing."""
    program = (
        "import sys, pytest; sys.modules[sys.argv.pop(1)] = None; "
        "sys.exit(pytest.main(['--collect-only', '-q', *sys.argv[1:]]))"
    )
    return subprocess.run(
        [sys.executable, "-c", program, missing, module], cwd=ROOT, capture_output=True, text=True
    )


def test_tests_are_skipped_where_a_package_from_pip_is_missing():
    done = collect("pycocotools", "test/data/test_coco.py")
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout
    assert re.search(r"^SKIPPED .*: pycocotools is not installed$", done.stdout, re.M)


def test_tests_fail_where_a_package_of_the_distribution_is_missing():
    done = collect("cv2", "test/visualization/test_overlay.py")
    assert done.returncode == pytest.ExitCode.INTERRUPTED
    assert "import of cv2 halted" in done.stdout
