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

"""Mutated COCO files, bags and image messages: each is read, or refused in one line.

    python benchmarks/fuzz_files.py --cases 100000 --json benchmarks/results/file_fuzz.json

Every case has a number, from which it is made again by `--first NUMBER --cases 1`. A case fails by
an error that is not ours, by a crash, and by taking too much time or memory. The cases run in a
process of their own, which is started again after a crash. Exit code 1 if a case failed.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import multiprocessing
import os
import platform
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from file_cases import FAILED, Cases

_MAX_S = 20.0
_ADDRESS_SPACE = 3 << 29
_LIBRARIES = ("mcap", "rosbags", "pycocotools", "opencv-python-headless", "numpy")


def _work(first: int, end: int, results: Connection) -> None:
    """Run the cases `first` .. `end - 1` and send what became of each."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # of the image libraries
    with tempfile.TemporaryDirectory() as folder:
        cases = Cases(Path(folder))
        for number in range(first, end):
            results.send(cases.run(number))


def fuzz(first: int, count: int) -> Iterator[str]:
    """What became of the cases `first` .. `first + count - 1`, in their order; see `Cases.run`."""
    number, end = first, first + count
    while number < end:
        results, sender = multiprocessing.Pipe(duplex=False)
        worker = multiprocessing.get_context("spawn").Process(
            target=_work, args=(number, end, sender)
        )
        worker.start()
        sender.close()
        outcome = ""
        while number < end and not outcome.startswith(FAILED + "process"):
            if not results.poll(_MAX_S):
                outcome = f"{FAILED}process took more than {_MAX_S:.0f} s"
            else:
                try:
                    outcome = results.recv()
                except EOFError:
                    worker.join()
                    outcome = f"{FAILED}process ended with {worker.exitcode}"
            yield outcome
            number += 1
        worker.kill() if number < end else worker.join()


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=1000, metavar="N")
    parser.add_argument("--first", type=int, default=0, metavar="NUMBER")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    started = time.monotonic()
    outcomes: Counter[str] = Counter()
    failures = {}
    for number, outcome in enumerate(fuzz(options.first, options.cases), options.first):
        if outcome.startswith(FAILED):
            failures[number] = outcome
            print(f"case {number} {outcome}", flush=True)
        else:
            outcomes[outcome] += 1
    report = {
        "cases": options.cases,
        "first": options.first,
        "outcomes": dict(sorted(outcomes.items())),
        "failures": failures,
        "seconds": round(time.monotonic() - started),
        "peak_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        "address_space_limit_mib": _ADDRESS_SPACE >> 20,
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in _LIBRARIES},
    }
    print(json.dumps(report, indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
