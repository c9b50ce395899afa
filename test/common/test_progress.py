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

"""Progress: whole lines in a log, a bar on a terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

from ssap_ros.common import progress as module
from ssap_ros.common.progress import progress

PROGRAM = """
from ssap_ros.common.progress import progress
with progress("work", "frames") as show:
    for k in range(3):
        show(k + 1, 3, "fine")
"""


def test_lines_do_not_mix_with_rows(capfd, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with progress("work", "frames") as show:
        for k in range(12):
            now[0] += 1
            show(k + 1, 12 if k < 11 else None, "a note" if k % 2 else "")
            os.write(2, f"row {k}\n".encode())
    lines = capfd.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("row")] == [f"row {k}" for k in range(12)]
    reported = [line for line in lines if not line.startswith("row")]
    assert reported == [
        "work: 5/12 frames",
        "work: 10/12 frames, a note",
        "work: 12/? frames, a note",
    ]


def test_nothing_is_shown_of_no_work_and_notes_without_a_unit(capfd):
    with progress("work", "frames"):
        pass
    assert capfd.readouterr().err == ""
    with progress("build") as show:
        show(0, note="layer 3")
    assert capfd.readouterr().err == "build: layer 3\n"


def test_a_bar_on_a_terminal():
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    subprocess.run([sys.executable, "-c", PROGRAM], stderr=slave, check=True)
    os.close(slave)
    text = os.read(master, 100_000).decode()
    os.close(master)
    assert "work: 100%" in text
    assert "\r" in text
    assert "3/3" in text
    assert "fine" in text
