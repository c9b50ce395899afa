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

"""What the node publishes, over real DDS, with the toy network whose output is known."""

from __future__ import annotations

import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

from autoware_internal_debug_msgs.msg import Float64Stamped
from diagnostic_msgs.msg import DiagnosticStatus
from foxglove_msgs.msg import ImageAnnotations, PointsAnnotation
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ssap_ros.messages import image_to_rgb, instance_masks, labels_of, rgb_image
from ssap_ros.node.publishers import NODE_STAGES
from support.node_client import (
    BOXES,
    CLASSES,
    CONFIDENCES,
    EMPTY,
    PICTURE,
    SIZE,
    Starter,
    check_joined,
)
from support.toy_model import probability, score

pytestmark = pytest.mark.timeout(300)


def test_masks_and_detections_of_a_known_picture(start: Starter) -> None:
    client = start()
    client.connect()
    masks, detections = client.process_picture(PICTURE)
    labels = check_joined(masks, detections)
    assert (masks.height, masks.width) == SIZE
    assert [d.id for d in detections.detections] == [""] * 3
    found = [d.results[0].hypothesis for d in detections.detections]
    assert [h.class_id for h in found] == ["1", "1", "3"]
    cells = [width * height // 16 for _, _, width, height in BOXES]
    expected = [score(*painted) for painted in zip(CLASSES, CONFIDENCES, cells, strict=True)]
    assert [h.score for h in found] == pytest.approx(expected, abs=1e-5)
    for k, (x, y, width, height) in enumerate(BOXES, start=1):
        inside = labels[y : y + height, x : x + width]
        assert np.count_nonzero(inside == k) >= inside.size - 4, "all but the corner pixels"
        assert np.count_nonzero(labels == k) <= inside.size
    separate = instance_masks(masks, detections)
    assert separate.shape == (3, *SIZE)
    assert np.array_equal(separate[1], labels == 2)

    status, values = client.status()
    assert (status.name, values["backend"]) == ("/ssap", "openvino fp32")
    assert int(values["memory_mb"]) > 0
    for stage in NODE_STAGES:
        p50, p95, p99 = (float(p) for p in values[f"{stage}_ms"].split("/"))
        assert 0 <= p50 <= p95 <= p99
    assert float(values["pipeline_latency_ms"].split("/")[0]) == 60_000, "clamped: it is from 1970"


def test_every_output_carries_the_header_and_agrees_with_the_masks(start: Starter) -> None:
    """All of them are lazy: none came before somebody listened."""
    client = start(tracking=True)
    topics = {
        "overlay": Image,
        "semantic": Image,
        "confidence": Image,
        "camera_info": CameraInfo,
        "instances/compressed": CompressedImage,
        "debug/inference_ms": Float64Stamped,
        "annotations": ImageAnnotations,
    }
    client.connect()
    client.process_picture(PICTURE)
    assert "png_bytes" not in client.status()[1]
    got = {topic: client.listen(kind, f"/ssap/{topic}", 10) for topic, kind in topics.items()}
    for topic in topics:
        client.wait(lambda t=topic: client.node.count_publishers(f"/ssap/{t}"), topic)
    infos = client.node.create_publisher(CameraInfo, "camera_info", 10)
    client.wait(infos.get_subscription_count, "subscription of camera_info")
    client.wait(
        lambda: (
            client.send(rgb_image(client.header(), PICTURE))
            or client.status()[1]["state"] == "active"
        ),
        "active state",
    )

    calibration = CameraInfo(width=SIZE[1], height=SIZE[0], k=[float(i) for i in range(9)])

    sent_s = 0.0

    def send_both(msg: Image) -> None:
        calibration.header = msg.header
        infos.publish(calibration)
        client.send(msg)

    def came() -> bool:
        nonlocal sent_s
        if time.monotonic() - sent_s > 0.5:
            send_both(rgb_image(client.header(), PICTURE))
            sent_s = time.monotonic()
        return all(got.values())

    client.wait(came, "every output")
    msg = rgb_image(client.header(), PICTURE)
    masks, detections = client.process_frame(msg, send_both)
    labels = labels_of(masks)
    ids = [d.id for d in detections.detections]
    assert len({int(number) for number in ids}) == 3
    _, later = client.process_picture(PICTURE)
    assert [d.id for d in later.detections] == ids

    def of_this_frame(topic: str) -> object:
        same = [m for m in got[topic] if not hasattr(m, "header") or m.header == msg.header]
        return same[-1] if same else None

    client.wait(lambda: all(of_this_frame(topic) for topic in topics), "outputs of one frame")
    semantic, confidence, overlay, info, png, scalar = (
        of_this_frame(topic)
        for topic in (
            "semantic",
            "confidence",
            "overlay",
            "camera_info",
            "instances/compressed",
            "debug/inference_ms",
        )
    )
    assert np.array_equal(labels_of(png), labels), "lossless"
    assert png.format.startswith("mono16; png")
    classes = np.frombuffer(semantic.data, np.uint8).reshape(SIZE)
    for k, class_id in enumerate(CLASSES, start=1):
        inside = classes[labels == k]
        assert np.count_nonzero(inside == class_id) > 0.95 * inside.size
    assert (classes[150:, :160] == 255).all(), "the background is no class"
    certain = np.frombuffer(confidence.data, np.uint8).reshape(SIZE)
    assert certain[60, 60] == 255
    assert certain[96, 208] == pytest.approx(255 * probability(CLASSES[2], CONFIDENCES[2]), abs=1)
    assert list(info.k) == list(calibration.k)
    picture = image_to_rgb(overlay)
    assert (overlay.encoding, picture.shape) == ("rgb8", PICTURE.shape)
    assert np.array_equal(picture[150:], PICTURE[150:])
    assert not np.array_equal(picture[64:128, 176:240], PICTURE[64:128, 176:240])
    assert scalar.data > 0
    drawn = next(m for m in got["annotations"] if m.texts[0].timestamp == msg.header.stamp)
    for k, (line, text) in enumerate(zip(drawn.points, drawn.texts, strict=True), start=1):
        assert line.type == PointsAnnotation.LINE_LOOP
        rows, columns = np.nonzero(labels == k)
        corners = np.array([(point.x, point.y) for point in line.points])
        np.testing.assert_allclose(corners.min(axis=0), (columns.min() + 0.5, rows.min() + 0.5))
        np.testing.assert_allclose(corners.max(axis=0), (columns.max() + 0.5, rows.max() + 0.5))
        assert text.text.startswith("car" if k == 3 else "person")
    sizes = client.status()[1]["png_bytes"].split("/")
    assert 0 < float(sizes[0]) < labels.nbytes / 10


def test_frames_good_empty_and_broken(start: Starter) -> None:
    client = start()
    client.connect()
    client.wait_for_status(state="waiting", received=0)
    masks, detections = client.process_picture(EMPTY)
    assert len(detections.detections) == 0
    assert not labels_of(masks).any()

    short = rgb_image(client.header(), PICTURE)
    short.height += 1
    unknown = rgb_image(client.header(), PICTURE)
    unknown.encoding = "rgb565"
    for msg, reason in [
        (short, "data must hold step * rows = 768 * 193 = 148224 bytes, got 147456"),
        (unknown, "is not one of a camera"),
    ]:
        failed = int(client.status()[1]["failed"])
        status, values = client.provoke(msg, reason)
        assert status.level == DiagnosticStatus.ERROR
        assert status.message == values["last_error"]
        assert int(values["failed"]) > failed
        check_joined(*client.process_picture(PICTURE))

    tiny, nothing = client.process_picture(np.zeros((1, 1, 3), np.uint8))
    assert labels_of(tiny).tolist() == [[0]]
    assert len(nothing.detections) == 0
    assert client.counts()["failed"] >= 2


def test_mask_of_people_for_a_mapper(start: Starter) -> None:
    client = start(mask_dilation=4)
    client.connect()
    received = client.listen(Image, "/ssap/mask", 10)
    client.wait(lambda: client.node.count_publishers("/ssap/mask"), "mask")

    def mask() -> tuple[np.ndarray, np.ndarray]:
        masks, _ = client.process_picture(PICTURE)
        found = []

        def came() -> bool:
            found[:] = [msg for msg in received if msg.header == masks.header]
            return bool(found)

        client.wait(came, "mask of the frame")
        assert (found[0].encoding, found[0].height, found[0].width) == ("mono8", *SIZE)
        return np.frombuffer(found[0].data, np.uint8).reshape(SIZE), labels_of(masks)

    pixels, labels = mask()
    assert set(np.unique(pixels)) == {0, 255}
    people = np.isin(labels, (1, 2))
    assert (pixels[people] == 255).all()
    x, y, _, height = BOXES[0]
    assert (pixels[y + height // 2, x - 4 : x] == 255).all(), "dilated"
    assert pixels[y + height // 2, x - 6] == 0
    assert pixels[labels == 3][-1] == 0, "no car"
    assert client.set_parameter("mask_dilation", 0).successful
    assert client.set_parameter("mask_classes", ["car", "cow"]).successful
    pixels, labels = mask()
    np.testing.assert_array_equal(pixels == 255, labels == 3)
    assert "mask_classes: the model has no class 'cow'" in client.process.log.read_text()
