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

"""Publishers of which nothing is computed that nobody listens to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from builtin_interfaces.msg import Time
from rclpy.lifecycle import LifecycleNodeMixin, LifecyclePublisher
from rclpy.qos import QoSProfile

from ssap_ros.node import qos

try:
    from autoware_internal_debug_msgs.msg import Float64Stamped
except ImportError:  # a distribution may lack the package; then there are no debug topics
    Float64Stamped = None


class LazyPublishers:
    """Publishers below the node's own name, from configure to cleanup; `prefix` comes before."""

    def __init__(self, node: LifecycleNodeMixin, prefix: str = "") -> None:
        self._node, self._prefix = node, f"~/{prefix}"
        self._publishers: dict[str, LifecyclePublisher] = {}

    def create(self, kind: Any, topic: str, profile: QoSProfile, *, fixed: bool = False) -> None:
        """Add a topic; unless `fixed`, parameters may change its QoS."""
        options = {} if fixed else {"qos_overriding_options": qos.overridable()}
        create = self._node.create_lifecycle_publisher
        own = copy(profile)  # rclpy writes the overrides of the topic into it
        self._publishers[topic] = create(kind, self._prefix + topic, own, **options)

    def create_times(self, stages: Sequence[str]) -> None:
        """Add `debug/<stage>_ms` for every stage."""
        if Float64Stamped is not None:
            for stage in stages:
                self.create(Float64Stamped, f"debug/{stage}_ms", QoSProfile(depth=10), fixed=True)

    def close(self) -> None:
        """Take the topics back."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

    def wanted(self, topic: str) -> bool:
        """Whether the topic is there and somebody listens."""
        publisher = self._publishers.get(topic)
        return publisher is not None and bool(publisher.get_subscription_count())

    def send(self, topic: str, msg: Any) -> None:
        """Publish a message."""
        self._publishers[topic].publish(msg)

    def publish_times(self, stamp: Time, stage_ms: Mapping[str, float]) -> None:
        """Publish what the stages of a frame took, on `~/debug/<stage>_ms`."""
        for stage, milliseconds in stage_ms.items():
            if self.wanted(topic := f"debug/{stage}_ms"):
                self.send(topic, Float64Stamped(stamp=stamp, data=milliseconds))
