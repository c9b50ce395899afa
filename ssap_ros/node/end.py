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

"""SIGINT and SIGTERM end the node from a thread of its own."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable


class EndSignals:
    """Keeps SIGINT and SIGTERM from the moment it is made; the first one ends the node.

    Python raises KeyboardInterrupt between any two steps of the main thread, also while that holds
    a lock or starts a thread, and the handler of rclpy wakes executors while the main thread, so
    interrupted, destroys them. Either can leave a process that never ends. Here the signal only
    writes into a pipe.
    """

    def __init__(self) -> None:
        self._received, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)

    def call(self, end: Callable[[], None]) -> None:
        """Have `end` called once a signal comes, or at once if one has come before."""

        def wait() -> None:
            os.read(self._received, 1)
            end()

        threading.Thread(target=wait, name="ssap_end", daemon=True).start()

    def ignore(self) -> None:
        """From here on a signal does nothing, even while the interpreter ends."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
