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

"""Looks at the images that a node would get: publishers, quality of service, rate, encoding."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSCompatibility, qos_check_compatible
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ssap_ros.config import NodeConfig
from ssap_ros.errors import MessageError
from ssap_ros.messages import bits_in_use, compressed_to_rgb, image_to_rgb
from ssap_ros.node.check_result import CheckResult
from ssap_ros.node.client import Connection
from ssap_ros.node.qos import camera_info_qos, input_qos
from ssap_ros.node.transport import too_large

_DISCOVERY_S, _SETTLED_S = 5.0, 1.0
_TYPES = {"sensor_msgs/msg/Image": Image, "sensor_msgs/msg/CompressedImage": CompressedImage}
_RATE_TOLERANCE = 0.9
_KEPT = 10  # images that are looked at; a single one may be dark


def check_topic(topic: str, expected_hz: float = 0.0, seconds: float = 3.0) -> list[CheckResult]:
    """Listen to `topic` for some seconds as the node with its defaults would.

    Args:
        topic: Of the images.
        expected_hz: Images per second that the camera should give; 0 = not known.
        seconds: How long to listen.

    Returns:
        What was received, and hints for what was not.
    """
    with Connection("ssap_doctor") as connection:
        node = connection.node
        return _check(node, node.resolve_topic_name(topic), expected_hz, seconds)


def _check(node: Node, topic: str, expected_hz: float, seconds: float) -> list[CheckResult]:
    publishers = _publishers(node, topic)
    if not publishers:
        images = [t for t, kinds in node.get_topic_names_and_types() if set(kinds) & set(_TYPES)]
        hint = f"images are on {', '.join(images)}" if images else "start the camera driver"
        return [CheckResult("publisher", False, f"nobody publishes {topic}", hint)]
    names = ", ".join(f"{p.node_namespace.rstrip('/')}/{p.node_name}" for p in publishers)
    kinds = list({publisher.topic_type: None for publisher in publishers})
    if len(kinds) > 1 or kinds[0] not in _TYPES:
        hint = "choose an image topic of sensor_msgs, which nothing else is published on"
        text = f"{topic} by {names} is {' and '.join(kinds)}"
        return [CheckResult("publisher", False, text, hint)]
    (kind,) = kinds
    results = [CheckResult("publisher", True, f"{topic} by {names}, {kind}")]
    results += [_qos(publisher) for publisher in publishers]
    return results + _listen(node, topic, _TYPES[kind], expected_hz, seconds)


def _publishers(node: Node, topic: str) -> list[Any]:
    """The publishers, once there are some, their names are known and no more come."""
    deadline = time.monotonic() + _DISCOVERY_S
    known, since = 0, time.monotonic()
    while time.monotonic() < deadline:
        found = node.get_publishers_info_by_topic(topic)
        if len(found) != known:
            known, since = len(found), time.monotonic()
        named = found and not any("UNKNOWN" in publisher.node_name for publisher in found)
        if named and time.monotonic() - since > _SETTLED_S:
            break
        time.sleep(0.1)
    return list(node.get_publishers_info_by_topic(topic))


def _qos(publisher: Any) -> CheckResult:
    """Whether the node's subscription fits, with either value of input_qos."""
    offered = publisher.qos_profile
    reasons = {}
    for wanted in ("best_effort", "reliable"):
        fit, reason = qos_check_compatible(offered, input_qos(NodeConfig(input_qos=wanted)))
        if fit == QoSCompatibility.ERROR:
            reasons[wanted] = reason.strip()
    text = f"{publisher.node_name} offers {offered.reliability.name.lower()}"
    if "best_effort" in reasons:
        return CheckResult(
            "QoS", False, text, f"let the driver offer more: {reasons['best_effort']}"
        )
    if "reliable" in reasons:
        text = f"{text}, which fits input_qos best_effort (the default) but not reliable"
        return CheckResult("QoS", True, text)
    return CheckResult("QoS", True, f"{text}, which fits input_qos best_effort and reliable")


def _listen(
    node: Node, topic: str, kind: type, expected_hz: float, seconds: float
) -> list[CheckResult]:
    arrivals: list[float] = []
    images: deque[Any] = deque(maxlen=_KEPT)
    infos: list[CameraInfo] = []

    def on_image(msg: Any) -> None:
        arrivals.append(time.monotonic())
        images.append(msg)

    node.create_subscription(kind, topic, on_image, input_qos(NodeConfig()))
    info_topic = topic.removesuffix("/compressed").rpartition("/")[0] + "/camera_info"
    node.create_subscription(CameraInfo, info_topic, infos.append, camera_info_qos(NodeConfig()))
    time.sleep(seconds)
    if len(arrivals) < 2:
        hint = "is the camera running? See also DDS profile, shared memory and socket buffers above"
        text = f"{len(arrivals)} images in {seconds:.0f} s"
        if infos:
            text += too_large(infos[-1].width, infos[-1].height)
        return [CheckResult("rate", False, text, hint)]
    rate = (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])
    text, image = f"{rate:.1f} images/s", _image(list(images))
    if expected_hz and rate < _RATE_TOLERANCE * expected_hz:
        hint = "images are lost or late: see DDS profile, shared memory and socket buffers above"
        return [CheckResult("rate", False, f"{text}, expected {expected_hz:g}", hint), image]
    return [CheckResult("rate", True, text), image]


def _image(images: Sequence[Any]) -> CheckResult:
    latest = images[-1]
    compressed = isinstance(latest, CompressedImage)
    try:
        picture = compressed_to_rgb(latest) if compressed else image_to_rgb(latest)
        bits = bits_in_use(*images)
    except MessageError as error:
        return CheckResult("image", False, str(error), "let the driver publish another encoding")
    hints = ["set image_transport to compressed"] if compressed else []
    if bits:
        hints.append(f"its values seem to have {bits} bits: set significant_bits to {bits}")
    name = latest.format if compressed else latest.encoding
    text = f"{picture.shape[1]}x{picture.shape[0]} {name}"
    return CheckResult("image", True, text, "; ".join(hints))
