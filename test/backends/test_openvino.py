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

"""Which backend is chosen and why, and what OpenVINO does beside the contract of CPU backends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from ssap_ros import backends
from ssap_ros.backends import choose_backend, load_backend
from ssap_ros.backends.resources import default_model_path
from ssap_ros.config import SsapConfig
from ssap_ros.errors import DeviceError, ModelError
from support.toy_model import toy_info, toy_model, write_toy_model

pytest.importorskip("openvino", reason="openvino is not installed")

from ssap_ros.backends import openvino as ours
from ssap_ros.backends.openvino import OpenVinoBackend, choose_precision, processor

NO_GPU = "because no NVIDIA driver here"


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def probe(_: int) -> None:
        raise DeviceError("no NVIDIA driver here")

    monkeypatch.setattr(backends, "probe", probe)


def _computes_in(monkeypatch: pytest.MonkeyPatch, *precisions: str) -> None:
    monkeypatch.setattr(ours, "processor", lambda: ("Toy CPU", precisions))


@pytest.mark.parametrize(
    ("precisions", "wanted", "expected"),
    [
        (("fp32", "bf16", "int8"), "auto", f"OpenVINO: Toy CPU in bf16, {NO_GPU}"),
        (("fp32", "int8"), "auto", f"OpenVINO: Toy CPU in fp32, {NO_GPU}"),
        (("fp32", "bf16"), "fp32", f"OpenVINO: Toy CPU in fp32, {NO_GPU}"),
        (("fp32", "fp16"), "fp16", f"OpenVINO: Toy CPU in fp16, {NO_GPU}"),
        (
            ("fp32", "int8"),
            "bf16",
            f"ONNX Runtime: on the CPU, {NO_GPU} and Toy CPU computes in fp32, int8, not in bf16",
        ),
    ],
)
def test_auto_asks_the_processor(
    monkeypatch: pytest.MonkeyPatch, precisions: tuple[str, ...], wanted: str, expected: str
) -> None:
    _computes_in(monkeypatch, *precisions)
    assert str(choose_backend(SsapConfig(precision=wanted))) == expected


def test_a_backend_that_is_named_is_taken_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _computes_in(monkeypatch, "fp32")
    assert str(choose_backend(SsapConfig(backend="openvino"))) == "OpenVINO: Toy CPU in fp32"
    assert choose_backend(SsapConfig(backend="onnxruntime")).runtime == "ONNX Runtime"
    with pytest.raises(DeviceError, match=r"^backend openvino: Toy CPU computes in fp32, not in b"):
        choose_backend(SsapConfig(backend="openvino", precision="bf16"))
    monkeypatch.setattr(backends, "find_spec", lambda _: None)
    missing = "openvino not installed: pip install openvino"
    with pytest.raises(DeviceError, match=f"^backend openvino: {missing}$"):
        choose_backend(SsapConfig(backend="openvino"))
    expected = f"ONNX Runtime: on the CPU, {NO_GPU} and {missing}"
    assert str(choose_backend(SsapConfig())) == expected


@pytest.mark.parametrize("failure", ["OSError('libtbb.so.12 is not found')", "SystemError()"])
def test_a_broken_openvino_leaves_onnx_runtime(
    tmp_path: Path, toy_model_path: Path, failure: str
) -> None:
    (tmp_path / "openvino.py").write_text(f"raise {failure}\n")
    program = (
        "from ssap_ros.backends import load_backend; from ssap_ros.config import SsapConfig\n"
        f"print(load_backend(SsapConfig(model_file_path={str(toy_model_path)!r}), print).name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    choice, name = done.stdout.splitlines()
    assert choice.startswith("ONNX Runtime: on the CPU, because ")
    assert "openvino cannot be imported: " in choice
    assert name == "onnxruntime"


def test_a_model_that_openvino_cannot_compile_goes_to_onnx_runtime(tmp_path: Path) -> None:
    path = tmp_path / "optional.onnx"
    model = toy_model(toy_info())
    for node in model.graph.node:
        node.input[:] = ["same" if name == "image" else name for name in node.input]
    model.graph.node.insert(0, helper.make_node("Optional", ["image"], ["boxed"]))
    model.graph.node.insert(1, helper.make_node("OptionalGetElement", ["boxed"], ["same"]))
    onnx.save(model, str(path))
    said: list[str] = []
    assert load_backend(SsapConfig(model_file_path=str(path)), said.append).name == "onnxruntime"
    assert said[-1].startswith(
        f"ONNX Runtime: on the CPU, because of OpenVINO: incompatible model {path}"
    )
    assert "\n" not in said[-1]
    with pytest.raises(ModelError, match="not a model that can be run"):
        load_backend(SsapConfig(model_file_path=str(path), backend="openvino"))


def test_int8_needs_a_quantized_model(toy_model_path: Path) -> None:
    with pytest.raises(ModelError, match="precision int8: expected a model by `ssap export --int8"):
        load_backend(SsapConfig(model_file_path=str(toy_model_path), precision="int8"))


def test_each_size_is_compiled_once_and_a_few_are_kept(
    tmp_path: Path, toy_model_path: Path
) -> None:
    backend = OpenVinoBackend(toy_model_path, 1, "fp32", tmp_path)
    compiled = []
    compile_model = backend._compile
    backend._compile = lambda names, shape: compiled.append(shape) or compile_model(names, shape)
    widths = [128, 128, 192, 256, 320, 128, 384, 192]
    for width in widths:
        [output] = backend.infer(np.zeros((1, 3, 64, width), np.float32), (4,))
        assert output.semantic[0].shape == (8, 16, width // 4)
    assert [shape[3] for shape in compiled] == [128, 192, 256, 320, 384, 192]
    assert len(backend._compiled) == 4


def test_outputs_stay_when_the_next_image_comes(tmp_path: Path, toy_model_path: Path) -> None:
    backend = OpenVinoBackend(toy_model_path, 1, "fp32", tmp_path)
    random = np.random.default_rng(1)
    first, second = random.normal(size=(2, 1, 3, 64, 64)).astype(np.float32)
    [output] = backend.infer(first, (4,))
    before = output.affinities[0].copy()
    backend.infer(second, (4,))
    np.testing.assert_array_equal(output.affinities[0], before)


def test_compiled_networks_are_kept_and_damaged_ones_made_again(
    tmp_path: Path, toy_model_path: Path
) -> None:
    image = np.random.default_rng(1).normal(size=(1, 3, 64, 128)).astype(np.float32)

    def output() -> np.ndarray:
        backend = OpenVinoBackend(toy_model_path, 1, "auto", tmp_path / "cache")
        return backend.infer(image, (4, 8))[0].affinities[0]

    expected = output()
    kept = sorted((tmp_path / "cache").glob("*.blob"))
    times = [path.stat().st_mtime_ns for path in kept]
    np.testing.assert_array_equal(output(), expected)
    assert kept
    assert [path.stat().st_mtime_ns for path in kept] == times
    for path in kept:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    np.testing.assert_array_equal(output(), expected)


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    write_toy_model(tmp_path / "toy.onnx")
    (tmp_path / "file").touch()
    backend = OpenVinoBackend(tmp_path / "toy.onnx", 1, "fp32", tmp_path / "file" / "cache")
    assert backend.infer(np.zeros((1, 3, 64, 64), np.float32), (4,))


def test_the_default_model_computes_the_same_twice_and_nearly_that_of_onnx_runtime() -> None:
    from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend

    image = np.random.default_rng(1).normal(size=(1, 3, 128, 192)).astype(np.float32)
    single, again, auto, reference = (
        backend.infer(image, (4, 8, 16))[0].affinities[0]
        for backend in (
            OpenVinoBackend(default_model_path(), 2, "fp32"),
            OpenVinoBackend(default_model_path(), 2, "fp32"),
            OpenVinoBackend(default_model_path(), 2, "auto"),
            OnnxRuntimeBackend(default_model_path(), 2),
        )
    )
    np.testing.assert_array_equal(single, again)
    np.testing.assert_allclose(single, reference, atol=1e-3)
    assert np.mean((auto > 0) == (reference > 0)) > 0.98


def test_the_processor_is_described() -> None:
    name, precisions = processor()
    assert name
    assert "fp32" in precisions
    assert choose_precision("auto") == ("bf16" if "bf16" in precisions else "fp32")


def test_nothing_is_reported_over_the_network() -> None:
    """`import openvino` forks a process that does, where openvino_telemetry can be imported."""
    code = "import sys, ssap_ros.backends.openvino; print(sys.modules['openvino_telemetry'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"
