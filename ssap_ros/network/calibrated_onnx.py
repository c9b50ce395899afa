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

"""An ONNX model with other biases on its outputs, and other scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from ssap_ros.backends.model_info import METADATA_KEY, model_info_of, model_info_to_json
from ssap_ros.common.outputs import output
from ssap_ros.errors import InputError


def write_calibrated(
    model: Path,
    out: Path,
    affinity_biases: Mapping[int, float],
    class_biases: Mapping[str, float],
    score_logistic: tuple[float, float],
) -> None:
    """Copy a model with biases added to the last convolution of each output.

    Args:
        model: ONNX file of `ssap export`, in single or half precision.
        out: the copy.
        affinity_biases: by stride.
        class_biases: by class name, for all levels.
        score_logistic: see `ModelInfo.score_logistic`; replaces what the model has.

    Raises:
        InputError: the model is not of `ssap export`, or its outputs are quantized.
    """
    graph_file = onnx.load(str(model))
    properties = {entry.key: entry.value for entry in graph_file.metadata_props}
    try:
        info = model_info_of(properties)
    except ValueError as error:
        raise InputError(f"{model}: {error}") from error
    shift = np.array([class_biases.get(name, 0.0) for name in info.classes], np.float32)
    for stride in info.levels:
        bias = affinity_biases.get(stride, 0.0)
        _add(graph_file, f"affinity_{stride}", np.full(info.window**2, bias, np.float32), model)
        _add(graph_file, f"semantic_{stride}", shift, model)
    properties[METADATA_KEY] = model_info_to_json(replace(info, score_logistic=score_logistic))
    onnx.helper.set_model_props(graph_file, properties)
    with output(out) as partial:
        onnx.save(graph_file, str(partial))


def _add(graph_file: onnx.ModelProto, output: str, values: np.ndarray, model: Path) -> None:
    """Add one value per channel to the bias of the convolution that makes `output`."""
    makers = {name: node for node in graph_file.graph.node for name in node.output}
    stored = {tensor.name: tensor for tensor in graph_file.graph.initializer}

    def through(name: str, kind: str) -> str:
        while name in makers and makers[name].op_type == kind:
            name = makers[name].input[0]
        return name

    node = makers.get(through(output, "Cast"))
    if node is None or node.op_type != "Conv" or len(node.input) < 3:
        raise InputError(f"{model}: expected {output} to come from a convolution with a bias")
    bias = stored.get(through(node.input[2], "Identity"))
    if bias is None or list(bias.dims) != list(values.shape):
        raise InputError(f"{model}: expected {len(values)} stored biases of {output}")
    array = numpy_helper.to_array(bias)
    # several heads may share one array
    own = numpy_helper.from_array((array + values).astype(array.dtype), f"{output}_bias")
    if bias.name == own.name:  # calibrated before
        bias.CopyFrom(own)
        return
    graph_file.graph.initializer.append(own)
    node.input[2] = own.name
