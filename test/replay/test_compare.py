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

"""Two replays beside each other."""

import json
import shutil

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from ssap_ros.cli.command_line import main
from ssap_ros.replay.compare import Tolerance

pytestmark = pytest.mark.timeout(300)  # a busy machine takes its time to start nodes


def worsened(folder, copy):
    """A copy of a run whose first frame has another digest, with a worse AP and a better speed."""
    shutil.copytree(folder, copy)
    rows = json.loads((copy / "frames.json").read_text())
    rows[0]["digest"] = "00" * 32
    (copy / "frames.json").write_text(json.dumps(rows))
    summary = json.loads((copy / "summary.json").read_text())
    summary["scores"]["AP"] -= 0.05
    summary["fps"] *= 2
    summary["digest"] = "11" * 32
    (copy / "summary.json").write_text(json.dumps(summary))
    return copy


def test_compare_as_a_gate(scored, tmp_path, capsys):
    run = str(scored[1])
    worse = str(worsened(scored[1], tmp_path / "worse"))
    out = tmp_path / "out"
    assert main(["replay", "--compare", run, run]) == 0
    assert main(["replay", "--compare", run, worse, "--out", str(out)]) == 1
    assert "1 of 10 frames changed" in capsys.readouterr().err
    result = json.loads((out / "comparison.json").read_text())
    assert result["changed"] == [0]
    assert result["metrics"]["AP"]["change"] == pytest.approx(-0.05)
    page = (out / "comparison.html").read_text()
    assert page.count("data:image/jpeg") == 2
    for tolerances, code in (
        (["AP=0.06"], 0),
        (["AP=0.04"], 1),
        (["AP=10%", "fps=0", "AP50=0"], 0),
        (["AP=1%"], 1),
    ):
        options = [word for text in tolerances for word in ("--tolerate", text)]
        assert main(["replay", "--compare", run, worse, *options]) == code
        assert main(["replay", "--compare", worse, run, "--tolerate", "AP=0"]) == 0


def test_compare_what_cannot_be_compared(scored, tmp_path, capsys):
    run = scored[1]
    other = shutil.copytree(run, tmp_path / "other")
    rows = json.loads((other / "frames.json").read_text())
    (other / "frames.json").write_text(json.dumps(rows[:-1]))
    scribbled = shutil.copytree(run, tmp_path / "scribbled")
    (scribbled / "summary.json").write_text(
        json.dumps({"digest": "", "fps": "fast", "latency_ms": [], "source": ""})
    )
    for arguments, words in (
        ([run, other], "not over the same frames"),
        ([run, tmp_path / "none"], "no finished replay"),
        ([run, run, "--tolerate", "beauty=1"], "expected a metric"),
        ([run, run, "--tolerate", "AP"], "METRIC=AMOUNT"),
        ([run, run, "--tolerate", "AP=-1"], "at least 0"),
        ([run, scribbled], "no replay in"),
    ):
        assert main(["replay", "--compare", *map(str, arguments)]) == 2
        assert words in capsys.readouterr().err


def test_tolerances():
    assert Tolerance.parse("latency_p95=20%").excess(100, 121)
    assert not Tolerance.parse("latency_p95=20%").excess(100, 119)
    assert not Tolerance.parse("latency_p95=0").excess(100, 50)
    assert Tolerance.parse("fps=1").excess(10, 8.9)
