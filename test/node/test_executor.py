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

"""The executor outlives what is destroyed while it waits, and does not wake for nothing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.timer import Timer
from std_msgs.msg import Header

from ssap_ros.config import StreamConfig
from ssap_ros.node.executor import NodeExecutor
from ssap_ros.node.frame_node import FrameNode
from ssap_ros.node.queue import FrameQueue, Outcome
from ssap_ros.node.subscriptions import SubscriptionGroup
from ssap_ros.node.worker import FrameWorker

DOMAIN = 1 + os.getpid() % 100


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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


class CountingGroup(SubscriptionGroup):
    """Counts how often it is asked, which the executor does whenever it wakes."""

    n_asked = 0

    def can_execute(self, entity: Any) -> bool:
        self.n_asked += 1
        return super().can_execute(entity)


def test_a_message_that_no_thread_is_free_to_take_does_not_wake_the_executor() -> None:
    context = Context()
    rclpy.init(context=context, domain_id=DOMAIN)
    node = Node("rests", context=context, enable_rosout=False)
    group, received, release = CountingGroup(), threading.Event(), threading.Event()
    subscription = node.create_subscription(
        Header,
        "topic",
        lambda _: received.set(),
        1,
        callback_group=group,
        event_callbacks=SubscriptionEventCallbacks(incompatible_qos=lambda _: None),
    )
    publisher = node.create_publisher(Header, "topic", 1)
    executor = NodeExecutor(context)
    executor.add_node(node)
    spinning = threading.Thread(target=executor.spin)
    spinning.start()
    try:
        wait_for(lambda: publisher.get_subscription_count() == 1)
        for _ in range(2):  # both threads of the executor
            executor.create_task(release.wait)

        def handed_over() -> bool:  # what is sent before the subscription knows of it is lost
            publisher.publish(Header())
            return bool(subscription._executor_event)

        wait_for(handed_over)
        before = group.n_asked
        time.sleep(0.3)
        assert group.n_asked - before < 30
        release.set()
        assert received.wait(5)
    finally:
        release.set()
        executor.stop()
        spinning.join(5)
        executor.end(2)
        rclpy.shutdown(context=context)


class SlowToStart(FrameNode):
    """Takes its time between the timer of the autostart and the transition."""

    n_configured = 0

    def diagnostics(self) -> DiagnosticArray:
        return DiagnosticArray()

    def subscribe(self) -> None:
        pass

    def unsubscribe(self, *, enabled: bool = True) -> None:
        pass

    def release(self) -> None:
        pass

    def transition_failed(self, what: str, error: Exception) -> None:
        raise AssertionError(what) from error

    def destroy_timer(self, timer: Timer) -> bool:
        time.sleep(0.1)
        return bool(super().destroy_timer(timer))

    def trigger_configure(self) -> TransitionCallbackReturn:
        self.n_configured += 1
        return super().trigger_configure()


def test_a_node_starts_itself_once() -> None:
    context = Context()
    rclpy.init(context=context, domain_id=DOMAIN)
    node = SlowToStart("starts", context=context, enable_rosout=False)
    worker: FrameWorker[int, int, int] = FrameWorker(
        FrameQueue([""], "latest"), list, lambda job: job, lambda _: Outcome.PROCESSED, print, print
    )
    node.serve(worker, StreamConfig())
    executor = NodeExecutor(context)
    executor.add_node(node)
    spinning = threading.Thread(target=executor.spin)
    spinning.start()
    try:
        wait_for(lambda: node._state_machine.current_state[1] == "active")
        time.sleep(0.3)
        assert node.n_configured == 1
    finally:
        executor.stop()
        spinning.join()
        executor.end(2)
        node.destroy_node()
        rclpy.shutdown(context=context)
