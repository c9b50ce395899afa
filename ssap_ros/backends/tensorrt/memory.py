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

"""Memory of the GPU and page-locked memory of the host, by name, kept for the next frame."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pycuda.driver as cuda
from numpy.typing import NDArray


class GpuMemory:
    """Buffers that are made when first asked for and grow when asked for more.

    A grown buffer is another one: what the old one held is lost. To be used with a CUDA context.
    """

    def __init__(self) -> None:
        self._device: dict[str, tuple[Any, int]] = {}
        self._host: dict[str, NDArray[np.uint8]] = {}
        self._spare: list[NDArray[np.uint8]] = []

    def device(self, name: str, n_bytes: int) -> int:
        """The address of device memory of at least `n_bytes`."""
        allocation, size = self._device.get(name, (None, 0))
        if n_bytes > size:
            if allocation is not None:
                del self._device[name]
                allocation.free()
            self._device[name] = (cuda.mem_alloc(n_bytes), n_bytes)
        return self.address(name)

    def address(self, name: str) -> int:
        """The address of device memory asked for before."""
        return int(self._device[name][0])

    def host(self, name: str, n_bytes: int) -> NDArray[np.uint8]:
        """Page-locked memory, (n_bytes,), to be used again by the next who asks for the name."""
        if name not in self._host or n_bytes > len(self._host[name]):
            self._host[name] = cuda.pagelocked_empty(n_bytes, np.uint8)
        return self._host[name][:n_bytes]

    def lease(self, n_bytes: int) -> NDArray[np.uint8]:
        """Page-locked memory, (n_bytes,), that is given out again once no array uses it."""
        while self._spare:
            buffer = self._spare.pop()
            if len(buffer) >= n_bytes:
                break
        else:
            buffer = cuda.pagelocked_empty(n_bytes, np.uint8)
        lease = _Lease(buffer)
        weakref.finalize(lease, self._spare.append, buffer)
        return np.asarray(lease)[:n_bytes]

    def free(self) -> None:
        """Give everything back that no array uses."""
        for allocation, _ in self._device.values():
            allocation.free()
        self._device.clear()
        self._host.clear()
        self._spare.clear()


class _Lease:
    """Stands between a buffer and the arrays that use it, to be noticed when the last one goes."""

    def __init__(self, buffer: NDArray[np.uint8]) -> None:
        self.__array_interface__ = buffer.__array_interface__
