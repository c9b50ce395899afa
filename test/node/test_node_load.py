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

"""The node under load, over real DDS: every frame, the latest, none too old, a clean end."""

from __future__ import annotations

import signal
import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

from ssap_ros.messages import rgb_image
from support.node_client import BOXES, CLASSES, COUNTS, PICTURE, Starter, balanced, rectangles
from support.toy_model import paint

pytestmark = pytest.mark.timeout(300)


def test_every_frame_in_order(start: Starter) -> None:
    client = start(drop_policy="every", input_qos="reliable")
    client.connect()
    headers = [client.header() for _ in range(40)]
    for header in headers:
        client.send(rgb_image(header, PICTURE))
    client.wait(lambda: len(client.detections) == len(client.instances) == 40, "all results")
    assert [msg.header for msg in client.instances] == headers
    assert [msg.header for msg in client.detections] == headers
    client.wait_for_status(received=40, processed=40, dropped=0, failed=0, waiting=0)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_latest_under_load_keeps_the_balance_and_ends_cleanly(
    start: Starter, how: signal.Signals
) -> None:
    client = start()
    client.connect()
    big = paint(np.kron(rectangles(*BOXES), np.ones((4, 4), np.int32)), CLASSES)

    def flooded() -> bool:
        client.send(rgb_image(client.header(), big))
        return len(client.reports) > 3 and len(client.instances) > 3

    client.wait(flooded, "results under load")
    for report in client.reports:
        values = {value.key: value.value for value in report.status[0].values}
        count = {k: int(values[k]) for k in COUNTS}
        assert balanced(count)
        assert count["failed"] == 0
        assert count["waiting"] <= 2
    stamps = [msg.header.stamp.sec for msg in client.instances]
    assert stamps == sorted(stamps)
    for _ in range(5):
        client.send(rgb_image(client.header(), big))
    assert client.process.stop(how) == 0
    assert "Traceback" not in client.process.log.read_text()


def test_a_second_interrupt_does_not_disturb_the_way_out(start: Starter) -> None:
    """The terminal and ros2 launch may both send one."""
    client = start()
    client.connect()
    client.process.process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    assert client.process.stop(signal.SIGINT) == 0


def test_old_images_are_dropped_and_slow_frames_are_reported(start: Starter) -> None:
    client = start(max_processing_time_ms=0.001)
    client.connect()
    client.process_picture(PICTURE)
    client.wait(
        lambda: (
            client.send(rgb_image(client.header(), PICTURE))
            or client.status()[1]["state"] == "over_budget"
        ),
        "report of slow frames",
    )
    assert client.set_parameter("max_image_age_ms", 500.0).successful
    processed = client.counts()["processed"]
    client.wait(
        lambda: (
            client.send(rgb_image(client.header(), PICTURE))
            or client.status()[1]["state"] == "too_old"
        ),
        "report of old images",
    )
    counts = client.counts()
    assert counts["dropped"] > 0
    assert counts["processed"] == processed

    def fresh_one_came() -> bool:
        msg = rgb_image(client.header(), PICTURE)
        msg.header.stamp = client.node.get_clock().now().to_msg()
        client.send(msg)
        time.sleep(0.5)
        return any(m.header.stamp.sec > 1_000_000_000 for m in client.instances)

    client.wait(fresh_one_came, "result of a fresh image")
