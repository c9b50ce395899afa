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

"""The node without its network: overhead, frame rate, missed frames, jitter, latency.

    .venv/bin/python benchmarks/node_overhead.py --json benchmarks/results/node_overhead.json

Starts the ROS 2 node with a network that costs nothing, on one core, sends it images at fixed rates
over DDS and prints, in the terms of ros2_benchmark, what comes back. The overhead is the time, by
the node's clock, from the call with which the middleware hands over an image until its masks and
detections are published, without inference and partition; the latency, from sending to output, has
the way there and back and the copies of the middleware too.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from node_link import NodeLink

from ssap_ros.cli.options import positive
from ssap_ros.common.outputs import claim_file, write_json
from ssap_ros.common.statistics import percentiles
from ssap_ros.errors import InputError, NodeError
from ssap_ros.pipeline import STAGES

_SIZES = ("1280x720", "1920x1200")
_RATES = (10, 30, 60)
_TIMED = ("wait", "convert", *STAGES, "publish", "total")
NULL_NODE = Path(__file__).with_name("null_node.py")
_WARM_UP_S = 2.0
_DRAIN_S = 1.0
_READY_S = 60.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes",
        nargs="+",
        default=_SIZES,
        metavar="WxH",
        help="image sizes (default: %(default)s)",
    )
    parser.add_argument(
        "--rates",
        nargs="+",
        type=positive,
        default=_RATES,
        metavar="HZ",
        help="images per second (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds", type=positive, default=10, metavar="S", help="per rate (default: 10)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for all figures")
    return parser


def main() -> None:
    """Run the command line."""
    options = _parser().parse_args()
    sizes = [_size(text) for text in options.sizes]
    if options.json:
        claim_file(options.json)
    results = []
    for size in sizes:
        results += _measure_size(size, options.rates, options.seconds)
    _print_table(results)
    if options.json:
        report = {"machine": _machine(), "results": results}
        write_json(options.json, report)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) * int(height) > 0):
        raise InputError(f"expected a size like 1280x720, got {text!r}")
    return int(width), int(height)


def _machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")
    return {
        "cpu": model or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def _measure_size(size: tuple[int, int], rates: list[int], seconds: int) -> list[dict[str, Any]]:
    """Start a node for one image size and measure it at every rate."""
    cores = sorted(os.sched_getaffinity(0))
    domain = 1 + os.getpid() % 100
    node = subprocess.Popen(
        [sys.executable, str(NULL_NODE), "--ros-args", "-r", "__ns:=/bench"],
        env={**os.environ, "ROS_DOMAIN_ID": str(domain), "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: os.sched_setaffinity(0, cores[-1:]),
    )
    os.sched_setaffinity(0, cores[:-1] or cores)
    try:
        with NodeLink(domain, size, _TIMED) as link:
            link.wait_until_ready(_READY_S, lambda: _check(node))
            link.play(10, _WARM_UP_S, _DRAIN_S)
            return [_figures(link, size, rate, seconds, lambda: _check(node)) for rate in rates]
    finally:
        os.sched_setaffinity(0, cores)
        node.terminate()
        node.wait()


def _check(node: subprocess.Popen[bytes]) -> None:
    if node.poll() is not None:
        raise NodeError(f"the node ended with exit code {node.returncode}")


def _figures(
    link: Any, size: tuple[int, int], rate: int, seconds: int, check: Callable[[], None]
) -> dict[str, Any]:
    print(f"{size[0]}x{size[1]} at {rate} Hz ...", file=sys.stderr)
    link.play(rate, seconds, _DRAIN_S)
    check()
    frames = [frame for frame in link.frames.values() if frame.answered_s]
    sent = np.array([frame.sent_s for frame in frames])
    answered = np.array([frame.answered_s for frame in frames])
    stages = {
        stage: np.array([frame.stage_ms[stage] for frame in frames if stage in frame.stage_ms])
        for stage in _TIMED
    }
    whole = [frame.stage_ms for frame in frames if len(frame.stage_ms) == len(_TIMED)]
    overhead = np.array([s["wait"] + s["total"] - s["inference"] - s["partition"] for s in whole])
    intervals = np.diff(np.sort(answered))
    return {
        "size": f"{size[0]}x{size[1]}",
        "input_sha256": hashlib.sha256(link.image.tobytes()).hexdigest(),
        "rate_hz": rate,
        "NUM_FRAMES_SENT": len(link.frames),
        "NUM_MISSED_FRAMES": len(link.frames) - len(frames),
        "MEAN_FRAME_RATE": round(float(1 / intervals.mean()), 2) if len(intervals) else 0.0,
        "MEAN_JITTER_MS": round(float(1e3 * np.abs(np.diff(intervals)).mean()), 3),
        "LATENCY_MS": percentiles(1e3 * (answered - sent), 3),
        "overhead_ms": percentiles(overhead, 3),
        "stage_ms": {stage: percentiles(values, 3) for stage, values in stages.items()},
    }


def _print_table(results: list[dict[str, Any]]) -> None:
    print(
        f"{'size':>10} {'rate':>5} {'sent':>6} {'missed':>7} {'frames/s':>9} {'jitter':>8} "
        f"{'latency p50':>12} {'p99':>7} {'overhead p50':>13} {'p99':>7}   (ms)"
    )
    for r in results:
        print(
            f"{r['size']:>10} {r['rate_hz']:>5} {r['NUM_FRAMES_SENT']:>6} "
            f"{r['NUM_MISSED_FRAMES']:>7} {r['MEAN_FRAME_RATE']:>9.1f} {r['MEAN_JITTER_MS']:>8.2f} "
            f"{r['LATENCY_MS']['p50'] or 0:>12.1f} {r['LATENCY_MS']['p99'] or 0:>7.1f} "
            f"{r['overhead_ms']['p50'] or 0:>13.1f} {r['overhead_ms']['p99'] or 0:>7.1f}"
        )


if __name__ == "__main__":
    main()
