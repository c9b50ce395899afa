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

"""The subscriptions of one camera, which come and go together."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNodeMixin
from rclpy.qos import QoSProfile

from ssap_ros.node import qos
from ssap_ros.node.status import CameraStatus

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # its name in Humble
    from rclpy.qos_event import SubscriptionEventCallbacks


class Subscriptions:
    """Subscriptions of `node`; `status` reports a publisher whose QoS does not fit."""

    def __init__(self, node: LifecycleNodeMixin, status: CameraStatus) -> None:
        self._node, self._status = node, status
        self._subscriptions: list[Any] = []

    def add(
        self,
        kind: Any,
        topic: str,
        callback: Callable[[Any], None],
        profile: QoSProfile,
        group: CallbackGroup | None = None,
    ) -> str:
        """Subscribe and return the topic's full name; without a group in one of its own."""

        def report(problem: str) -> None:
            self._status.qos_problem = problem
            self._node.get_logger().warning(problem)

        full_name = self._node.resolve_topic_name(topic)
        events = SubscriptionEventCallbacks(incompatible_qos=qos.incompatible(full_name, report))
        subscription = self._node.create_subscription(
            kind,
            topic,
            callback,
            copy(profile),  # rclpy writes the overrides of the topic into it
            callback_group=group or MutuallyExclusiveCallbackGroup(),
            event_callbacks=events,
            qos_overriding_options=qos.overridable(),
        )
        self._subscriptions.append(subscription)
        return str(subscription.topic_name)

    def clear(self) -> None:
        """Receive nothing any more."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def other_publishers(self, topic: str, kind: type) -> str:
        """What is published on a topic and is no such message; empty if nothing is."""
        wanted = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"
        found = self._node.get_publishers_info_by_topic(topic)
        others = sorted(
            {f"{p.topic_type} by {p.node_name}" for p in found if p.topic_type != wanted}
        )
        return f"{topic} must be {wanted}, got {', '.join(others)}" if others else ""


class WhileCapacity(MutuallyExclusiveCallbackGroup):  # type: ignore[misc]
    """Leaves messages to the middleware while the queue is full."""

    def __init__(self, has_capacity: Callable[[], bool]) -> None:
        super().__init__()
        self._has_capacity = has_capacity

    def can_execute(self, entity: Any) -> bool:
        return self._has_capacity() and super().can_execute(entity)
