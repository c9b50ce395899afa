"""Temporal flicker: how much the set of instances changes from one frame to the next.

It needs no ground truth. Objects that really come, go or move fast count, too: compare it between
runs over one recording.
"""

from __future__ import annotations

import numpy as np

from ssap_ros.segments import Segments, intersections

_MIN_IOU = 0.5


class FlickerMeter:
    """Compares each frame of one camera with the frame before."""

    def __init__(self) -> None:
        self._last: Segments | None = None

    def add(self, shown: Segments) -> float | None:
        """The share of the instances of this frame and the last that have no counterpart.

        A counterpart is of the same class and overlaps with an IoU above .5, which only one can.
        0 if nothing changed or nothing is there; None for the first frame and after a change of
        size.
        """
        last, self._last = self._last, shown
        if last is None or last.size != shown.size:
            return None
        total = len(last.class_ids) + len(shown.class_ids)
        if total == 0:
            return 0.0
        shared = intersections(last, shown)
        union = shared.sum(axis=1)[:, None] + shared.sum(axis=0)[None] - shared
        iou = (shared / np.maximum(union, 1))[1:, 1:]
        same = (iou > _MIN_IOU) & (last.class_ids[:, None] == shown.class_ids[None])
        return 1.0 - 2.0 * float(same.sum()) / total
