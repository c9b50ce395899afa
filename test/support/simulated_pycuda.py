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

"""What our code uses of pycuda, on a simulated GPU."""

from __future__ import annotations

import time
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from support.simulated_gpu import SimulatedGpu


class CudaError(Exception):
    """pycuda.driver.Error"""


def simulated_pycuda(gpu: SimulatedGpu) -> ModuleType:
    """The module pycuda, with its driver."""

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
        gpu.enqueue("copy in", lambda: gpu.memory(target, source.nbytes).__setitem__(..., source))

    def to_host(target: NDArray[np.uint8], source: int, _stream: Stream) -> None:
        gpu.enqueue("copy out", lambda: target.__setitem__(..., gpu.memory(source, target.nbytes)))

    def memset(target: int, value: int, count: int, _stream: Stream) -> None:
        words = gpu.memory(target, 4 * count).view(np.uint32)
        gpu.enqueue("memset", lambda: words.fill(value))

    pycuda, driver = ModuleType("pycuda"), ModuleType("pycuda.driver")
    driver.__dict__.update(
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
    pycuda.__dict__.update(driver=driver, VERSION_TEXT="simulated")
    return pycuda


def _flat(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The bytes of a contiguous array, as a view."""
    assert array.flags.c_contiguous
    return array.reshape(-1).view(np.uint8)
