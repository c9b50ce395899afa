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

"""A float ONNX model -> the same in int8, between QuantizeLinear and DequantizeLinear nodes.

The ranges of the activations come from calibration images; the biases are then corrected for what
rounding shifts on average (Nagel et al., ICCV 2019, section 4.2). The convolutions at both ends,
among others, stay in float: they cost little and err most (`sensitive_convolutions`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx

from ssap_ros.backends.model_info import is_quantized, model_info_of
from ssap_ros.common.telemetry import refuse_openvino_telemetry
from ssap_ros.data.image_files import image_files, read_image
from ssap_ros.errors import InputError
from ssap_ros.stages.preprocess import preprocess
from ssap_ros.types import FloatArray, ModelInfo

refuse_openvino_telemetry()
import nncf  # noqa: E402

MAX_IMAGES = 128
MIN_IMAGES = 8


def quantize_onnx(model: Path, out: Path, calibration: Path) -> int:
    """Write an int8 model with the inputs, outputs and metadata of a float one.

    Args:
        model: The float ONNX file, as `write_onnx` makes it.
        out: The file to write.
        calibration: A folder of images like those to come, and none of those for the scores; up to
            MAX_IMAGES are taken, spread evenly over the sorted names.

    Returns:
        How many images were taken.

    Raises:
        InputError: The model is no float model of this package, or there are less than MIN_IMAGES
            images, or one cannot be read.
    """
    proto = onnx.load(str(model))
    try:
        info = model_info_of({entry.key: entry.value for entry in proto.metadata_props})
    except ValueError as error:
        raise InputError(f"{model}: {error}") from error
    if is_quantized(model.read_bytes()):
        raise InputError(f"expected a float model to quantize, got {model}")
    _drop_casts(proto.graph)
    images = _calibration_images(calibration)
    logging.getLogger("nncf").setLevel(logging.WARNING)
    quantized = nncf.quantize(
        proto,
        nncf.Dataset(_Inputs(images, info)),
        preset=nncf.QuantizationPreset.PERFORMANCE,  # symmetric, the only kind that TensorRT takes
        subset_size=len(images),
        fast_bias_correction=True,
        ignored_scope=nncf.IgnoredScope(names=sensitive_convolutions(proto.graph)),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(quantized, str(out))
    return len(images)


def sensitive_convolutions(graph: onnx.GraphProto) -> list[str]:
    """Find the convolutions that stay in float.

    They are the first one and those that read its result (in NanoDet's body a single one of these
    makes most of the error of all); those that make the logits; the depthwise ones, whose few
    weights differ much from channel to channel: in 8 bits they cost person AP .014; and those that
    read a concatenation: OpenVINO 2026.4 joins large ones wrongly in 8 bits.

    Returns:
        Their names.
    """
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    logits = {output.name for output in graph.output}
    joined = {node.output[0] for node in graph.node if node.op_type == "Concat"}
    sensitive = joined | _stem(graph, convolutions[0])
    return [
        node.name
        for node in convolutions
        if node is convolutions[0]
        or node.input[0] in sensitive
        or node.output[0] in logits
        or _groups(node) > 1
    ]


def _stem(graph: onnx.GraphProto, first: onnx.NodeProto) -> set[str]:
    """The result of the first convolution, and what activations and pooling make of it."""
    stem = {first.output[0]}
    for node in graph.node:  # in topological order
        if node.op_type in ("Relu", "LeakyRelu", "Clip", "MaxPool") and node.input[0] in stem:
            stem.add(node.output[0])
    return stem


def _groups(convolution: onnx.NodeProto) -> int:
    return next((int(a.i) for a in convolution.attribute if a.name == "group"), 1)


def _drop_casts(graph: onnx.GraphProto) -> None:
    """Have the layers before the outputs make them: NNCF stumbles over casts of float to float."""
    outputs = {output.name for output in graph.output}
    casts = [node for node in graph.node if node.op_type == "Cast" and node.output[0] in outputs]
    names = {cast.input[0]: cast.output[0] for cast in casts}
    for cast in casts:
        graph.node.remove(cast)
    for node in graph.node:
        for ends in (node.input, node.output):
            for i, name in enumerate(ends):
                ends[i] = names.get(name, name)


class _Inputs:
    """The network inputs of images, one at a time, as often as they are asked for."""

    def __init__(self, images: list[Path], info: ModelInfo) -> None:
        self._images, self._info = images, info

    def __iter__(self) -> Iterator[dict[str, FloatArray]]:
        for path in self._images:
            yield {"image": preprocess(read_image(path), self._info, self._info.long_side)[0]}


def _calibration_images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"expected a folder of calibration images, got {folder}")
    found = image_files(folder, "**/*")
    if len(found) < MIN_IMAGES:
        raise InputError(
            f"expected at least {MIN_IMAGES} calibration images in {folder}, got {len(found)}"
        )
    chosen = np.linspace(0, len(found) - 1, min(len(found), MAX_IMAGES)).round().astype(int)
    return [found[i] for i in chosen]
