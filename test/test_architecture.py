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

"""Who may import whom, room by room; and the parameter file agrees with the defaults."""

import ast
import dataclasses
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

from ssap_ros.config import DepthConfig, NodeConfig, SsapConfig

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "ssap_ros"

# The rooms, upper floors first: a module imports from its own floor and from those below.
FLOORS = (
    "cli",
    "prediction",
    "replay",
    "replay.review",
    "replay.report",
    "replay.play",
    "replay.frames replay.sources replay.summary replay.video_clock",
    "replay.bags",
    "node evaluation training",
    "messages visualization network",
    "pipeline",
    "backends",
    "stages data partition",
    "common",
    "config types errors _core",
)
ROS = "node messages"
OUTSIDE = {  # who alone may import a package from outside
    "ssap_ros._core": "stages.core",
    "rclpy": ROS,
    "builtin_interfaces": ROS,
    "cv_bridge": ROS,
    "diagnostic_msgs": ROS,
    "lifecycle_msgs": ROS,
    "rcl_interfaces": ROS,
    "sensor_msgs": ROS,
    "foxglove_msgs": ROS,
    "geometry_msgs": ROS,
    "std_msgs": ROS,
    "std_srvs": ROS,
    "autoware_internal_debug_msgs": ROS,
    "vision_msgs": ROS,
    "visualization_msgs": ROS,
    "tf2_ros": "node.depth",
    "rosbags": "replay.bags",
    "mcap": "replay.bags",
    "distributed": "evaluation",
    "onnxruntime": "backends.onnxruntime training",
    "openvino": "backends.openvino",
    "tensorrt": "backends.tensorrt",
    "pycuda": "backends.tensorrt",
    "cupy": "backends.tensorrt",
    "nncf": "network",
    "torch": "network training",
    "onnx": "network training backends.tensorrt",
    "jinja2": "replay.report",
    "pycocotools": "data evaluation replay.bags",
}


def dotted(file: Path) -> str:
    """`stages.partition`, and `node` for its __init__.py."""
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {dotted(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def inside(module: str, rooms: str) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms.split())


def floor(module: str) -> int:
    """The one whose room is the smallest around the module; 0 is the top."""
    rooms = {room: n for n, floor in enumerate(FLOORS) for room in floor.split()}
    around = [room for room in rooms if inside(module, room)]
    assert around, f"{module} stands in no room of {Path(__file__).name}"
    return rooms[max(around, key=len)]


def imports(module: str) -> set[str]:
    """Everything that a module imports, also within functions: `torch`, `ssap_ros.types`."""
    names = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                known = name.removeprefix("ssap_ros.") in MODULES or name == "ssap_ros._core"
                names.add(name if known else str(node.module))
    return names


def own_imports(module: str) -> set[str]:
    """Those of ours, without the package itself: `types`, `stages.partition`."""
    names = {name for name in imports(module) if name.startswith("ssap_ros.")}
    return {name.removeprefix("ssap_ros.") for name in names} - {module}


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"__init__"}))
def test_imports_never_go_upward(module):
    for other in own_imports(module):
        assert floor(other) >= floor(module), f"{module} imports {other}"


def test_imports_make_no_circles():
    sorter = TopologicalSorter({module: own_imports(module) for module in MODULES})
    assert len(list(sorter.static_order())) >= len(MODULES)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_outside_packages_stay_where_they_belong(module):
    for name in imports(module):
        for package, rooms in OUTSIDE.items():
            if inside(name, package):
                assert inside(module, rooms), f"{module} imports {package}"


def test_headers_of_the_core_know_no_python():
    headers = set((PACKAGE / "csrc").glob("*/*.hpp")) - set((PACKAGE / "csrc/bindings").iterdir())
    assert headers
    for header in headers:
        included = [line for line in header.read_text().splitlines() if line.startswith("#include")]
        assert not [line for line in included if "pybind11" in line or "Python.h" in line], header


@pytest.mark.parametrize(
    ("name", "configs"),
    [("ssap.yaml", (SsapConfig, NodeConfig)), ("ssap_depth.yaml", (DepthConfig,))],
)
def test_parameter_file_holds_the_defaults(name, configs):
    document = yaml.safe_load((ROOT / "config" / name).read_text())
    defaults = {
        field.name: list(field.default) if isinstance(field.default, tuple) else field.default
        for config in configs
        for field in dataclasses.fields(config)
    }
    assert document == {"/**": {"ros__parameters": defaults}}
