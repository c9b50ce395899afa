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

"""A hand-made SSAP network that reads its output from the colours of the picture.

`paint` encodes an instance map as a picture (red: class, green: instance, blue: confidence);
the ONNX model written by `write_toy_model` samples that picture at the cell centres of every level
and turns equal colours into certain affinities. What the product must output is thus known exactly.
The letterbox padding decodes as a confident person, so that a reader who forgets it is found out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ssap_ros.backends.model_info import model_info_to_json
from ssap_ros.types import ModelInfo

CLASSES = ("background", "person", "bicycle", "car", "motorcycle", "bus", "train", "truck")
THING_IDS = (1, 2, 3, 4, 5, 6, 7)
CLASS_STEP = 32  # red = CLASS_STEP * class id
INSTANCE_STEP = 8  # green = INSTANCE_STEP * instance number, up to 31 instances
AFFINITY_LOGIT = 8.0
FULL_CONFIDENCE = 12.0  # semantic logit margin between neighbouring class ids at blue = 255


def toy_info(
    *, long_side: int = 256, input_size: tuple[int, int] | None = None, n_levels: int = 5
) -> ModelInfo:
    """What the toy model says about itself; its mean is the colour of a person."""
    return ModelInfo(
        classes=CLASSES,
        thing_ids=THING_IDS,
        levels=tuple(4 << i for i in range(n_levels)),
        window=5,
        mean=(float(CLASS_STEP), 0.0, 255.0),
        std=(64.0, 64.0, 64.0),
        input_size=input_size,
        long_side=long_side,
    )


def paint(
    instances: NDArray[np.integer],
    class_ids: Sequence[int] | NDArray[np.integer],
    confidences: Sequence[int] | None = None,
) -> NDArray[np.uint8]:
    """The picture (H, W, 3) whose output is `instances` (H, W), 0 = background, 1..N.

    class_ids and confidences (0-255, default 255) have one entry per instance.
    """
    n = len(class_ids)
    colours = np.zeros((n + 1, 3), np.uint8)
    colours[1:, 0] = CLASS_STEP * np.asarray(class_ids)
    colours[1:, 1] = INSTANCE_STEP * np.arange(1, n + 1)
    colours[1:, 2] = 255 if confidences is None else confidences
    colours[0, 2] = 255
    return colours[instances]


def probability(class_id: int, confidence: int = 255) -> float:
    """The semantic probability that the toy model gives to the painted class."""
    distance = np.arange(len(CLASSES)) - class_id
    return float(1 / np.exp(-FULL_CONFIDENCE * confidence / 255 * distance**2).sum())


def score(class_id: int, confidence: int, cells: int) -> float:
    """The score of an instance of one painted class and confidence, of so many cells."""
    p = probability(class_id, confidence)
    odds = p / (1 - p) * (cells / 100) ** 0.1
    return float(odds / (1 + odds))


def write_toy_model(
    path: Path | str,
    *,
    long_side: int = 256,
    input_size: tuple[int, int] | None = None,
    n_levels: int = 5,
    float16: bool = False,
) -> ModelInfo:
    """Write the toy network with its metadata to `path` and return its ModelInfo."""
    info = toy_info(long_side=long_side, input_size=input_size, n_levels=n_levels)
    onnx.save(toy_model(info, float16=float16), str(path))
    return info


def toy_model(info: ModelInfo, *, float16: bool = False) -> onnx.ModelProto:
    """The toy network as an ONNX model, to be saved or spoilt by a test."""
    constants: dict[str, NDArray[np.generic]] = {
        "mean": np.reshape(np.float32(info.mean), (1, 3, 1, 1)),
        "std": np.reshape(np.float32(info.std), (1, 3, 1, 1)),
        "class_channel": _pick(0, 1 / CLASS_STEP),
        "gain_channel": _pick(2, -FULL_CONFIDENCE / 255),
        "class_index": np.arange(len(info.classes), dtype=np.float32).reshape(1, -1, 1, 1),
        "differences": _difference_kernels(info.window),
        "sum_pairs": _sum_pairs(info.window**2),
        "zero": np.float32(0),
        "affinity_range": np.float32(2 * AFFINITY_LOGIT),
        "affinity_logit": np.float32(AFFINITY_LOGIT),
        "axes": np.int64([2, 3]),
        "ends": np.int64([2**31, 2**31]),
    }
    nodes = [
        helper.make_node("Mul", ["image", "std"], ["scaled"]),
        helper.make_node("Add", ["scaled", "mean"], ["colours"]),
    ]
    outputs = []
    for level in info.levels:
        constants[f"start_{level}"] = np.int64([level // 2] * 2)
        constants[f"step_{level}"] = np.int64([level] * 2)
        for name, channels in (("semantic", len(info.classes)), ("affinity", info.window**2)):
            kind = TensorProto.FLOAT16 if float16 else TensorProto.FLOAT
            shape = [1, channels, f"h{level}", f"w{level}"]
            outputs.append(helper.make_tensor_value_info(f"{name}_{level}", kind, shape))
            nodes.append(
                helper.make_node("Cast", [f"{name}_{level}_raw"], [f"{name}_{level}"], to=kind)
            )
        nodes += _level_nodes(level)
    size = list(info.input_size) if info.input_size else ["height", "width"]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, *size])
    initializers = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    graph = helper.make_graph(_sorted(nodes), "toy", [image], outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"ssap_ros": model_info_to_json(info)})
    onnx.checker.check_model(model)
    return model


def _level_nodes(level: int) -> list[onnx.NodeProto]:
    def name(part: str) -> str:
        return f"{part}_{level}"

    steps: list[tuple[str, list[str], str]] = [
        ("Slice", ["colours", name("start"), "ends", "axes", name("step")], name("cells")),
        ("Conv", [name("cells"), "class_channel"], name("class_code")),
        ("Conv", [name("cells"), "gain_channel"], name("gain")),
        ("Sub", [name("class_code"), "class_index"], name("distance")),
        ("Mul", [name("distance"), name("distance")], name("square")),
        ("Mul", [name("square"), name("gain")], name("semantic") + "_raw"),
        ("Conv", [name("cells"), "differences"], name("difference")),
        ("Abs", [name("difference")], name("absolute")),
        ("Conv", [name("absolute"), "sum_pairs"], name("unequal")),
        ("Clip", [name("unequal"), "zero", "affinity_range"], name("penalty")),
        ("Sub", ["affinity_logit", name("penalty")], name("affinity") + "_raw"),
    ]
    return [
        helper.make_node(
            op, inputs, [output], **({"pads": [2, 2, 2, 2]} if "differences" in inputs else {})
        )
        for op, inputs, output in steps
    ]


def _sorted(nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Casts last: ONNX wants every node after those it reads from."""
    return sorted(nodes, key=lambda node: node.op_type == "Cast")


