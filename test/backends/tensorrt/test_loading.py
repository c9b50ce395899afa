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

"""From a configuration to a loaded backend: driver, choice, cache, and the building process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssap_ros import backends, cli
from ssap_ros.backends import choose_backend, load_backend
from ssap_ros.backends.base import DeviceError, ModelError
from ssap_ros.backends.tensorrt.builder import visible_device
from ssap_ros.backends.tensorrt.driver import Gpu, probe
from ssap_ros.backends.tensorrt.lookup import engine_key, profile_shapes
from ssap_ros.config import SsapConfig
from ssap_ros.pipeline import SsapPipeline
from support import tensorrt_contract
from support.simulated_gpu import SimulatedGpu, compile_driver, simulated_machine
from support.toy_model import paint, quantized_model, toy_info, toy_model

RELEASE = tensorrt_contract.RELEASES[0]

# The driver


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


# The choice


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


# The key


def test_the_profile_covers_every_aspect_ratio_and_is_tuned_for_wide_ones() -> None:
    info, config = toy_info(long_side=1000), SsapConfig(max_batch=4)
    assert profile_shapes(info, config) == ((1, 3, 64, 64), (4, 3, 576, 1024), (4, 3, 1024, 1024))
    shapes = profile_shapes(info, config, (512, 1024))
    assert shapes == ((1, 3, 512, 1024), (4, 3, 512, 1024), (4, 3, 512, 1024))
    fixed = toy_info(input_size=(128, 256))
    assert profile_shapes(fixed, SsapConfig()) == ((1, 3, 128, 256),) * 3
    small = SsapConfig(input_long_side=320)
    assert profile_shapes(info, small)[2] == (1, 3, 320, 320)


@pytest.mark.parametrize(
    "other",
    [
        {"model": b"another model"},
        {"config": SsapConfig(precision="fp32")},
        {"config": SsapConfig(max_batch=2)},
        {"config": SsapConfig(input_long_side=512)},
        {"gpu": Gpu("Other", "8.7", "12.6")},
        {"gpu": Gpu("Toy GPU", "9.0", "12.6")},
        {"tensorrt": "11.4.0"},
        {"input_size": (128, 256)},
    ],
)
def test_whatever_an_engine_depends_on_is_in_its_key(other: dict[str, Any]) -> None:
    usual = {
        "model": b"model",
        "info": toy_info(),
        "config": SsapConfig(),
        "gpu": Gpu("Toy GPU", "8.7", "12.6"),
        "tensorrt": "10.3.0",
    }
    assert engine_key(**usual).digest == engine_key(**usual).digest
    assert engine_key(**usual | other).digest != engine_key(**usual).digest


def test_the_driver_may_be_updated_without_a_new_engine() -> None:
    keys = (
        engine_key(b"", toy_info(), SsapConfig(), Gpu("Toy", "8.7", cuda), "10.3.0")
        for cuda in ("12.6", "13.0")
    )
    assert next(keys) == next(keys)


# The whole way, with the building process


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[SsapConfig, SimulatedGpu]:
    """A configuration for a simulated GPU, and the GPU."""
    gpu = simulated_machine(tmp_path, monkeypatch, RELEASE, (1, 3, 256, 256))
    model = str(tmp_path / "toy.onnx")
    return SsapConfig(model_file_path=model, engine_cache_dir=str(tmp_path / "cache")), gpu


def load(config: SsapConfig) -> tuple[Any, list[str]]:
    said: list[str] = []
    return load_backend(config, said.append), said


def test_an_engine_is_built_once_and_used(machine: tuple[SsapConfig, SimulatedGpu]) -> None:
    config, _ = machine
    for builds in (True, False):
        backend, said = load(config)
        assert said[0] == "TensorRT: Toy GPU, compute capability 8.7, CUDA 12.6"
        assert ("building engine, 0 s" in said) == builds
        instances = np.zeros((192, 256), np.int32)
        instances[32:96, 32:96], instances[32:96, 96:160] = 1, 2
        assert len(SsapPipeline(backend, config)(paint(instances, [3, 3])).instances) == 2
        backend.close()
    [engine] = Path(config.engine_cache_dir).glob("toy-*.engine")
    assert engine.read_bytes() == b"plan"
    sidecar = json.loads(engine.with_suffix(".json").read_text())
    assert sidecar["key"]["gpu"] == "Toy GPU"
    assert sidecar["convolutions"] == {"half": 1, "float": 0, "other": 0}
    [timings] = Path(config.engine_cache_dir).glob("timing-*.cache")
    assert timings.read_bytes() == b"timings"


def test_an_engine_that_does_not_load_is_built_again(
    machine: tuple[SsapConfig, SimulatedGpu],
) -> None:
    config, gpu = machine
    load(config)[0].close()
    engine_class = gpu.contract.module.ICudaEngine
    answers = [None, object.__new__(engine_class)]
    gpu.contract.behaviour["Runtime.deserialize_cuda_engine"] = lambda *_: answers.pop(0)
    backend, said = load(config)
    backend.close()
    assert f"TensorRT {RELEASE} cannot load the engine; building it" in said
    assert "building engine, 0 s" in said


def test_an_engine_that_never_loads_is_an_error(machine: tuple[SsapConfig, SimulatedGpu]) -> None:
    config, gpu = machine
    gpu.contract.behaviour["Runtime.deserialize_cuda_engine"] = lambda *_: None
    with pytest.raises(ModelError, match=r"cannot be used: TensorRT 10\.3\.0 cannot load"):
        load(config)
    assert (gpu.contexts, gpu.allocations) == (0, {})


def test_a_named_engine_is_used_where_it_fits(machine: tuple[SsapConfig, SimulatedGpu]) -> None:
    config, _ = machine
    load(config)[0].close()
    [engine] = Path(config.engine_cache_dir).glob("toy-*.engine")

    def with_engine(path: str, **changes: Any) -> list[str]:
        empty = Path(config.engine_cache_dir).parent / "empty"
        fields = {"engine_cache_dir": str(empty), "engine_file_path": path, **changes}
        backend, said = load(SsapConfig(model_file_path=config.model_file_path, **fields))
        backend.close()
        return said

    assert "building engine, 0 s" not in with_engine(str(engine))
    said = with_engine(str(engine.with_name("other.engine")))
    assert said[1].endswith("other.engine; looking in the cache")
    assert "building engine, 0 s" in said
    assert "building engine, 0 s" in with_engine(str(engine), force_engine_update=True)


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("WEIGHTS", "Float", "ModelError: the convolutions of the engine are not all FP16"),
        ("BUILD", "raise MemoryError('GPU out of memory')", "MemoryError: GPU out of memory"),
        ("BUILD", "os.kill(os.getpid(), 11)", "the builder was ended by signal 11"),
        ("BUILD", "print('bye', flush=True); os._exit(3)", "bye"),
    ],
)
def test_a_failed_build_says_why_in_one_line_and_leaves_no_engine(
    machine: tuple[SsapConfig, SimulatedGpu],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    reason: str,
) -> None:
    config, _ = machine
    monkeypatch.setenv(variable, value)
    with pytest.raises(ModelError, match=reason) as error:
        load(config)
    assert "\n" not in str(error.value)
    assert not list(Path(config.engine_cache_dir).glob("*.engine"))


@pytest.mark.parametrize(
    ("visible", "gpu_id", "expected"),
    [(None, 1, "1"), ("", 0, "0"), ("7, 9", 0, "7"), ("7, 9", 1, "9"), ("GPU-a,GPU-b", 1, "GPU-b")],
)
def test_the_builder_sees_the_chosen_gpu_alone(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, gpu_id: int, expected: str
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert visible_device(gpu_id) == expected


def test_a_build_can_be_given_up(
    machine: tuple[SsapConfig, SimulatedGpu], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _ = machine
    pid_file = Path(config.engine_cache_dir).parent / "pid"
    waiting = f"Path({str(pid_file)!r}).write_text(str(os.getpid())); import time; time.sleep(60)"
    monkeypatch.setenv("BUILD", waiting)

    def give_up(_: str) -> None:
        if pid_file.is_file() and pid_file.read_text():
            raise InterruptedError("shutting down")

    with pytest.raises(InterruptedError):
        load_backend(config, give_up)
    assert not alive(int(pid_file.read_text()))


def test_a_builder_ends_with_the_process_that_waits_for_it(
    machine: tuple[SsapConfig, SimulatedGpu], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _ = machine
    monkeypatch.setenv("BUILD", "print(os.getpid(), flush=True); import time; time.sleep(60)")
    code = f"""
