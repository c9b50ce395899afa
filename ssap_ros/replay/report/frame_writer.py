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

"""Keeps the overlays of a replay: a video of all, and pictures of some."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ssap_ros.data.image_files import write_image
from ssap_ros.types import ImageArray
from ssap_ros.visualization.video import VideoWriter

_MAX_PICTURES = 8


@dataclass(frozen=True)
class _Picture:
    index: int
    n_instances: int
    image: ImageArray


class FrameWriter:
    """Writes overlay.mp4 as overlays come, and on `close` 3 to 8 frame_*.png spread over the clip.

    The video runs at `fps` of the source; an overlay stands until the next one, so that its length
    is the source's. Each picture is, of its part of the clip, the frame with most instances.
    """

    def __init__(self, out: Path, fps: float) -> None:
        self._out = out
        self._video = VideoWriter(out / "overlay.mp4", fps)
        self._stride = 1
        self._parts: dict[int, _Picture] = {}

    def add(self, index: int, overlay: ImageArray, n_instances: int) -> None:
        """Add the overlay, RGB uint8 (H, W, 3), of frame `index`; indices ascend."""
        self._keep(_Picture(index, n_instances, overlay))
        self._video.add(index, overlay)

    def close(self) -> None:
        """Finish the video and write the pictures."""
        self._video.close()
        for picture in self._parts.values():
            write_image(self._out / f"frame_{picture.index:05d}.png", picture.image)

    def _keep(self, picture: _Picture) -> None:
        parts = [*self._parts.values(), picture]
        while len({p.index // self._stride for p in parts}) > _MAX_PICTURES:
            self._stride *= 2
        self._parts = {}
        for candidate in parts:
            part = candidate.index // self._stride
            best = self._parts.get(part)
            if best is None or candidate.n_instances > best.n_instances:
                self._parts[part] = candidate
