"""Who may import whom, by the syntax trees; and the parameter file agrees with the defaults."""

import ast
import dataclasses
from pathlib import Path

import pytest
import yaml

from ssap_ros.config import NodeConfig, SsapConfig

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "ssap_ros"

# Lower layers first; a module imports from its own layer and from those below, never upward.
# A folder counts as one module here.
LAYERS = (
    {
        "types",
        "config",
        "errors",
        "finding",
        "resources",
        "model_info",
        "image_files",
        "segments",
        "_core",
    },
    {
        "preprocess",
        "affinity",
        "partition",
        "stages",
        "instances",
        "backends",
        "tracking",
        "overlay",
        "scenes",
        "scene_parts",
        "datasets",
        "network",
    },
    {
        "parameter_docs",
        "pipeline",
        "training",
        "frame_queue",
        "frame_worker",
        "stage_times",
        "status",
        "semantics",
    },
    {"messages", "image_messages", "compressed_messages", "connection"},
    {"node_parts"},
    {"node", "evaluation"},
    {"replay"},
    {"doctor", "topic_check"},
    {"commands", "benchmark"},
    {"cli"},
)

# Who alone may import a package from outside, as path prefixes inside ssap_ros/.
ROS = (
    "node.py",
    "node_parts/",
    "messages.py",
    "image_messages.py",
    "compressed_messages.py",
    "connection.py",
    "topic_check.py",
    "benchmark/node_link.py",
    "replay/link.py",
)
RESTRICTED = {
    "rclpy": ROS,
    "builtin_interfaces": ROS,
    "cv_bridge": ROS,
    "diagnostic_msgs": ROS,
    "lifecycle_msgs": ROS,
    "rcl_interfaces": ROS,
    "sensor_msgs": ROS,
    "std_msgs": ROS,
    "std_srvs": ROS,
    "autoware_internal_debug_msgs": ROS,
    "vision_msgs": ROS,
    "rosbags": ("replay/bag_",),
    "mcap": ("replay/bag_",),
    "distributed": ("evaluation/workers.py",),
    "onnxruntime": ("backends/onnxruntime_backend.py",),
    "tensorrt": ("backends/tensorrt_engine.py", "backends/engine_builder.py"),
    "pycuda": ("backends/tensorrt_backend.py", "backends/gpu_"),
    "cupy": ("backends/gpu_",),
    "torch": ("network/", "training/"),
    "onnx": ("network/", "training/", "backends/portable_onnx.py"),
    "pycocotools": ("evaluation/", "replay/", "training/"),
    "ssap_ros._core": ("stages/core.py",),
}

FILES = sorted(PACKAGE.rglob("*.py"))


def layer(module: str) -> int:
    for index, names in enumerate(LAYERS):
        if module in names:
            return index
    raise AssertionError(f"{module} has no place in the layers of {Path(__file__).name}")


def imports(file: Path) -> set[str]:
    """Full names of everything that `file` imports, names inside a package included."""
    parts = ("ssap_ros", *file.relative_to(PACKAGE).with_suffix("").parts)
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(parts[: -node.level]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_never_go_upward(file):
    own = file.relative_to(PACKAGE).with_suffix("").parts[0]
    if own == "__init__":
        assert not {name for name in imports(file) if name.startswith("ssap_ros")}
        return
    for name in imports(file):
        if name.startswith("ssap_ros.") and (other := name.split(".")[1]) != "__version__":
            assert layer(other) <= layer(own), f"{own} imports {other}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_outside_packages_stay_where_they_belong(file):
    where = file.relative_to(PACKAGE).as_posix()
    for name in imports(file):
        for package, homes in RESTRICTED.items():
            if name == package or name.startswith(f"{package}."):
                assert where.startswith(homes), f"{where} imports {package}"


def test_the_pipeline_knows_no_ros():
    reached, waiting = set(), ["pipeline"]
    while waiting:
        module = waiting.pop()
        if module in reached:
            continue
        reached.add(module)
        folder = PACKAGE / module
        files = folder.rglob("*.py") if folder.is_dir() else [folder.with_suffix(".py")]
        for file in filter(Path.is_file, files):
            names = {name for name in imports(file) if name.startswith("ssap_ros.")}
            waiting += [name.split(".")[1] for name in names]
    assert "partition" in reached
    assert not reached & {"messages", "node", "evaluation", "replay"}


def test_headers_of_the_core_know_no_python():
    headers = sorted(
        path for path in (PACKAGE / "csrc").rglob("*.hpp") if path.parent.name != "bindings"
    )
    assert headers
    for header in headers:
        included = [line for line in header.read_text().splitlines() if line.startswith("#include")]
        assert not [line for line in included if "pybind11" in line or "Python.h" in line], header


def test_parameter_file_holds_the_defaults():
    document = yaml.safe_load((ROOT / "config" / "ssap.yaml").read_text())
    defaults = {
        field.name: list(field.default) if isinstance(field.default, tuple) else field.default
        for config in (SsapConfig, NodeConfig)
        for field in dataclasses.fields(config)
    }
    assert document == {"/**": {"ros__parameters": defaults}}