def _pick(channel: int, factor: float) -> NDArray[np.float32]:
    kernel = np.zeros((1, 3, 1, 1), np.float32)
    kernel[0, channel] = factor
    return kernel


def _difference_kernels(window: int) -> NDArray[np.float32]:
    """Two kernels per window offset: centre minus neighbour in red and in green."""
    centre = window // 2
    kernels = np.zeros((window, window, 2, 3, window, window), np.float32)
    for dy, dx in np.ndindex(window, window):
        for channel in (0, 1):
            kernels[dy, dx, channel, channel, centre, centre] += 1
            kernels[dy, dx, channel, channel, dy, dx] -= 1
    return kernels.reshape(-1, 3, window, window)


def _sum_pairs(n_offsets: int) -> NDArray[np.float32]:
    """1x1 kernel (n_offsets, 2 * n_offsets): red + green difference, any step saturates."""
    kernel = np.repeat(np.eye(n_offsets, dtype=np.float32), 2, axis=1)
    return (2 * AFFINITY_LOGIT * kernel)[:, :, None, None]


def quantized_model() -> onnx.ModelProto:
    """A convolution in int8 as `ssap export --int8` writes them: activations and weights."""
    random = np.random.default_rng(0)
    constants: dict[str, NDArray[np.generic]] = {
        "weight": random.integers(-127, 128, (6, 3, 3, 3)).astype(np.int8),
        "weight_scale": random.uniform(0.001, 0.002, 6).astype(np.float32),
        "weight_zero": np.zeros(6, np.int8),
        "bias": random.normal(size=6).astype(np.float32),
        "scale": np.float32(0.02),
        "zero": np.int8(0),
    }
    weight = ["weight", "weight_scale", "weight_zero"]
    nodes = [
        helper.make_node("QuantizeLinear", ["image", "scale", "zero"], ["image_int8"]),
        helper.make_node("DequantizeLinear", ["image_int8", "scale", "zero"], ["image_again"]),
        helper.make_node("DequantizeLinear", weight, ["weight_float"], axis=0),
        helper.make_node("Conv", ["image_again", "weight_float", "bias"], ["output"]),
    ]
    shape = [1, "channels", "height", "width"]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name in ("image", "output")
    ]
    initializers = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "quantized", values[:1], values[1:], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
