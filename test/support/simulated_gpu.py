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

"""A GPU made of numpy: what our code uses of pycuda, CuPy and TensorRT, with the host's memory.

The kernels are the true ones, run by kernel_shim.py. TensorRT is held to the API of a real release
by tensorrt_contract.py, and ONNX Runtime computes what it would. Work put on the stream waits there
until something is synchronised, so that code which reads too early reads rubbish.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from support.simulated_cupy import simulated_cupy
from support.simulated_pycuda import CudaError, simulated_pycuda
from support.tensorrt_contract import Contract

LOADED_FRESH = ("backend", "engine", "gpu_kernels", "memory", "worker")


class SimulatedGpu:
    """One GPU with its libraries; `install` puts them in the place of the real ones.

    allocations: sizes of the device memory in use, by address. pagelocked: number of page-locked
        arrays ever made. contexts: primary contexts retained and not detached. fail_next: a name of
        an operation that is to raise the next time. can_capture: whether CUDA graphs work.
    recording: the work of a capture under way. deferred: whether work on the stream waits for a
        synchronisation; not so beside PyTorch, which computes on the CPU at once.
    log: what happened, in order: launches of kernels and graphs, runs of the network, frees.
    """

    def __init__(self, bindings: Path, model: bytes, max_shape: tuple[int, ...]) -> None:
        self.allocations: dict[int, Any] = {}
        self.pagelocked = 0
        self.contexts = 0
        self.fail_next = ""
        self.can_capture = True
        self.deferred = True
        self.log: list[str] = []
        self._queue: list[Callable[[], None]] = []
        self.recording: list[Callable[[], None]] | None = None
        self._session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
        self._max_shape = max_shape
        self._addresses: dict[str, int] = {}
        self._shape: tuple[int, ...] = ()
        self.contract = Contract(bindings, self._tensorrt())

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """For the rest of the test."""
        pycuda = simulated_pycuda(self)
        modules = {
            "tensorrt": self.contract.module,
            "pycuda": pycuda,
            "pycuda.driver": pycuda.driver,
            "cupy": simulated_cupy(self),
        }
        for name, module in modules.items():
            module.__spec__ = ModuleSpec(name, None)
            monkeypatch.setitem(sys.modules, name, module)
        for name in LOADED_FRESH:
            monkeypatch.delitem(sys.modules, f"ssap_ros.backends.tensorrt.{name}", raising=False)

    # The stream

    def enqueue(self, name: str, work: Callable[[], None]) -> None:
        if self.fail_next == name:
            self.fail_next = ""
            raise CudaError(f"{name} failed:\n an illegal memory access was encountered")

        def logged() -> None:
            self.log.append(name)
            work()

        (self._queue if self.recording is None else self.recording).append(logged)
        if self.recording is None and not self.deferred:
            self.synchronize()

    def synchronize(self) -> None:
        assert self.recording is None, "a synchronisation breaks a capture"
        queue, self._queue = self._queue, []
        for work in queue:
            work()

    # The memory of the device

    def memory(self, address: int, n_bytes: int) -> NDArray[np.uint8]:
        """Device memory, known to lie within one allocation."""
        assert any(
            start <= address and address + n_bytes <= start + len(memory)
            for start, memory in self.allocations.items()
        ), "outside of what was allocated"
        return np.ctypeslib.as_array((ctypes.c_uint8 * n_bytes).from_address(address))

    # tensorrt

    def _tensorrt(self) -> dict[str, Callable[..., Any]]:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        tensors = {tensor.name: tensor for tensor in (*inputs, *outputs)}
        names = list(tensors)

        def shape_of(_engine: Any, name: str) -> tuple[int, ...]:
            return tuple(d if isinstance(d, int) else -1 for d in tensors[name].shape)

        def set_shape(_context: Any, name: str, shape: tuple[int, ...]) -> bool:
            assert name == "image"
            self._shape = shape
            return True

        def set_address(_context: Any, name: str, address: int) -> bool:
            self._addresses[name] = address
            return True

        def run(_context: Any, stream: int) -> bool:
            assert stream == 4711
            shape = self._shape
            self.enqueue("network", lambda: self._infer(shape))
            return True

        return {
            "ICudaEngine.num_io_tensors": lambda _: len(names),
            "ICudaEngine.get_tensor_name": lambda _, i: names[i],
            "ICudaEngine.get_tensor_mode": lambda _, name: getattr(
                self.contract.module.TensorIOMode, "INPUT" if name == "image" else "OUTPUT"
            ),
            "ICudaEngine.get_tensor_dtype": lambda *_: self.contract.module.DataType.FLOAT,
            "ICudaEngine.get_tensor_shape": shape_of,
            "ICudaEngine.get_tensor_profile_shape": lambda *_: [
                (1, 3, 64, 64),
                self._max_shape,
                self._max_shape,
            ],
            "IExecutionContext.set_input_shape": set_shape,
            "IExecutionContext.set_tensor_address": set_address,
            "IExecutionContext.execute_async_v3": run,
        }

    def _infer(self, shape: tuple[int, ...]) -> None:
        n_bytes = 4 * int(np.prod(shape))
        tensor = self.memory(self._addresses["image"], n_bytes).view(np.float32).reshape(shape)
        names = [output.name for output in self._session.get_outputs()]
        for name, values in zip(names, self._session.run(names, {"image": tensor}), strict=True):
            assert values.dtype == np.float32
            self.memory(self._addresses[name], values.nbytes)[:] = values.ravel().view(np.uint8)
