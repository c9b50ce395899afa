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

"""What the node takes in, over real DDS: encodings, compressed images, quality of service."""

from __future__ import annotations

import subprocess
import sys
from array import array
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String

from ssap_ros.messages import labels_of, rgb_image
from ssap_ros.node.client import Connection
from support.node_client import PICTURE, ROOT, SIZE, Client, Starter, check_joined

pytestmark = pytest.mark.timeout(300)

BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


def in_colour(encoding: str, pixels: np.ndarray, padding: int = 0) -> Image:
    """PICTURE as `pixels` in another encoding, its rows padded."""
    rows = np.ascontiguousarray(pixels).reshape(SIZE[0], -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xAB)
    return Image(
        height=SIZE[0],
        width=SIZE[1],
        encoding=encoding,
        is_bigendian=int(pixels.dtype.byteorder == ">"),
        step=rows.shape[1],
        data=array("B", rows.tobytes()),
    )


def test_every_encoding_that_keeps_the_colours_gives_the_same_masks(start: Starter) -> None:
    """Grey, mosaics and yuv change the painted colours; their pixels are tested in messages."""
    client = start()
    client.connect()
    expected = labels_of(client.process_picture(PICTURE)[0])
    assert expected.max() == 3
    wide, swapped = PICTURE * np.uint16(257), PICTURE[..., ::-1]
    alpha = np.full((*SIZE, 1), 7, np.uint8)
    for msg in (
        in_colour("bgr8", swapped),
        in_colour("bgr8", swapped, padding=13),
        in_colour("rgba8", np.dstack([PICTURE, alpha]), padding=4),
        in_colour("bgra8", np.dstack([swapped, alpha])),
        in_colour("rgb16", wide, padding=2),
        in_colour("bgr16", (swapped * np.uint16(257)).astype(">u2")),
    ):
        msg.header = client.header()
        assert np.array_equal(labels_of(client.process_frame(msg)[0]), expected), msg.encoding
    for encoding, channels, rows in (
        ("mono8", 1, 1),
        ("mono16", 2, 1),
        ("bayer_rggb8", 1, 1),
        ("bayer_gbrg16", 2, 1),
        ("yuv422", 2, 1),
        ("yuv422_yuy2", 2, 1),
        ("nv12", 1, 1.5),
        ("nv21", 1, 1.5),
    ):
        data = np.zeros((int(SIZE[0] * rows), SIZE[1] * channels), np.uint8)
        msg = Image(header=client.header(), height=SIZE[0], width=SIZE[1], encoding=encoding)
        msg.step, msg.data = data.shape[1], array("B", data.tobytes())
        assert labels_of(client.process_frame(msg)[0]).shape == SIZE, encoding
    client.wait_for_status(state="active", failed=0)


def test_compressed_images(start: Starter) -> None:
    client = start(image_transport="compressed")
    publisher = client.node.create_publisher(CompressedImage, "image/compressed", 10)
    client.wait(publisher.get_subscription_count, "subscription")
    client.wait(lambda: client.node.count_publishers("/ssap/detections"), "results")
    for kind in ("png", "jpeg"):
        _, data = cv2.imencode(f".{kind}", PICTURE[..., ::-1])
        msg = CompressedImage(header=client.header(), format=kind, data=array("B", data.tobytes()))
        masks, detections = client.process_frame(msg, publisher.publish)
        labels = check_joined(masks, detections)
        assert labels.shape == SIZE
        if kind == "png":
            assert labels.max() == 3
    broken = CompressedImage(header=client.header(), format="jpeg", data=msg.data[:500])
    client.wait(
        lambda: publisher.publish(broken) or client.status()[1]["state"] == "rejected", "rejection"
    )
    assert "jpeg must end with EOI, got 500 bytes" in client.status()[0].message
    assert client.counts()["failed"] >= 1
    assert client.node.count_subscribers("/image") == 0, "the raw images are left alone"


def test_a_publisher_that_offers_too_little_is_reported_with_a_hint(start: Starter) -> None:
    client = start(input_qos="reliable", image_qos=BEST_EFFORT)
    client.wait_for_status(state="qos_mismatch")
    status, _ = client.status()
    assert status.level == DiagnosticStatus.ERROR
    assert status.message == (
        "nothing can be received on /image, reliability does not match; "
        "the publisher is best effort: set input_qos to best_effort"
    )
    good = client.node.create_publisher(Image, "image", 5)
    client.wait(good.get_subscription_count, "subscription")
    client.wait(
        lambda: (
            good.publish(rgb_image(client.header(), PICTURE))
            or client.status()[1]["state"] == "active"
        ),
        "frames of another publisher",
    )


