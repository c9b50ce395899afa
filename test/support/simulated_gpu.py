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
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from ssap_ros import backends
from ssap_ros.backends.tensorrt.driver import probe
from ssap_ros.backends.tensorrt.portable_onnx import portable_onnx
from support import kernel_shim
from support.tensorrt_contract import Contract, bindings
from support.toy_model import toy_info, toy_model, write_toy_model

HERE = Path(__file__).parent

DRIVER = """
#include <string.h>
int cuInit(unsigned flags) { return INIT; }
int cuDeviceGetCount(int* count) { *count = 2; return 0; }
int cuDeviceGet(int* device, int number) { *device = number; return number == 1 ? 46 : 0; }
int cuDeviceGetName(char* name, int size, int device) { strncpy(name, "Toy GPU", size); return 0; }
int cuDriverGetVersion(int* version) { *version = 12060; return 0; }
int cuDeviceGetAttribute(int* value, int which, int device) {
  *value = which == 75 ? 8 : which == 76 ? 7 : -1;
  return 0;
}
"""

# The module tensorrt of the building process.
TENSORRT = """
import json
import os
import subprocess
from pathlib import Path
from support.tensorrt_contract import Contract, bindings
from support.toy_model import toy_info, toy_model, write_toy_model

from ssap_ros import backends
from ssap_ros.backends.tensorrt.driver import probe
from ssap_ros.backends.tensorrt.portable_onnx import portable_onnx

HERE = Path(__file__).parent

REPORT = {"Layers": [{"LayerType": "CaskConvolution", "Weights": {"Type": os.environ["WEIGHTS"]}}]}

def build(*_):
    exec(os.environ["BUILD"])
    return b"plan"

contract = Contract(
    Path(os.environ["BINDINGS"]),
    {
        "Builder.build_serialized_network": build,
        "IBuilderConfig.add_optimization_profile": lambda *_: 0,
        "ITimingCache.serialize": lambda *_: b"timings",
        "EngineInspector.get_engine_information": lambda *_: json.dumps(REPORT),
    },
)
globals().update(vars(contract.module))
"""


def compile_driver(folder: Path, init: int = 0) -> str:
    """A driver library of two GPUs, of which the second is broken; cuInit returns `init`."""
    library = folder / "libcuda.so.1"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", f"-DINIT={init}", "-x", "c", "-", "-o", str(library)],
        input=DRIVER,
        text=True,
        check=True,
    )
    return str(library)


