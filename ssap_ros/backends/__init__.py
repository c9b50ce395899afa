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

"""Inference engines behind one protocol; `load_backend` loads the configured one."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ssap_ros.backends.base import AnyBackend, OnProgress
from ssap_ros.backends.model_info import is_quantized
from ssap_ros.backends.resources import default_model_path
from ssap_ros.backends.tensorrt.driver import Gpu, probe
from ssap_ros.backends.tensorrt.lookup import cache_folder
from ssap_ros.config import SsapConfig
from ssap_ros.errors import DeviceError, ModelError, one_line

__all__ = [
    "AnyBackend",
    "BackendChoice",
    "DeviceError",
    "ModelError",
    "choose_backend",
    "load_backend",
    "model_path",
]

_GPU_PACKAGES = ("tensorrt", "pycuda", "cupy", "onnx")
_GPU_PRECISIONS = ("auto", "fp32", "fp16", "int8")


@dataclass(frozen=True)
class BackendChoice:
    """What is to run the network, "TensorRT", "OpenVINO" or "ONNX Runtime", and why, in words.

    Attributes:
        gpu: What TensorRT runs on, None for the others.
    """

    runtime: str
    reason: str
    gpu: Gpu | None = None

    def __str__(self) -> str:
        return f"{self.runtime}: {self.reason}"


def load_backend(config: SsapConfig, on_progress: OnProgress = lambda _: None) -> AnyBackend:
    """Load `config.model_file_path` into an engine, building it first where that is needed.

    Where the choice of the backend is "auto" and OpenVINO refuses the model, ONNX Runtime gets it.

    Args:
        config: The settings.
        on_progress: Called with which backend was chosen and why, and how a build goes on.

    Returns:
        The backend, ready to run.

    Raises:
        ModelError: The model is missing or incompatible.
        DeviceError: The GPU or the precision that `config` asks for cannot be used.
    """
    path = model_path(config)
    if config.precision == "int8" and not is_quantized(path.read_bytes()):
        raise ModelError(
            f"precision int8: expected a model by `ssap export --int8`, got {path} without int8"
        )
    choice = choose_backend(config)
    on_progress(str(choice))
    if choice.gpu:
        from ssap_ros.backends.tensorrt.backend import load_tensorrt

        return load_tensorrt(path, config, choice.gpu, on_progress)
    if choice.runtime == "OpenVINO":
        from ssap_ros.backends.openvino import OpenVinoBackend

        try:
            backend = OpenVinoBackend(
                path, config.num_threads, config.precision, cache_folder(config) / "openvino"
            )
            _prepare(backend, config)
            return backend
        except (ModelError, DeviceError) as error:
            if config.backend == "openvino":
                raise
            on_progress(f"ONNX Runtime: on the CPU, because of OpenVINO: {error}")
    try:
        from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend
    except ImportError as error:
        raise ModelError(f"ONNX Runtime cannot be imported: {error}") from error
    return OnnxRuntimeBackend(path, config.num_threads)


def _prepare(backend: AnyBackend, config: SsapConfig) -> None:
    """Have the input of the usual camera, 4:3, compiled before its first image waits for it."""
    long_side = config.input_long_side or backend.info.long_side
    image = np.zeros((3 * long_side // 4, long_side, 3), np.uint8)
    levels = backend.info.levels_from(config.initial_level)
    backend.infer(backend.preprocess([image], long_side)[0], levels)


def choose_backend(config: SsapConfig) -> BackendChoice:
    """Choose the backend of `config`, without loading it.

    Returns:
        The one that is named; for "auto" the first of TensorRT, OpenVINO, ONNX Runtime that serves.

    Raises:
        DeviceError: A backend is named that lacks a package, a driver or the precision.
    """
    wanted = config.backend
    reasons = []
    for name, attempt in (("tensorrt", _tensorrt), ("openvino", _openvino)):
        if wanted in ("auto", name):
            try:
                choice = attempt(config)
            except DeviceError as error:
                if wanted == name:
                    raise DeviceError(f"backend {name}: {error}") from None
                reasons.append(str(error))
            else:
                because = f", because {reasons[0]}" if reasons else ""
                return BackendChoice(choice.runtime, choice.reason + because, choice.gpu)
    because = f"because {' and '.join(reasons)}" if reasons else "as configured"
    return BackendChoice("ONNX Runtime", f"on the CPU, {because}")


def _tensorrt(config: SsapConfig) -> BackendChoice:
    gpu = probe(config.gpu_id)
    missing = [name for name in _GPU_PACKAGES if find_spec(name) is None]
    if missing:
        raise DeviceError(
            f"{', '.join(missing)} not installed: pip install -r environment/requirements-gpu.txt"
        )
    if config.precision not in _GPU_PRECISIONS:
        raise DeviceError(f"TensorRT gets {', '.join(_GPU_PRECISIONS)}, not {config.precision}")
    reason = f"{gpu.name}, compute capability {gpu.compute_capability}, CUDA {gpu.cuda}"
    return BackendChoice("TensorRT", reason, gpu)


def _openvino(config: SsapConfig) -> BackendChoice:
    if find_spec("openvino") is None:
        raise DeviceError("openvino not installed: pip install openvino")
    try:
        from ssap_ros.backends.openvino import choose_precision, processor
    except Exception as error:  # a broken library: ImportError, OSError and others
        raise DeviceError(f"openvino cannot be imported: {one_line(error)}") from error
    precision = choose_precision(config.precision)
    return BackendChoice("OpenVINO", f"{processor()[0]} in {precision}")


def model_path(config: SsapConfig) -> Path:
    """Find the model file that `config` means.

    Returns:
        Its own, or the one shipped with the package.

    Raises:
        ModelError: The file does not exist.
    """
    named = config.model_file_path
    path = Path(named).expanduser() if named else default_model_path()
    if not path.is_file():
        raise ModelError(f"model not found: {path}")
    return path
