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

"""What the depth node makes of a frame, each part only while somebody listens."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNodeMixin
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header
from vision_msgs.msg import Detection3DArray
from visualization_msgs.msg import MarkerArray

from ssap_ros import messages
from ssap_ros.config import DepthConfig
from ssap_ros.errors import InputError
from ssap_ros.messages.space import Labelled, detections_3d, markers, point_cloud
from ssap_ros.node import qos
from ssap_ros.node.lazy_publishers import LazyPublishers
from ssap_ros.stages.depth import (
    CAMERA_UP,
    CameraRays,
    Object3D,
    depth_in_metres,
    locate,
    surface_points,
    without_classes,
)
from ssap_ros.types import FloatArray

_KINDS = {
    "detections_3d": Detection3DArray,
    "markers": MarkerArray,
    "points": PointCloud2,
    "depth/static": Image,
}
DEPTH_STAGES = ("wait", *(topic.replace("/", "_") for topic in _KINDS), "total")
"""The timed parts of a frame's way through the node; objects count to the first that needs them."""


@dataclass(frozen=True)
class FrameArrays:
    """A frame in arrays. The headers are those of the masks and of the depth image.

    Attributes:
        labels: uint16 (H, W).
        depth: uint16 or float32 (H, W).
        target: Header, rotation and shift of the frame to publish in; None means the camera's own.
    """

    header: Header
    depth_header: Header
    labels: NDArray[np.uint16]
    depth: NDArray[Any]
    labelled: Labelled
    rays: CameraRays
    target: tuple[Header, NDArray[np.float64], NDArray[np.float64]] | None
    erosion: int

    @property
    def out_header(self) -> Header:
        """The header of what is published in space."""
        return self.target[0] if self.target else self.header

    @cached_property
    def metres(self) -> FloatArray:
        """The depth in metres, float32 (H, W), 0 where there is none."""
        return depth_in_metres(self.depth)

    @cached_property
    def objects(self) -> list[Object3D]:
        """The objects in the frame to publish in."""
        up = self.target[1][2] if self.target else CAMERA_UP  # its z axis
        boxes = self.labelled.boxes
        found = locate(
            self.labels, boxes, self.metres, self.rays, erosion=self.erosion, up=tuple(up)
        )
        return [item.moved(*self.target[1:]) for item in found] if self.target else found


class DepthOutputs(LazyPublishers):
    """The publishers of the node, from configure to cleanup."""

    def __init__(self, node: LifecycleNodeMixin, config: DepthConfig) -> None:
        super().__init__(node)
        profile = qos.output_qos(config)
        for topic, kind in _KINDS.items():
            self.create(kind, topic, profile)
        self.create_times(DEPTH_STAGES)

    def publish(
        self, frame: FrameArrays, names: Mapping[int, str], settings: DepthConfig
    ) -> dict[str, float]:
        """Publish what is listened to.

        Args:
            frame: The frame in arrays.
            names: Of the classes by id; empty while they are not known.
            settings: The live ones.

        Returns:
            The milliseconds of each part.

        Raises:
            InputError: `depth/static` is wanted and the names are not known.
        """
        parts: dict[str, Callable[[], Any]] = {
            "detections_3d": lambda: detections_3d(frame.out_header, frame.objects, frame.labelled),
            "markers": lambda: self._markers(frame, names),
            "points": lambda: self._points(frame),
            "depth/static": lambda: self._static(frame, names, settings),
        }
        stage_ms = {}
        for topic, part in parts.items():
            if self.wanted(topic):
                start_s = time.perf_counter()
                self.send(topic, part())
                stage_ms[topic.replace("/", "_")] = 1e3 * (time.perf_counter() - start_s)
        return stage_ms

    def _markers(self, frame: FrameArrays, names: Mapping[int, str]) -> MarkerArray:
        texts = [
            f"{names.get(class_id, str(class_id))}{f' {number}' if number else ''}"
            for class_id, number in zip(frame.labelled.class_ids, frame.labelled.ids, strict=True)
        ]
        return markers(frame.out_header, frame.objects, frame.labelled, texts)

    def _points(self, frame: FrameArrays) -> PointCloud2:
        points, pixels = surface_points(frame.labels, frame.metres, frame.rays)
        if frame.target:
            _, rotation, shift = frame.target
            points = rotation.astype(np.float32) @ points + shift.astype(np.float32)[:, None]
        return point_cloud(frame.out_header, points, frame.labels.take(pixels), frame.labelled)

    def _static(self, frame: FrameArrays, names: Mapping[int, str], settings: DepthConfig) -> Image:
        if not names:
            raise InputError("~/depth/static needs the names of the classes, no label_info came")
        hidden = {k for k, name in names.items() if name in settings.static_classes}
        static = without_classes(
            frame.depth, frame.labels, frame.labelled.class_ids, hidden, settings.static_dilation
        )
        return messages.depth_image(frame.depth_header, static)
