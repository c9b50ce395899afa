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

"""Temporal flicker: how much the set of instances changes from one frame to the next.

An instance changes the set if it appeared, vanished or changed its class, not if it moved. It needs
no ground truth. Objects that really come and go count, too: compare it between runs over one
recording.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from ssap_ros.stages.tracking import Tracker
from ssap_ros.types import FrameResult, Instance

_MAX_GAP_S = 2.0  # over a longer gap, or backwards in time, nothing is compared
_MIN_LIKENESS = 0.5
_MAX_SPEED = 5.0  # diagonals of an object's box per second; a runner makes two


class FlickerMeter:
    """Compares each frame of one camera with the frame before."""

    def __init__(self) -> None:
        self._tracker = Tracker()
        self._size = (0, 0)
        self._stamp = 0
        self._last: dict[int, Instance] = {}  # by the tracker's id

    def add(self, shown: FrameResult, stamp: int) -> float | None:
        """Compare the instances of this frame with those of the last.

        A counterpart is the same object in the same class: the tracker's; and where that lost an
        object because it does not know its velocity yet, one of like size as near as the time
        between the stamps allows.

        Args:
            shown: The instances that are shown.
            stamp: In nanoseconds.

        Returns:
            The share of the instances of both frames without a counterpart: 0 if nothing changed or
            nothing is there; None for the first frame, after a change of size and after a jump in
            time.
        """
        ids = self._tracker.update(shown.labels, shown.instances, 1e-9 * stamp)
        before, now = self._last, dict(zip(ids, shown.instances, strict=True))
        size, step_s = shown.labels.shape, 1e-9 * (stamp - self._stamp)
        comparable = size == self._size and 0 <= step_s <= _MAX_GAP_S
        self._last, self._size, self._stamp = now, size, stamp
        if not comparable:
            return None
        kept = {k for k in before.keys() & now.keys() if before[k].class_id == now[k].class_id}
        lost = [instance for k, instance in before.items() if k not in kept]
        found = [instance for k, instance in now.items() if k not in kept]
        changed = len(lost) + len(found) - 2 * _n_moved(lost, found, step_s)
        return changed / max(len(before) + len(now), 1)


def _n_moved(lost: Sequence[Instance], found: Sequence[Instance], step_s: float) -> int:
    """How many of the lost ones are among those found, of the same class and like size."""
    if not lost or not found:
        return 0
    boxes, others = (np.array([i.bbox for i in part], float) for part in (lost, found))
    sizes, other_sizes = boxes[:, None, 2:], others[None, :, 2:]
    shared = np.minimum(sizes, other_sizes).prod(axis=2)
    likeness = shared / (sizes.prod(axis=2) + other_sizes.prod(axis=2) - shared)
    way = others[None, :, :2] + other_sizes / 2 - boxes[:, None, :2] - sizes / 2
    nearness = _MAX_SPEED * step_s - np.linalg.norm(way, axis=2) / np.linalg.norm(sizes, axis=2)
    classes, other_classes = (np.array([i.class_id for i in part]) for part in (lost, found))
    possible = (classes[:, None] == other_classes) & (likeness >= _MIN_LIKENESS) & (nearness > 0)
    value = np.where(possible, likeness * nearness, 0.0)
    return int(np.count_nonzero(value[linear_sum_assignment(value, maximize=True)]))
