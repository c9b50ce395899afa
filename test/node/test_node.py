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

import signal
import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

from autoware_internal_debug_msgs.msg import Float64Stamped
from diagnostic_msgs.msg import DiagnosticStatus
from foxglove_msgs.msg import ImageAnnotations, PointsAnnotation
from rcl_interfaces.srv import DescribeParameters
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from vision_msgs.msg import LabelInfo

from ssap_ros.config import SsapConfig
from ssap_ros.messages import image_to_rgb, instance_masks, labels_of, rgb_image
from ssap_ros.node.publishers import NODE_STAGES
from support.node_client import (
    BOXES,
    CAR,
    CLASSES,
    CONFIDENCES,
    COUNTS,
    EMPTY,
    PERSON,
    PICTURE,
    SIZE,
    Starter,
    balanced,
    check_joined,
    rectangles,
)
from support.toy_model import paint, probability

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
    expected = [probability(*painted) for painted in zip(CLASSES, CONFIDENCES, strict=True)]
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


def test_label_info_reaches_late_joiners_and_follows_the_threshold(start: Starter) -> None:
    client = start()
    client.connect()
    client.wait_for_status(state="waiting")
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    infos = client.listen(LabelInfo, "/ssap/label_info", latched)
    client.wait(lambda: infos, "label info")
    assert infos[0].threshold == pytest.approx(SsapConfig().score_threshold)
    assert [c.class_id for c in infos[0].class_map] == list(range(8))
    assert infos[0].class_map[PERSON].class_name == "person"

    assert client.set_parameter("score_threshold", 0.75).successful
    client.wait(lambda: len(infos) == 2, "label info with the new threshold")
    assert infos[1].threshold == 0.75
    assert probability(CLASSES[2], CONFIDENCES[2]) < 0.75 < probability(CLASSES[1], CONFIDENCES[1])
    assert len(client.process_picture(PICTURE)[1].detections) == 2


def test_classes_and_their_thresholds_are_live(start: Starter) -> None:
    client = start()
    client.connect()
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    infos = client.listen(LabelInfo, "/ssap/label_info", latched)
    semantic = client.listen(Image, "/ssap/semantic", 10)
    assert len(client.process_picture(PICTURE)[1].detections) == 3

    assert client.set_parameter("classes", ["car"]).successful
    masks, detections = client.process_picture(PICTURE)
    labels = check_joined(masks, detections)
    assert [d.results[0].hypothesis.class_id for d in detections.detections] == [str(CAR)]
    x, y, width, height = BOXES[2]
    assert labels[y + height // 2, x + width // 2] == 1
    client.wait(lambda: len(infos[-1].class_map) == 2, "label info of the classes")
    assert [c.class_name for c in infos[-1].class_map] == ["background", "car"]
    client.wait(lambda: set(semantic[-1].data) == {CAR, 255}, "classes of the pixels")

    result = client.set_parameter("classes", ["cow"])
    assert not result.successful
    assert "classes must be of person, bicycle" in result.reason
    assert "got 'cow'" in result.reason

    assert client.set_parameter("classes", [""]).successful
    assert client.set_parameter("class_score_thresholds", ["car: 0.99"]).successful
    found = client.process_picture(PICTURE)[1].detections
    assert [d.results[0].hypothesis.class_id for d in found] == [str(PERSON)] * 2
    assert not client.set_parameter("class_score_thresholds", ["car 0.99"]).successful


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


def test_parameters_are_described_and_rejections_say_why(start: Starter) -> None:
    client = start()
    for name, value, reason in [
        ("score_threshold", 1.5, "out of range"),
        ("initial_level", 5, "initial_level must be one of (4, 8, 16, 32, 64), got 5"),
        ("model_file_path", "other.onnx", "read-only"),
        ("cameras", ["left"], "read-only"),
        ("min_instance_area", "many", "parameter type"),
    ]:
        result = client.set_parameter(name, value)
        assert not result.successful
        assert reason in result.reason
    assert client.set_parameter("initial_level", 64).successful
    assert client.set_parameter("tracking", True).successful
    request = DescribeParameters.Request(names=["score_threshold", "initial_level"])
    threshold, level = client.call(DescribeParameters, "describe_parameters", request).descriptors
    assert threshold.description
    assert threshold.floating_point_range[0].to_value == 1.0
    assert level.additional_constraints == "one of: 4, 8, 16, 32, 64"


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