import os, sys
from ssap_ros.backends.tensorrt.builder import BuildJob, build_engine
from ssap_ros.backends.tensorrt.lookup import engine_key
from ssap_ros.backends.tensorrt.driver import probe
from ssap_ros.backends.tensorrt.portable_onnx import read_info
from ssap_ros.config import SsapConfig
from pathlib import Path
model = Path({config.model_file_path!r})
content = model.read_bytes()
key = engine_key(content, read_info(content, model), SsapConfig(), probe(), "10.3.0")
import subprocess
start = subprocess.Popen
def popen(*a, **k):
    return start(*a, **k | dict(stdout=None, stderr=None))
subprocess.Popen = popen
build_engine(BuildJob(str(model), "/nowhere/x.engine", 0, key), 0, lambda _: None)
"""
    waiting = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert waiting.stdout is not None
    builder = int(waiting.stdout.readline())
    assert alive(builder)
    waiting.send_signal(signal.SIGKILL)
    waiting.wait()
    end = time.monotonic() + 10
    while alive(builder) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(builder)


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("precision", ["auto", "fp16", "int8"])
def test_a_quantized_model_makes_an_int8_engine(precision: str) -> None:
    gpu, config = Gpu("Orin", "8.7", "12.6"), SsapConfig(precision=precision)
    key = engine_key(quantized_model().SerializeToString(), toy_info(), config, gpu, "10.3.0")
    assert key.precision == "int8"
    plain = engine_key(toy_model(toy_info()).SerializeToString(), toy_info(), SsapConfig(), gpu, "")
    assert plain.precision == "fp16"


# The command


def test_the_command_builds_an_engine_of_one_size(
    machine: tuple[SsapConfig, SimulatedGpu], capsys: pytest.CaptureFixture[str]
) -> None:
    config, _ = machine
    arguments = ["build-engine", "--model", config.model_file_path, "--input-size", "256x128"]
    arguments += ["--out", config.engine_cache_dir, "--batch", "2"]
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    path = Path(out.partition(":")[0])
    assert path.read_bytes() == b"plan"
    key = json.loads(path.with_suffix(".json").read_text())["key"]
    assert (key["min_shape"], key["max_shape"]) == ([1, 3, 128, 256], [2, 3, 128, 256])
    assert "TensorRT 10.3.0 on Toy GPU, fp16" in out


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--input-size", "256x100"], 2, "--input-size must be multiples of 64, got 256x100"),
        (["--batch", "9"], 2, "max_batch must be in [1, 8], got 9"),
        (["--model", "/none.onnx"], 2, "model not found: /none.onnx"),
        (["--gpu", "2"], 1, "gpu_id must be below 2, the number of GPUs, got 2"),
        (["--out", "/proc/engines"], 2, "cannot write /proc/engines: "),
    ],
)
def test_the_command_refuses_in_one_line(
    machine: tuple[SsapConfig, SimulatedGpu],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    reason: str,
) -> None:
    config, _ = machine
    given = ["build-engine", "--model", config.model_file_path, *arguments]
    assert cli.main(given) == code
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