def simulated_machine(
    folder: Path, monkeypatch: pytest.MonkeyPatch, release: str, max_shape: tuple[int, ...]
) -> SimulatedGpu:
    """A GPU for the toy network, `toy.onnx` in `folder`, with driver and a building process.

    BUILD in the environment is what that process does while it builds, in Python; WEIGHTS is the
    type that the convolutions of its engines have.
    """
    write_toy_model(folder / "toy.onnx")
    (folder / "tensorrt.py").write_text(TENSORRT)
    environment = {
        "PYTHONPATH": f"{folder}:{HERE.parent}",
        "LD_LIBRARY_PATH": f"{folder}:{os.environ.get('LD_LIBRARY_PATH', '')}",
        "BINDINGS": str(bindings(release)),
        "WEIGHTS": "Half",
        "BUILD": "",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(backends, "probe", partial(probe, library=compile_driver(folder)))
    network = portable_onnx(toy_model(toy_info()).SerializeToString(), half=True, any_batch=True)
    gpu = SimulatedGpu(bindings(release), network, max_shape)
    gpu.install(monkeypatch)
    return gpu


LOADED_FRESH = ("backend", "engine", "gpu_kernels", "memory", "worker")


class CudaError(Exception):
    """pycuda.driver.Error"""


class SimulatedGpu:
    """One GPU with its libraries; `install` puts them in the place of the real ones.

    allocations: sizes of the device memory in use, by address. pagelocked: number of page-locked
        arrays ever made. contexts: primary contexts retained and not detached. fail_next: a name of
        an operation that is to raise the next time. can_capture: whether CUDA graphs work.
    deferred: whether work on the stream waits for a synchronisation; not so beside PyTorch, which
        computes on the CPU at once.
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
        self._recording: list[Callable[[], None]] | None = None
        self._session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
        self._max_shape = max_shape
        self._addresses: dict[str, int] = {}
        self._shape: tuple[int, ...] = ()
        self.contract = Contract(bindings, self._tensorrt())

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """For the rest of the test."""
        driver, pycuda, cupy = self._driver(), ModuleType("pycuda"), self._cupy()
        pycuda.__dict__.update(driver=driver, VERSION_TEXT="simulated")
        modules = {
            "tensorrt": self.contract.module,
            "pycuda": pycuda,
            "pycuda.driver": driver,
            "cupy": cupy,
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

        (self._queue if self._recording is None else self._recording).append(logged)
        if self._recording is None and not self.deferred:
            self.synchronize()

    def synchronize(self) -> None:
        assert self._recording is None, "a synchronisation breaks a capture"
        queue, self._queue = self._queue, []
        for work in queue:
            work()

    # pycuda.driver

    def _driver(self) -> ModuleType:
        gpu = self

        class Context:
            def push(self) -> None:
                gpu.log.append("push")

            @staticmethod
            def pop() -> None:
                gpu.log.append("pop")

            def detach(self) -> None:
                gpu.log.append("detach")
                gpu.contexts -= 1

        class Device:
            def __init__(self, _number: int) -> None: ...

            def retain_primary_context(self) -> Context:
                gpu.contexts += 1
                return Context()

        class Stream:
            handle = 4711

            def __init__(self, flags: int) -> None:
                assert flags == 1, "CU_STREAM_NON_BLOCKING"

            def synchronize(self) -> None:
                gpu.synchronize()

        class Event:
            def record(self, _stream: Stream) -> None: ...

            def synchronize(self) -> None:
                gpu.synchronize()
                self.time = time.perf_counter()

            def time_till(self, _other: Event) -> float:
                return 0.125

        class DeviceAllocation:
            def __init__(self, n_bytes: int) -> None:
                self._bytes = np.full(n_bytes, 0xAA, np.uint8)
                gpu.allocations[int(self)] = self._bytes

            def __int__(self) -> int:
                return int(self._bytes.ctypes.data)

            def free(self) -> None:
                gpu.log.append("free")
                del gpu.allocations[int(self)]

        def pagelocked_empty(n_bytes: int, dtype: type) -> NDArray[Any]:
            gpu.pagelocked += 1
            return np.full(n_bytes, 0xBB, dtype)

        def to_device(target: int, source: NDArray[np.uint8], _stream: Stream) -> None:
            gpu.enqueue(
                "copy in", lambda: gpu.memory(target, source.nbytes).__setitem__(..., source)
            )

        def to_host(target: NDArray[np.uint8], source: int, _stream: Stream) -> None:
            gpu.enqueue(
                "copy out", lambda: target.__setitem__(..., gpu.memory(source, target.nbytes))
            )

        def memset(target: int, value: int, count: int, _stream: Stream) -> None:
            words = gpu.memory(target, 4 * count).view(np.uint32)
            gpu.enqueue("memset", lambda: words.fill(value))

        module = ModuleType("pycuda.driver")
        module.__dict__.update(
            Error=CudaError,
            init=lambda: None,
            Device=Device,
            Stream=Stream,
            Event=Event,
            mem_alloc=DeviceAllocation,
            pagelocked_empty=pagelocked_empty,
            memcpy_htod=lambda to, source: np.copyto(gpu.memory(to, source.nbytes), _flat(source)),
            memcpy_htod_async=to_device,
            memcpy_dtoh_async=to_host,
            memcpy_dtoh=lambda to, at: np.copyto(_flat(to), gpu.memory(at, to.nbytes)),
            memcpy_dtod_async=lambda *_: gpu.enqueue("copy within", lambda: None),
            memset_d32_async=memset,
        )
        return module

    def memory(self, address: int, n_bytes: int) -> NDArray[np.uint8]:
        """Device memory, known to lie within one allocation."""
        assert any(
            start <= address and address + n_bytes <= start + len(memory)
            for start, memory in self.allocations.items()
        ), "outside of what was allocated"
        return np.ctypeslib.as_array((ctypes.c_uint8 * n_bytes).from_address(address))

    # cupy

    def _cupy(self) -> ModuleType:
        gpu = self

        class ExternalStream:
            def __init__(self, handle: int, _device: int) -> None:
                assert handle == 4711

            def __enter__(self) -> None: ...

            def __exit__(self, *_: object) -> None: ...

            def begin_capture(self) -> None:
                gpu._recording = []

            def end_capture(self) -> Any:
                recorded, gpu._recording = gpu._recording or [], None
                if not gpu.can_capture:
                    raise CudaError("capture is not permitted")

                class Graph:
                    def launch(self, _stream: ExternalStream) -> None:
                        gpu.enqueue("graph", lambda: [work() for work in recorded] and None)

                return Graph()

        class Stream(ExternalStream):
            ptr = 4711

            def __init__(self, non_blocking: bool) -> None:
                assert non_blocking, "work on the legacy stream would break a capture"
                super().__init__(self.ptr, 0)

            def synchronize(self) -> None:
                gpu.synchronize()

        class Event:
            def record(self, _stream: Stream) -> None: ...

            def synchronize(self) -> None:
                gpu.synchronize()

        class Array:
            def __init__(self, values: NDArray[Any]) -> None:
                self.values = values
                self.data = SimpleNamespace(ptr=values.ctypes.data)

        def to_host(array: Array) -> NDArray[Any]:
            gpu.synchronize()
            return array.values.copy()

        def copy(target: Array, source: Array) -> None:
            gpu.enqueue("copy within", lambda: np.copyto(target.values, source.values))

        class RawModule:
            def __init__(self, code: str, options: tuple[str, ...], name_expressions: Any) -> None:
                assert "__global__" in code
                self._names = name_expressions

            def get_function(self, name: str) -> Callable[..., None]:
                place = self._names.index(name)
                n_classes, n_things = (
                    int(n.rstrip(">").partition("<")[2]) for n in self._names[1::2]
                )
                library = kernel_shim.build(n_classes, n_things)
                ours = ("preprocess", "class_scores", "edge_costs", "refined_edge_costs")[place]
                run = kernel_shim.kernel(library, ours)
                return lambda *arguments: gpu.enqueue(ours, lambda: run(*arguments))

        cupy, cuda = ModuleType("cupy"), ModuleType("cupy.cuda")
        cupy.__dict__.update(
            cuda=cuda,
            RawModule=RawModule,
            asarray=lambda values: Array(values.copy()),
            zeros=lambda shape, kind: Array(np.zeros(shape, kind)),
            asnumpy=to_host,
            copyto=copy,
            __version__="simulated",
        )
        device = type("Device", (), {"__init__": lambda *_: None, "use": lambda _: None})
        cuda.__dict__.update(
            ExternalStream=ExternalStream,
            Stream=Stream,
            Event=Event,
            get_elapsed_time=lambda _start, _end: 0.125,
            Device=device,
            runtime=_namespace(
                CUDARuntimeError=type("CUDARuntimeError", (Exception,), {}),
                free=lambda _: None,
                memGetInfo=lambda: (1 << 30, 2 << 30),
            ),
            driver=_namespace(CUDADriverError=type("CUDADriverError", (Exception,), {})),
            memory=_namespace(OutOfMemoryError=type("OutOfMemoryError", (Exception,), {})),
            compiler=_namespace(CompileException=type("CompileException", (Exception,), {})),
        )
        return cupy

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


def _flat(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The bytes of a contiguous array, as a view."""
    assert array.flags.c_contiguous
    return array.reshape(-1).view(np.uint8)


def _namespace(**members: Any) -> Any:
    return type("namespace", (), members)
