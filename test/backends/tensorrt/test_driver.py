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

"""What the driver says of a GPU, and whether a configuration is then served by TensorRT."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from ssap_ros import backends
from ssap_ros.backends import choose_backend, load_backend
from ssap_ros.backends.base import DeviceError
from ssap_ros.backends.tensorrt.driver import Gpu, probe
from ssap_ros.config import SsapConfig
from support.simulated_machine import compile_driver


def test_a_gpu_describes_itself(tmp_path: Path) -> None:
    assert probe(0, compile_driver(tmp_path)) == Gpu("Toy GPU", "8.7", "12.6")


@pytest.mark.parametrize(
    ("gpu_id", "init", "reason"),
    [
        (0, 100, r"the NVIDIA driver does not start \(cuInit\): CUDA error 100, see nvidia-smi"),
        (1, 0, "GPU 1 is not available: CUDA error 46, see nvidia-smi"),
        (2, 0, "gpu_id must be below 2, the number of GPUs, got 2"),
    ],
)
def test_a_driver_that_does_not_serve_is_an_error(
    tmp_path: Path, gpu_id: int, init: int, reason: str
) -> None:
    with pytest.raises(DeviceError, match=f"^{reason}$"):
        probe(gpu_id, compile_driver(tmp_path, init))


def test_a_missing_driver_is_an_error() -> None:
    with pytest.raises(DeviceError, match=r"^no NVIDIA driver here \(libnothing"):
        probe(0, "libnothing.so")


def test_auto_takes_the_cpu_where_there_is_no_driver(
    monkeypatch: pytest.MonkeyPatch, toy_model_path: Path
) -> None:
    monkeypatch.setattr(backends, "probe", partial(probe, library="libnothing.so"))
    said: list[str] = []
    config = SsapConfig(model_file_path=str(toy_model_path), num_threads=1)
    monkeypatch.setattr(backends, "find_spec", lambda _: None)
    assert load_backend(config, said.append).name == "onnxruntime"
    assert said == [
        "ONNX Runtime: on the CPU, because no NVIDIA driver here (libnothing.so is not found) "
        "and openvino not installed: pip install openvino"
    ]
    with pytest.raises(DeviceError, match=r"^backend tensorrt: no NVIDIA driver here"):
        choose_backend(SsapConfig(backend="tensorrt"))


def test_auto_takes_the_gpu_where_everything_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(backends, "probe", partial(probe, library=compile_driver(tmp_path)))
    monkeypatch.setattr(backends, "find_spec", lambda name: name)
    choice = choose_backend(SsapConfig())
    assert choice.gpu == Gpu("Toy GPU", "8.7", "12.6")
    assert str(choice) == "TensorRT: Toy GPU, compute capability 8.7, CUDA 12.6"
    named = choose_backend(SsapConfig(backend="onnxruntime"))
    assert str(named) == "ONNX Runtime: on the CPU, as configured"
    with pytest.raises(DeviceError, match="TensorRT gets auto, fp32, fp16, int8, not bf16"):
        choose_backend(SsapConfig(backend="tensorrt", precision="bf16"))


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(backends, "probe", partial(probe, library=compile_driver(tmp_path)))
    monkeypatch.setattr(backends, "find_spec", lambda name: name if name == "onnx" else None)
    packages = "tensorrt, pycuda, cupy not installed"
    reason = f"{packages}: pip install -r environment/requirements-gpu.txt"
    expected = f"ONNX Runtime: on the CPU, because {reason} and openvino not installed: "
    expected += "pip install openvino"
    assert str(choose_backend(SsapConfig())) == expected
    with pytest.raises(DeviceError, match=f"^backend tensorrt: {reason}$"):
        choose_backend(SsapConfig(backend="tensorrt"))
