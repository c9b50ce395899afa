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

"""Several cameras through one engine: topics, counters, fairness, batches."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

from ssap_ros.messages import rgb_image
from support.node_client import (
    BOXES,
    CLASSES,
    PICTURE,
    SLOW_NODE,
    Starter,
    check_joined,
    rectangles,
)
from support.toy_model import paint

pytestmark = pytest.mark.timeout(300)

NAMES = ("front", "left", "right")
PASS_S = 0.06


def test_every_camera_has_its_topics_results_and_counters(start: Starter) -> None:
    client = start(cameras=NAMES)
    for n, camera in enumerate(client.cameras.values(), start=1):
        camera.connect()
        picture = paint(rectangles(*BOXES[:n]), CLASSES[:n])
        msg = rgb_image(client.header(), picture)
        msg.header.frame_id = camera.name
        masks, detections = camera.process_frame(msg)
        check_joined(masks, detections)
        assert len(detections.detections) == n
    for name, camera in client.cameras.items():
        assert {msg.header.frame_id for msg in camera.instances} == {name}
        values = client.wait_for_status(name, waiting=0)
        assert values["topic"] == f"/{name}/image"
        counts = client.counts(name)
        assert counts["processed"] >= 1
        assert counts["failed"] == 0
    broken = rgb_image(client.header(), PICTURE)
    broken.step = 1
    left = client.cameras["left"]
    client.wait(
        lambda: left.send(broken) or client.status("left")[1]["state"] == "rejected", "rejection"
    )
    assert client.counts("left")["failed"] >= 1
    assert client.counts("front")["failed"] == 0


@pytest.mark.parametrize("sizes", [((96, 128),) * 3, ((96, 128), (192, 256), (64, 64))])
def test_no_camera_gets_less_than_its_share(
    start: Starter, monkeypatch: pytest.MonkeyPatch, sizes: tuple[tuple[int, int], ...]
) -> None:
    """Every camera sends faster than the pipeline's rate / 3, one of them much faster."""
    monkeypatch.setenv("SSAP_TEST_PASS_S", str(PASS_S))
    client = start(program=SLOW_NODE, cameras=NAMES)
    for camera in client.cameras.values():
        camera.connect()
    pictures = [paint(np.zeros(size, np.int32), []) for size in sizes]
    rates = dict(zip(NAMES, (1 / PASS_S, 1.5 / PASS_S, 3 / PASS_S), strict=True))
    sent = dict.fromkeys(NAMES, 0)
    due = dict.fromkeys(NAMES, time.monotonic())

    def flood() -> bool:
        now = time.monotonic()
        for (name, camera), picture in zip(client.cameras.items(), pictures, strict=True):
            if now >= due[name]:
                camera.send(rgb_image(client.header(), picture))
                sent[name] += 1
                due[name] = max(due[name] + 1 / rates[name], now - 1)
        time.sleep(0.002)
        return sum(len(camera.detections) for camera in client.cameras.values()) >= 60

    client.wait(flood, "results of a flood")
    done = {name: len(camera.detections) for name, camera in client.cameras.items()}
    for name in NAMES:
        share = min(sum(done.values()) / 3, sent[name])
        assert done[name] >= 0.9 * share - 1, f"{name}: {done} of {sent}"
    assert client.counts("right")["dropped"] > 0, "it was more than the pipeline can do"


def test_waiting_frames_of_one_size_share_a_pass(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSAP_TEST_PASS_S", "0.3")
    monkeypatch.setenv("SSAP_TEST_BATCH", "3")
    client = start(program=SLOW_NODE, cameras=NAMES)
    for camera in client.cameras.values():
        camera.connect()

    def passes() -> list[int]:
        return [int(n) for n in re.findall(r"pass of (\d)", client.process.log.read_text())]

    def send_all() -> None:
        for n, camera in enumerate(client.cameras.values(), start=1):
            camera.send(rgb_image(client.header(), paint(rectangles(*BOXES[:n]), CLASSES[:n])))

    client.wait(lambda: send_all() or 3 in passes(), "a pass of three")
    for name in NAMES:
        assert client.counts(name)["failed"] == 0
    for n, camera in enumerate(client.cameras.values(), start=1):
        for detections in camera.detections:
            assert len(detections.detections) == n
