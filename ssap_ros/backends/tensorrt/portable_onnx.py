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

"""An ONNX model as every TensorRT from 8.5 on takes it.

Newer releases have no switch for half precision: they compute in the types that the model has. So
the types are written into the model, which older releases understand as well. What depends on
constants alone is computed here, because older parsers stumble over it.

Weighed against libraries: onnxconverter-common 1.16 leaves those chains of constants, and of the
shipped model writes a file that ONNX Runtime does not load, because the types of its last casts
differ from those of the outputs. NVIDIA's ModelOpt 0.47 is built on it and needs PyTorch, which no
vehicle should have to install.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from ssap_ros.backends.base import PARTITION_WINDOW, ModelError
from ssap_ros.backends.model_info import model_info_of
from ssap_ros.types import ModelInfo

_HALF_MAX = float(np.finfo(np.float16).max)
_QUANTIZATION = ("QuantizeLinear", "DequantizeLinear")
_FLOAT32_INPUTS = {"Resize": (1, 2)}  # region and scales stay single precision by definition


def portable_onnx(model: bytes, *, half: bool, any_batch: bool) -> bytes:
    """Rewrite a network with its constants folded.

    Args:
        model: Content of the ONNX file.
        half: All arithmetic in float16, the input and the outputs staying float32. A model that is
            in half precision already keeps its types. A quantized one has half = False.
        any_batch: The first dimension of the input and of the outputs becomes free.

    Returns:
        Content of the new ONNX file.

    Raises:
        ModelError: A weight is beyond the range of float16.
    """
    proto = onnx.load_model_from_string(model)
    _fold_constants(proto.graph)
    _quantize_signed(proto.graph)
    _quantize_weights_by_nodes(proto.graph)
    if half and not _is_half(proto.graph):
        _to_half(proto.graph)
    if any_batch:
        for value in (*proto.graph.input, *proto.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del proto.graph.value_info[:]
    return proto.SerializeToString()


def read_info(model: bytes, path: Path) -> ModelInfo:
    """Read what a model says about itself.

    Args:
        model: Content of the ONNX file.
        path: Of the file, for the message of an error.

    Returns:
        The ModelInfo.

    Raises:
        ModelError: It is no SSAP model.
    """
    try:
        proto = onnx.load_model_from_string(model)
    except Exception as error:  # the decoder's own errors have no common base
        raise ModelError(f"incompatible model {path}: not an ONNX model") from error
    try:
        info = model_info_of({entry.key: entry.value for entry in proto.metadata_props})
    except ValueError as error:
        raise ModelError(f"incompatible model {path}: {error}") from error
    if info.window != PARTITION_WINDOW:
        expected = f"window must be {PARTITION_WINDOW}, got {info.window}"
        raise ModelError(f"incompatible model {path}: {expected}")
    return info


def _fold_constants(graph: onnx.GraphProto) -> None:
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    kept = []
    for node in graph.node:
        if node.op_type in _QUANTIZATION or any(n and n not in known for n in node.input):
            kept.append(node)
            continue
        known_inputs = {name: known[name] for name in node.input if name}
        results: Any = ReferenceEvaluator(node).run(None, known_inputs)
        known.update(zip(node.output, results, strict=True))
    used = {name for node in kept for name in node.input}
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(_tensor(known[name], name) for name in known if name in used)


def _quantize_signed(graph: onnx.GraphProto) -> None:
    """Activations in uint8, whose least value is 0, become int8 ones: TensorRT knows no others."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    unsigned = [
        node
        for node in graph.node
        if node.op_type in _QUANTIZATION
        and len(node.input) == 3
        and tensors[node.input[2]].data_type == TensorProto.UINT8
    ]
    for name in {node.input[1] for node in unsigned}:
        scale = numpy_helper.to_array(tensors[name])
        tensors[name].CopyFrom(_tensor(np.float32(scale * (255 / 127)), name))
    for name in {node.input[2] for node in unsigned}:
        zero = numpy_helper.to_array(tensors[name])
        if zero.any():
            raise ModelError(f"TensorRT quantizes around 0, got the zero point {zero.max()}")
        tensors[name].CopyFrom(_tensor(zero.astype(np.int8), name))


def _quantize_weights_by_nodes(graph: onnx.GraphProto) -> None:
    """Weights in int8 become float32 ones that a node quantizes, as TensorRT 8 wants them.

    Where the convolution's input is not quantized, its weights just become float32: TensorRT knows
    no mixture.
    """
    weights = {tensor.name: tensor for tensor in graph.initializer}
    quantized = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    in_float = {
        node.input[1]
        for node in graph.node
        if node.op_type == "Conv" and node.input[0] not in quantized
    }
    nodes = []
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in weights:
            name, *scale = node.input
            tensor = weights[name]
            known = [numpy_helper.to_array(weights[i]) for i in node.input]
            results: Any = ReferenceEvaluator(node).run(
                None, dict(zip(node.input, known, strict=True))
            )
            if node.output[0] in in_float:
                tensor.CopyFrom(_tensor(results[0], node.output[0]))
                continue
            quantize = helper.make_node("QuantizeLinear", [name, *scale], [f"{name}_quantized"])
            quantize.attribute.extend(node.attribute)
            node.input[0] = f"{name}_quantized"
            tensor.CopyFrom(_tensor(results[0], name))
            nodes.append(quantize)
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _is_half(graph: onnx.GraphProto) -> bool:
    return any(tensor.data_type == TensorProto.FLOAT16 for tensor in graph.initializer)


def _to_half(graph: onnx.GraphProto) -> None:
    single = {
        node.input[i]
        for node in graph.node
        for i in _FLOAT32_INPUTS.get(node.op_type, ())
        if i < len(node.input)
    }
    weights = [t for t in graph.initializer if t.data_type == TensorProto.FLOAT]
    for tensor in weights:
        if tensor.name not in single:
            tensor.CopyFrom(
                _tensor(_halved(numpy_helper.to_array(tensor), tensor.name), tensor.name)
            )

    outputs = {output.name for output in graph.output}
    inputs = {value.name for value in graph.input}
    for node in graph.node:
        _rename(node.input, inputs)
        if node.op_type == "Cast" and node.output[0] not in outputs:
            for attribute in node.attribute:
                if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                    attribute.i = TensorProto.FLOAT16
        elif node.op_type != "Cast":
            _rename(node.output, outputs)
    produced = {name for node in graph.node for name in node.output}
    before = [_cast(name, f"{name}_half", TensorProto.FLOAT16) for name in sorted(inputs)]
    after = [
        _cast(f"{name}_half", name, TensorProto.FLOAT)
        for name in (output.name for output in graph.output)
        if name not in produced
    ]
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)


def _halved(values: NDArray[np.float32], name: str) -> NDArray[np.float16]:
    finite = values[np.isfinite(values)]
    if finite.size and np.abs(finite).max() > _HALF_MAX:
        raise ModelError(
            f"{name} holds {np.abs(finite).max():g}, beyond the range of fp16; use precision fp32"
        )
    return values.astype(np.float16)


def _rename(names: MutableSequence[str], renamed: set[str]) -> None:
    for i, name in enumerate(names):
        if name in renamed:
            names[i] = f"{name}_half"


def _cast(name: str, to_name: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [name], [to_name], name=to_name, to=kind)


def _tensor(values: NDArray[np.generic], name: str) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values), name)
