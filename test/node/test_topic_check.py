"""`ssap doctor --topic` against real publishers: each result and its hint."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

import rclpy
from rclpy.context import Context
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from ssap_ros.messages import rgb_image
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
def publishing(msg: Any, qos: QoSProfile | int, period_s: float = 0.05) -> Iterator[None]:
    """A camera driver called `driver` that publishes on /cam/image."""
    context, stop = Context(), threading.Event()
    rclpy.init(context=context)
    node = rclpy.create_node("driver", context=context)
    publisher = node.create_publisher(type(msg), "/cam/image", qos)

    def run() -> None:
        while not stop.wait(period_s):
            publisher.publish(msg)

    thread = threading.Thread(target=run)
    thread.start()
    yield
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


def test_a_silent_camera_is_told_from_none() -> None:
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
