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

"""The check without TensorRT runs through on a simulated GPU; its figures mean nothing there."""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import tensorrt_contract
from support.simulated_gpu import SimulatedGpu
from support.simulated_machine import simulated_machine

torch = pytest.importorskip("torch", reason="for training and this check only")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PROGRAMS = (
    "gpu_report",
    "gpu_check_frames",
    "gpu_check_kernels",
    "torch_backend",
    "gpu_check_torch",
)
SMALL_SIZES = ((128, 256),)
NAMES = {
    "machine",
    "kernels",
    "compare street 128x256",
    "times street 128x256",
    "sanitizer",
    "network resnet50 128x256",
    "network street 128x256",
}


class Stream:
    cuda_stream = 4711

    def synchronize(self) -> None: ...


class Event:
    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self, _stream: Stream) -> None: ...

    def synchronize(self) -> None: ...

    def elapsed_time(self, _other: Event) -> float:
        return 0.125


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedGpu:
    """A GPU on which PyTorch computes at once: on the CPU, and not in half, which is slow there."""
    release = tensorrt_contract.RELEASES[0]
    gpu = simulated_machine(tmp_path, monkeypatch, release, (1, 3, 128, 256))
    gpu.deferred = False
    for name in ("tensorrt", "pycuda", "pycuda.driver"):  # that machine has neither
        monkeypatch.setitem(sys.modules, name, None)
    for name, value in {"Stream": Stream, "Event": Event}.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    return gpu


@pytest.fixture
def check(
    gpu: SimulatedGpu,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """The program, made small; `check(*arguments)` returns its exit code and its report."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in PROGRAMS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    _, frames, kernels, backend, program = map(importlib.import_module, PROGRAMS)
    smaller: dict[Any, dict[str, Any]] = {
        kernels: {"IMAGE": (270, 480), "INPUT": (128, 256), "RUNS": 1, "COPY_BYTES": 1 << 20},
        frames: {"FRAMES": 2, "RUNS": 3, "WARM_UPS": 1},
        program: {"SIZES": SMALL_SIZES, "NETWORK_SIZES": SMALL_SIZES, "NETWORK_RUNS": 1},
        backend: {
            "DEVICE": "cpu",
            "PRECISION": torch.float32,
            "captured": run_again,
            "pinned": plain_memory,
        },
    }
    for module, values in smaller.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)

    def run(*arguments: str) -> tuple[int, Any]:
        report = tmp_path / "report.json"
        monkeypatch.setattr(sys, "argv", ["gpu_check_torch", "--json", str(report), *arguments])
        return program.main(), json.loads(report.read_text())

    return run


def run_again(function: Callable[[], None], _stream: Stream) -> Callable[[], None]:
    return function


def plain_memory(n_bytes: int) -> Any:
    return torch.empty(n_bytes, dtype=torch.uint8)


def sanitizer(folder: Path, monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    """Put a compute-sanitizer on the PATH."""
    tool = folder / "compute-sanitizer"
    tool.write_text(f"#!/bin/sh\n{does}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_every_part_runs_through_and_the_labels_are_those_of_the_cpu(
    check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sanitizer(tmp_path, monkeypatch, 'echo "========= ERROR SUMMARY: 0 errors"')
    code, report = check()
    wrong = {k: v for k, v in report["parts"].items() if not v.get("ok", True)}
    assert (code, wrong) == (0, {})
    assert set(report["parts"]) == set(report["seconds"]) == NAMES
    assert report["parts"]["compare street 128x256"]["label_agreement"] >= 0.99
    times = report["parts"]["times street 128x256"]
    assert set(times["device_ms"]) == {"preprocess", "inference", "affinity"}
    assert report["parts"]["network resnet50 128x256"]["gflop"] > 5
    assert report["goals"]["kernels_times_floor"]["measured"] > 0


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("exit 9", "exit_code"),
        ("exec sleep 60", "compute-sanitizer was not done after 1 s"),
    ],
)
def test_what_the_sanitizer_finds_and_its_time_limit_are_reported(
    check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, said: str
) -> None:
    monkeypatch.setattr(sys.modules["gpu_check_torch"], "SANITIZER_SECONDS", 1)
    sanitizer(tmp_path, monkeypatch, does)
    code, report = check("sanitizer")
    assert code == 1
    assert not report["parts"]["sanitizer"]["ok"]
    assert said in str(report["parts"]["sanitizer"])


def test_no_part_begins_when_the_time_is_up_and_earlier_findings_stay(check: Any) -> None:
    assert check("machine")[0] == 0
    code, report = check("--seconds", "0", "kernels")
    assert code == 1
    assert report["parts"]["machine"]["cupy"] == "simulated"
    assert report["parts"]["kernels"]["error"] == "not begun: the time was up"


def test_a_failed_capture_is_reported(check: Any, gpu: SimulatedGpu) -> None:
    gpu.can_capture = False
    code, report = check("kernels")
    assert code == 1
    assert report["parts"]["kernels"]["error"] == "CudaError: capture is not permitted"


@pytest.mark.usefixtures("check")
@pytest.mark.parametrize(
    ("backbone", "said"),
    [
        ("nanodet", "expected weights"),
        ("resnet18", r"expected \d+ convolutions in the ONNX file, got 135"),
    ],
)
def test_weights_of_another_network_are_refused(backbone: str, said: str) -> None:
    import onnx

    from ssap_ros.backends.resources import default_model_path
    from ssap_ros.network.ssap import NetworkConfig, SsapNetwork

    network = SsapNetwork(NetworkConfig(backbone, 96, separable=True), 8)
    model = onnx.load(str(default_model_path()))
    with pytest.raises(ValueError, match=said):
        sys.modules["torch_backend"].load_onnx_weights(network, model)
