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

"""ONNX Runtime on the CPU: runs everywhere, no GPU needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnxruntime as ort

from ssap_ros.backends.cpu import CpuBackend, Port
from ssap_ros.backends.model_info import METADATA_KEY
from ssap_ros.types import FloatArray


class OnnxRuntimeBackend(CpuBackend):
    """See CpuBackend. It computes in the types that the file has."""

    name = "onnxruntime"

    def _open(self, num_threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 4  # errors are raised, and reported from there
        self._session = ort.InferenceSession(
            str(self._path), options, providers=["CPUExecutionProvider"]
        )

    def _metadata(self) -> str | None:
        text: str | None = self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        return text

    def _inputs(self) -> list[Port]:
        return [_port(node) for node in self._session.get_inputs()]

    def _outputs(self) -> list[Port]:
        return [_port(node) for node in self._session.get_outputs()]

    def _run(self, names: Sequence[str], tensor: FloatArray) -> list[Any]:
        return list(self._session.run(names, {"image": tensor}))


def _port(node: Any) -> Port:
    dtype = node.type.removeprefix("tensor(").removesuffix(")")
    sides = [side if isinstance(side, int) else None for side in node.shape]
    return Port(node.name, "float32" if dtype == "float" else dtype, sides)
