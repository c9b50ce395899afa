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

"""What is installed, what will be used, what is missing and how to get it."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
from pathlib import Path

from ssap_ros.config import SsapConfig
from ssap_ros.errors import DeviceError, one_line
from ssap_ros.node.check_result import CheckResult
from ssap_ros.node.transport import profile_path, segment_bytes

_SETUP = "run `make setup`"
_LARGE_IMAGES = 32 << 20  # bytes that some full-HD frames under way take


def examine(model: str = "") -> list[CheckResult]:
    """Look at everything the node depends on; `model` is an ONNX file, empty = the default one."""
    return [
        _python(),
        _ros(),
        _module("vision_msgs", "vision_msgs.msg", _SETUP + ", or install ros-<distro>-vision-msgs"),
        _conversion(),
        _core(),
        _module("OpenCV", "cv2", _SETUP),
        _module("ONNX Runtime", "onnxruntime", _SETUP),
        _processor(),
        _module("rosbags", "rosbags.highlevel", _SETUP, needed=False),
        _module(
            "PyTorch",
            "torch",
            "for training: pip install -r environment/requirements-train.txt",
            needed=False,
        ),
        _module(
            "debug messages",
            "autoware_internal_debug_msgs.msg",
            "for ~/debug topics: install ros-<distro>-autoware-internal-debug-msgs",
            needed=False,
        ),
        _module(
            "annotations",
            "foxglove_msgs.msg",
            "for ~/annotations: install ros-<distro>-foxglove-msgs",
            needed=False,
        ),
        _module(
            "markers",
            "visualization_msgs.msg",
            "for the depth node: install ros-<distro>-visualization-msgs",
            needed=False,
        ),
        _module(
            "tf2",
            "tf2_ros",
            "for target_frame of the depth node: install ros-<distro>-tf2-ros-py",
            needed=False,
        ),
        _gpu(),
        _gpu_packages(),
        _backend(),
        _engine_cache(),
        _model(model),
        _profile(),
        _shared_memory(),
        _socket_buffers(),
    ]


def _python() -> CheckResult:
    return CheckResult("Python", True, f"{platform.python_version()} on {platform.machine()}")


def _ros() -> CheckResult:
    distro = os.environ.get("ROS_DISTRO")
    where = f"distribution {distro}" if distro else "wheels"
    if importlib.util.find_spec("rclpy") is None:
        return CheckResult("ROS 2", False, "no rclpy", _SETUP + ", or source a ROS 2 distribution")
    middleware = os.environ.get("RMW_IMPLEMENTATION", "default")
    return CheckResult(
        "ROS 2", True, f"{where}, rclpy {_version('rclpy')}, middleware {middleware}"
    )


def _conversion() -> CheckResult:
    by = (
        "cv_bridge"
        if importlib.util.find_spec("cv_bridge")
        else "own conversion, no cv_bridge here"
    )
    return CheckResult("image conversion", True, by)


def _core() -> CheckResult:
    return _module("compiled core", "ssap_ros._core", _SETUP + " (needs g++)")


def _module(name: str, module: str, hint: str, *, needed: bool = True) -> CheckResult:
    """Whether a module can be imported, not only found: a broken library shows here."""
    try:
        if needed:
            importlib.import_module(module)
        elif importlib.util.find_spec(module) is None:
            raise ImportError("not installed")
    except ImportError as error:
        return CheckResult(name, not needed, one_line(error), hint)
    return CheckResult(name, True, _version(module.partition(".")[0]))


def _version(module: str) -> str:
    for distribution in importlib.metadata.packages_distributions().get(module, [module]):
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "present"


def _processor() -> CheckResult:
    """What OpenVINO makes of the processor; without it ONNX Runtime serves, slower."""
    hint = "for two to three times the speed on a CPU: pip install openvino"
    if importlib.util.find_spec("openvino") is None:
        return CheckResult("OpenVINO", True, "not installed", hint)
    try:
        from ssap_ros.backends.openvino import processor

        name, precisions = processor()
    except Exception as error:  # a broken library: ImportError, OSError and others
        return CheckResult("OpenVINO", True, one_line(error), hint)
    cores = len(os.sched_getaffinity(0))
    text = f"{_version('openvino')}, {name}, {cores} cores, computes in {', '.join(precisions)}"
    return CheckResult("OpenVINO", True, text)


def _gpu() -> CheckResult:
    """The GPU as the driver describes it, without any CUDA package."""
    from ssap_ros.backends.tensorrt.driver import probe

    try:
        gpu = probe()
    except DeviceError as error:
        return CheckResult("GPU", True, f"{error}; the CPU will be used")
    text = f"{gpu.name}, compute capability {gpu.compute_capability}, CUDA {gpu.cuda}"
    return CheckResult("GPU", True, text)


def _gpu_packages() -> CheckResult:
    """TensorRT and CuPy by their metadata; never imported, they fail hard without a driver."""
    found = [
        f"{name} {_version(name)}"
        for name in ("tensorrt", "cupy")
        if importlib.util.find_spec(name)
    ]
    return CheckResult("GPU packages", True, ", ".join(found) or "no TensorRT, no CuPy")


def _backend() -> CheckResult:
    from ssap_ros.backends import choose_backend

    return CheckResult("backend", True, str(choose_backend(SsapConfig())))


def _engine_cache() -> CheckResult:
    from ssap_ros.backends.tensorrt.lookup import cache_folder

    folder = cache_folder(SsapConfig())
    engines = list(folder.glob("*.engine")) if folder.is_dir() else []
    megabytes = sum(engine.stat().st_size for engine in engines) / 1e6
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        hint = "set the parameter engine_cache_dir to a folder that can be written"
        return CheckResult("engine cache", True, f"{folder} cannot be written", hint)
    return CheckResult(
        "engine cache", True, f"{folder}, {len(engines)} engines, {megabytes:.0f} MB"
    )


def _model(model: str) -> CheckResult:
    try:
        from ssap_ros.backends import load_backend, model_path

        config = SsapConfig(model_file_path=model, backend="onnxruntime")  # builds no engine
        path, backend = model_path(config), load_backend(config)
    except (ImportError, RuntimeError, ValueError) as error:
        return CheckResult(
            "model", False, one_line(error), "give one with --model, or train and export one"
        )
    info = backend.info
    size = "x".join(map(str, info.input_size)) if info.input_size else f"long side {info.long_side}"
    return CheckResult(
        "model",
        True,
        f"{path}, input {size}, strides {', '.join(map(str, info.levels))}, "
        f"window {info.window}, {len(info.classes)} classes: {', '.join(info.classes)}",
    )


def _profile() -> CheckResult:
    path = profile_path()
    hint = "export FASTDDS_DEFAULT_PROFILES_FILE=<ssap_ros>/config/fastdds_shm.xml"
    if not path:
        text = "none; large images may be lost between processes"
        return CheckResult("DDS profile", True, text, hint)
    if not os.path.isfile(path):
        return CheckResult("DDS profile", True, f"not found: {path}", hint)
    segment = segment_bytes(path)
    if segment < _LARGE_IMAGES:
        text = f"{path}, its shared-memory segments hold {segment / 2**20:.1f} MiB"
        return CheckResult("DDS profile", True, f"{text}, too little for large images", hint)
    text = f"{path}, segments of {segment / 2**20:.0f} MiB; a larger image is lost without a word"
    return CheckResult("DDS profile", True, text)


def _shared_memory() -> CheckResult:
    """The file system that shared-memory transports live in."""
    free = shutil.disk_usage("/dev/shm").free
    text = f"{free / 2**20:.0f} MiB free in /dev/shm"
    if free < 4 * _LARGE_IMAGES:
        hint = "give it more: mount -o remount,size=1G /dev/shm, or docker run --shm-size=1g"
        return CheckResult("shared memory", True, text, hint)
    return CheckResult("shared memory", True, text)


def _socket_buffers() -> CheckResult:
    """What images that come from other machines by UDP need."""
    limit = int(Path("/proc/sys/net/core/rmem_max").read_text())
    text = f"receive buffers of up to {limit / 2**20:.1f} MiB"
    if limit < _LARGE_IMAGES:
        hint = f"for cameras on other machines: sysctl -w net.core.rmem_max={_LARGE_IMAGES}"
        return CheckResult("socket buffers", True, text, hint)
    return CheckResult("socket buffers", True, text)
