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

"""One camera of the node: its subscriptions, its results and what is known of its state."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from rclpy.lifecycle import LifecycleNodeMixin
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ssap_ros import messages
from ssap_ros.config import NodeConfig
from ssap_ros.node import qos
from ssap_ros.node.camera_info import CameraInfos
from ssap_ros.node.publishers import Outputs
from ssap_ros.node.stage_times import StageTimes
from ssap_ros.node.status import CameraStatus
from ssap_ros.node.subscriptions import Subscriptions, WhileCapacity
from ssap_ros.types import ImageArray, ModelInfo


class ReceivedImage(NamedTuple):
    """An image message and when it arrived, by time.perf_counter()."""

    msg: Image | CompressedImage
    arrived_s: float


class Camera:
    """A camera called `name`; the topics of the one called "" have no prefix.

    Args:
        put: Takes the frames.
        has_capacity: Whether it can; while not, images stay with the middleware.
    """

    def __init__(
        self,
        node: LifecycleNodeMixin,
        name: str,
        put: Callable[[str, ReceivedImage], None],
        has_capacity: Callable[[str], bool],
    ) -> None:
        self.name = name
        self.status = CameraStatus()
        self.times = StageTimes()
        self.outputs: Outputs | None = None
        self.camera_infos = CameraInfos()
        self._node = node
        self._prefix = f"{name}/" if name else ""
        self._put = put
        self._has_capacity = lambda: has_capacity(name)
        self._kind: type = Image
        self._significant_bits = 0
        self._subscriptions = Subscriptions(node, self.status)

    def open(self, config: NodeConfig, info: ModelInfo) -> None:
        """Create the topics of the results."""
        self.outputs = Outputs(self._node, self._prefix, config, info)

    def close(self) -> None:
        """Take all topics back."""
        self.unsubscribe()
        if self.outputs is not None:
            self.outputs.close()
            self.outputs = None

    def subscribe(self, config: NodeConfig) -> None:
        """Receive images and camera_info."""
        topic, kind = self._node.resolve_topic_name(self._prefix + "image"), Image
        if config.image_transport == "compressed":
            topic, kind = f"{topic}/compressed", CompressedImage
        self._kind, self._significant_bits = kind, config.significant_bits
        self.camera_infos.clear()
        self.status.subscribing()
        add, waits = self._subscriptions.add, WhileCapacity(self._has_capacity)
        images = add(kind, topic, self.receive, qos.input_qos(config), waits)
        put, profile = self.camera_infos.put, qos.camera_info_qos(config)
        add(CameraInfo, f"{self._prefix}camera_info", put, profile)
        self.status.active({"image": images})

    def unsubscribe(self, *, enabled: bool = True) -> None:
        """Receive nothing any more, because the node is inactive or (not enabled) switched off."""
        self._subscriptions.clear()
        self.status.inactive(enabled=enabled)

    def to_rgb(self, msg: Image | CompressedImage) -> ImageArray:
        """Read the picture in a message.

        Returns:
            RGB, uint8 (H, W, 3).

        Raises:
            MessageError: It cannot be read.
        """
        if isinstance(msg, CompressedImage):
            return messages.compressed_to_rgb(msg, self._significant_bits)
        return messages.image_to_rgb(msg, self._significant_bits)

    def other_publishers(self) -> str:
        """What is published on the images' topic and is no such image; empty if nothing is."""
        topic = self.status.topics.get("image")
        return self._subscriptions.other_publishers(topic, self._kind) if topic else ""

    def receive(self, msg: Image | CompressedImage) -> None:
        """The callback of the images: hand one over to the worker."""
        self.status.came("image")
        self._put(self.name, ReceivedImage(msg, time.perf_counter()))
