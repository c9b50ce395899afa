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

"""The other end of the node under test: sends images at a rate, notes when the outputs come."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ssap_ros.errors import NodeError
from ssap_ros.node.client import NodeClient, Part, header_of, image_message
from ssap_ros.types import ImageArray


@dataclass
class SentFrame:
    """An image that was sent. Times are in seconds of a monotonic clock.

    Attributes:
        parts: How much of the output is still missing.
        answered_s: When the later one of masks and detections came, 0 if none did.
    """

    sent_s: float
    parts: int = 2
    answered_s: float = 0.0
    stage_ms: dict[str, float] = field(default_factory=dict)


class NodeLink:
    """Connected to the node `ssap` in the namespace /bench.

    Args:
        size: (width, height) of the image, which is the same random one every time.
        stages: Of which the times are listened to.

    Attributes:
        frames: What `play` sent the last time, by stamp in nanoseconds.
    """

    def __init__(self, domain: int, size: tuple[int, int], stages: Sequence[str]) -> None:
        self.frames: dict[int, SentFrame] = {}
        width, height = size
        rng = np.random.default_rng(7)
        self.image: ImageArray = rng.integers(0, 256, (height, width, 3), np.uint8)
        self._msg = image_message(0, "camera", self.image)
        self._client = NodeClient("benchmark", "/bench", domain, reliable=False, image_depth=1)
        self._client.on_result(self._on_part)
        for stage in stages:
            self._client.on_stage_time(stage, self._on_time(stage))

    def __enter__(self) -> NodeLink:
        self._client.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.__exit__()

    def wait_until_ready(self, timeout_s: float, check: Callable[[], None]) -> None:
        """Send images until one has an output.

        Raises:
            NodeError: None has after `timeout_s` seconds.
        """
        deadline = time.monotonic() + timeout_s
        while not any(frame.answered_s for frame in self.frames.values()):
            check()
            if time.monotonic() > deadline:
                raise NodeError(f"the node had no output for an image within {timeout_s:.0f} s")
            self._send()
            time.sleep(0.2)

    def play(self, rate_hz: int, seconds: float, drain_s: float) -> None:
        """Send images at a fixed rate and wait for late outputs."""
        self.frames = {}
        start_s = time.monotonic()
        for index in range(int(rate_hz * seconds)):
            time.sleep(max(start_s + index / rate_hz - time.monotonic(), 0.0))
            self._send()
        time.sleep(drain_s)

    def _send(self) -> None:
        self._client.check()
        stamp = time.time_ns()
        self._msg.header.stamp.sec, self._msg.header.stamp.nanosec = divmod(stamp, 1_000_000_000)
        self.frames[stamp] = SentFrame(time.monotonic())
        self._client.publish(0, self._msg)

    def _on_part(self, _camera: int, _part: Part, raw: bytes) -> None:
        now_s = time.monotonic()
        frame = self.frames.get(header_of(raw)[0])
        if frame is not None:
            frame.parts -= 1
            if frame.parts == 0:
                frame.answered_s = now_s

    def _on_time(self, stage: str) -> Callable[[int, float], None]:
        def keep(stamp: int, milliseconds: float) -> None:
            frame = self.frames.get(stamp)
            if frame is not None:
                frame.stage_ms[stage] = milliseconds

        return keep
