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

"""What `ssap replay` promises, measured: run one part and commit the JSON that it writes.

    .venv/bin/python benchmarks/replay_checks.py procedural OUT.json --work DIR [--frames 2000]
    .venv/bin/python benchmarks/replay_checks.py throughput OUT.json --work DIR
    .venv/bin/python benchmarks/replay_checks.py faults OUT.json --work DIR

procedural: a bag of street scenes with truth, replayed twice and evaluated without ROS on the same
    frames; the digests and the average precisions must be equal.
throughput: frames per second of the replay with policy `every`, by those of the pipeline alone on
    the same frames, taken in turns.
faults: 30 bags, truncated, with flipped bits and with changed definitions, each through the
    command; an error in one line, a partial result that says so, or no harm.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test"))

TRUTH = "/camera/gt/instances"
_LONG_SIDE = 160
_ROUNDS, _ROUND_FRAMES = 3, 30
_N_FAULTS = 30
_FAULT_TIMEOUT_S = 120


def ssap(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command; its errors are this script's, unless not `check`."""
    command = [sys.executable, "-m", "ssap_ros.cli", *map(str, arguments)]
    return subprocess.run(
        command, text=True, check=check, timeout=None if check else _FAULT_TIMEOUT_S,
        stderr=None if check else subprocess.PIPE,
    )  # fmt: skip


def procedural(work: Path, frames: int) -> dict[str, Any]:
    """See above."""
    bag = work / "procedural.mcap"
    ssap("make-bag", "scenes:100", bag, "--frames", frames, "--size", "320x240",
         "--coco", work / "coco")  # fmt: skip
    summaries = []
    for run in ("first", "second"):
        ssap("replay", bag, "--policy", "every", "--gt-instances", TRUTH, "--out", work / run,
             "--param", f"input_long_side:={_LONG_SIDE}")  # fmt: skip
        summaries.append(json.loads((work / run / "summary.json").read_text()))
    ssap("replay", "--compare", work / "first", work / "second")
    coco = work / "coco"
    ssap("evaluate", "--annotations", coco / "annotations.json", "--images", coco / "images",
         "--long-side", _LONG_SIDE, "--json", work / "evaluate.json")  # fmt: skip
    return compare_procedural(summaries, json.loads((work / "evaluate.json").read_text()))


def compare_procedural(
    summaries: list[dict[str, Any]], evaluated: dict[str, Any]
) -> dict[str, Any]:
    """The figures of two replays and of `ssap evaluate`, and whether they agree exactly."""
    first, second = summaries
    of_bag = {name: first["scores"][name] for name in ("AP", "AP50")}
    of_images = {name: evaluated[name] for name in ("AP", "AP50")}
    per_class = {
        name: [first["scores"]["classes"][name]["AP"], evaluated["classes"][name]["AP"]]
        for name in first["scores"]["classes"]
    }
    return {
        "frames": first["frames_in"],
        "answered": [summary["frames_out"] for summary in summaries],
        "problems": [summary["problems"] for summary in summaries],
        "digests": [summary["digest"] for summary in summaries],
        "identical": first["digest"] == second["digest"],
        "bag": of_bag,
        "evaluate": of_images,
        "exactly_equal": of_bag == of_images and all(a == b for a, b in per_class.values()),
        "AP_per_class": per_class,
        "scores": first["scores"],
        "fps": [summary["fps"] for summary in summaries],
        "environment": first["environment"],
        "model": {k: first["model_card"][k] for k in ("file", "sha256")},
    }


def throughput(work: Path) -> dict[str, Any]:
    """See above."""
    from ssap_ros.backends import load_backend
    from ssap_ros.common.progress import hide_progress
    from ssap_ros.config import SsapConfig
    from ssap_ros.pipeline import SsapPipeline
    from ssap_ros.replay.play.play import PlayOptions
    from ssap_ros.replay.replay import ReplayOptions, replay
    from ssap_ros.replay.sources import open_source

    hide_progress(True)
    bag = work / "throughput.mcap"
    ssap("make-bag", "scenes:7", bag, "--frames", _ROUND_FRAMES)
    images = [frame.rgb() for frame in open_source(str(bag))]
    pipeline = SsapPipeline(load_backend(SsapConfig()), SsapConfig())
    pipeline(images[0])
    options = ReplayOptions(play=PlayOptions("every"))
    alone, through = [], []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        for image in images:
            pipeline(image)
        alone.append(len(images) / (time.perf_counter() - start))
        summary = replay(str(bag), work / "throughput", options).summary.as_dict()
        through.append(summary["fps"])
    return {
        "frames": len(images),
        "size": list(images[0].shape[:2]),
        "pipeline_fps": [round(value, 2) for value in alone],
        "replay_fps": through,
        "ratios": [round(a / b, 3) for a, b in zip(through, alone, strict=True)],
        "ratio_of_medians": round(statistics.median(through) / statistics.median(alone), 3),
        "environment": summary["environment"],
    }


def faults(work: Path) -> dict[str, Any]:
    """See above."""
    from support.bag_files import break_bag, write_painted_bag
    from support.toy_model import write_toy_model

    good = write_painted_bag(work / "good.mcap", 12)
    write_toy_model(work / "toy.onnx")
    rows = []
    for seed in range(_N_FAULTS):
        broken = work / "broken.mcap"
        kind = break_bag(good, broken, seed)
        out = work / "out"
        (out / "summary.json").unlink(missing_ok=True)
        result = ssap("replay", broken, "--policy", "every", "--gt-instances", TRUTH, "--out", out,
                      "--model", work / "toy.onnx", check=False)  # fmt: skip
        errors = [x for x in result.stderr.splitlines() if x.startswith("ssap: error: ")]
        outcome = {0: "whole", 1: "partial", 2: "error"}.get(result.returncode, "other")
        if "Traceback" in result.stderr or (result.returncode and not errors):
            outcome = "other"
        told = [error.replace(f"{work}/", "") for error in errors[:1]]
        rows.append({"seed": seed, "kind": kind, "outcome": outcome, "told": told})
        print(rows[-1], file=sys.stderr, flush=True)
    counts = Counter((row["kind"], row["outcome"]) for row in rows)
    return {
        "bags": len(rows),
        "outcomes": {f"{kind}: {outcome}": n for (kind, outcome), n in sorted(counts.items())},
        "unacceptable": [row for row in rows if row["outcome"] == "other"],
        "rows": rows,
    }


def main() -> int:
    """Run one part; 1 if what it promises does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("procedural", "throughput", "faults"))
    parser.add_argument("json", type=Path, metavar="OUT.json")
    parser.add_argument("--work", required=True, type=Path, metavar="DIR", help="for bags and runs")
    parser.add_argument("--frames", type=int, default=2000, metavar="N", help="of procedural")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "procedural": lambda: procedural(options.work, options.frames),
        "throughput": lambda: throughput(options.work),
        "faults": lambda: faults(options.work),
    }
    result = parts[options.part]()
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    holds = {
        "procedural": lambda: result["identical"] and result["exactly_equal"],
        "throughput": lambda: result["ratio_of_medians"] >= 0.9,
        "faults": lambda: not result["unacceptable"],
    }
    return 0 if holds[options.part]() else 1


if __name__ == "__main__":
    sys.exit(main())
