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

"""A TensorRT engine of the SSAP contract: `image` in, logits per level out, all float32."""

from __future__ import annotations

from typing import Any

import tensorrt as trt

from ssap_ros.backends.base import DeviceError
from ssap_ros.backends.tensorrt.builder import make_logger
from ssap_ros.backends.tensorrt.cache import IncompatibleEngineError, Shape
from ssap_ros.types import ModelInfo

VERSION = str(trt.__version__)


class TensorRTEngine:
    """A loaded engine with one execution context. Needs a current CUDA context.

    Attributes:
        min_shape, max_shape: Network inputs (n, 3, h, w) that it takes.
        channels: Of each output, by its name.

    Raises:
        IncompatibleEngineError: It cannot be loaded, or has other inputs and outputs.
    """

    def __init__(self, plan: bytes, info: ModelInfo) -> None:
        self._logger = make_logger(trt)
        self._runtime = trt.Runtime(self._logger)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise IncompatibleEngineError(
                f"TensorRT {VERSION} cannot load the engine{self._reason()}"
            )
        self.channels = {f"semantic_{level}": len(info.classes) for level in info.levels}
        self.channels |= {f"affinity_{level}": info.window**2 for level in info.levels}
        self._check_tensors()
        shapes = self._engine.get_tensor_profile_shape("image", 0)
        self.min_shape, _, self.max_shape = (_shape(shape) for shape in shapes)
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise DeviceError(f"TensorRT {VERSION} cannot run the engine{self._reason()}")

    def bind(self, name: str, address: int) -> None:
        """Say where in device memory an input or output lies."""
        self._require(self._context.set_tensor_address(name, address), f"address of {name}")

    def set_input_shape(self, shape: Shape) -> None:
        """Choose the shape of the next runs."""
        self._require(self._context.set_input_shape("image", shape), f"input shape {shape}")

    def enqueue(self, stream: int) -> None:
        """Put one run on a stream.

        Raises:
            DeviceError: TensorRT cannot run it.
        """
        self._require(self._context.execute_async_v3(stream), "run")

    def close(self) -> None:
        """Release the execution context, then the engine."""
        self._context = None
        self._engine = None
        self._runtime = None

    def _check_tensors(self) -> None:
        engine: Any = self._engine
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        modes = {name: engine.get_tensor_mode(name) for name in names}
        inputs = [name for name in names if modes[name] == trt.TensorIOMode.INPUT]
        if inputs != ["image"] or set(names) != {"image", *self.channels}:
            raise IncompatibleEngineError(
                f"expected the tensors of the model, got {', '.join(names)}"
            )
        for name, channels in {"image": 3, **self.channels}.items():
            shape, kind = tuple(engine.get_tensor_shape(name)), engine.get_tensor_dtype(name)
            if len(shape) != 4 or shape[1] != channels or kind != trt.DataType.FLOAT:
                raise IncompatibleEngineError(
                    f"expected {name} to be float32 (n, {channels}, h, w), got {kind} {shape}"
                )

    def _require(self, done: bool, what: str) -> None:
        if not done:
            raise DeviceError(f"TensorRT refused the {what}{self._reason()}")

    def _reason(self) -> str:
        errors = self._logger.errors
        return f": {errors[-1]}" if errors else ""


def _shape(dimensions: Any) -> Shape:
    n, channels, height, width = dimensions
    return int(n), int(channels), int(height), int(width)
