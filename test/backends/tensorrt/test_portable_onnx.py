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

"""The model on its way to TensorRT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ssap_ros.backends.base import ModelError
from ssap_ros.backends.tensorrt.portable_onnx import portable_onnx, read_info
from support.toy_model import quantized_model, toy_info, toy_model


@pytest.mark.parametrize("n_levels", [3, 5])
def test_a_portable_model_computes_the_same_in_half_precision(n_levels: int) -> None:
    import onnxruntime as ort

    model = toy_model(toy_info(n_levels=n_levels)).SerializeToString()
    half = portable_onnx(model, half=True, any_batch=True)
    image = np.random.default_rng(0).integers(0, 256, (2, 3, 128, 192)).astype(np.float32) / 64
    plain, portable = ort.InferenceSession(model), ort.InferenceSession(half)
    assert portable.get_inputs()[0].type == "tensor(float)"
    for output in portable.get_outputs():
        assert output.type == "tensor(float)"
        single = [plain.run([output.name], {"image": image[i : i + 1]})[0] for i in range(2)]
        [both] = portable.run([output.name], {"image": image})
        scale = np.abs(single).max()
        np.testing.assert_allclose(both, np.concatenate(single), atol=2e-3 * scale)


def test_the_portable_default_model_stays_within_the_tolerance_of_half_precision() -> None:
    import onnx
    import onnxruntime as ort

    from ssap_ros.backends.resources import default_model_path

    model = default_model_path().read_bytes()
    half = portable_onnx(model, half=True, any_batch=True)
    proto = onnx.load_model_from_string(half)
    onnx.checker.check_model(proto)
    assert read_info(half, Path("half")) == read_info(model, default_model_path())
    kinds = {node.op_type for node in proto.graph.node}
    assert not kinds & {"Constant", "ConstantOfShape", "Slice", "Transpose", "Reshape"}
    weights = [t for t in proto.graph.initializer if t.data_type == onnx.TensorProto.FLOAT]
    assert all(tensor.dims == [4] for tensor in weights)  # scales of Resize alone
    image = np.random.default_rng(0).standard_normal((2, 3, 64, 128)).astype(np.float32)
    plain, portable = ort.InferenceSession(model), ort.InferenceSession(half)
    for output in plain.get_outputs():
        single = [plain.run([output.name], {"image": image[i : i + 1]})[0] for i in range(2)]
        [both] = portable.run([output.name], {"image": image})
        error = np.linalg.norm(both - np.concatenate(single)) / np.linalg.norm(single)
        assert error < 2e-2


def test_a_portable_model_keeps_its_int8_layers_and_quantizes_weights_by_nodes() -> None:
    import onnx
    import onnxruntime as ort

    model = quantized_model().SerializeToString()
    portable = portable_onnx(model, half=False, any_batch=True)
    proto = onnx.load_model_from_string(portable)
    onnx.checker.check_model(proto)
    kinds = [node.op_type for node in proto.graph.node]
    pair = ["QuantizeLinear", "DequantizeLinear"]
    assert kinds == [*pair, *pair, "Conv"]
    types = {tensor.name: tensor.data_type for tensor in proto.graph.initializer}
    assert types["weight"] == onnx.TensorProto.FLOAT
    image = np.random.default_rng(1).standard_normal((1, 3, 16, 24)).astype(np.float32)
    expected, got = (
        ort.InferenceSession(m).run(None, {"image": image})[0] for m in (model, portable)
    )
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_a_convolution_of_a_float_image_has_float_weights() -> None:
    import onnx
    import onnxruntime as ort

    model = quantized_model()
    nodes = [*model.graph.node[2:]]
    nodes[1].input[0] = "image"
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    portable = portable_onnx(model.SerializeToString(), half=False, any_batch=False)
    proto = onnx.load_model_from_string(portable)
    onnx.checker.check_model(proto)
    assert [node.op_type for node in proto.graph.node] == ["Conv"]
    image = np.random.default_rng(1).standard_normal((1, 3, 16, 24)).astype(np.float32)
    expected, got = (
        ort.InferenceSession(m).run(None, {"image": image})[0]
        for m in (model.SerializeToString(), portable)
    )
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_weights_beyond_half_precision_are_refused() -> None:
    from onnx import numpy_helper

    model = toy_model(toy_info())
    model.graph.initializer[0].CopyFrom(
        numpy_helper.from_array(np.full((1, 3, 1, 1), 1e6, np.float32), "mean")
    )
    with pytest.raises(ModelError, match=r"mean holds 1e\+06, beyond the range of fp16"):
        portable_onnx(model.SerializeToString(), half=True, any_batch=False)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda: b"text", "not an ONNX model"),
        (lambda: _without_metadata(), "metadata lack the key 'ssap_ros'"),
    ],
)
def test_other_files_are_refused(content: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(ModelError, match=f"incompatible model /m.onnx: .*{reason}"):
        read_info(content(), Path("/m.onnx"))


def _without_metadata() -> bytes:
    model = toy_model(toy_info())
    del model.metadata_props[:]
    return model.SerializeToString()
