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

"""The NVIDIA driver, asked through ctypes before any CUDA library is loaded.

TensorRT and CuPy fail hard, up to a segmentation fault, where the driver is missing or does not
start. The driver library itself says so in a return code.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from ssap_ros.backends.base import DeviceError

_COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR = 75, 76  # CUdevice_attribute


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        compute_capability: Such as "8.7".
        cuda: Newest CUDA version of the driver, such as "12.6".
    """

    name: str
    compute_capability: str
    cuda: str


def probe(gpu_id: int = 0, library: str = "libcuda.so.1") -> Gpu:
    """Start the driver and describe a GPU.

    Returns:
        The GPU and its driver.

    Raises:
        DeviceError: There is no driver or no such GPU, in one line.
    """
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        raise DeviceError(f"no NVIDIA driver here ({library} is not found)") from None
    _check(driver.cuInit(0), "the NVIDIA driver does not start (cuInit)")
    count, device, version = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    _check(driver.cuDeviceGetCount(ctypes.byref(count)), "the GPUs cannot be counted")
    if not 0 <= gpu_id < count.value:
        raise DeviceError(f"gpu_id must be below {count.value}, the number of GPUs, got {gpu_id}")
    _check(driver.cuDeviceGet(ctypes.byref(device), gpu_id), f"GPU {gpu_id} is not available")
    name = ctypes.create_string_buffer(256)
    _check(driver.cuDeviceGetName(name, len(name), device), f"GPU {gpu_id} has no name")
    _check(driver.cuDriverGetVersion(ctypes.byref(version)), "the driver has no version")

    def attribute(which: int) -> int:
        value = ctypes.c_int()
        code = driver.cuDeviceGetAttribute(ctypes.byref(value), which, device)
        _check(code, f"GPU {gpu_id} does not tell its attributes")
        return value.value

    capability = attribute(_COMPUTE_CAPABILITY_MAJOR), attribute(_COMPUTE_CAPABILITY_MINOR)
    major, minor = version.value // 1000, version.value % 1000 // 10
    return Gpu(name.value.decode(), "{}.{}".format(*capability), f"{major}.{minor}")


def _check(code: int, what: str) -> None:
    if code != 0:
        raise DeviceError(f"{what}: CUDA error {code}, see nvidia-smi")
