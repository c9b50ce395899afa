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

"""What our code uses of CuPy, on a simulated GPU: streams, graphs, arrays and our own kernels."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from support import kernel_shim
from support.simulated_pycuda import CudaError

if TYPE_CHECKING:
    from support.simulated_gpu import SimulatedGpu


def simulated_cupy(gpu: SimulatedGpu) -> ModuleType:
    """The module cupy, with its cuda."""

    class ExternalStream:
        def __init__(self, handle: int, _device: int) -> None:
            assert handle == 4711

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

        def begin_capture(self) -> None:
            gpu.recording = []

        def end_capture(self) -> Any:
            recorded, gpu.recording = gpu.recording or [], None
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
            n_classes, n_things = (int(n.rstrip(">").partition("<")[2]) for n in self._names[1::2])
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


def _namespace(**members: Any) -> Any:
    return type("namespace", (), members)
