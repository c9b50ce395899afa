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

"""Overlays as a video."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ssap_ros.errors import InputError
from ssap_ros.types import ImageArray


class VideoWriter:
    """Writes frames to an MP4 file at a fixed rate; a frame stands until the next one.

    Args:
        path: The file, whose folder is made.
        fps: Frames per second. Frames of another size than the first are scaled into it.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._path, self._fps = path, fps
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)  # width, height
        self._next = 0
        self._last: ImageArray | None = None

    def add(self, index: int, picture: ImageArray) -> None:
        """Add the frame of this index, RGB uint8 (H, W, 3); indices ascend.

        Raises:
            InputError: The video cannot be written.
        """
        if self._writer is None:
            self._writer = self._open(picture)
        frame = self._fit(picture)
        previous = frame if self._last is None else self._last
        for _ in range(self._next, index):
            self._writer.write(previous)
        self._writer.write(frame)
        self._last, self._next = frame, index + 1

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.release()

    def _open(self, picture: ImageArray) -> cv2.VideoWriter:
        height, width = picture.shape[:2]
        self._size = (width + width % 2, height + height % 2)  # the codec wants even sides
        self._path.parent.mkdir(parents=True, exist_ok=True)
        codec = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(self._path), codec, self._fps, self._size)
        if not writer.isOpened():
            raise InputError(f"cannot write the video {self._path}")
        return writer

    def _fit(self, picture: ImageArray) -> ImageArray:
        """Scale into the video's size if need be, and fill up with black."""
        width, height = self._size
        scale = min(width / picture.shape[1], height / picture.shape[0], 1.0)
        if scale < 1.0:
            size = tuple(max(round(side * scale), 1) for side in picture.shape[1::-1])
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        frame = np.zeros((height, width, 3), np.uint8)
        frame[: picture.shape[0], : picture.shape[1]] = picture[..., ::-1]
        return frame
