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

"""What the backends on the CPU share: the contract of an ONNX file, and the stages around it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssap_ros.backends.base import PARTITION_WINDOW, CpuPyramids
from ssap_ros.backends.model_info import METADATA_KEY, model_info_from_json
from ssap_ros.errors import DeviceError, ModelError, one_line
from ssap_ros.stages.preprocess import preprocess
from ssap_ros.types import FloatArray, ImageArray, ModelInfo, NetworkOutput

_FLOAT_TYPES = ("float32", "float16")


class Port(NamedTuple):
    """An input or output of a network: its element type as NumPy names it, None = a free side."""

    name: str
    dtype: str
    shape: list[int | None]


class CpuBackend(CpuPyramids, ABC):
    """A network in ONNX: `image` in, `semantic_<level>` and `affinity_<level>` logits out.

    Batches save no time on a CPU, so it takes one image at a time (`max_batch`), though `infer`
    takes more where the model does.

    Args:
        path: The ONNX file; its metadata hold the ModelInfo as JSON under the key "ssap_ros".
        num_threads: Inference threads, 0 = every core that this process may use.

    Raises:
        ModelError: The file is missing, is no ONNX model, or does not keep that contract; one trial
            run on the smallest input checks the true output shapes.
    """

    name: str
    max_batch = 1

    def __init__(self, path: Path, num_threads: int = 0) -> None:
        self._path = path
        if not path.is_file():
            raise ModelError(f"model not found: {path}")
        try:
            self._open(num_threads or len(os.sched_getaffinity(0)))
        except DeviceError:
            raise
        except Exception as error:  # the runtimes raise many types without a common base
            raise self._error(f"not a model that can be run: {one_line(error)}") from error
        self.info = self._read_info()
        self._check_input()
        self._check_outputs()
        smallest = self.info.input_size or (self.info.levels[-1],) * 2
        self.infer(np.zeros((1, 3, *smallest), np.float32), self.info.levels)

    def preprocess(self, images: Sequence[ImageArray], long_side: int) -> tuple[FloatArray, float]:
        """See InferenceBackend; the tensor is float32."""
        tensors, scales = zip(*(preprocess(i, self.info, long_side) for i in images), strict=True)
        return tensors[0] if len(tensors) == 1 else np.concatenate(tensors), scales[0]

    def infer(self, tensor: FloatArray, levels: Sequence[int]) -> list[NetworkOutput]:
        """See InferenceBackend; one output per image, half precision is widened to float32."""
        names = [f"{kind}_{level}" for kind in ("semantic", "affinity") for level in levels]
        try:
            outputs = self._run(names, tensor)
        except Exception as error:  # the runtimes raise many types without a common base
            raise self._error(f"inference failed: {one_line(error)}") from error
        n, _, height, width = tensor.shape
        channels = (len(self.info.classes), self.info.window**2)
        expected = [(n, c, height // i, width // i) for c in channels for i in levels]
        for name, output, shape in zip(names, outputs, expected, strict=True):
            if output.shape != shape:
                raise self._error(f"expected {name} of shape {shape}, got {output.shape}")
        maps = [np.asarray(output, np.float32) for output in outputs]
        semantic, affinities = maps[: len(levels)], maps[len(levels) :]
        return [
            NetworkOutput(tuple(s[i] for s in semantic), tuple(a[i] for a in affinities))
            for i in range(n)
        ]

    def close(self) -> None:
        """See InferenceBackend; what the runtime holds goes with the object."""

    @abstractmethod
    def _open(self, num_threads: int) -> None:
        """Have the runtime load the file. May raise anything; DeviceError for the processor."""

    @abstractmethod
    def _metadata(self) -> str | None:
        """The text under METADATA_KEY, None if there is none."""

    @abstractmethod
    def _inputs(self) -> list[Port]: ...

    @abstractmethod
    def _outputs(self) -> list[Port]: ...

    @abstractmethod
    def _run(self, names: Sequence[str], tensor: FloatArray) -> list[Any]:
        """The outputs of these names, as arrays that nobody else writes to. May raise anything."""

    def _read_info(self) -> ModelInfo:
        text = self._metadata()
        if text is None:
            raise self._error(f"not an SSAP model, its metadata lack the key '{METADATA_KEY}'")
        try:
            info = model_info_from_json(text)
        except ValueError as error:
            raise self._error(str(error)) from error
        if info.window != PARTITION_WINDOW:
            raise self._error(f"window must be {PARTITION_WINDOW}, got {info.window}")
        return info

    def _check_input(self) -> None:
        height, width = self.info.input_size or (None, None)
        expected, found = ("image", "float32", [3, height, width]), self._inputs()
        if found not in ([Port(*expected[:2], [batch, *expected[2]])] for batch in (1, None)):
            raise self._error(
                f"expected the inputs {[expected]} (None = free) for 1 or any number of images, "
                f"got {[tuple(port) for port in found]}"
            )

    def _check_outputs(self) -> None:
        types = {port.name: port.dtype for port in self._outputs()}
        for name in [f"{kind}_{i}" for kind in ("semantic", "affinity") for i in self.info.levels]:
            if types.get(name) not in _FLOAT_TYPES:
                found = types.get(name) or ", ".join(types)
                raise self._error(f"expected a float output {name}, got {found}")

    def _error(self, reason: str) -> ModelError:
        return ModelError(f"incompatible model {self._path}: {reason}")
