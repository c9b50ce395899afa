"""The script for GPU machines runs through, on a simulated GPU; its figures mean nothing there."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import tensorrt_contract
from support.simulated_gpu import simulated_machine

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PARTS = ("machine", "kernels", "build", "compare", "times", "batches", "lifecycle", "once")


@pytest.fixture
def gpu_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program, made small."""
    release = tensorrt_contract.RELEASES[0]
    simulated_machine(tmp_path, monkeypatch, release, (8, 3, 128, 256))
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("gpu_check", "gpu_check_kernels"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    kernels = importlib.import_module("gpu_check_kernels")
    program = importlib.import_module("gpu_check")
    smaller = {"IMAGE": (270, 480), "INPUT": (128, 256), "RUNS": 1, "COPY_BYTES": 1 << 20}
    for name, value in smaller.items():
        monkeypatch.setattr(kernels, name, value)
    monkeypatch.setattr(program, "SIZES", ((64, 128), (128, 256)))
    monkeypatch.setattr(program, "RUNS", 3)
    monkeypatch.setattr(program, "REBUILDS", 2)
    monkeypatch.setattr(program, "default_model_path", lambda: tmp_path / "toy.onnx")
    return program


def test_every_part_runs_through(
    gpu_check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tmp_path / "report.json"
    arguments = ["gpu_check", "--json", str(report), "--cache", str(tmp_path / "cache")]
    monkeypatch.setattr(sys, "argv", [*arguments, *PARTS])
    code = gpu_check.main()
    found = json.loads(report.read_text())
    wrong = {k: v for k, v in found["parts"].items() if not v.get("ok", True)}
    assert (code, wrong) == (0, {})
    assert {name.split()[0] for name in found["parts"]} == set(PARTS)
    assert found["parts"]["machine"]["gpu"]["name"] == "Toy GPU"
    times = found["parts"]["times street 128x256"]
    assert set(times["device_ms"]) == {"preprocess", "inference", "affinity"}
    assert found["goals"]["pipeline_1024x2048_p50_ms"]["measured"] is None

    monkeypatch.setattr(sys, "argv", [*arguments, "sanitizer"])
    monkeypatch.setattr(gpu_check.shutil, "which", lambda _: None)
    assert gpu_check.main() == 1
    assert set(json.loads(report.read_text())["parts"]) == {*found["parts"], "sanitizer"}


def test_a_part_that_fails_does_not_stop_the_others(
    gpu_check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(gpu_check, "machine", fail)
    report = tmp_path / "report.json"
    options = ["gpu_check", "--json", str(report), "--cache", str(tmp_path), "machine", "kernels"]
    monkeypatch.setattr(sys, "argv", options)
    assert gpu_check.main() == 1
    parts = json.loads(report.read_text())["parts"]
    assert parts["machine"] == {"ok": False, "error": "RuntimeError: broken"}
    assert parts["kernels"]["ok"], parts["kernels"]


def test_pixels_are_the_same_whatever_the_objects_are_called(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    same_pixels = importlib.import_module("gpu_check_compare").same_pixels
    expected = np.array([[0, 1, 1, 2]], np.uint16)
    assert same_pixels(np.array([[0, 2, 2, 1]], np.uint16), expected) == 1
    assert same_pixels(np.array([[0, 2, 2, 2]], np.uint16), expected) == 0.75
    assert same_pixels(np.array([[1, 2, 2, 0]], np.uint16), expected) == 0.75
