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

"""The building process: its failures, its GPU, and its end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssap_ros.backends import load_backend
from ssap_ros.backends.base import ModelError
from ssap_ros.backends.tensorrt.builder import visible_device
from ssap_ros.config import SsapConfig
from support.simulated_gpu import SimulatedGpu
from support.simulated_machine import load


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
