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

"""`ssap doctor --topic` against real publishers: each result and its hint."""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

import rclpy
from rclpy.context import Context
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header, String

from ssap_ros.messages import label_image, rgb_image
from ssap_ros.node.check_result import CheckResult
from ssap_ros.node.topic_check import check_topic

BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
GREY = np.full((48, 64, 3), 99, np.uint8)


@pytest.fixture(autouse=True)
def domain(monkeypatch: pytest.MonkeyPatch) -> int:
    number = 1 + os.getpid() % 100
    monkeypatch.setenv("ROS_DOMAIN_ID", str(number))
    return number


@contextmanager
def publishing(
    msg: Any, qos: QoSProfile | int, period_s: float = 0.05, topic: str = "/cam/image"
) -> Iterator[None]:
    """A camera driver called `driver` that publishes on the topic."""
    context, stop = Context(), threading.Event()
    rclpy.init(context=context)
    node = rclpy.create_node("driver", context=context)
    publisher = node.create_publisher(type(msg), topic, qos)

    def run() -> None:
        while not stop.wait(period_s):
            publisher.publish(msg)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        node.destroy_node()
        context.try_shutdown()


def by_name(results: list[CheckResult]) -> dict[str, CheckResult]:
    return {result.name: result for result in results}


def test_a_good_camera_and_what_its_qos_fits() -> None:
    with publishing(rgb_image(Header(), GREY), BEST_EFFORT):
        found = by_name(check_topic("/cam/image", expected_hz=2, seconds=2))
    assert all(result.ok for result in found.values())
    assert found["publisher"].text == "/cam/image by /driver, sensor_msgs/msg/Image"
    assert found["QoS"].text.endswith("fits input_qos best_effort (the default) but not reliable")
    assert found["image"].text == "64x48 rgb8"


def test_a_slow_camera_with_a_foreign_encoding() -> None:
    msg = rgb_image(Header(), GREY)
    msg.encoding = "rgb565"
    with publishing(msg, 5, period_s=0.2):
        found = by_name(check_topic("/cam/image", expected_hz=30, seconds=2))
    assert not found["rate"].ok
    assert found["rate"].text.endswith(", expected 30")
    assert "socket buffers" in found["rate"].hint
    assert not found["image"].ok
    assert "encoding 'rgb565' is not one of a camera" in found["image"].text
    assert found["QoS"].text.endswith("fits input_qos best_effort and reliable")


def test_a_silent_camera_is_distinguished_from_none() -> None:
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("driver", context=context)
    node.create_publisher(Image, "/cam/image", 5)
    found = by_name(check_topic("/cam/image", seconds=1))
    assert found["publisher"].ok
    assert (found["rate"].ok, found["rate"].text) == (False, "0 images in 1 s")
    start = time.monotonic()
    (result,) = check_topic("/cam/other")
    assert time.monotonic() - start < 30
    assert not result.ok
    assert result.hint == "images are on /cam/image"
    node.destroy_node()
    context.try_shutdown()


def test_a_topic_of_another_kind() -> None:
    with publishing(String(), 5):
        (result,) = check_topic("/cam/image")
    assert not result.ok
    assert result.text == "/cam/image by /driver is std_msgs/msg/String"


def test_a_topic_of_two_kinds() -> None:
    with publishing(String(), 5), publishing(rgb_image(Header(), GREY), 5):
        results = check_topic("/cam/image")
        while len(results) > 1:  # one of the two is not discovered yet
            results = check_topic("/cam/image")
    (result,) = results
    assert not result.ok
    assert "sensor_msgs/msg/Image" in result.text
    assert "std_msgs/msg/String" in result.text


@pytest.mark.parametrize("compressed", [False, True])
def test_significant_bits_of_raw_and_compressed_images_are_reported(compressed: bool) -> None:
    values = np.linspace(0, 4095, 48 * 64).reshape(48, 64).astype(np.uint16)
    raw, kind = label_image(Header(), values), "mono16"
    if compressed:
        _, png = cv2.imencode(".png", values)
        kind = "mono16; png compressed "
        raw = CompressedImage(format=kind, data=array("B", png.tobytes()))
    with publishing(raw, 5):
        image = by_name(check_topic("/cam/image", seconds=1))["image"]
    assert (image.ok, image.text) == (True, f"64x48 {kind}")
    hint = "its values seem to have 12 bits: set significant_bits to 12"
    assert image.hint == ("set image_transport to compressed; " if compressed else "") + hint


@pytest.mark.parametrize("topic", ["/cam/image", "/cam/image/compressed"])
def test_images_that_do_not_come_because_of_their_size(
    topic: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    profile = tmp_path / "small.xml"
    profile.write_text("<segment_size>1048576</segment_size>")
    info = CameraInfo(width=1280, height=720)
    with (
        publishing(rgb_image(Header(), GREY), 5, 60.0, topic),
        publishing(info, 5, topic="/cam/camera_info"),
    ):
        monkeypatch.setattr("ssap_ros.node.transport.profile_path", lambda: str(profile))
        rate = by_name(check_topic(topic, seconds=1))["rate"]
    assert not rate.ok
    assert "an rgb8 image of 1280 x 720 has 3 MiB" in rate.text
    assert "holds 1 MiB: set segment_size and maxMessageSize to at least 5529600" in rate.text
