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

"""Joins the messages of a frame, which come on topics of their own, by their stamps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from ssap_ros.messages import stamp_nanoseconds

_Message = TypeVar("_Message")

_PENDING = 8  # masks that may wait for the rest of their frame
_KEPT = 40  # depth images come before their masks, by the time that the network takes
_KEPT_DETECTIONS = 200  # they are small


class DepthFrame(NamedTuple):
    """Masks, detections and depth of one moment, and when they were complete (perf_counter)."""

    masks: Image
    detections: Detection2DArray
    depth: Image
    complete_s: float


class FrameSync:
    """Joins masks and detections of equal stamps with the depth image nearest in time.

    A depth image of the same stamp is taken at once; another one, if it is near enough, as soon as
    a later one shows that no nearer follows. Masks whose frame does not become complete are dropped
    when a later frame does, or when too many wait. Its methods may be called by several threads.

    Where nothing may be lost, `takes_masks` and `takes_depth` say when the next ones may come.

    Args:
        put: Takes a complete frame.
        drop: Gets the reason why masks were dropped.
        tolerance_ns: How far the stamps of masks and depth may be apart.
    """

    def __init__(
        self,
        put: Callable[[DepthFrame], None],
        drop: Callable[[str], None],
        tolerance_ns: Callable[[], int],
    ) -> None:
        self._put, self._drop, self._tolerance_ns = put, drop, tolerance_ns
        self._masks: dict[int, Image] = {}
        self._detections: dict[int, Detection2DArray] = {}
        self._depth: dict[int, Image] = {}
        self._latest_masks = -1
        self._lock = threading.Lock()

    @property
    def n_pending(self) -> int:
        """Masks that wait for the rest of their frame."""
        return len(self._masks)

    def takes_masks(self) -> bool:
        """Whether more masks can come without that any are dropped that may yet be completed."""
        with self._lock:
            oldest = next(iter(self._masks), None)
            return len(self._masks) < _PENDING or oldest is None or self._passed(oldest)

    def takes_depth(self) -> bool:
        """Whether more depth can come without that any is forgotten whose masks follow."""
        with self._lock:
            return sum(stamp > self._latest_masks for stamp in self._depth) < _KEPT // 2

    def put_masks(self, msg: Image) -> None:
        """Masks have come."""
        with self._lock:
            stamp = stamp_nanoseconds(msg.header.stamp)
            if stamp in self._masks:
                self._give_up(stamp)
            self._masks[stamp] = msg
            self._latest_masks = stamp
            self._join()
            if len(self._masks) > _PENDING:
                self._give_up(next(iter(self._masks)))

    def put_detections(self, msg: Detection2DArray) -> None:
        """Detections have come."""
        with self._lock:
            _keep(self._detections, stamp_nanoseconds(msg.header.stamp), msg, _KEPT_DETECTIONS)
            self._join()

    def put_depth(self, msg: Image) -> None:
        """A depth image has come."""
        with self._lock:
            _keep(self._depth, stamp_nanoseconds(msg.header.stamp), msg, _KEPT)
            self._join()

    def clear(self) -> int:
        """Forget everything; how many masks waited."""
        with self._lock:
            waited = len(self._masks)
            for kept in (self._masks, self._detections, self._depth):
                kept.clear()
            self._latest_masks = -1
            return waited

    def _join(self) -> None:
        for stamp in tuple(self._masks):
            if stamp not in self._masks or stamp not in self._detections:
                continue
            depth = self._nearest_depth(stamp)
            if depth is None:
                continue
            for earlier in tuple(self._masks):
                if earlier == stamp:
                    break
                self._give_up(earlier)
            masks, detections = self._masks.pop(stamp), self._detections.pop(stamp)
            self._put(DepthFrame(masks, detections, depth, time.perf_counter()))

    def _nearest_depth(self, stamp: int) -> Image | None:
        if stamp in self._depth:
            return self._depth[stamp]
        near = [other for other in self._depth if abs(other - stamp) <= self._tolerance_ns()]
        if not near or max(self._depth) < stamp:
            return None
        return self._depth[min(near, key=lambda other: abs(other - stamp))]

    def _passed(self, stamp: int) -> bool:
        """Whether later ones have come of what is missing."""
        if stamp not in self._detections:
            return max(self._detections, default=0) > stamp
        return max(self._depth, default=0) > stamp + self._tolerance_ns()

    def _give_up(self, stamp: int) -> None:
        del self._masks[stamp]
        self._drop(self._reason(stamp))

    def _reason(self, stamp: int) -> str:
        if stamp not in self._detections:
            return "no detections came with the stamp of the masks"
        limit = f"within {1e-6 * self._tolerance_ns():g} ms (sync_tolerance_ms) of the masks"
        if not self._depth:
            return f"no depth {limit}, there is none at all"
        nearest = min(abs(other - stamp) for other in self._depth)
        return f"no depth {limit}, the nearest is {1e-6 * nearest:.1f} ms away"


def _keep(kept: dict[int, _Message], stamp: int, msg: _Message, most: int) -> None:
    """Add a message as the newest one, and forget the oldest if there are too many."""
    kept.pop(stamp, None)
    kept[stamp] = msg
    if len(kept) > most:
        del kept[next(iter(kept))]
