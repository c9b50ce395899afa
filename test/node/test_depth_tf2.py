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

"""The depth node with a target frame and the real tf2, over real DDS."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("tf2_ros", reason="tf2_ros is not installed: it has no wheels")

import tf2_ros
from geometry_msgs.msg import TransformStamped
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

from support.depth_client import CAR, PERSON, DepthClient, StartDepth
from support.node_client import COUNTS, balanced

pytestmark = pytest.mark.timeout(300)

# A camera that looks 20 degrees down, 1 m above and 0.5 m before the base of a robot.
TILT = np.radians(20)
FORWARD = np.array([np.cos(TILT), 0, -np.sin(TILT)])
DOWN = np.array([-np.sin(TILT), 0, -np.cos(TILT)])
MOUNT = np.stack([[0.0, -1, 0], DOWN, FORWARD], axis=1)
MOUNT_AT = np.array([0.5, 0.0, 1.0])


def transform(
    parent: str, child: str, shift: np.ndarray, rotation: np.ndarray, seconds: int = 0
) -> TransformStamped:
    msg = TransformStamped(header=Header(frame_id=parent), child_frame_id=child)
    msg.header.stamp.sec = seconds
    move, turn = msg.transform.translation, msg.transform.rotation
    move.x, move.y, move.z = map(float, shift)
    turn.x, turn.y, turn.z, turn.w = map(float, Rotation.from_matrix(rotation).as_quat())
    return msg


def base_at(seconds: int) -> TransformStamped:
    """The robot drives 1 m/s along x of the map, turned by a quarter."""
    turned = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    return transform("map", "base", np.array([float(seconds), 2.0, 0.0]), turned, seconds)


class Robot:
    """The transforms of a robot that drives, and the frames that its camera sends."""

    def __init__(self, client: DepthClient) -> None:
        self.client = client
        self.fixed = tf2_ros.StaticTransformBroadcaster(client.node)
        self.moving = tf2_ros.TransformBroadcaster(client.node)
        self.fixed.sendTransform(transform("base", "camera/left optical", MOUNT_AT, MOUNT))
        for topic in ("/tf", "/tf_static"):
            client.wait(lambda t=topic: client.node.count_subscribers(t), topic)

    def send(self) -> Header:
        """A frame at the time of which the robot has moved on, and where it was before and after.

        The later transform comes after the frame, as that of a localization.
        """
        header = self.client.send()
        for seconds in (header.stamp.sec, header.stamp.sec + 1):
            self.moving.sendTransform(base_at(seconds))
        return header


def test_objects_are_in_the_map_at_the_time_of_their_frame(
    start_depth: StartDepth,
) -> None:
    client = start_depth(target_frame="map", drop_policy="every", input_qos="reliable")
    client.connect()
    got: dict[str, list[Any]] = client.hear("detections_3d", "points", "markers")
    robot = Robot(client)
    headers = [robot.send() for _ in range(5)]
    client.wait(lambda: len(got["detections_3d"]) == 5, "all results")
    turned = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    for header, found in zip(headers, got["detections_3d"], strict=True):
        assert (found.header.frame_id, found.header.stamp) == ("map", header.stamp)
        x = header.stamp.sec + 1e-9 * header.stamp.nanosec
        for detection, truth in zip(found.detections, (PERSON, CAR), strict=True):
            in_base = MOUNT @ np.array(truth.centre) + MOUNT_AT
            expected = turned @ in_base + (x, 2.0, 0.0)
            centre, turn = detection.bbox.center.position, detection.bbox.center.orientation
            off = np.subtract((centre.x, centre.y, centre.z), expected)
            assert np.linalg.norm(off) < 0.8
            axes = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).as_matrix()
            np.testing.assert_allclose(axes[:, 2], (0, 0, 1), atol=1e-6)
    client.wait(lambda: len(got["points"]) == 5 and len(got["markers"]) == 5, "points and markers")
    assert {m.header.frame_id for m in got["points"]} == {"map"}
    assert {part.header.frame_id for m in got["markers"] for part in m.markers} == {"map"}
    client.wait_for_status(received=5, processed=5, failed=0, dropped=0)


def test_without_a_transform_a_frame_fails_and_the_next_is_processed(
    start_depth: StartDepth,
) -> None:
    client = start_depth(target_frame="map")
    client.connect()
    got = client.hear("detections_3d")
    words = "no transform from 'camera/left optical' to 'map': "
    client.send_until_rejected(client.send, words)
    robot = Robot(client)
    header = robot.send()
    client.wait(lambda: got["detections_3d"], "result")
    assert got["detections_3d"][-1].header.stamp == header.stamp
    counts = {name: int(client.status()[1][name]) for name in COUNTS}
    assert counts["failed"] >= 1
    assert balanced(counts)
    assert client.process.stop() == 0
    assert "Traceback" not in client.process.log.read_text()
