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

"""The node with a backend that a test holds in its hand.

It does not load before the file of SSAP_TEST_GATE exists, and tells the progress meanwhile; while
the file of SSAP_TEST_FAULT exists it fails on every pass. SSAP_TEST_PASS_S slows every pass down.
With SSAP_TEST_SEGMENTING the frames go the way they go with a GPU, that many segmented at once.
"""

import os
import sys
import time
from pathlib import Path

from ssap_ros.backends import load_backend
from ssap_ros.errors import DeviceError
from ssap_ros.node import node

GATE = Path(os.environ.get("SSAP_TEST_GATE", "/"))
FAULT = Path(os.environ.get("SSAP_TEST_FAULT", "/none"))
PASS_S = float(os.environ.get("SSAP_TEST_PASS_S", "0"))
SEGMENTING = int(os.environ.get("SSAP_TEST_SEGMENTING", "0"))


class FaultyBackend:
    """Another backend, slower and less reliable."""

    def __init__(self, backend):
        self.backend = backend
        self.name, self.info = "tensorrt" if SEGMENTING else backend.name, backend.info
        self.max_batch = int(os.environ.get("SSAP_TEST_BATCH", "1"))
        self.preprocess, self.affinity_pyramids = backend.preprocess, backend.affinity_pyramids
        self.close = backend.close

    def infer(self, tensor, levels):
        if FAULT.exists():
            raise DeviceError("the device is lost")
        print(f"pass of {len(tensor)}", flush=True)
        time.sleep(PASS_S)
        return [self.backend.infer(tensor[i : i + 1], levels)[0] for i in range(len(tensor))]


def load(config, on_progress):
    start = time.monotonic()
    while not GATE.exists():
        on_progress(f"building engine, {time.monotonic() - start:.0f} s")
        time.sleep(0.05)
    return FaultyBackend(load_backend(config, on_progress))


if __name__ == "__main__":
    node.segmenting_threads = lambda: SEGMENTING
    sys.exit(node.main(load=load))
