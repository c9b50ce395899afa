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

"""The JSON file that grows while a GPU machine is checked, part by part."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Part = Callable[[], dict[str, Any]]

GOALS = {
    "resnet50_512x1024_network_ms": 4 * 0.16,
    "resnet50_1024x2048_network_ms": 4 * 0.65,
    "kernels_times_floor": 2.0,
    "street_1024x2048_p50_ms": 10.0,
    "street_1024x2048_frames_per_s": 100.0,
    "street_576x768_frames_per_s": 500.0,
}


class Report:
    """Runs the parts one by one; what each found is on disk before the next begins.

    SIGTERM, as of `timeout`, ends the part that runs; the file says so.

    Args:
        path: The file, `{"parts": {name: results}, "seconds": {name: s}, "goals": {...}}`; parts
            that it already holds stay there until they are run again.
        seconds: After these no part begins.

    Attributes:
        failed: Names of the parts that raised an error or found `"ok": False`.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self.failed: list[str] = []
        self._path = path
        self._end = time.monotonic() + seconds
        self._content: dict[str, Any] = {"parts": {}, "seconds": {}}
        if path.is_file():
            self._content = json.loads(path.read_text())

    @property
    def seconds_left(self) -> float:
        """Until no further part begins."""
        return self._end - time.monotonic()

    def run(self, parts: dict[str, Part]) -> None:
        """Run the parts; one that fails says why in the file, and the next one goes on."""
        signal.signal(signal.SIGTERM, self._end_part)
        for name, part in parts.items():
            start = time.monotonic()
            found: dict[str, Any] = {"ok": False, "error": "not begun: the time was up"}
            if self.seconds_left > 0:
                log(name)
                try:
                    found = part()
                except Exception as error:
                    traceback.print_exc(limit=-3)
                    found = {"ok": False, "error": f"{type(error).__name__}: {error}"}
            self._content["parts"][name] = found
            self._content["seconds"][name] = round(time.monotonic() - start, 2)
            self._content["goals"] = goals(self._content["parts"])
            self.failed += [] if found.get("ok", True) else [name]
            self._write()
        print(f"gpu_check: {self._path}; failed: {', '.join(self.failed) or 'nothing'}")

    def _end_part(self, *_: object) -> None:
        self._end = time.monotonic()
        raise TimeoutError("ended by SIGTERM")

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        growing = self._path.with_suffix(".growing")
        growing.write_text(json.dumps(self._content, indent=2) + "\n")
        os.replace(growing, self._path)


def report_parser(description: str | None, seconds: float) -> argparse.ArgumentParser:
    """A parser with the options of every program that writes a report.

    Args:
        description: Of the program.
        seconds: The default of `--seconds`.

    Returns:
        The parser; its options are `json`, `seconds` and `parts`, see `chosen`.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, required=True, help="the file that grows")
    parser.add_argument("--seconds", type=float, default=seconds, help="after these no part begins")
    parser.add_argument(
        "parts", nargs="*", help="parts by the words that a name must have, WORD,WORD; default: all"
    )
    return parser


def chosen(parts: dict[str, Part], wanted: list[str]) -> dict[str, Part]:
    """Choose the parts whose names have all words of one of `wanted`.

    Returns:
        These parts, in the order of `wanted`; all if nothing is wanted.

    Raises:
        SystemExit: There are none (2).
    """
    words = [set(entry.split(",")) for entry in wanted]
    found = {n: p for w in words for n, p in parts.items() if w <= set(n.split())}
    if wanted and not found:
        print(f"gpu_check: error: no such part; there are: {'; '.join(parts)}", file=sys.stderr)
        sys.exit(2)
    return found or parts


def goals(parts: dict[str, Any]) -> dict[str, Any]:
    """The goals beside what was measured, where it was."""
    measured: dict[str, float] = {}
    for size in ("512x1024", "1024x2048"):
        network = parts.get(f"network resnet50 {size}", {})
        if "ms" in network:
            measured[f"resnet50_{size}_network_ms"] = network["ms"]
    for size in ("576x768", "1024x2048"):
        times = parts.get(f"times street {size}", {})
        if "wall_ms" in times:
            measured[f"street_{size}_p50_ms"] = times["wall_ms"]["total"]["p50"]
            measured[f"street_{size}_frames_per_s"] = times["overlapped_frames_per_s"]
    if "times_floor" in parts.get("kernels", {}):
        measured["kernels_times_floor"] = parts["kernels"]["times_floor"]
    return {
        name: {
            "goal": goal,
            "measured": measured.get(name),
            "met": name in measured
            and (measured[name] >= goal if name.endswith("per_s") else measured[name] <= goal),
        }
        for name, goal in GOALS.items()
    }


def this_machine() -> dict[str, Any]:
    """Date, GPU, driver and versions, as far as they can be asked without touching the GPU."""
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "gpu": output_of("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "processor": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "commit": output_of("git", "rev-parse", "HEAD"),
    }


def memcheck(command: list[str], seconds: float) -> dict[str, Any]:
    """What compute-sanitizer says of a command that it may take so long for."""
    tool = shutil.which("compute-sanitizer", path=f"{os.environ['PATH']}:/usr/local/cuda/bin")
    if tool is None:
        return {"ok": False, "error": "compute-sanitizer is not installed"}
    options = ["--tool", "memcheck", "--report-api-errors", "no", "--error-exitcode", "9"]
    limit = ["timeout", "-s", "KILL", f"{max(1.0, seconds):.0f}"]
    run = subprocess.run([*limit, tool, *options, *command], capture_output=True, text=True)
    found = {
        "said": [line for line in run.stdout.splitlines() if line.startswith("=========")][-20:],
        "exit_code": run.returncode,
        "ok": run.returncode == 0,
    }
    if run.returncode in (-9, 137):
        found["error"] = f"compute-sanitizer was not done after {limit[-1]} s"
    elif run.returncode:
        found["error"] = " | ".join(run.stderr.strip().splitlines()[-3:])
    return found


def percentiles(values: list[float]) -> dict[str, float]:
    """The median and two high percentiles."""
    return {f"p{p}": float(np.percentile(values, p)) for p in (50, 95, 99)}


def output_of(*command: str) -> str:
    """What a command prints, "unknown" where there is none."""
    if shutil.which(command[0]) is None:
        return "unknown"
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


_start = time.monotonic()


def log(text: str) -> None:
    """One line of progress with the seconds since the start."""
    print(f"gpu_check: {time.monotonic() - _start:5.1f} s: {text}", file=sys.stderr, flush=True)
