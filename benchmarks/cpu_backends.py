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

"""The network alone on a CPU: ONNX Runtime and OpenVINO, each in the precisions that it has.

    cpu_backends.py OUT.json --model NAME=engines/ssap_street.onnx,street_int8.onnx [--plot OUT.png]

All of them run one after the other in every round, so that what else the machine does meets all
alike: compare them by their ratios. Beside the wall time stands the processor time of all threads.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ssap_ros.backends.cpu import CpuBackend
from ssap_ros.backends.onnxruntime import OnnxRuntimeBackend
from ssap_ros.backends.openvino import OpenVinoBackend, processor
from ssap_ros.common.outputs import write_json

LEVELS = (4, 8, 16)  # those of the default cascade
WARM_UP = 2
FLAGS = (
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
    "asimd",
)


def backends(
    models: dict[str, list[Path]], threads: int
) -> Iterator[tuple[str, str, str, CpuBackend]]:
    """Model, runtime and precision of each run, and what runs it."""
    single = [p for p in processor()[1] if p in ("fp32", "bf16")]
    for name, (in_float, *in_int8) in models.items():
        yield name, "ONNX Runtime", "fp32", OnnxRuntimeBackend(in_float, threads)
        for precision in single:
            backend = OpenVinoBackend(in_float, threads, precision)
            yield name, "OpenVINO", precision, backend
        for path in in_int8:
            yield name, "ONNX Runtime", "int8", OnnxRuntimeBackend(path, threads)
            yield name, "OpenVINO", "int8", OpenVinoBackend(path, threads, "int8")


def measure(run: Callable[[], Any]) -> tuple[float, float]:
    """Wall and processor milliseconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)


def machine(threads: int) -> dict[str, Any]:
    """What it ran on, and how busy that was."""
    name, precisions = processor()
    text = Path("/proc/cpuinfo").read_text()
    found = set(text.split())
    return {
        "processor": name,
        "flags": [flag for flag in FLAGS if flag in found],
        "openvino_precisions": precisions,
        "cores": len(os.sched_getaffinity(0)),
        "threads": threads,
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("onnxruntime", "openvino", "numpy")},
    }


def plot(result: dict[str, Any], path: Path) -> None:
    """Write a bar chart of the processor time per thread; needs matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    runs = result["runs"]
    labels = [f"{r['model']}: {r['runtime']} {r['precision']}" for r in runs][::-1]
    times = [r["cpu_ms"]["median"] / result["machine"]["threads"] for r in runs][::-1]
    figure, axes = pyplot.subplots(figsize=(7, 0.4 * len(runs) + 1))
    bars = axes.barh(labels, times, color="tab:blue")
    axes.bar_label(bars, fmt="%.0f", padding=3)
    axes.set_xlabel("processor time per thread and image, ms (median)")
    axes.set_title(
        "{}, {} threads, input {}x{}".format(
            result["machine"]["processor"], result["machine"]["threads"], *result["input"]
        )
    )
    axes.margins(x=0.1)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> int:
    """Measure, write the JSON and the plot, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", action="append", required=True, metavar="NAME=FLOAT[,INT8]")
    parser.add_argument("--input", default="768x576", metavar="WxH")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    width, height = map(int, options.input.split("x"))
    models = {
        name: [Path(path) for path in paths.split(",")]
        for name, _, paths in (text.partition("=") for text in options.model)
    }
    about = machine(options.threads)
    image = np.random.default_rng(0).normal(size=(1, 3, height, width)).astype(np.float32)
    loaded = list(backends(models, options.threads))
    times: list[list[tuple[float, float]]] = [[] for _ in loaded]
    for index in range(WARM_UP + options.rounds):
        for (*_, backend), found in zip(loaded, times, strict=True):
            taken = measure(lambda backend=backend: backend.infer(image, LEVELS))
            if index >= WARM_UP:
                found.append(taken)
        print(f"round {index + 1} of {WARM_UP + options.rounds}", file=sys.stderr)
    runs = []
    for (model, runtime, precision, _), found in zip(loaded, times, strict=True):
        wall, cpu = zip(*found, strict=True)
        runs.append(
            {
                "model": model,
                "runtime": runtime,
                "precision": precision,
                "wall_ms": {
                    "median": round(statistics.median(wall), 1),
                    "least": round(min(wall), 1),
                },
                "cpu_ms": {"median": round(statistics.median(cpu), 1), "least": round(min(cpu), 1)},
            }
        )
    result = {
        "what": "the network alone, one image; rounds are interleaved, compare by ratios",
        "machine": {**about, "load_after": os.getloadavg()[0]},
        "input": [width, height],
        "levels": LEVELS,
        "rounds": options.rounds,
        "models": {name: [path.name for path in paths] for name, paths in models.items()},
        "runs": runs,
    }
    write_json(options.out, result)
    if options.plot:
        plot(result, options.plot)
    for run in runs:
        print(
            f"{run['model']:12}{run['runtime']:14}{run['precision']:6}"
            f"{run['wall_ms']['median']:8.1f} ms, {run['cpu_ms']['median']:8.1f} ms of processor"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
