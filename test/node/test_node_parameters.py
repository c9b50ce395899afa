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

"""Parameters of a running node, over real DDS: what they change, and why one is refused."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

from rcl_interfaces.srv import DescribeParameters
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image
from vision_msgs.msg import LabelInfo

from ssap_ros.config import SsapConfig
from support.node_client import (
    BOXES,
    CAR,
    CLASSES,
    CONFIDENCES,
    PERSON,
    PICTURE,
    Starter,
    check_joined,
)
from support.toy_model import probability

pytestmark = pytest.mark.timeout(300)


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
