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

"""The executor of the node: that of rclpy, unharmed by what is destroyed while it waits."""

from __future__ import annotations

import contextlib

from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.executors import Executor, MultiThreadedExecutor


class NodeExecutor(MultiThreadedExecutor):  # type: ignore[misc]
    """Two threads: one may be held up by a transition.

    A transition destroys publishers and subscriptions while the other thread waits for events of
    them. rclpy overlooks one that is gone already when it is collected for waiting, but then adds
    it to the wait set all the same, and that of Humble also takes messages from one that is gone:
    the error would end the node. Collected again, it is gone.
    """

    def __init__(self, context: Context | None = None) -> None:
        super().__init__(num_threads=2, context=context)
        self._stopped = False

    def spin(self) -> None:
        """Serve callbacks until `stop`."""
        while not self._stopped:
            self.spin_once()

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """See rclpy.executors.Executor."""
        with contextlib.suppress(InvalidHandle):
            super().spin_once(timeout_sec)

    def stop(self) -> None:
        """End `spin`, before it or during it, from any thread."""
        self._stopped = True
        self.create_task(lambda: None)  # spin_once returns once there was something to do

    def end(self, timeout_s: float) -> None:
        """Serve nothing any more; what is being served gets this long to finish.

        The `shutdown` of MultiThreadedExecutor on Jazzy and Humble cannot be asked not to wait.
        """
        self._work_tracker.wait(timeout_s)
        Executor.shutdown(self, timeout_sec=0)
        self._executor.shutdown(wait=False)
