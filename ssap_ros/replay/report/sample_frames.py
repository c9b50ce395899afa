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

"""Frames worth looking at: the extreme ones by some measure, spread over the recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from ssap_ros.types import ImageArray

_JPEG_QUALITY = 82
LONG_SIDE = 640


@dataclass(frozen=True)
class SampleFrame:
    """One frame: its number, the measure, a line about it, and its pictures as JPEG, by title."""

    index: int
    measure: tuple[float, float]
    caption: str
    pictures: dict[str, bytes]


@dataclass
class FrameSelection:
    """Keeps the `size` frames of the lowest measure, at most one of `spread` successive ones."""

    title: str
    spread: int
    size: int = 6
    _kept: dict[int, SampleFrame] = field(default_factory=dict)

    def offer(
        self,
        index: int,
        measure: tuple[float, float],
        caption: str,
        draw: Callable[[], dict[str, ImageArray]],
    ) -> None:
        """Consider a frame; draw: makes its RGB pictures by title, called if it is kept."""
        part = index // self.spread
        rival = self._kept.get(part)
        if rival is None and len(self._kept) >= self.size:
            part = max(self._kept, key=lambda k: (self._kept[k].measure, k))
            rival = self._kept[part]
        if rival is not None:
            if measure >= rival.measure:
                return
            del self._kept[part]
        pictures = {title: jpeg(picture) for title, picture in draw().items()}
        self._kept[index // self.spread] = SampleFrame(index, measure, caption, pictures)

    def frames(self) -> list[SampleFrame]:
        """The frames kept, lowest measure first."""
        return sorted(self._kept.values(), key=lambda e: (e.measure, e.index))


def jpeg(picture: ImageArray) -> bytes:
    """RGB uint8 (H, W, 3) as JPEG."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1])


def fit(picture: ImageArray) -> ImageArray:
    """Scaled down to what a report shows."""
    scale = min(LONG_SIDE / max(picture.shape[:2]), 1.0)
    size = (max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
