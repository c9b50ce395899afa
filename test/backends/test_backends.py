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

"""The CPU backends read a model of the contract and refuse any other in one line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ssap_ros import backends
from ssap_ros.backends import ModelError, load_backend
from ssap_ros.backends.cpu import CpuBackend
from ssap_ros.backends.model_info import METADATA_KEY
from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend
from ssap_ros.config import SsapConfig
from ssap_ros.stages.preprocess import preprocess
from support.toy_model import AFFINITY_LOGIT, paint, toy_info, toy_model, write_toy_model

Open = Callable[[Path], CpuBackend]


@pytest.fixture(params=["onnxruntime", "openvino"])
def open_backend(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens a model in one of the CPU backends, in single precision."""
    if request.param == "onnxruntime":
        return lambda path: OnnxRuntimeBackend(path, num_threads=1)
    pytest.importorskip("openvino", reason="openvino is not installed")
    from ssap_ros.backends.openvino import OpenVinoBackend

    return lambda path: OpenVinoBackend(path, 1, "fp32", tmp_path / "cache")


@pytest.fixture
def instances() -> np.ndarray:
    """Two persons side by side above a car, in 128 x 192 pixels."""
    instances = np.zeros((128, 192), np.int32)
    instances[:64, :64], instances[:64, 64:128], instances[64:, 32:] = 1, 2, 3
    return instances


def test_logits_are_those_of_the_picture(
    open_backend: Open, toy_model_path: Path, instances: np.ndarray
) -> None:
    backend = open_backend(toy_model_path)
    class_ids = np.array([0, 1, 1, 3])
    tensor, _ = preprocess(paint(instances, class_ids[1:]), backend.info, 192)
    [output] = backend.infer(tensor, (4, 16))
    for level, semantic, affinity in zip((4, 16), output.semantic, output.affinities, strict=True):
        cells = instances[level // 2 :: level, level // 2 :: level]
        assert semantic.dtype == affinity.dtype == np.float32
        np.testing.assert_array_equal(semantic.argmax(axis=0), class_ids[cells])
        for dy, dx in ((-2, -2), (0, 1), (1, -2), (2, 2)):
            height, width = cells.shape
            here = np.s_[max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
            there = np.s_[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)]
            expected = np.where(cells[here] == cells[there], AFFINITY_LOGIT, -AFFINITY_LOGIT)
            np.testing.assert_array_equal(affinity[5 * (dy + 2) + dx + 2][here], expected)


def test_half_precision_outputs_are_widened(
    open_backend: Open, tmp_path: Path, toy_backend: OnnxRuntimeBackend, instances: np.ndarray
) -> None:
    write_toy_model(tmp_path / "half.onnx", float16=True)
    half = open_backend(tmp_path / "half.onnx")
    tensor, _ = preprocess(paint(instances, [1, 1, 3]), half.info, 192)
    expected, got = (backend.infer(tensor, (8,))[0] for backend in (toy_backend, half))
    assert got.semantic[0].dtype == np.float32
    np.testing.assert_allclose(got.semantic[0], expected.semantic[0], rtol=1e-3)
    np.testing.assert_allclose(got.affinities[0], expected.affinities[0], rtol=1e-3)


def test_the_configured_model_is_loaded(tmp_path: Path) -> None:
    info = write_toy_model(tmp_path / "fixed.onnx", input_size=(128, 256), n_levels=3)
    config = SsapConfig(
        model_file_path=str(tmp_path / "fixed.onnx"), backend="onnxruntime", num_threads=1
    )
    backend = load_backend(config)
    assert (backend.name, backend.info) == ("onnxruntime", info)


def test_missing_models_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"model not found: /nowhere/model\.onnx"):
        load_backend(SsapConfig(model_file_path="/nowhere/model.onnx"))
    monkeypatch.setattr(backends, "default_model_path", lambda: Path("/engines/absent.onnx"))
    with pytest.raises(ModelError, match=r"model not found: /engines/absent\.onnx"):
        load_backend(SsapConfig())


def _metadata(model: onnx.ModelProto, **changes: object) -> None:
    fields = json.loads(model.metadata_props[0].value) | changes
    helper.set_model_props(model, {METADATA_KEY: json.dumps(fields)})


def _drop_output(model: onnx.ModelProto) -> None:
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("semantic_4", TensorProto.FLOAT, None))


def _flat_input(model: onnx.ModelProto) -> None:
    del model.graph.input[0].type.tensor_type.shape.dim[0]


def _integer_output(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        if node.output[0] == "affinity_8":
            node.attribute[0].i = TensorProto.INT32
    for output in model.graph.output:
        if output.name == "affinity_8":
            output.type.tensor_type.elem_type = TensorProto.INT32


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda model: helper.set_model_props(model, {}), "metadata lack the key 'ssap_ros'"),
        (lambda model: helper.set_model_props(model, {METADATA_KEY: "?"}), "must be JSON"),
        (lambda model: _metadata(model, window=7), "window must be 5, got 7"),
        (lambda model: _metadata(model, levels=[2, 4, 8, 16, 32, 64]), "expected a float output"),
        (lambda model: _metadata(model, classes=["background", "person"], thing_ids=[1]), "shape"),
        (lambda model: _metadata(model, input_size=[64, 64]), "expected the inputs"),
        (_drop_output, "expected a float output semantic_8"),
        (_integer_output, "expected a float output affinity_8"),
        (_flat_input, "expected the inputs"),
    ],
)
def test_other_models_are_refused_in_one_line(
    open_backend: Open, tmp_path: Path, spoil: Callable[[onnx.ModelProto], None], reason: str
) -> None:
    path = tmp_path / "spoilt.onnx"
    model = toy_model(toy_info())
    spoil(model)
    onnx.save(model, str(path))
    with pytest.raises(ModelError, match=reason) as error:
        open_backend(path)
    assert str(error.value).startswith(f"incompatible model {path}: ")
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_model_is_refused(open_backend: Open, tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("not a model")
    with pytest.raises(ModelError, match="not a model that can be run") as error:
        open_backend(path)
    assert "\n" not in str(error.value)


def test_input_of_the_wrong_size_is_an_error(open_backend: Open, tmp_path: Path) -> None:
    info = dataclasses.replace(toy_info(), input_size=(64, 128))
    onnx.save(toy_model(info), str(tmp_path / "fixed.onnx"))
    backend = open_backend(tmp_path / "fixed.onnx")
    with pytest.raises(ModelError, match="inference failed"):
        backend.infer(np.zeros((1, 3, 64, 64), np.float32), (4,))
