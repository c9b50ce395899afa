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

"""Numbers that say how far two results are apart, and how much work a network is."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from ssap_ros.backends.tensorrt.portable_onnx import portable_onnx


def relative_error(got: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """The norm of the difference over the norm of what was expected."""
    return float(np.linalg.norm(got - expected) / np.linalg.norm(expected))


def agreement(got: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """How many cells have the same best class, logits (n_classes, h, w)."""
    return float((got.argmax(axis=0) == expected.argmax(axis=0)).mean())


def same_pixels(got: NDArray[np.uint16], expected: NDArray[np.uint16]) -> float:
    """How many pixels carry the same object; ours are named after those they overlap most."""
    table = np.zeros((int(got.max()) + 1, int(expected.max()) + 1), np.int64)
    np.add.at(table, (got.ravel(), expected.ravel()), 1)
    names = table.argmax(axis=1)
    names[0] = 0
    return float((names[got] == expected).mean())


def conv_flops(model: bytes, size: tuple[int, int]) -> int:
    """Floating-point operations of all convolutions for one image, two per multiply-add."""
    proto = onnx.load_model_from_string(portable_onnx(model, half=False, any_batch=False))
    dimensions = proto.graph.input[0].type.tensor_type.shape.dim
    for dimension, value in zip(dimensions, (1, 3, *size), strict=True):
        dimension.dim_value = value
    graph = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph
    shapes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.output)
    }
    weights = {tensor.name: tensor.dims for tensor in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    return sum(
        2 * int(np.prod(shapes[node.output[0]])) * int(np.prod(weights[node.input[1]][1:]))
        for node in convolutions
    )
