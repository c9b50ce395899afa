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

"""The command that builds an engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ssap_ros import cli
from ssap_ros.config import SsapConfig
from support.simulated_gpu import SimulatedGpu


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
