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

"""Depth cameras and objects in space, as messages of a bag: made, and read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ssap_ros.replay.bags.messages import CAMERA_INFO, DETECTIONS_3D, new

DEPTH_ENCODINGS = ("16UC1", "mono16", "32FC1")


class Detection3D(NamedTuple):
    """One entry of a Detection3DArray.

    Attributes:
        centre: In metres.
        size: Length, width, height in metres.
        yaw: Of the length, from the x axis of an optical frame towards its z axis, in radians.
        track: Its `id`.
    """

    class_id: str
    score: float
    centre: tuple[float, float, float]
    size: tuple[float, float, float] = (0.0, 0.0, 0.0)
    yaw: float = 0.0
    track: str = ""


def camera_info(head: Any, k: Sequence[float], size: tuple[int, int]) -> Any:
    """Fill a sensor_msgs/CameraInfo of a camera without distortion.

    Args:
        head: Its header.
        k: The matrix K, row by row.
        size: (H, W).

    Returns:
        The message.
    """
    matrix = np.array(k, np.float64)
    region = new(
        "sensor_msgs/msg/RegionOfInterest",
        x_offset=0,
        y_offset=0,
        height=0,
        width=0,
        do_rectify=False,
    )
    return new(
        CAMERA_INFO,
        header=head,
        height=size[0],
        width=size[1],
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=matrix,
        r=np.eye(3).ravel(),
        p=np.hstack([matrix.reshape(3, 3), np.zeros((3, 1))]).ravel(),
        binning_x=0,
        binning_y=0,
        roi=region,
    )


def detections_3d(head: Any, entries: Sequence[Detection3D]) -> Any:
    """vision_msgs/Detection3DArray."""
    found = [_detection(head, entry) for entry in entries]
    return new(DETECTIONS_3D, header=head, detections=found)


def read_detections_3d(msg: Any) -> list[Detection3D]:
    """Read a Detection3DArray.

    Returns:
        Its entries, without their orientation.

    Raises:
        ValueError: An entry has no hypothesis.
    """
    entries = []
    for detection in msg.detections:
        if len(detection.results) == 0:
            raise ValueError("a detection must have a hypothesis, got none")
        best, box = detection.results[0].hypothesis, detection.bbox
        centre, size = box.center.position, box.size
        entries.append(
            Detection3D(
                best.class_id,
                best.score,
                (centre.x, centre.y, centre.z),
                (size.x, size.y, size.z),
                track=detection.id,
            )
        )
    return entries


def _detection(head: Any, entry: Detection3D) -> Any:
    x, y, z = entry.centre
    centre = new("geometry_msgs/msg/Point", x=x, y=y, z=z)
    pose = new("geometry_msgs/msg/Pose", position=centre, orientation=_upright(entry.yaw))
    length, width, height = entry.size
    size = new("geometry_msgs/msg/Vector3", x=length, y=width, z=height)
    best = new("vision_msgs/msg/ObjectHypothesis", class_id=entry.class_id, score=entry.score)
    placed = new("geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=np.zeros(36))
    result = new("vision_msgs/msg/ObjectHypothesisWithPose", hypothesis=best, pose=placed)
    box = new("vision_msgs/msg/BoundingBox3D", center=pose, size=size)
    return new(
        "vision_msgs/msg/Detection3D", header=head, results=[result], bbox=box, id=entry.track
    )


def _upright(yaw: float) -> Any:
    """The turn of a box whose z axis points up, which is -y of an optical frame."""
    # a quarter turn about x, after the turn about the box's own z
    half, quarter = yaw / 2, math.sqrt(0.5)
    cos, sin = math.cos(half) * quarter, math.sin(half) * quarter
    return new("geometry_msgs/msg/Quaternion", x=cos, y=-sin, z=sin, w=cos)
