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

"""The memory of one frame serves the next."""

from __future__ import annotations

import subprocess
import sys

import pytest

FRAMES, IMAGE_BYTES = 30, 6 << 20

SCRIPT = f"""
import resource
from ssap_ros.node.memory import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def frames():
    before = faults()
    for _ in range({FRAMES}):
        images = [bytearray(b"x") * {IMAGE_BYTES} for _ in range(3)]
        del images
    return faults() - before

keep_freed_memory()
frames()
print(frames())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_freed_images_are_not_given_back_to_the_system() -> None:
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert int(run.stdout) < FRAMES, "pages that had to be mapped again"
