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

"""Quality of service of the topics, by the node's parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.qos_overriding_options import QoSOverridingOptions

from ssap_ros.config import StreamConfig

_OUTPUT_DEPTH = 5
_JOINED_DEPTH = 10
_INPUT_DEPTH = {"latest": 1, "every": 100}

_HINTS = {
    "RELIABILITY": "the publisher is best effort: set input_qos to best_effort",
    "DURABILITY": "the publisher is volatile: remove the durability override of the subscription",
}


def overridable() -> QoSOverridingOptions:
    """History, depth and reliability by parameters `qos_overrides.<topic>....`, as usual in ROS."""
    return QoSOverridingOptions.with_default_policies()


def input_qos(config: StreamConfig) -> QoSProfile:
    """Of images; under the policy `latest` only the newest is kept."""
    return QoSProfile(
        depth=_INPUT_DEPTH[config.drop_policy],
        reliability=ReliabilityPolicy[config.input_qos.upper()],
    )


def camera_info_qos(config: StreamConfig) -> QoSProfile:
    """Of camera_info: none is missed that belongs to an image."""
    return QoSProfile(
        depth=_INPUT_DEPTH["every"], reliability=ReliabilityPolicy[config.input_qos.upper()]
    )


def joined_qos(config: StreamConfig) -> QoSProfile:
    """Of messages that are joined by their stamps: none is missed because another came first."""
    depth = max(_INPUT_DEPTH[config.drop_policy], _JOINED_DEPTH)
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy[config.input_qos.upper()])


def output_qos(config: StreamConfig) -> QoSProfile:
    """Of all results of a frame."""
    return QoSProfile(depth=_OUTPUT_DEPTH, reliability=ReliabilityPolicy[config.output_qos.upper()])


def latched() -> QoSProfile:
    """Of what late joiners need: the last message is kept for them."""
    return QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def incompatible(topic: str, report: Callable[[str], None]) -> Callable[[Any], None]:
    """The middleware's callback for a publisher that offers too little; reports it and a hint."""

    def on_event(event: Any) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind).removesuffix("_QOS_POLICY")
        hint = _HINTS.get(policy, "compare both sides with: ros2 topic info --verbose")
        report(f"nothing can be received on {topic}, {policy.lower()} does not match; {hint}")

    return on_event
