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

"""Quality and time of the cascade by margin and start level, on scenes with noisy affinities.

    python benchmarks/partition_margins.py OUT.json [--seeds FIRST] [--against CHECKOUT]

14 scenes of 256x512 cells: four each with 10 and 25 % foreground and easy noise, three with 50 %,
three with 25 % and hard noise. One thread; CPU times, the least of --repeats calls. Each scene is
given to fresh processes in turn, of this checkout and of those that are named (their core must be
built), so that ratios of times hold on a machine that others use as well.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from affinity_scenes import EASY, HARD, affinity_scene
from partition_quality import adapted_rand_error, panoptic_quality

from ssap_ros.partition import cascaded_graph_partition

SIZE = (256, 512)
SCENES = [(10, "easy")] * 4 + [(25, "easy")] * 4 + [(50, "easy")] * 3 + [(25, "hard")] * 3
# name: levels, margin
RUNS = {
    "flat, 1/4 only": (1, 1),
    "from 1/16, margin 1": (3, 1),
    "from 1/16, margin 2": (3, 2),
    "from 1/8, margin 1": (2, 1),
}
BASE = "from 1/16, margin 1"


def measure(seed: int, percent: int, noise: str, repeats: int) -> dict[str, dict[str, float]]:
    """PQ, adapted Rand error and milliseconds of every run on one scene."""
    scene = affinity_scene(seed, SIZE, percent / 100, {"easy": EASY, "hard": HARD}[noise])
    found: dict[str, dict[str, float]] = {}
    for repeat in range(repeats + 1):  # the first warms up
        for name, (n, margin) in RUNS.items():
            start = time.process_time()
            labels = cascaded_graph_partition(
                scene.logits[:n], scene.classes[:n], erosion_radius=margin
            )
            ms = 1e3 * (time.process_time() - start)
            if repeat == 0:
                found[name] = {
                    "pq": panoptic_quality(labels, scene.ids),
                    "rand_error": adapted_rand_error(labels, scene.ids),
                    "ms": float("inf"),
                }
            else:
                found[name]["ms"] = min(found[name]["ms"], ms)
    return found


def in_checkout(checkout: Path, job: list[str]) -> dict[str, dict[str, float]]:
    """`measure` in a fresh process that imports the package of `checkout`."""
    command = [sys.executable, __file__, "--job", *job]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout)


def summary(scenes: list[dict[str, Any]], name: str) -> dict[str, float]:
    """Means over the scenes, and the mean time by share of foreground."""
    means = {key: sum(s[name][key] for s in scenes) / len(scenes) for key in scenes[0][name]}
    for kind in dict.fromkeys(SCENES):
        times = [s[name]["ms"] for s, of in zip(scenes, SCENES, strict=True) if of == kind]
        means[f"ms {kind[0]} % {kind[1]}"] = sum(times) / len(times)
    return {key: round(value, 4) for key, value in means.items()}


def processor() -> str:
    """The name that Linux gives it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((s.split(":", 1)[1].strip() for s in lines if s.startswith("model name")), "")


def main() -> None:
    """Measures every scene in every checkout, prints and writes the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=100, metavar="FIRST", help="one per scene")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--against", type=Path, nargs="*", default=[], metavar="CHECKOUT")
    options = parser.parse_args()

    checkouts = {"this": Path(__file__).resolve().parents[1]}
    checkouts |= {path.name: path.resolve() for path in options.against}
    scenes: dict[str, list[dict[str, Any]]] = {name: [] for name in checkouts}
    for i, (percent, noise) in enumerate(SCENES):
        job = [str(options.seeds + i), str(percent), noise, str(options.repeats)]
        for name, checkout in checkouts.items():
            scenes[name].append(in_checkout(checkout, job))
    result: dict[str, Any] = {
        "processor": processor(),
        "python": platform.python_version(),
        "size": SIZE,
        "first_seed": options.seeds,
        "repeats": options.repeats,
        "checkouts": {
            name: {run: summary(found, run) for run in RUNS} for name, found in scenes.items()
        },
    }
    base = result["checkouts"][list(checkouts)[-1]][BASE]["ms"]
    for name, runs in result["checkouts"].items():
        print(f"{name}: mean PQ, adapted Rand error, time against the last checkout's {BASE}")
        for run, means in runs.items():
            ratio = means["ms"] / base
            print(f"  {run:22}{means['pq']:8.3f}{means['rand_error']:8.3f}{ratio:8.2f}")
    options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    if "--job" in sys.argv:
        seed, percent, noise, repeats = sys.argv[sys.argv.index("--job") + 1 :]
        print(json.dumps(measure(int(seed), int(percent), noise, int(repeats))))
    else:
        main()
