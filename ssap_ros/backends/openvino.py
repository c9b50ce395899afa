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

"""OpenVINO on the CPU: the fast way, above all where the processor computes in bf16 or int8."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ssap_ros.backends.cpu import CpuBackend, Port
from ssap_ros.backends.model_info import METADATA_KEY
from ssap_ros.common.telemetry import refuse_openvino_telemetry
from ssap_ros.errors import DeviceError, one_line
from ssap_ros.types import FloatArray

refuse_openvino_telemetry()
import openvino as ov  # noqa: E402

_MAX_COMPILED = 4
_METADATA_PATH = ["framework", METADATA_KEY]
_HINTS = {"fp32": "f32", "fp16": "f16", "bf16": "bf16"}


class OpenVinoBackend(CpuBackend):
    """See CpuBackend. The network is compiled once per input size and set of levels.

    The compiled networks of the last sizes stay in memory, and all of them in the cache folder.

    Args:
        path: The ONNX file.
        num_threads: Inference threads, 0 = every core that this process may use.
        precision: Of the arithmetic; see `choose_precision`. What a file holds in int8 is computed
            in int8 whatever it is.
        cache_folder: Where compiled networks are kept; None, or one that cannot be written to:
            nowhere.

    Raises:
        ModelError: See CpuBackend.
        DeviceError: OpenVINO does not serve this processor, or that lacks the precision.
    """

    def __init__(
        self,
        path: Path,
        num_threads: int = 0,
        precision: str = "auto",
        cache_folder: Path | None = None,
    ) -> None:
        self._precision = choose_precision(precision)
        self.name = f"openvino {self._precision}"
        self._cache_folder = cache_folder
        self._compiled: OrderedDict[tuple[Any, ...], ov.InferRequest] = OrderedDict()
        super().__init__(path, num_threads)

    def close(self) -> None:
        """See InferenceBackend."""
        self._compiled.clear()

    def _open(self, num_threads: int) -> None:
        self._core = ov.Core()
        self._properties = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": num_threads,
            "INFERENCE_PRECISION_HINT": _HINTS[self._precision],
            # of several processes with a share of the cores, all would be pinned to the same ones
            "ENABLE_CPU_PINNING": num_threads == 0,
        }
        if self._cache_folder and _writable(self._cache_folder):
            self._properties["CACHE_DIR"] = str(self._cache_folder)
        self._model = self._core.read_model(self._path)

    def _metadata(self) -> str | None:
        if not self._model.has_rt_info(_METADATA_PATH):
            return None
        return str(self._model.get_rt_info(_METADATA_PATH).value)

    def _inputs(self) -> list[Port]:
        return [_port(port) for port in self._model.inputs]

    def _outputs(self) -> list[Port]:
        return [_port(port) for port in self._model.outputs]

    def _run(self, names: Sequence[str], tensor: FloatArray) -> list[Any]:
        key = (tensor.shape, *names)
        request = self._compiled.get(key) or self._compile(names, tensor.shape)
        self._compiled[key] = request
        self._compiled.move_to_end(key)
        if len(self._compiled) > _MAX_COMPILED:
            self._compiled.popitem(last=False)
        outputs = request.infer({"image": tensor}, share_inputs=True)
        return [outputs[i] for i in range(len(names))]

    def _compile(self, names: Sequence[str], shape: tuple[int, ...]) -> ov.InferRequest:
        """The part of the network that leads to these outputs, for this input shape alone."""
        expected = self._model.input().get_partial_shape()
        if not expected.compatible(ov.PartialShape(list(shape))):
            raise ValueError(f"expected an input of shape {expected}, got {shape}")
        whole = self._model.clone()
        results = [whole.output(name).get_node() for name in names]
        part = ov.Model(results, whole.get_parameters(), self._path.stem)
        part.reshape({"image": list(shape)})
        return self._core.compile_model(part, "CPU", self._properties).create_infer_request()


def processor() -> tuple[str, tuple[str, ...]]:
    """Describe the processor.

    Returns:
        Its name, and the precisions that OpenVINO computes in on it.

    Raises:
        DeviceError: OpenVINO does not serve this processor.
    """
    try:
        core = ov.Core()
        capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        name = str(core.get_property("CPU", "FULL_DEVICE_NAME")).strip()
    except Exception as error:  # the runtime raises many types without a common base
        raise DeviceError(f"OpenVINO fails on this processor: {one_line(error)}") from error
    known = {"FP32": "fp32", "FP16": "fp16", "BF16": "bf16", "INT8": "int8"}
    return name, tuple(known[c] for c in known if c in capabilities)


def choose_precision(wanted: str) -> str:
    """Choose the precision of the layers that are not in int8 already.

    Args:
        wanted: One of those; "auto" and "int8" take bf16 where the processor has it, else fp32.

    Returns:
        "fp32", "fp16" or "bf16".

    Raises:
        DeviceError: The processor lacks the precision, or OpenVINO does not serve it.
    """
    name, precisions = processor()
    if wanted in ("auto", "int8"):
        return "bf16" if "bf16" in precisions else "fp32"
    if wanted not in precisions:
        raise DeviceError(f"{name} computes in {', '.join(precisions)}, not in {wanted}")
    return wanted


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _port(port: Any) -> Port:
    shape = port.get_partial_shape()
    known = list(shape) if shape.rank.is_static else []
    sides = [side.get_length() if side.is_static else None for side in known]
    return Port(port.get_any_name(), port.get_element_type().to_dtype().name, sides)
