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

"""The script for GPU machines runs through, on a simulated GPU; its figures mean nothing there."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import tensorrt_contract
from support.simulated_gpu import SimulatedGpu
from support.simulated_machine import simulated_machine
from support.tiny_sets import write_image
from support.toy_model import CLASSES, paint

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PARTS = (
    "machine",
    "build",
    "compare",
    "times",
    "lifecycle",
    "network",
    "batches",
    "kernels",
    "sanitizer",
)


PROGRAMS = ("gpu_report", "gpu_check_frames", "gpu_check_kernels", "gpu_check_tensorrt")


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedGpu:
    release = tensorrt_contract.RELEASES[0]
    return simulated_machine(tmp_path, monkeypatch, release, (8, 3, 128, 256))


@pytest.fixture
def gpu_check(
    gpu: SimulatedGpu,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """The program, made small; `gpu_check(*arguments)` returns exit code and parts."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in PROGRAMS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    _, frames, kernels, program = map(importlib.import_module, PROGRAMS)
    smaller: dict[Any, dict[str, Any]] = {
        kernels: {"IMAGE": (270, 480), "INPUT": (128, 256), "RUNS": 1, "COPY_BYTES": 1 << 20},
        frames: {"FRAMES": 2, "RUNS": 3, "WARM_UPS": 1},
        program: {
            "SIZES": ((64, 128), (128, 256)),
            "SCORED_SIZE": (128, 256),
            "NETWORK_RUNS": 2,
            "REBUILDS": 2,
            "RESNET_SECONDS": 0.3,
            "default_model_path": lambda: tmp_path / "toy.onnx",
        },
    }
    for module, values in smaller.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)
    tool = tmp_path / "compute-sanitizer"
    tool.write_text('#!/bin/sh\necho "========= ERROR SUMMARY: 0 errors"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def run(*arguments: str, resnet: str = "toy.onnx") -> tuple[int, Any]:
        report = tmp_path / "report.json"
        options = ["--json", str(report), "--cache", str(tmp_path / "cache")]
        options += ["--resnet50", str(tmp_path / resnet)]
        monkeypatch.setattr(sys, "argv", ["gpu_check_tensorrt", *options, *arguments])
        return program.main(), json.loads(report.read_text())["parts"] if report.is_file() else {}

    return run


def test_every_part_runs_through(gpu_check: Any) -> None:
    code, parts = gpu_check()
    assert (code, {k: v for k, v in parts.items() if not v.get("ok", True)}) == (0, {})
    assert {name.split()[0] for name in parts} == set(PARTS)
    assert parts["machine"]["gpu"]["name"] == "Toy GPU"
    assert set(parts["times street 128x256"]["device_ms"]) == {
        "preprocess",
        "inference",
        "affinity",
    }
    assert set(parts["batches"]["network_ms_per_image"]) == {"1", "2", "4", "8"}


def test_parts_are_chosen_by_all_their_words_and_the_file_keeps_the_others(gpu_check: Any) -> None:
    assert set(gpu_check("machine")[1]) == {"machine"}
    code, parts = gpu_check("times,64x128", "build,street,64x128")
    assert code == 0
    assert list(parts) == ["machine", "times street 64x128", "build street 64x128"]
    with pytest.raises(SystemExit) as refused:
        gpu_check("build,resnet")
    assert refused.value.code == 2


def test_a_part_that_fails_does_not_stop_the_others(
    gpu_check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(sys.modules["gpu_check_tensorrt"], "machine", fail)
    code, parts = gpu_check("machine", "kernels")
    assert code == 1
    assert parts["machine"] == {"ok": False, "error": "RuntimeError: broken"}
    assert parts["kernels"]["ok"], parts["kernels"]


def test_a_part_ended_by_timeout_and_those_after_it_are_in_the_file(
    gpu_check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = sys.modules["gpu_check_tensorrt"]
    monkeypatch.setattr(program, "machine", lambda: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    code, parts = gpu_check("machine", "kernels")
    signal.signal(signal.SIGTERM, before)
    assert code == 1
    assert parts["machine"]["error"] == "TimeoutError: ended by SIGTERM"
    assert parts["kernels"]["error"] == "not begun: the time was up"


def test_a_failed_capture_convolutions_in_fp32_and_a_missing_network_are_reported(
    gpu_check: Any, gpu: SimulatedGpu, tmp_path: Path
) -> None:
    gpu.can_capture = False
    code, parts = gpu_check("times,64x128", "build,resnet50,64x128", resnet="none.onnx")
    assert code == 1
    assert parts["times street 64x128"]["graph_error"] == "CudaError: capture is not permitted"
    assert not parts["times street 64x128"]["ok"]
    assert "was not written in" in parts["build resnet50 64x128"]["error"]
    for sidecar in (tmp_path / "cache").glob("*.json"):  # as TensorRT 8.5 may have built it
        content = json.loads(sidecar.read_text())
        content["convolutions"]["float"] = 1
        sidecar.write_text(json.dumps(content))
    code, parts = gpu_check("build,street,64x128")
    assert code == 1
    assert not parts["build street 64x128"]["ok"]


def test_the_int8_engine_is_scored_against_that_in_fp16(gpu_check: Any, tmp_path: Path) -> None:
    """Both are the same toy here, which finds the one object."""
    instances = np.zeros((128, 256), np.int32)
    instances[32:96, 32:96] = 1
    write_image(tmp_path / "0.png", paint(instances, [CLASSES.index("person")]))
    truth = {
        "images": [{"id": 1, "file_name": "0.png", "height": 128, "width": 256}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [32, 32, 64, 64],
                "area": 64 * 64,
                "segmentation": [[32, 32, 96, 32, 96, 96, 32, 96]],
            }
        ],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    options = ["--int8", str(tmp_path / "toy.onnx"), "--images", str(tmp_path)]
    code, parts = gpu_check(*options, "--annotations", str(tmp_path / "truth.json"), "int8")
    assert (code, list(parts)) == (0, ["build int8", "int8"]), parts
    assert parts["int8"]["AP"]["fp16"]["person"] > 0.9
    assert parts["int8"]["loss"]["person"] == 0
    assert set(parts["int8"]["network_ms"]) == {"fp16", "int8"}
    with pytest.raises(SystemExit):
        gpu_check("--int8", str(tmp_path / "toy.onnx"), "int8")


def test_pixels_are_the_same_whatever_the_objects_are_called(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    same_pixels = importlib.import_module("gpu_check_compare").same_pixels
    expected = np.array([[0, 1, 1, 2]], np.uint16)
    assert same_pixels(np.array([[0, 2, 2, 1]], np.uint16), expected) == 1
    assert same_pixels(np.array([[0, 2, 2, 2]], np.uint16), expected) == 0.75
    assert same_pixels(np.array([[1, 2, 2, 0]], np.uint16), expected) == 0.75
