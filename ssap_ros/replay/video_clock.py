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

"""Stamps of the frames of a video."""

from __future__ import annotations

import math

_LONGEST_GAP_MS = 86_400_000.0  # between two frames


class VideoClock:
    """Stamps of a video's frames: the container's, which may be unevenly apart.

    Attributes:
        made_up: How many frames it has none for; they follow at the frame rate.
    """

    def __init__(self, fps: float) -> None:
        self._step_ms = 1e3 / fps
        self._last: tuple[int, float] | None = None
        self.made_up = 0

    def stamp(self, position: int, milliseconds: float) -> int:
        """Of the frame at `position`, in nanoseconds; milliseconds: what the container says."""
        if self._last is None:
            known = math.isfinite(milliseconds) and milliseconds >= 0
            self._last = position, milliseconds if known else position * self._step_ms
        else:
            before, last_ms = self._last
            if not last_ms < milliseconds < last_ms + _LONGEST_GAP_MS:
                self.made_up += 1
                milliseconds = last_ms + (position - before) * self._step_ms
            self._last = position, milliseconds
        return round(self._last[1] * 1e6)
