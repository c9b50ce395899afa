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

"""Masks to look at and to work with: overlays, label images, one file of annotations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ssap_ros.data.image_files import write_image
from ssap_ros.data.labels import Clip, CocoFile, Masks, Picture
from ssap_ros.types import FrameResult
from ssap_ros.visualization.overlay import OverlayRenderer
from ssap_ros.visualization.video import VideoWriter

OVERLAYS, INSTANCES, PREDICTIONS = "overlays", "instances", "predictions.json"


class MaskFiles:
    """`overlays/NAME.jpg` to look at and `instances/NAME.png`, mono16 as `~/instances`.

    The overlays of a video are a video, `overlays/NAME.mp4`, in which an object keeps its colour; a
    frame stands until the next one. predictions.json holds the same masks as COCO annotations, with
    their scores.
    """

    def __init__(self, folder: Path, classes: Mapping[int, str], masks: Masks) -> None:
        self._folder = folder
        self._names = [classes.get(k, str(k)) for k in range(max(classes) + 1)]
        self._coco = CocoFile(folder / PREDICTIONS, classes, masks)
        self._clip: Clip | None = None
        self._video: VideoWriter | None = None
        self._renderer = OverlayRenderer(self._names)

    def add(self, picture: Picture, result: FrameResult) -> None:
        self._draw(picture, result)
        write_image(self._folder / INSTANCES / f"{picture.name}.png", result.labels)
        self._coco.add(picture.file.name if picture.file else picture.name, result)

    def close(self) -> None:
        self._end_video()
        self._coco.close()

    def _draw(self, picture: Picture, result: FrameResult) -> None:
        if picture.clip is None:
            ids = range(1, len(result.instances) + 1)
            overlay = OverlayRenderer(self._names).draw(picture.image, result, ids)
            write_image(self._folder / OVERLAYS / f"{picture.name}.jpg", overlay)
            return
        if picture.clip != self._clip or self._video is None:
            self._end_video()
            self._clip, self._renderer = picture.clip, OverlayRenderer(self._names)
            path = self._folder / OVERLAYS / f"{picture.clip.name}.mp4"
            self._video = VideoWriter(path, picture.clip.fps)
        self._video.add(picture.index, self._renderer.draw(picture.image, result))

    def _end_video(self) -> None:
        if self._video is not None:
            self._video.close()
