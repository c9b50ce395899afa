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

"""What is destroyed while the executor waits does not end it."""

from __future__ import annotations

import os
import threading

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

import rclpy
from rclpy.context import Context
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from std_msgs.msg import Header

from ssap_ros.node.executor import NodeExecutor

DOMAIN = 1 + os.getpid() % 100


def test_a_destroyed_event_does_not_end_the_executor() -> None:
    context = Context()
    rclpy.init(context=context, domain_id=DOMAIN)
    node = Node("ends", context=context, enable_rosout=False)
    events = SubscriptionEventCallbacks(incompatible_qos=lambda _: None)
    subscription = node.create_subscription(Header, "topic", print, 1, event_callbacks=events)
    executor = NodeExecutor(context)
    executor.add_node(node)
    subscription.event_handlers[0].destroy()  # the node still lists it, for a moment
    later = threading.Timer(0.2, node.destroy_subscription, [subscription])
    later.start()
    served = threading.Event()
    timer = node.create_timer(0.01, served.set)
    try:
        while not served.is_set():
            executor.spin_once(timeout_sec=5)
    finally:
        later.join()
        timer.cancel()
        executor.end(2)
        rclpy.shutdown(context=context)