@pytest.mark.parametrize(
    ("published", "transport"), [(CompressedImage, "raw"), (String, "raw"), (Image, "compressed")]
)
def test_a_topic_of_the_wrong_type_is_named_with_its_publisher(
    start: Starter, published: type, transport: str
) -> None:
    client = start(image_transport=transport)
    topic = "/image/compressed" if transport == "compressed" else "/image"
    with Connection("driver", "", client.node.context.get_domain_id()) as driver:
        driver.node.create_publisher(published, topic, 5)
        client.wait_for_status(state="wrong_type", topic=topic)
        status, _ = client.status()
    assert status.level == DiagnosticStatus.ERROR
    wanted = "CompressedImage" if transport == "compressed" else "Image"
    kind = f"{published.__module__.split('.')[0]}/msg/{published.__name__}"
    assert status.message == f"{topic} must be sensor_msgs/msg/{wanted}, got {kind} by driver"


def test_images_larger_than_the_shared_memory_are_reported_with_a_hint(
    start: Starter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    profile = tmp_path / "small.xml"
    text = (ROOT / "config" / "fastdds_shm.xml").read_text()
    profile.write_text(text.replace("268435456", str(64 << 20)))
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", str(profile))
    client = start()
    infos = client.node.create_publisher(CameraInfo, "camera_info", 5)
    client.wait(infos.get_subscription_count, "subscription")
    infos.publish(CameraInfo(header=client.header(), width=1920, height=1080))
    assert client.status()[0].message == "no image yet on /image"
    infos.publish(CameraInfo(header=client.header(), width=7680, height=4320))
    expected = (
        "no image yet on /image; an rgb8 image of 7680 x 4320 has 95 MiB, but the shared memory "
        f"of {profile} holds 64 MiB: set segment_size and maxMessageSize to at least 199065600 "
        "there, for the camera as well"
    )
    client.wait(lambda: client.status()[0].message == expected, "hint")


def policies(client: Client, topic: str, *, published: bool) -> tuple[str, int]:
    """Reliability of the node's end of a topic, and how many such ends there are."""
    find = client.node.get_publishers_info_by_topic
    if not published:
        find = client.node.get_subscriptions_info_by_topic
    client.wait(lambda: any(e.node_name == "ssap" for e in find(topic)), topic)
    ends = [e for e in find(topic) if e.node_name == "ssap"]
    return ends[0].qos_profile.reliability.name, len(ends)


def test_qos_by_parameter_and_by_override(start: Starter) -> None:
    client = start(
        output_qos="best_effort",
        **{"qos_overrides./image.subscription.reliability": "reliable"},
        **{"qos_overrides./ssap/detections.publisher.reliability": "reliable"},
    )
    assert policies(client, "/image", published=False) == ("RELIABLE", 1)
    assert policies(client, "/ssap/instances", published=True) == ("BEST_EFFORT", 1)
    assert policies(client, "/ssap/detections", published=True) == ("RELIABLE", 1)
    assert policies(client, "/ssap/overlay", published=True) == ("BEST_EFFORT", 1)
    assert policies(client, "/camera_info", published=False) == ("BEST_EFFORT", 1)


def test_a_stamp_before_1970_is_no_reason_to_lose_a_frame(start: Starter) -> None:
    client = start(max_image_age_ms=0.0)
    client.connect()
    msg = rgb_image(client.header(), PICTURE)
    msg.header.stamp.sec = -5
    _, found = client.process_frame(msg)
    assert found.header == msg.header
    assert client.counts()["failed"] == 0


def test_a_dead_input_is_noticed(start: Starter) -> None:
    client = start()
    client.connect()
    client.process_picture(PICTURE)
    client.wait_for_status(state="stale")
    status, values = client.status()
    assert status.level == DiagnosticStatus.WARN
    assert status.message.startswith("no image for ")
    assert values["input_hz"] == "0.0"
    client.process_picture(PICTURE)
    client.wait_for_status(state="active")


def test_no_malformed_message_disturbs_the_node() -> None:
    """A part of the fuzz test; the whole of it is benchmarks/fuzz_node.py."""
    command = [sys.executable, str(ROOT / "benchmarks" / "fuzz_node.py"), "--messages", "1500"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
