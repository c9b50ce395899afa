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

"""Fuzz test of the node's input: malformed Image and CompressedImage messages through its callback.

    .venv/bin/python benchmarks/fuzz_node.py --json benchmarks/results/node_fuzz.json

Every message must be accounted for, those that are certainly broken as failed, with a reason, and
none may take longer than ten seconds. Exit code 1 if it is otherwise.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from array import array
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from null_node import NullBackend
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image

from ssap_ros.node.node import SsapNode

# Bytes per pixel, and the pixels that share a colour sample in width and height.
LAYOUTS = {
    "mono8": (1, 1, 1),
    "mono16": (2, 1, 1),
    "rgb8": (3, 1, 1),
    "bgra8": (4, 1, 1),
    "rgb16": (6, 1, 1),
    "bayer_grbg8": (1, 1, 1),
    "bayer_rggb16": (2, 1, 1),
    "yuv422": (2, 2, 1),
    "nv12": (1, 2, 2),
}
MAX_SECONDS = 10.0
NUMBERS = (0, 1, 2, 3, 7, 8, 255, 256, 4095, 65535, 2**31 - 1, 2**31, 2**32 - 1)


def broken_image(rng: random.Random) -> tuple[Image, bool | None]:
    """An image with one to three fields gone wrong, and whether it is still good all the same."""
    encoding = rng.choice(list(LAYOUTS))
    size, _, sharing_y = LAYOUTS[encoding]
    width, height = 2 * rng.randint(1, 12), 2 * rng.randint(1, 12)
    rows = height * 3 // 2 if sharing_y == 2 else height
    msg = Image(width=width, height=height, encoding=encoding, step=width * size)
    msg.data = array("B", rng.randbytes(msg.step * rows))
    msg.is_bigendian = rng.choice((0, 1, 255))
    for _ in range(rng.randint(1, 3)):
        field = rng.choice(("width", "height", "step", "encoding", "data", "data"))
        if field == "encoding":
            msg.encoding = rng.choice(("", "rgb", "RGB8", "32FC1", "x" * 999, "\u00e9", *LAYOUTS))
        elif field == "data":
            msg.data = msg.data[: rng.randrange(len(msg.data) + 1)]
        else:
            setattr(msg, field, rng.choice((*NUMBERS, rng.randrange(100))))
    return msg, well_formed(msg)


def well_formed(msg: Image) -> bool:
    """Whether the fields fit together, from the definition of the message."""
    if msg.encoding not in LAYOUTS or msg.width == 0 or msg.height == 0:
        return False
    size, sharing_x, sharing_y = LAYOUTS[msg.encoding]
    rows = msg.height + msg.height // 2 if sharing_y == 2 else msg.height
    whole = msg.width % sharing_x == 0 and msg.height % sharing_y == 0
    return whole and msg.step >= msg.width * size and len(msg.data) >= msg.step * rows


def broken_file(rng: random.Random, files: list[bytes]) -> tuple[CompressedImage, bool | None]:
    """A jpeg or png with damage, and False if a reader must find it (None: it may not)."""
    data = bytearray(rng.choice(files))
    kind = rng.choice(("cut", "noise", "flip", "head", "format", "join"))
    certain: bool | None = None
    if kind == "cut":
        data = data[: rng.randrange(len(data) - 2)]
        certain = False
    elif kind == "noise":
        data = bytearray(rng.randbytes(rng.randrange(300)))
        certain = False
    elif kind == "flip":
        for _ in range(rng.randint(1, 20)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "head":
        data[: rng.randint(1, 8)] = rng.randbytes(8)
        certain = False
    elif kind == "join":
        data = data[: len(data) // 2] + bytearray(rng.choice(files))
    name = "".join(rng.choices("jpegn; bayer_rggb16", k=8)) if kind == "format" else "jpeg"
    return CompressedImage(format=name, data=array("B", bytes(data))), certain


def coded_files() -> list[bytes]:
    """Small pictures of all kinds."""
    rng = np.random.default_rng(1)
    files = []
    for shape in ((9, 14), (16, 16, 3), (8, 24, 4)):
        pixels = rng.integers(0, 256, shape, np.uint8)
        files.append(cv2.imencode(".png", pixels)[1].tobytes())
        files.append(cv2.imencode(".png", pixels * np.uint16(257))[1].tobytes())
        if shape[-1] != 4:
            files.append(cv2.imencode(".jpg", pixels)[1].tobytes())
    return files


def run(n_messages: int, seed: int) -> dict[str, Any]:
    """Send the messages through the node's callback and compare its counters with the truth."""
    rng, files = random.Random(seed), coded_files()
    settings = {"autostart": False, "drop_policy": "every", "input_long_side": 64}
    overrides = [Parameter(name, value=value) for name, value in settings.items()]
    rclpy.init(args=["--ros-args", "--log-level", "fatal"])
    node = SsapNode(lambda *_: NullBackend(64), parameter_overrides=overrides)
    node.trigger_configure()
    node.trigger_activate()
    (camera,) = node.cameras.values()
    reasons: Counter[str] = Counter()
    wrong: list[str] = []
    slowest_s = 0.0
    for index in range(n_messages):
        is_file = rng.random() < 0.5
        msg, good = broken_file(rng, files) if is_file else broken_image(rng)
        before = node.counts("")
        start_s = time.monotonic()
        camera.receive(msg)
        while node.counts("").waiting and time.monotonic() < start_s + 60:
            time.sleep(0)
        slowest_s = max(slowest_s, time.monotonic() - start_s)
        after = node.counts("")
        failed = after.failed - before.failed
        if (good is not None and failed != (not good)) or after.received != index + 1:
            wrong.append(f"message {index}: expected good = {good}, failed = {failed}")
        if failed:
            reasons[camera.status.last_error.split(",")[0][:60]] += 1
            if not camera.status.last_error:
                wrong.append(f"message {index} failed without a reason")
    counts = node.counts("")
    node.destroy_node()
    rclpy.try_shutdown()
    return {
        "messages": n_messages,
        "processed": counts.processed,
        "failed": counts.failed,
        "balanced": counts.received == counts.processed + counts.failed == n_messages,
        "slowest_s": round(slowest_s, 3),
        "wrong": wrong[:20],
        "reasons": dict(reasons.most_common(20)),
    }


def main() -> int:
    """Run the fuzz; 0 if everything was accounted for in time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    report = run(options.messages, options.seed)
    text = json.dumps(report, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    good = report["balanced"] and not report["wrong"] and report["slowest_s"] <= MAX_SECONDS
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
