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

"""The other end of the depth node, and the scene that it is shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from autoware_internal_debug_msgs.msg import Float64Stamped
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, Detection3DArray
from visualization_msgs.msg import MarkerArray

from ssap_ros import messages
from ssap_ros.node import qos
from support.depth_scenes import SIZE, Box, DepthScene, K, render
from support.node_client import NodeEnd, NodeProcess

PERSON = Box((-1.0, 0.6, 5.0), (0.5, 1.8, 0.4))
CAR = Box((1.5, 0.8, 8.0), (4.2, 1.4, 1.8), yaw=0.6, class_id=3)
SCENE = render([PERSON, CAR])
NAMES = {0: "background", 1: "person", 2: "bicycle", 3: "car"}
OUTPUTS = {
    "detections_3d": Detection3DArray,
    "markers": MarkerArray,
    "points": PointCloud2,
    "depth/static": Image,
    "debug/detections_3d_ms": Float64Stamped,
}


class DepthClient(NodeEnd):
    """The other end of the depth node: plays the segmentation node and the depth camera."""

    def __init__(self, domain: int, process: NodeProcess) -> None:
        super().__init__(domain, process, "ssap_depth")
        self.domain = domain
        create = self.node.create_publisher
        self.masks = create(Image, "ssap/instances", 100)
        self.detections = create(Detection2DArray, "ssap/detections", 100)
        self.label_info = create(
            messages.label_info(Header(), NAMES, 0.4).__class__, "ssap/label_info", qos.latched()
        )
        self.depth = create(Image, "depth", 100)
        self.camera_info = create(CameraInfo, "camera_info", 100)
        self.open()

    def connect(self) -> None:
        parts = (self.masks, self.detections, self.label_info, self.depth, self.camera_info)
        self.wait(lambda: all(p.get_subscription_count() for p in parts), "subscriptions")

    def name_classes(self) -> None:
        self.label_info.publish(messages.label_info(Header(), NAMES, 0.4))

    def hear(self, *topics: str) -> dict[str, list[Any]]:
        """Listen to outputs, connected when this returns."""
        got = {topic: self.listen(OUTPUTS[topic], f"/ssap_depth/{topic}", 100) for topic in topics}
        for topic in topics:
            self.wait(lambda t=topic: self.node.count_publishers(f"/ssap_depth/{t}"), topic)
        time.sleep(0.5)  # for the other side to notice
        return got

    def send(
        self,
        scene: DepthScene = SCENE,
        depth: np.ndarray | Image | None = None,
        info: CameraInfo | None = None,
        depth_header: Header | None = None,
        ids: tuple[int, ...] = (),
        calibrated: bool = True,
    ) -> Header:
        """Send a frame, depth and, if so, camera_info first as on a robot; its header."""
        header = self.header()
        other = depth_header or header
        if not isinstance(depth, Image):
            depth = messages.depth_image(other, scene.depth if depth is None else depth)
        depth.header = other
        if calibrated:
            info = info or calibration()
            info.header = other
            self.camera_info.publish(info)
        self.depth.publish(depth)
        self.masks.publish(messages.label_image(header, scene.labels))
        self.detections.publish(messages.detections(header, scene.instances, ids))
        return header

    def until(self, sent: Callable[[], Header], got: list[Any]) -> tuple[Header, Any]:
        """Send frames until one has this output; its header and the message."""
        headers: list[Header] = []
        sent_s = 0.0

        def came() -> Any:
            nonlocal sent_s
            if time.monotonic() - sent_s > 1:
                headers.append(sent())
                sent_s = time.monotonic()
            return next((m for m in got if m.header in headers), None)

        self.wait(came, "output")
        found = came()
        return found.header, found

    def send_until_rejected(
        self, sent: Callable[[], object], words: str, state: str = "rejected"
    ) -> None:
        """Send such frames until the diagnostics report them with these words."""

        def reported() -> bool:
            sent()
            status, values = self.status()
            return values["state"] == state and words in status.message

        deadline = time.monotonic() + 30
        while not reported():
            assert time.monotonic() < deadline, (words, self.status())


def calibration(k: tuple[float, ...] = K, **fields: Any) -> CameraInfo:
    return CameraInfo(**{"height": SIZE[0], "width": SIZE[1], "k": list(k), **fields})


StartDepth = Callable[..., DepthClient]
"""Starts the node with these parameters."""
