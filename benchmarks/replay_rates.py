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

"""How fast a video goes through the node, with several models or settings in turn.

    replay_rates.py OUT.json VIDEO --run NAME=MODEL[,PARAM:=VALUE...] [--run ...] [--rounds N]

Every round replays the video once for each run and policy, one after the other, so that what else
the machine does meets all alike. Policy `every` shows how many frames a second the node processes,
`latest` at the video's own rate how many are processed and how late. Medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from ssap_ros.common.outputs import write_json
from ssap_ros.replay.review.environment import describe_environment

SSAP = (sys.executable, "-m", "ssap_ros.cli")


def replay(video: Path, model: str, parameters: list[str], policy: str, frames: int) -> Any:
    """The summary of one replay."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = [*SSAP, "replay", str(video), "--out", str(out), "--model", model]
        command += ["--policy", policy, "--max-frames", str(frames)]
        for parameter in parameters:
            command += ["--param", parameter]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"replay_rates: error: {done.stderr.strip().splitlines()[-1]}")
        return json.loads((out / "summary.json").read_text())


def main() -> int:
    """Write the JSON file and print one line for each run and policy."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("video", type=Path)
    parser.add_argument("--run", action="append", required=True, metavar="NAME=MODEL[,PARAM]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=100)
    options = parser.parse_args()
    runs = {name: what.split(",") for name, what in (run.split("=", 1) for run in options.run)}
    found: dict[tuple[str, str], list[Any]] = {}
    for _ in range(options.rounds):
        for name, (model, *parameters) in runs.items():
            for policy in ("every", "latest"):
                summary = replay(options.video, model, parameters, policy, options.frames)
                found.setdefault((name, policy), []).append(summary)
    rows = []
    for (name, policy), summaries in found.items():
        latencies = [summary["latency_ms"]["p50"] for summary in summaries]
        row = {
            "run": name,
            "policy": policy,
            "frames": options.frames,
            "answered": [summary["frames_out"] for summary in summaries],
            "frames_per_s": statistics.median(summary["fps"] for summary in summaries),
            "latency_p50_ms": statistics.median(latencies),
        }
        rows.append(row)
        print(f"{name:12}  {policy:6}  {row['frames_per_s']:5.1f} frames/s  ", end="")
        print(f"{row['latency_p50_ms']:5.0f} ms  answered {row['answered']}")
    report = {
        "environment": describe_environment(),
        "date": date.today().isoformat(),
        "rounds": options.rounds,
        "runs": {name: [Path(model).name, *rest] for name, (model, *rest) in runs.items()},
        "results": rows,
    }
    write_json(options.out, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
