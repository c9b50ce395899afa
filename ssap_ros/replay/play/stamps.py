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

"""Events in the time stamps of a recording: what a consumer of the bag would stumble over."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ssap_ros.replay.frames import Frame

_GAP_FACTOR, _GAP_S = 10.0, 1.0
_LOOP_S = 1.0
_TOLD = 20


class StampWatch:
    """Looks at the stamps of all cameras as frames pass.

    Attributes:
        counts: How often each kind occurred: `duplicate_stamp`, `out_of_order` (back by less than a
            second), `loop_or_clock_jump` (back by more), `gap` (ten usual intervals and a second
            without a frame).
        events: The first of them, one dictionary each, in order.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.events: list[dict[str, Any]] = []
        self._last: dict[int, int] = {}
        self._interval: dict[int, float] = {}

    def see(self, frame: Frame) -> None:
        """Enter the next frame."""
        last = self._last.get(frame.camera)
        self._last[frame.camera] = frame.stamp
        if last is None:
            return
        step_s = (frame.stamp - last) * 1e-9
        if step_s == 0:
            self._tell("duplicate_stamp", frame, step_s)
        elif step_s < 0:
            self._tell("out_of_order" if step_s > -_LOOP_S else "loop_or_clock_jump", frame, step_s)
        else:
            usual = self._interval.get(frame.camera, step_s)
            if step_s > max(_GAP_FACTOR * usual, _GAP_S):
                self._tell("gap", frame, step_s)
            else:
                self._interval[frame.camera] = 0.9 * usual + 0.1 * step_s

    def _tell(self, kind: str, frame: Frame, step_s: float) -> None:
        self.counts[kind] += 1
        if len(self.events) < _TOLD:
            self.events.append(
                {
                    "kind": kind,
                    "frame": frame.index,
                    "camera": frame.camera,
                    "step_s": round(step_s, 6),
                }
            )
