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

"""Float ONNX models become int8 ones that all runtimes of ours read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("nncf", reason="NNCF is not installed")
torch.set_num_threads(1)  # several would wait for each other on a busy machine

from ssap_ros.backends.cpu import CpuBackend  # noqa: E402
from ssap_ros.backends.model_info import is_quantized  # noqa: E402
from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend  # noqa: E402
from ssap_ros.backends.openvino import OpenVinoBackend  # noqa: E402
from ssap_ros.backends.resources import default_model_path  # noqa: E402
from ssap_ros.backends.tensorrt.portable_onnx import portable_onnx  # noqa: E402
from ssap_ros.cli import main  # noqa: E402
from ssap_ros.data.scenes.street import street_scene  # noqa: E402
from ssap_ros.errors import InputError  # noqa: E402
from ssap_ros.network.export import write_onnx  # noqa: E402
from ssap_ros.network.quantize import quantize_onnx, sensitive_convolutions  # noqa: E402
from ssap_ros.network.ssap import NetworkConfig, SsapNetwork  # noqa: E402
from ssap_ros.types import ModelInfo  # noqa: E402

INFO = ModelInfo(
    classes=("background", "person", "car"),
    thing_ids=(1, 2),
    levels=(4, 8, 16, 32, 64),
    window=5,
    mean=(127.5, 127.5, 127.5),
    std=(127.5, 127.5, 127.5),
    input_size=None,
    long_side=128,
)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for seed in range(8):
        cv2.imwrite(str(folder / f"{seed}.png"), street_scene(seed, (96, 128)).image)
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, images: Path) -> tuple[Path, Path]:
    """A small network in float and in int8."""
    torch.manual_seed(0)
    network = SsapNetwork(NetworkConfig(backbone="mobilenet_v2", decoder_width=16), 3)
    folder = tmp_path_factory.mktemp("models")
    write_onnx(network.eval(), INFO, folder / "float.onnx")
    assert quantize_onnx(folder / "float.onnx", folder / "int8.onnx", images) == 8
    return folder / "float.onnx", folder / "int8.onnx"


def test_all_but_the_first_and_the_last_convolutions_are_quantized(
    models: tuple[Path, Path],
) -> None:
    in_int8 = onnx.load(str(models[1]))
    assert [is_quantized(path.read_bytes()) for path in models] == [False, True]
    assert models[1].stat().st_size < 0.4 * models[0].stat().st_size
    sensitive = sensitive_convolutions(in_int8.graph)
    depthwise = [n for n in in_int8.graph.node if n.op_type == "Conv" and _is_depthwise(n)]
    assert len(depthwise) > 10
    assert len(sensitive) == 1 + 2 * len(INFO.levels) + len(depthwise)
    made_by = {name: node.op_type for node in in_int8.graph.node for name in node.output}
    for node in in_int8.graph.node:
        if node.op_type == "Conv":
            in_int8_weights = made_by.get(node.input[1]) == "DequantizeLinear"
            assert in_int8_weights == (node.name not in sensitive), node.name
    steps = [(made_by.get(n.input[0]), n.op_type) for n in in_int8.graph.node if n.input]
    assert steps.count(("DequantizeLinear", "Conv")) > 20, "their activations too"


def _is_depthwise(node: onnx.NodeProto) -> bool:
    return any(a.name == "group" and a.i > 1 for a in node.attribute)


def _logits(backend: CpuBackend, image: np.ndarray) -> Sequence[np.ndarray]:
    [output] = backend.infer(image, INFO.levels)
    return (*output.semantic, *output.affinities)


def test_the_runtimes_agree_with_the_float_model(models: tuple[Path, Path], images: Path) -> None:
    reference = OnnxRuntimeBackend(models[0], 1)
    assert reference.info == INFO
    picture = cv2.imread(str(images / "3.png"))
    image, _ = reference.preprocess([picture], INFO.long_side)
    expected = _logits(reference, image)
    for backend in (OnnxRuntimeBackend(models[1], 1), OpenVinoBackend(models[1], 1, "fp32")):
        assert backend.info == INFO
        for ours, theirs in zip(_logits(backend, image), expected, strict=True):
            spread = max(float(theirs.std()), 1e-3)
            assert np.abs(ours - theirs).mean() < 0.2 * spread, backend.name


def test_openvino_computes_the_shipped_model_in_int8(images: Path, tmp_path: Path) -> None:
    """Where it joins channels in 8 bits, at this size, most classes come out wrong.

    With what reads the stem in 8 bits, the logits err twice as much.
    """
    quantize_onnx(default_model_path(), tmp_path / "int8.onnx", images)
    reference = OnnxRuntimeBackend(default_model_path(), 2)
    image, _ = reference.preprocess([street_scene(3, (576, 768)).image], 768)
    expected = _logits(reference, image)
    got = _logits(OpenVinoBackend(tmp_path / "int8.onnx", 2, "fp32"), image)
    for ours, theirs in zip(got[:3], expected[:3], strict=True):
        assert (ours.argmax(axis=0) == theirs.argmax(axis=0)).mean() > 0.95
    errors = [np.abs(ours - theirs).mean() for ours, theirs in zip(got, expected, strict=True)]
    assert np.mean(errors) < 0.12


def test_tensorrt_gets_signed_symmetric_nodes(models: tuple[Path, Path], tmp_path: Path) -> None:
    portable = portable_onnx(models[1].read_bytes(), half=False, any_batch=False)
    proto = onnx.load_model_from_string(portable)
    onnx.checker.check_model(proto)
    tensors = {
        tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in proto.graph.initializer
    }
    for node in proto.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            zero = tensors[node.input[2]]
            assert zero.dtype == np.int8
            assert not zero.any()
    (tmp_path / "portable.onnx").write_bytes(portable)
    image = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    expected = _logits(OnnxRuntimeBackend(models[1], 1), image)
    got = _logits(OnnxRuntimeBackend(tmp_path / "portable.onnx", 1), image)
    for ours, theirs in zip(got, expected, strict=True):
        assert np.abs(ours - theirs).mean() < 0.2 * max(float(theirs.std()), 1e-3)


def test_what_cannot_be_quantized_is_refused(
    models: tuple[Path, Path], images: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="expected a float model to quantize, got"):
        quantize_onnx(models[1], tmp_path / "out.onnx", images)
    with pytest.raises(InputError, match="expected a folder of calibration images, got"):
        quantize_onnx(models[0], tmp_path / "out.onnx", tmp_path / "none")
    (tmp_path / "few").mkdir()
    with pytest.raises(InputError, match=r"expected at least 8 calibration images .* got 0"):
        quantize_onnx(models[0], tmp_path / "out.onnx", tmp_path / "few")
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.parametrize("flags", [["--int8"], ["--calibration", "x"], ["--fp16", "--int8"]])
def test_the_command_wants_images_for_int8(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    files = ["--checkpoint", str(tmp_path / "c.pt"), "--out", str(tmp_path / "m.onnx")]
    assert main(["export", *files, *flags]) == 2
    assert "expected --int8 and --calibration DIR together" in capsys.readouterr().err
