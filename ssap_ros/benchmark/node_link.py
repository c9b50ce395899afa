"""The other end of the node under test: sends images at a rate, notes when the answers come."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from autoware_internal_debug_msgs.msg import Float64Stamped
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray

from ssap_ros.errors import NodeError
from ssap_ros.messages import rgb_image
from ssap_ros.node.client import Connection
from ssap_ros.types import ImageArray

_DEPTH = 100


@dataclass
class SentFrame:
    """Times in seconds of a monotonic clock; parts: how much of the answer is still missing.

    answered_s: when the later one of masks and detections came, 0 if none did.
    """

    sent_s: float
    parts: int = 2
    answered_s: float = 0.0
    stage_ms: dict[str, float] = field(default_factory=dict)


class NodeLink:
    """Connected to the node `ssap` in the namespace /bench.

    size: (width, height) of the image, which is the same random one every time. stages: of which
    the times are listened to. frames: what `play` sent the last time, by stamp in nanoseconds.
    """

    def __init__(self, domain: int, size: tuple[int, int], stages: Sequence[str]) -> None:
        self.frames: dict[int, SentFrame] = {}
        width, height = size
        rng = np.random.default_rng(7)
        self.image: ImageArray = rng.integers(0, 256, (height, width, 3), np.uint8)
        self._msg = rgb_image(Header(frame_id="camera"), self.image)
        self._connection = Connection("benchmark", "/bench", domain)
        node = self._connection.node
        camera = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._publisher = node.create_publisher(Image, "image", camera)
        subscribe = node.create_subscription
        subscribe(Image, "ssap/instances", self._on_part, _DEPTH)
        subscribe(Detection2DArray, "ssap/detections", self._on_part, _DEPTH)
        for stage in stages:
            subscribe(Float64Stamped, f"ssap/debug/{stage}_ms", self._on_time(stage), _DEPTH)

    def __enter__(self) -> NodeLink:
        self._connection.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.__exit__()

    def wait_until_ready(self, timeout_s: float, check: Callable[[], None]) -> None:
        """Until an image is answered. Raises NodeError if none is."""
        deadline = time.monotonic() + timeout_s
        while not any(frame.answered_s for frame in self.frames.values()):
            check()
            if time.monotonic() > deadline:
                raise NodeError(f"the node did not answer an image within {timeout_s:.0f} s")
            self._send()
            time.sleep(0.2)

    def play(self, rate_hz: int, seconds: float, drain_s: float) -> None:
        """Send images at a fixed rate and wait for late answers."""
        self.frames = {}
        start_s = time.monotonic()
        for index in range(int(rate_hz * seconds)):
            time.sleep(max(start_s + index / rate_hz - time.monotonic(), 0.0))
            self._send()
        time.sleep(drain_s)

    def _send(self) -> None:
        self._connection.check()
        stamp = time.time_ns()
        self._msg.header.stamp.sec, self._msg.header.stamp.nanosec = divmod(stamp, 1_000_000_000)
        self.frames[stamp] = SentFrame(time.monotonic())
        self._publisher.publish(self._msg)

    def _on_part(self, msg: Any) -> None:
        now_s = time.monotonic()
        frame = self.frames.get(_nanoseconds(msg.header.stamp))
        if frame is not None:
            frame.parts -= 1
            if frame.parts == 0:
                frame.answered_s = now_s

    def _on_time(self, stage: str) -> Callable[[Float64Stamped], None]:
        def keep(msg: Float64Stamped) -> None:
            frame = self.frames.get(_nanoseconds(msg.stamp))
            if frame is not None:
                frame.stage_ms[stage] = msg.data

        return keep


def _nanoseconds(stamp: Any) -> int:
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
