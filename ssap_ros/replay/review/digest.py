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

"""Fingerprints of the node's output: equal digests mean equal masks and detections."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssap_ros.replay.bags.messages import Detection


def frame_digest(labels: NDArray[np.uint16], detections: Sequence[Detection]) -> str:
    """SHA-256 over the size and every pixel of the masks and every value of the detections."""
    digest = hashlib.sha256(struct.pack("<2I", *labels.shape))
    digest.update(np.ascontiguousarray(labels, "<u2").data)
    for entry in detections:
        for text in (entry.class_id, entry.track):
            data = text.encode()
            digest.update(struct.pack("<I", len(data)) + data)
        digest.update(struct.pack("<5d", entry.score, *entry.bbox))
    return digest.hexdigest()


def run_digest(frames: Iterable[tuple[int, int, str | None]]) -> str:
    """SHA-256 over (camera, stamp, digest) of every frame in order; None: without an output."""
    digest = hashlib.sha256()
    for camera, stamp, frame in frames:
        digest.update(struct.pack("<Iq", camera, stamp) + bytes.fromhex(frame or "00" * 32))
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
