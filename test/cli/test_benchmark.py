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

"""`ssap benchmark`: figures of every backend that works here, alone and through the node."""

import json

import pytest

from ssap_ros.cli.command_line import main
from ssap_ros.evaluation.speed import BACKENDS
from ssap_ros.pipeline import STAGES


def benchmark(tmp_path, capsys, model, *arguments):
    out = tmp_path / "new" / "speed.json"
    given = ["benchmark", "scenes:3", "--model", str(model), "--frames", "6", "--json", str(out)]
    assert main([*given, *arguments]) == 0
    return capsys.readouterr().out, json.loads(out.read_text())


def check(result, frames):
    assert result["frames"] == frames
    assert result["frames_per_s"] > 0
    assert result["memory_mb"] > 20
    for values in result["stage_ms"].values():
        assert 0 <= values["p50"] <= values["p95"] <= values["p99"]


def test_every_backend_is_measured_or_says_why_not(tmp_path, capsys, toy_model_path):
    text, document = benchmark(tmp_path, capsys, toy_model_path)
    assert document["size"] == "640x480"
    names = {result["backend"] for result in document["results"]} | set(document["not_here"])
    assert {name.split()[0] for name in names} == set(BACKENDS)  # "openvino bf16"
    for result in document["results"]:
        check(result, 6)
        assert set(result["stage_ms"]) == {*STAGES, "total"}
        total = result["stage_ms"]["total"]
        assert total["p50"] >= result["stage_ms"]["inference"]["p50"]
    assert "frames/s" in text
    assert all(f"{name}: not on this machine, " in text for name in document["not_here"])


def test_through_the_node(tmp_path, capsys, toy_model_path):
    pytest.importorskip("rclpy")
    text, document = benchmark(
        tmp_path, capsys, toy_model_path, "--node", "--backend", "onnxruntime"
    )
    (result,) = document["results"]
    check(result, 6)
    assert {"inference", "total", "image to masks"} <= set(result["stage_ms"])
    assert text.startswith("node with onnxruntime: ")
