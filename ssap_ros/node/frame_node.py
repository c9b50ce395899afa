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

"""What both nodes are: lifecycle nodes that start themselves and let no frame or error get lost."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from std_srvs.srv import SetBool

from ssap_ros.config import StreamConfig
from ssap_ros.node.lifecycle import LifecycleStates
from ssap_ros.node.status import describe
from ssap_ros.node.worker import FrameWorker

EXIT_TIMEOUT_S = 2.0

Transition = Callable[[Any, LifecycleState], TransitionCallbackReturn]


def remembered(transition: Transition) -> Transition:
    """Lets `on_error` know what a transition raised, which rclpy does not pass on."""

    @functools.wraps(transition)
    def run(node: FrameNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception as error:
            node.transition_error = error
            raise

    return run


class FrameNode(LifecycleStates, Node):  # type: ignore[misc]
    """A lifecycle node whose frames are processed by a worker thread.

    `~/enable` switches the subscriptions off and on; `/diagnostics` come once a second, in every
    state. A node of this kind calls `serve` at the end of its construction, `start` when it becomes
    active, and says in the abstract methods what it subscribes and gives back.
    """

    def __init__(self, name: str, **node_arguments: Any) -> None:
        Node.__init__(self, name, **node_arguments)
        # get_state and the others respond while a transition is under way
        LifecycleStates.__init__(self, callback_group=ReentrantCallbackGroup())  # type: ignore[call-arg]
        self.transition_error: Exception = RuntimeError("unknown")
        self._active, self._enabled, self._ending = False, True, False
        self._worker: FrameWorker[Any, Any, Any]

    def serve(self, worker: FrameWorker[Any, Any, Any], config: StreamConfig) -> None:
        """Begin to report, to serve `~/enable` and, if wanted, to configure and activate."""
        self._worker, self._waits = worker, config.drop_policy == "every"
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # simulated time may stand still
        self._diagnostics_pub = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(1.0, self._publish_diagnostics, clock=steady)
        self.create_service(SetBool, "~/enable", self._on_enable)
        if config.autostart:
            alone = MutuallyExclusiveCallbackGroup()  # it is due again until it is destroyed
            self._autostart_timer = self.create_timer(0.0, self._autostart, alone, clock=steady)

    @abstractmethod
    def diagnostics(self) -> DiagnosticArray:
        """The state of everything."""

    @abstractmethod
    def subscribe(self) -> None:
        """Receive frames."""

    @abstractmethod
    def unsubscribe(self, *, enabled: bool = True) -> None:
        """Receive nothing, because the node is inactive or (not enabled) switched off."""

    @abstractmethod
    def release(self) -> None:
        """Give back what configure took."""

    @abstractmethod
    def transition_failed(self, what: str, error: Exception) -> None:
        """A transition raised an error; keep it for the diagnostics."""

    @remembered
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe; the frame in work is finished first, those that wait are dropped."""
        self._stop()
        return super().on_deactivate(state)

    @remembered
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back, whatever the state was."""
        self._release()
        return super().on_cleanup(state)

    on_shutdown = on_cleanup

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured after a transition that raised."""
        self._release()
        what = f"transition from {state.label} failed"
        self.transition_failed(what, self.transition_error)
        self.log_error(describe(what, self.transition_error))
        return super().on_error(state)

    def end(self) -> None:
        """Finish the frames in work and let long work go: no callback waits for it then."""
        self._ending = True
        if hasattr(self, "_worker"):  # else its construction was cut short
            self._stop(EXIT_TIMEOUT_S)

    def destroy_node(self) -> None:
        """End the worker, then the node."""
        self.end()
        super().destroy_node()

    @property
    def busy(self) -> bool:
        """Whether a thread is in a call that cannot be interrupted."""
        return not self._worker.stop(0)

    def start(self, max_batch: int = 1, *, segmenting: int = 0) -> None:
        """Let the worker run and, unless the node is switched off, receive frames."""
        self._active = True
        self._worker.start(max_batch, segmenting=segmenting)
        self._subscribe_if_enabled()

    def report(self, what: str, error: Exception) -> None:
        """Log an error, unless it is the end that interrupted something."""
        if not self._ending:
            self.log_error(describe(what, error))

    def log_error(self, text: str) -> None:
        """Log an error, at most every five seconds."""
        self.get_logger().error(text, throttle_duration_sec=5.0)

    def on_worker_error(self, error: Exception) -> None:
        """What the worker calls with an error that no frame accounts for."""
        self.report("worker failed", error)

    def on_capacity(self) -> None:
        """What the worker calls when its queue has room: subscriptions that waited may go on."""
        if self._waits and self.executor is not None:
            self.executor.wake()

    def _autostart(self) -> None:
        self.destroy_timer(self._autostart_timer)
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _subscribe_if_enabled(self) -> None:
        if self._enabled:
            self.subscribe()
        else:
            self.unsubscribe(enabled=False)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if self._enabled != request.data:
            self._enabled = request.data
            if self._active:
                self._subscribe_if_enabled()
        response.success = True
        response.message = "enabled" if self._enabled else "disabled"
        return response

    def _stop(self, timeout_s: float | None = None) -> None:
        self._active = False
        self.unsubscribe()
        self._worker.stop(timeout_s)

    def _release(self) -> None:
        self._stop()
        self.release()

    def _publish_diagnostics(self) -> None:
        self._diagnostics_pub.publish(self.diagnostics())
