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

"""The benchmark of the CPU backends names what it measured and where."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("openvino", reason="openvino is not installed")

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "cpu_backends.py"


def test_all_backends_are_measured_in_turn(tmp_path: Path, toy_model_path: Path) -> None:
    out = tmp_path / "speed.json"
    options = ["--model", f"toy={toy_model_path}", "--rounds", "2", "--input", "192x128"]
    subprocess.run([sys.executable, SCRIPT, out, *options, "--threads", "1"], check=True)
    result = json.loads(out.read_text())
    measured = {(run["runtime"], run["precision"]) for run in result["runs"]}
    assert {("ONNX Runtime", "fp32"), ("OpenVINO", "fp32")} <= measured
    for run in result["runs"]:
        assert 0 < run["wall_ms"]["least"] <= run["wall_ms"]["median"]
        assert run["cpu_ms"]["median"] > 0
    assert (result["input"], result["rounds"]) == ([192, 128], 2)
    assert {"processor", "flags", "versions", "load_before"} <= result["machine"].keys()
