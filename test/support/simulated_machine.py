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

"""A machine with a simulated GPU: its driver, and a building process that leaves a small plan."""

from __future__ import annotations

import os
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ssap_ros import backends
from ssap_ros.backends import load_backend
from ssap_ros.backends.tensorrt.driver import probe
from ssap_ros.backends.tensorrt.portable_onnx import portable_onnx
from ssap_ros.config import SsapConfig
from support.simulated_gpu import SimulatedGpu
from support.tensorrt_contract import bindings
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
from pathlib import Path
from support.tensorrt_contract import Contract

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


def load(config: SsapConfig) -> tuple[Any, list[str]]:
    """The backend of a configuration, and what was said on the way."""
    said: list[str] = []
    return load_backend(config, said.append), said
