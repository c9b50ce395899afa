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

"""Soak test of the node: does it leak, crash or miscount over many thousand frames?

    .venv/bin/python benchmarks/soak_node.py --frames 50000 --json benchmarks/results/node_soak.json

The node runs as a process of its own, with a network that costs nothing. The publisher is destroyed
and made again every few hundred frames, each time with another image size and encoding; one message
in a hundred is broken; the lazy outputs are subscribed now and then. Delivery is reliable, so that
the node must have counted every single frame right. Exit code 1 if it leaks or miscounts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import time
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.duration import Duration
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray

SIZES = ((64, 48), (96, 64), (126, 94), (160, 120), (240, 136), (320, 240))
BYTES_PER_PIXEL = {"rgb8": 3, "bgr8": 3, "mono8": 1, "bayer_rggb8": 1, "yuv422_yuy2": 2, "rgb16": 6}
SEGMENT = 250
BROKEN_SHARE = 0.01
WINDOW = 24  # frames under way
WARM_UP_SHARE = 0.4  # by then every size has met every encoding and every lazy output
MAX_GROWTH = 0.02
PATIENCE_S = 120


class Soak:
    """One run: the node process and the client of its topics."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.sent = self.broken = self.answered = 0
        self.rss_mb: list[float] = []
        domain = 1 + os.getpid() % 100
        command = [sys.executable, str(Path(__file__).with_name("null_node.py")), "--ros-args"]
        for setting in ("drop_policy:=every", "input_qos:=reliable", "tracking:=true"):
            command += ["-p", setting]
        command += ["-p", "input_long_side:=64", "--log-level", "fatal"]
        self.process = subprocess.Popen(command, env={**os.environ, "ROS_DOMAIN_ID": str(domain)})
        rclpy.init(domain_id=domain)
        self.node = rclpy.create_node("soak")
        self.values: dict[str, str] = {}
        self.last_index = -1
        self.node.create_subscription(Image, "/ssap/instances", self._on_instances, 100)
        self.node.create_subscription(Detection2DArray, "/ssap/detections", lambda _: None, 100)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def _on_instances(self, msg: Image) -> None:
        self.answered += 1
        self.last_index = msg.header.stamp.sec

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        self.values = {entry.key: entry.value for entry in msg.status[0].values}

    def run(self, n_frames: int) -> None:
        while self.sent < n_frames:
            extra = self._subscribe_extra() if self.random.random() < 0.2 else []
            self._segment(min(SEGMENT, n_frames - self.sent))
            for subscription in extra:
                self.node.destroy_subscription(subscription)
            self.rss_mb.append(self._rss_mb())
            print(
                f"\r{self.sent} frames, {self.broken} broken, {self.rss_mb[-1]:.1f} MiB",
                end="",
                file=sys.stderr,
                flush=True,
            )
        print(file=sys.stderr)
        self._wait(lambda: self.values.get("received") == str(self.sent), "last frames")
        self._wait(lambda: self.values.get("waiting") == "0", "end of the work")

    def _subscribe_extra(self) -> list[Any]:
        topics = {
            "overlay": Image,
            "semantic": Image,
            "confidence": Image,
            "instances/compressed": CompressedImage,
        }
        return [
            self.node.create_subscription(kind, f"/ssap/{topic}", lambda _: None, 5)
            for topic, kind in topics.items()
        ]

    def _segment(self, n_frames: int) -> None:
        """A publisher's life: one size and one encoding."""
        publisher = self.node.create_publisher(Image, "image", QoSProfile(depth=100))
        self._wait(publisher.get_subscription_count, "subscription")
        size = self.random.choice(SIZES)
        encoding = self.random.choice(list(BYTES_PER_PIXEL))
        for _ in range(n_frames):
            self._wait(lambda: self.sent - self.last_index <= WINDOW, "answer")
            msg = self._image(size, encoding)
            if self.random.random() < BROKEN_SHARE:
                self._break(msg)
                self.broken += 1
            msg.header.stamp.sec = self.sent
            publisher.publish(msg)
            self.sent += 1
        acked = publisher.wait_for_all_acked(Duration(seconds=PATIENCE_S))
        assert acked, "the node does not take the images any more"
        self.node.destroy_publisher(publisher)

    def _image(self, size: tuple[int, int], encoding: str) -> Image:
        width, height = size
        step = width * BYTES_PER_PIXEL[encoding]
        data = array("B", bytes([self.random.randrange(256)]) * (step * height))
        return Image(
            header=Header(frame_id="camera"),
            width=width,
            height=height,
            encoding=encoding,
            step=step,
            data=data,
        )

    def _break(self, msg: Image) -> None:
        kind = self.random.randrange(5)
        if kind == 0:
            msg.data = msg.data[: self.random.randrange(len(msg.data))]
        elif kind == 1:
            msg.step = self.random.randrange(msg.width)
        elif kind == 2:
            msg.encoding = "".join(self.random.choices("abc8", k=5))
        elif kind == 3:
            msg.height = 0
        else:
            msg.width, msg.height = 0xFFFFFFFF, 0xFFFFFFFE

    def _wait(self, condition: Any, what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        rclpy.spin_once(self.node, timeout_sec=0)
        while not condition():
            if self.process.poll() is not None:
                raise SystemExit(f"the node died with exit code {self.process.returncode}")
            if time.monotonic() > deadline:
                raise SystemExit(f"no {what}: {self.sent} sent, node says {self.values}")
            rclpy.spin_once(self.node, timeout_sec=0.05)

    def _rss_mb(self) -> float:
        """The node's own resident memory, without the segments shared with the publisher."""
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        line = next(line for line in status if line.startswith("RssAnon"))
        return int(line.split()[1]) / 2**10


def main() -> int:
    """Run the soak; 0 if the node neither leaks nor miscounts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=50_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    soak, start_s = Soak(options.seed), time.monotonic()
    try:
        soak.run(options.frames)
        values, seconds = soak.values, time.monotonic() - start_s
        soak.process.terminate()
        exit_code = soak.process.wait(30)
    finally:
        soak.process.kill()
    rss = soak.rss_mb[int(WARM_UP_SHARE * len(soak.rss_mb)) :]
    tenth = max(1, len(rss) // 10)
    before, after = float(np.median(rss[:tenth])), float(np.median(rss[-tenth:]))
    counts = {key: int(values[key]) for key in ("received", "processed", "dropped", "failed")}
    expected = {
        "received": soak.sent,
        "processed": soak.sent - soak.broken,
        "dropped": 0,
        "failed": soak.broken,
    }
    report = {
        "frames": soak.sent,
        "broken": soak.broken,
        "publishers": len(soak.rss_mb),
        "seconds": round(seconds, 1),
        "counts": counts,
        "counts_expected": expected,
        "answers": soak.answered,
        "warm_up_share": WARM_UP_SHARE,
        "rss_mb_after_warm_up": round(before, 2),
        "rss_mb_at_the_end": round(after, 2),
        "rss_growth_percent": round(100 * (after / before - 1), 3),
        "rss_mb": [round(value, 1) for value in soak.rss_mb],
        "exit_code": exit_code,
        "python": platform.python_version(),
    }
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps({k: v for k, v in report.items() if k != "rss_mb"}, indent=1))
    right = counts == expected and exit_code == 0 and after <= (1 + MAX_GROWTH) * before
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
