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

"""Videos for tests, with the times that a test wants."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import cv2
from numpy.typing import NDArray


def jpeg(rgb: NDArray) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()


def write_matroska(
    path: Path, times_ms: Sequence[int], frames: Sequence[NDArray], codec: bytes = b"V_MJPEG"
) -> Path:
    """Motion JPEG in Matroska, which keeps a time for every frame and needs no frame rate."""
    sizes = [_element(0xB0, _number(64)), _element(0xBA, _number(48))]
    track = [(0xD7, b"\1"), (0x73C5, b"\1"), (0x83, b"\1"), (0x86, codec)]
    entry = b"".join(_element(*field) for field in track) + _element(0xE0, b"".join(sizes))
    info = _element(0x2AD7B1, _number(1_000_000)) + _element(0x4D80, b"t") + _element(0x5741, b"t")
    blocks = [
        _element(0xA3, b"\x81" + struct.pack(">h", time) + b"\x80" + jpeg(frame))
        for time, frame in zip(times_ms, frames, strict=True)
    ]
    segment = [
        _element(0x1549A966, info),
        _element(0x1654AE6B, _element(0xAE, entry)),
        _element(0x1F43B675, _element(0xE7, b"\0") + b"".join(blocks)),
    ]
    head = _element(0x4282, b"matroska") + _element(0x4287, b"\4") + _element(0x4285, b"\2")
    path.write_bytes(_element(0x1A45DFA3, head) + _element(0x18538067, b"".join(segment)))
    return path


def _element(number: int, data: bytes) -> bytes:
    return _number(number) + struct.pack(">Q", len(data) | 1 << 56) + data


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
