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
