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

"""A short run of the fuzzing of files; `benchmarks/fuzz_files.py` runs more."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("sensor_msgs", reason="ROS 2 messages are not installed")
pytest.importorskip("rosbags", reason="rosbags is not installed")

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz_files.py"


def test_mutated_files_are_read_or_refused(tmp_path):
    from file_cases import KINDS, Cases

    cases = Cases(tmp_path)
    outcomes = Counter(cases.run(number) for number in range(300))
    assert {outcome.split()[0] for outcome in outcomes} == set(KINDS), outcomes
    for kind in ("coco", "mcap", "db3", "compressed", "raw"):
        assert outcomes[f"{kind} refused"] > 5


def test_a_crash_is_a_failed_case_and_the_others_run(tmp_path):
    program = f"""
import os, sys
sys.path.insert(0, {str(SCRIPT.parent)!r})
import fuzz_files

class Crash(fuzz_files.Cases):
    def run(self, number):
        return os.abort() if number == 3 else super().run(number)

fuzz_files.Cases = Crash
if __name__ == "__main__":
    print(*fuzz_files.fuzz(0, 6), sep="\\n")
"""
    script = tmp_path / "crash.py"
    script.write_text(program)
    run = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, env=os.environ
    )
    outcomes = run.stdout.splitlines()
    assert len(outcomes) == 6, run.stderr
    assert outcomes[3] == "failed: process ended with -6"
    assert not any(outcome.startswith("failed") for k, outcome in enumerate(outcomes) if k != 3)
