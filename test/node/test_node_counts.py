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

"""Every frame is accounted for, over real DDS: what was sent is processed, dropped or failed."""

from __future__ import annotations

import random
import time
from array import array

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

from sensor_msgs.msg import CameraInfo, Image

from ssap_ros.messages import rgb_image
from support.node_client import COUNTS, NODE, PICTURE, SLOW_NODE, Client, Starter, balanced

pytestmark = pytest.mark.timeout(300)

N = 60
GOOD = ("good", "small", "one_pixel")
BROKEN = ("encoding", "empty", "short", "step")
KINDS = (*GOOD, *BROKEN, "old")


def _image(client: Client, kind: str) -> Image:
    """A frame of now, or an old one."""
    picture = {"small": PICTURE[:64, :96], "one_pixel": PICTURE[:1, :1]}.get(kind, PICTURE)
    msg = rgb_image(client.header(), picture)
    stamp = time.time_ns() - (10**12 if kind == "old" else 0)
    msg.header.stamp.sec, msg.header.stamp.nanosec = divmod(stamp, 10**9)
    if kind == "encoding":
        msg.encoding = "32FC1"
    elif kind == "empty":
        msg.height = msg.width = 0
    elif kind == "short":
        msg.data = array("B", msg.data[:-1])
    elif kind == "step":
        msg.step = 1
    return msg


def _settled(client: Client) -> dict[str, int]:
    """The counters once two diagnostics in a row say the same, and nothing waits."""
    names = (*COUNTS, "camera_info_unmatched")
    before: dict[str, int] = {}
    while True:
        values = client.wait_for_status(waiting=0)
        now = {name: int(values[name]) for name in names}
        if now == before:
            return now
        before = now


@pytest.mark.parametrize(("policy", "segmenting"), [("every", 0), ("latest", 0), ("every", 3)])
def test_counts_add_up_whatever_comes(
    start: Starter, policy: str, segmenting: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(policy)
    monkeypatch.setenv("SSAP_TEST_SEGMENTING", str(segmenting))
    client = start(
        program=SLOW_NODE if segmenting else NODE,
        drop_policy=policy,
        input_qos="reliable",
        max_image_age_ms=120_000.0,
    )
    client.connect()
    matched = client.listen(CameraInfo, "/ssap/camera_info", 1000)
    infos = client.node.create_publisher(CameraInfo, "camera_info", 100)
    client.wait(infos.get_subscription_count, "subscription of camera_info")

    def send_both(msg: Image) -> None:
        infos.publish(CameraInfo(header=msg.header))
        client.send(msg)

    client.wait(  # both ways are open, and a camera_info has come
        lambda: send_both(_image(client, "good")) or (client.status() and matched), "camera_info"
    )
    start_counts = _settled(client)
    for messages in (client.instances, client.detections, matched):
        messages.clear()

    sent = dict.fromkeys(KINDS, 0)
    client.reports.clear()
    for number in range(N):
        kind = KINDS[number] if number < len(KINDS) else rng.choice(KINDS)
        msg = _image(client, kind)
        if rng.random() < 0.5:
            infos.publish(CameraInfo(header=msg.header))
            time.sleep(0.01)
        client.send(msg)
        sent[kind] += 1
        time.sleep(rng.choice([0, 0, 0.05]))
    if policy == "every":
        client.wait_for_status(received=start_counts["received"] + N)
    counts = {name: n - start_counts[name] for name, n in _settled(client).items()}

    stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in client.instances]
    assert stamps == sorted(stamps)
    for report in client.reports:  # at any time, not at the end alone
        reported = {v.key: int(v.value) for v in report.status[0].values if v.key in COUNTS}
        assert balanced(reported), reported
    received, processed, dropped, failed = (counts[key] for key in COUNTS[:4])
    good, broken = (sum(sent[kind] for kind in kinds) for kinds in (GOOD, BROKEN))
    if policy == "every":
        assert (processed, dropped, failed) == (good, sent["old"], broken), sent
    assert received == processed + dropped + failed
    assert received <= N
    assert processed <= good
    assert failed <= broken
    client.wait(lambda: len(client.instances) >= processed, "results")
    assert len(client.instances) == len(client.detections) == processed
    unmatched = counts["camera_info_unmatched"]
    client.wait(lambda: len(matched) + unmatched >= processed, "camera_info")
    assert len(matched) + unmatched == processed


def test_what_comes_while_the_node_is_off_is_not_counted_and_the_rest_is(start: Starter) -> None:
    from lifecycle_msgs.msg import Transition

    client = start(drop_policy="every", input_qos="reliable")
    client.connect()
    for _ in range(2):
        for _ in range(5):
            client.send(rgb_image(client.header(), PICTURE))
        client.change_state(Transition.TRANSITION_DEACTIVATE)
        client.send(rgb_image(client.header(), PICTURE))
        counts = client.counts()
        assert counts["received"] == counts["processed"] + counts["dropped"]
        client.change_state(Transition.TRANSITION_ACTIVATE)
        client.wait(client.images.get_subscription_count, "subscription")
    before = client.counts()["processed"]
    client.process_picture(np.ascontiguousarray(PICTURE))
    assert client.counts()["processed"] == before + 1
