"""Inference engines behind one protocol; `load_backend` loads the configured one."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ssap_ros.backends.base import AnyBackend, OnProgress
from ssap_ros.backends.resources import default_model_path
from ssap_ros.backends.tensorrt.driver import Gpu, probe
from ssap_ros.config import SsapConfig
from ssap_ros.errors import DeviceError, ModelError

__all__ = [
    "AnyBackend",
    "DeviceError",
    "ModelError",
    "choose_backend",
    "load_backend",
    "model_path",
]

_GPU_PACKAGES = ("tensorrt", "pycuda", "cupy", "onnx")


def load_backend(config: SsapConfig, on_progress: OnProgress = lambda _: None) -> AnyBackend:
    """Load `config.model_file_path` into an engine, building it first where that is needed.

    on_progress: is told which backend was chosen and why, and how a build goes on.
    Raises ModelError for the model, DeviceError if the GPU that `config` asks for does not serve.
    """
    path = model_path(config)
    gpu, reason = choose_backend(config)
    on_progress(f"{'TensorRT' if gpu else 'ONNX Runtime'}: {reason}")
    if gpu:
        from ssap_ros.backends.tensorrt.backend import load_tensorrt

        return load_tensorrt(path, config, gpu, on_progress)
    try:
        from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend
    except ImportError as error:
        raise ModelError(f"ONNX Runtime cannot be imported: {error}") from error
    return OnnxRuntimeBackend(path, config.num_threads)


def choose_backend(config: SsapConfig) -> tuple[Gpu | None, str]:
    """The GPU that TensorRT is to run on, None for ONNX Runtime on the CPU; and why, in words.

    `config.backend` "auto" takes TensorRT where driver, GPU and packages are there. Raises
    DeviceError if it is "tensorrt" and something is missing.
    """
    if config.backend == "onnxruntime":
        return None, "on the CPU, as configured"
    try:
        gpu = probe(config.gpu_id)
        missing = [name for name in _GPU_PACKAGES if find_spec(name) is None]
        if missing:
            raise DeviceError(f"{', '.join(missing)} not installed")
    except DeviceError as error:
        if config.backend == "tensorrt":
            raise DeviceError(f"backend tensorrt: {error}") from None
        return None, f"on the CPU, because {error}"
    return gpu, f"{gpu.name}, compute capability {gpu.compute_capability}, CUDA {gpu.cuda}"


def model_path(config: SsapConfig) -> Path:
    """The model file that `config` means: its own or the one shipped with the package.

    Raises ModelError if it does not exist.
    """
    named = config.model_file_path
    path = Path(named).expanduser() if named else default_model_path()
    if not path.is_file():
        raise ModelError(f"model not found: {path}")
    return path
