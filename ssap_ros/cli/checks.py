"""What is installed, what will be used, what is missing and how to get it."""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
from pathlib import Path

from ssap_ros.config import SsapConfig
from ssap_ros.errors import one_line
from ssap_ros.node.finding import Finding

_SETUP = "run `make setup`"
_LARGE_IMAGES = 32 << 20  # bytes that some full-HD frames under way take
_PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")


def examine(model: str = "") -> list[Finding]:
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
        _cuda_driver(),
        _gpu_packages(),
        _backend(),
        _engine_cache(),
        _model(model),
        _profile(),
        _shared_memory(),
        _socket_buffers(),
    ]


def _python() -> Finding:
    return Finding("Python", True, f"{platform.python_version()} on {platform.machine()}")


def _ros() -> Finding:
    distro = os.environ.get("ROS_DISTRO")
    where = f"distribution {distro}" if distro else "wheels"
    if importlib.util.find_spec("rclpy") is None:
        return Finding("ROS 2", False, "no rclpy", _SETUP + ", or source a ROS 2 distribution")
    middleware = os.environ.get("RMW_IMPLEMENTATION", "default")
    return Finding("ROS 2", True, f"{where}, rclpy {_version('rclpy')}, middleware {middleware}")


def _conversion() -> Finding:
    by = (
        "cv_bridge"
        if importlib.util.find_spec("cv_bridge")
        else "own conversion, no cv_bridge here"
    )
    return Finding("image conversion", True, by)


def _core() -> Finding:
    return _module("compiled core", "ssap_ros._core", _SETUP + " (needs g++)")


def _module(name: str, module: str, cure: str, *, needed: bool = True) -> Finding:
    """Whether a module can be imported, not only found: a broken library shows here."""
    try:
        if needed:
            importlib.import_module(module)
        elif importlib.util.find_spec(module) is None:
            raise ImportError("not installed")
    except ImportError as error:
        return Finding(name, not needed, one_line(error), cure)
    return Finding(name, True, _version(module.partition(".")[0]))


def _version(module: str) -> str:
    for distribution in importlib.metadata.packages_distributions().get(module, [module]):
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "present"


def _processor() -> Finding:
    """What OpenVINO makes of the processor; without it ONNX Runtime serves, slower."""
    cure = "for two to three times the speed on a CPU: pip install openvino"
    if importlib.util.find_spec("openvino") is None:
        return Finding("OpenVINO", True, "not installed", cure)
    try:
        from ssap_ros.backends.openvino import processor

        name, precisions = processor()
    except Exception as error:  # a broken library: ImportError, OSError and others
        return Finding("OpenVINO", True, one_line(error), cure)
    cores = len(os.sched_getaffinity(0))
    text = f"{_version('openvino')}, {name}, {cores} cores, computes in {', '.join(precisions)}"
    return Finding("OpenVINO", True, text)


def _cuda_driver() -> Finding:
    """Whether the driver starts; asked of the driver itself, without any CUDA package."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        code = int(driver.cuInit(0))
    except OSError:
        return Finding("GPU", True, "no NVIDIA driver; the CPU will be used")
    if code != 0:
        return Finding("GPU", True, f"the driver does not start (cuInit: {code})", "see nvidia-smi")
    count, number = ctypes.c_int(0), ctypes.c_int(0)
    driver.cuDeviceGetCount(ctypes.byref(count))
    driver.cuDriverGetVersion(ctypes.byref(number))
    name = ctypes.create_string_buffer(100)
    driver.cuDeviceGetName(name, 100, 0)
    version = f"{number.value // 1000}.{number.value % 1000 // 10}"
    return Finding("GPU", True, f"{count.value} x {name.value.decode()}, CUDA {version}")


def _gpu_packages() -> Finding:
    """TensorRT and CuPy by their metadata; never imported, they fail hard without a driver."""
    found = [
        f"{name} {_version(name)}"
        for name in ("tensorrt", "cupy")
        if importlib.util.find_spec(name)
    ]
    return Finding("GPU packages", True, ", ".join(found) or "no TensorRT, no CuPy")


def _backend() -> Finding:
    from ssap_ros.backends import choose_backend

    return Finding("backend", True, str(choose_backend(SsapConfig())))


def _engine_cache() -> Finding:
    from ssap_ros.backends.tensorrt.lookup import cache_folder

    folder = cache_folder(SsapConfig())
    engines = list(folder.glob("*.engine")) if folder.is_dir() else []
    megabytes = sum(engine.stat().st_size for engine in engines) / 1e6
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        cure = "set the parameter engine_cache_dir to a folder that can be written"
        return Finding("engine cache", True, f"{folder} cannot be written", cure)
    return Finding("engine cache", True, f"{folder}, {len(engines)} engines, {megabytes:.0f} MB")


def _model(model: str) -> Finding:
    try:
        from ssap_ros.backends import load_backend, model_path

        config = SsapConfig(model_file_path=model, backend="onnxruntime")  # builds no engine
        path, backend = model_path(config), load_backend(config)
    except (ImportError, RuntimeError, ValueError) as error:
        return Finding(
            "model", False, one_line(error), "give one with --model, or train and export one"
        )
    info = backend.info
    size = "x".join(map(str, info.input_size)) if info.input_size else f"long side {info.long_side}"
    return Finding(
        "model",
        True,
        f"{path}, input {size}, strides {', '.join(map(str, info.levels))}, "
        f"window {info.window}, {len(info.classes)} classes: {', '.join(info.classes)}",
    )


def _profile() -> Finding:
    path = next((os.environ[v] for v in _PROFILE_VARIABLES if os.environ.get(v)), "")
    cure = "export FASTDDS_DEFAULT_PROFILES_FILE=<ssap_ros>/config/fastdds_shm.xml"
    if not path:
        text = "none; large images may be lost between processes"
        return Finding("DDS profile", True, text, cure)
    if not os.path.isfile(path):
        return Finding("DDS profile", True, f"not found: {path}", cure)
    sizes = re.findall(r"<segment_size>\s*(\d+)", Path(path).read_text(errors="replace"))
    segment = max(map(int, sizes), default=0)
    if segment < _LARGE_IMAGES:
        text = f"{path}, its shared-memory segments hold {segment / 2**20:.1f} MiB"
        return Finding("DDS profile", True, f"{text}, too little for large images", cure)
    return Finding("DDS profile", True, f"{path}, segments of {segment / 2**20:.0f} MiB")


def _shared_memory() -> Finding:
    """The file system that shared-memory transports live in."""
    free = shutil.disk_usage("/dev/shm").free
    text = f"{free / 2**20:.0f} MiB free in /dev/shm"
    if free < 4 * _LARGE_IMAGES:
        cure = "give it more: mount -o remount,size=1G /dev/shm, or docker run --shm-size=1g"
        return Finding("shared memory", True, text, cure)
    return Finding("shared memory", True, text)


def _socket_buffers() -> Finding:
    """What images that come from other machines by UDP need."""
    limit = int(Path("/proc/sys/net/core/rmem_max").read_text())
    text = f"receive buffers of up to {limit / 2**20:.1f} MiB"
    if limit < _LARGE_IMAGES:
        cure = f"for cameras on other machines: sysctl -w net.core.rmem_max={_LARGE_IMAGES}"
        return Finding("socket buffers", True, text, cure)
    return Finding("socket buffers", True, text)
