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

"""The kernels of csrc/kernels.cu on the CPU, through kernel_shim.cpp; memory is numpy's."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "ssap_ros" / "csrc"

POINTER, INT, LONG, FLOAT = ctypes.c_uint64, ctypes.c_int, ctypes.c_longlong, ctypes.c_float
FRAME = (POINTER, LONG, POINTER)
ARGUMENTS = {
    "preprocess": (POINTER, INT, INT, POINTER, *(INT,) * 5, *(FLOAT,) * 6),
    "class_scores": (POINTER, INT, POINTER, INT, *FRAME, LONG, POINTER, POINTER),
    "edge_costs": (POINTER, INT, INT, FLOAT, *FRAME, POINTER, POINTER),
    "refined_edge_costs": (POINTER, INT, INT, FLOAT, *FRAME, POINTER, POINTER),
}


@cache
def build(n_classes: int, n_things: int, folder: Path | None = None) -> ctypes.CDLL:
    """The kernels of a model of so many classes, as a library."""
    library = (folder or Path(mkdtemp(prefix="ssap_kernels_"))) / f"{n_classes}_{n_things}.so"
    flags = ["-O2", "-std=c++14", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]
    sizes = [f"-DCLASSES={n_classes}", f"-DTHINGS={n_things}"]
    files = [f"-I{CSRC}", str(HERE / "kernel_shim.cpp"), "-o", str(library)]
    subprocess.run(["g++", "-shared", "-fPIC", *flags, *sizes, *files], check=True)
    return ctypes.CDLL(str(library))


def kernel(library: ctypes.CDLL, name: str) -> Callable[[Any, Any, Any], None]:
    """Called as a CuPy kernel: (grid, block, arguments); checks the types of the arguments."""
    function = getattr(library, f"run_{name}")
    types = ARGUMENTS[name]
    function.argtypes = (ctypes.POINTER(ctypes.c_uint), *types)
    function.restype = None

    def launch(grid: tuple[int, int, int], block: tuple[int, int, int], arguments: Any) -> None:
        assert block == (32, 8, 1)
        for argument, kind in zip(arguments, types, strict=True):
            expected = np.dtype(kind)
            assert isinstance(argument, np.generic), argument
            assert argument.dtype == expected, f"{argument!r} is not {expected}"
        function((ctypes.c_uint * 3)(*grid), *(a.item() for a in arguments))

    return launch
