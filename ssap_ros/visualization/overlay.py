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

"""Draws the instances into the picture: tint, outline, label, and one colour per id."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ssap_ros.stages.tracking import Tracker
from ssap_ros.types import FrameResult, ImageArray, Instance

_TINT = 0.45
_LABEL_BACKGROUND = (24, 24, 28)
_FRAME_PERIOD_S = 0.1  # assumed where nobody else follows the objects
_FONT = cv2.FONT_HERSHEY_SIMPLEX

_Rectangle = tuple[int, int, int, int]


class OverlayRenderer:
    """Renders successive frames of one camera; an object keeps its colour from frame to frame.

    Args:
        class_names: The label text of every class id.

    Attributes:
        ids: Of the instances drawn last, which their colours go by.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self._class_names = tuple(class_names)
        self._tracker = Tracker()
        self.ids: Sequence[int] = ()
        self._n_frames = 0

    def draw(self, image: ImageArray, result: FrameResult, ids: Sequence[int] = ()) -> ImageArray:
        """Draw the instances of `result` on a copy of `image`.

        Args:
            image: RGB, uint8 (H, W, 3).
            result: Of this image.
            ids: Of the instances, from a tracker, each with a colour of its own; without them the
                renderer follows the objects itself.

        Returns:
            The picture, RGB, uint8 (H, W, 3).

        Raises:
            ValueError: The sizes of image and labels differ.
        """
        if image.shape != (*result.labels.shape, 3):
            raise ValueError(f"image must be {(*result.labels.shape, 3)}, got {image.shape}")
        self._n_frames += 1
        ids = ids or self._tracker.update(
            result.labels, result.instances, self._n_frames * _FRAME_PERIOD_S
        )
        self.ids = ids
        colours = np.array([(0, 0, 0), *(identity_colour(identity) for identity in ids)], np.uint8)
        labels = result.labels
        canvas: ImageArray = np.asarray(
            cv2.addWeighted(image, 1 - _TINT, colours[labels], _TINT, 0), np.uint8
        )
        cv2.copyTo(image, np.equal(labels, 0).view(np.uint8), canvas)
        outline = _outline(labels)
        canvas[outline] = colours[labels[outline]]
        self._draw_labels(canvas, result.instances, colours)
        return canvas

    def _draw_labels(
        self, canvas: ImageArray, instances: Sequence[Instance], colours: ImageArray
    ) -> None:
        """Write class and score beside every box, best first, without overlap if possible."""
        height, width = canvas.shape[:2]
        scale = float(np.clip(min(height, width) / 1400, 0.36, 1.2))
        weight = 1 if scale < 0.7 else 2
        taken: list[_Rectangle] = []
        for instance, colour in zip(instances, colours[1:], strict=True):
            text = f"{self._class_names[instance.class_id]} {instance.score:.2f}"
            (text_width, text_height), _ = cv2.getTextSize(text, _FONT, scale, weight)
            margin = max(2, text_height // 3)
            size = (text_width + 3 * margin, text_height + 2 * margin)
            x, y, w, h = box = _place(instance.bbox, size, (width, height), taken)
            taken.append(box)
            cv2.rectangle(canvas, (x, y), (x + w - 1, y + h - 1), _LABEL_BACKGROUND, cv2.FILLED)
            cv2.rectangle(canvas, (x, y), (x + margin - 1, y + h - 1), colour.tolist(), cv2.FILLED)
            origin = (x + 2 * margin, y + margin + text_height)
            cv2.putText(canvas, text, origin, _FONT, scale, (255, 255, 255), weight, cv2.LINE_AA)


def identity_colour(identity: int) -> tuple[int, ...]:
    """Vivid RGB; successive identities are a golden ratio of the hue circle apart."""
    hue = identity * 0.6180339887 % 1.0
    return tuple(round(255 * c) for c in colorsys.hsv_to_rgb(hue, (0.9, 0.7)[identity % 2], 1.0))


def _outline(labels: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """The rim of every instance, inside of it; wider in larger pictures."""
    radius = max(1, round(min(labels.shape) / 300))
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    inner = (cv2.erode(labels, kernel) == labels) & (cv2.dilate(labels, kernel) == labels)
    rim: NDArray[np.bool_] = ~inner & (labels > 0)
    return rim


def _place(
    bbox: _Rectangle, size: tuple[int, int], frame: tuple[int, int], taken: Sequence[_Rectangle]
) -> _Rectangle:
    """Where a label of `size` goes: the free spot nearest above or below, always in the frame."""
    (x, y, _, box_height), (w, h) = bbox, size
    spots = []
    for top in (y - h, y + box_height, y - 2 * h, y + box_height + h, y - 3 * h, y):
        left = min(max(x, 0), max(frame[0] - w, 0))
        spots.append((left, min(max(top, 0), max(frame[1] - h, 0)), w, h))
    return next((s for s in spots if not any(_overlap(s, other) for other in taken)), spots[0])


def _overlap(a: _Rectangle, b: _Rectangle) -> bool:
    return all(a[i] < b[i] + b[i + 2] and b[i] < a[i] + a[i + 2] for i in (0, 1))
