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

"""Which engine a configuration needs, where it is kept, and how it comes about."""

from __future__ import annotations

import hashlib
import os
from functools import partial
from pathlib import Path

from ssap_ros.backends.base import OnProgress
from ssap_ros.backends.model_info import is_quantized
from ssap_ros.backends.tensorrt.builder import FLAGS, BuildJob, build_engine
from ssap_ros.backends.tensorrt.cache import (
    EngineKey,
    IncompatibleEngineError,
    Shape,
    cached_engine,
    read_engine,
)
from ssap_ros.backends.tensorrt.driver import Gpu
from ssap_ros.config import SsapConfig
from ssap_ros.types import ModelInfo


def engine_key(
    model: bytes,
    info: ModelInfo,
    config: SsapConfig,
    gpu: Gpu,
    tensorrt: str,
    input_size: tuple[int, int] | None = None,
) -> EngineKey:
    """Name everything that the engine of `config` on `gpu` depends on.

    Args:
        model: Content of the ONNX file; a quantized one makes an int8 engine, whose other layers
            are in half precision where TensorRT chooses.
        info: What the model says about itself.
        config: The settings.
        gpu: Where it is to run.
        tensorrt: Version of TensorRT.
        input_size: (height, width), for an engine of this one input size.

    Returns:
        The key.
    """
    precision = "fp16" if config.precision == "auto" else config.precision
    least, usual, most = profile_shapes(info, config, input_size)
    return EngineKey(
        model_sha256=hashlib.sha256(model).hexdigest(),
        tensorrt=tensorrt,
        gpu=gpu.name,
        compute_capability=gpu.compute_capability,
        precision="int8" if is_quantized(model) else precision,
        min_shape=least,
        opt_shape=usual,
        max_shape=most,
        flags=FLAGS,
    )


def profile_shapes(
    info: ModelInfo, config: SsapConfig, input_size: tuple[int, int] | None = None
) -> tuple[Shape, Shape, Shape]:
    """Choose the optimization profile.

    A model of free input size takes images of any aspect ratio up to its long side, and is fastest
    at 16:9.

    Returns:
        Smallest, usual and largest network input, each (n, 3, h, w).
    """
    n, fixed = config.max_batch, input_size or info.input_size
    if fixed:
        return (1, 3, *fixed), (n, 3, *fixed), (n, 3, *fixed)
    stride = info.levels[-1]
    long = config.input_long_side or info.long_side
    longest, shortest = (-(-side // stride) * stride for side in (long, long * 9 // 16))
    return (1, 3, stride, stride), (n, 3, shortest, longest), (n, 3, longest, longest)


def cache_folder(config: SsapConfig) -> Path:
    """Where engines are kept."""
    if config.engine_cache_dir:
        return Path(config.engine_cache_dir).expanduser()
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "ssap_ros" / "engines"


def find_engine(
    model: Path, key: EngineKey, config: SsapConfig, on_progress: OnProgress, *, force: bool = False
) -> bytes:
    """Find or build an engine: the one that `config` names if it fits, else that of `key`.

    Args:
        model: The ONNX file.
        key: The engine that is wanted.
        config: The settings.
        on_progress: Called with how a build goes on.
        force: Build it, whatever there is.

    Returns:
        The serialised engine.

    Raises:
        ModelError: It cannot be built.
    """
    if config.engine_file_path and not force:
        path = Path(config.engine_file_path).expanduser()
        try:
            return read_engine(path, key, any_shape=True)
        except IncompatibleEngineError as reason:
            on_progress(f"{reason}; looking in the cache")
    job = partial(BuildJob, str(model), gpu_id=config.gpu_id, key=key)
    return cached_engine(
        cache_folder(config),
        model.stem,
        key,
        lambda path, lock: build_engine(job(engine=str(path)), lock, on_progress),
        on_progress,
        force=force,
    )
