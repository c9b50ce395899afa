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

"""How long the stages of the last frames took."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping

from ssap_ros.common.statistics import percentiles

WINDOW = 500


class StageTimes:
    """Values of the last 500 frames by stage; written and read by different threads."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def add(self, stage_ms: Mapping[str, float]) -> None:
        """Add the milliseconds of one frame."""
        with self._lock:
            for stage, milliseconds in stage_ms.items():
                self._times.setdefault(stage, deque(maxlen=WINDOW)).append(milliseconds)

    def percentiles(self) -> dict[str, dict[str, float | None]]:
        """Milliseconds by stage, in the order of their first appearance."""
        with self._lock:
            times = {stage: list(values) for stage, values in self._times.items()}
        return {stage: percentiles(values) for stage, values in times.items()}
