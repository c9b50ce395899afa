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

"""Which camera_info belongs to which image."""

from __future__ import annotations

import copy
from collections import deque

from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from ssap_ros.messages import stamp_nanoseconds

_WINDOW_NS = 5_000_000  # a fraction of the time between two images, so that no other's is taken
_KEPT = 256  # more than images wait for their turn


class CameraInfos:
    """The latest camera_info messages of a camera.

    One thread may put while another asks.

    Attributes:
        n_unmatched: Frames that none belonged to, since the first came.
    """

    def __init__(self) -> None:
        self.n_unmatched = 0
        self._latest: deque[CameraInfo] = deque(maxlen=_KEPT)

    def put(self, msg: CameraInfo) -> None:
        """Keep a message."""
        self._latest.append(msg)

    def clear(self) -> None:
        """Forget the messages, not the count."""
        self._latest.clear()

    def size(self) -> tuple[int, int]:
        """Width and height of the latest one; zeros if there is none."""
        latest = tuple(self._latest)[-1:]
        return (latest[0].width, latest[0].height) if latest else (0, 0)

    def of(self, header: Header) -> CameraInfo | None:
        """Find the camera_info nearest in time to an image; a driver gives both the same stamp.

        Returns:
            A copy under the image's header; None if none is within 5 ms.
        """
        nearest = self.nearest(header)
        if nearest is None:
            return None
        if _distance(nearest.header, header) > _WINDOW_NS:
            self.n_unmatched += 1
            return None
        msg = copy.copy(nearest)
        msg.header = header
        return msg

    def nearest(self, header: Header) -> CameraInfo | None:
        """The one that is nearest in time, however far; None if none came."""
        return min(tuple(self._latest), key=lambda msg: _distance(msg.header, header), default=None)


def _distance(one: Header, other: Header) -> int:
    return abs(stamp_nanoseconds(one.stamp) - stamp_nanoseconds(other.stamp))
