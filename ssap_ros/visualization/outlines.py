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

"""The instances of a picture as lines and texts, for those who draw them over it themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ssap_ros.types import FrameResult
from ssap_ros.visualization.overlay import identity_colour

_TOLERANCE = 1.0  # pixels that a line may run beside the rim of its mask
THICKNESS = 2.0  # of the lines, in pixels
FONT_SIZE = 14.0  # in pixels
FILL_OPACITY = 0.2


class Outline(NamedTuple):
    """One instance.

    Attributes:
        polygons: Corners (N, 2) as (x, y) in pixels, from the upper left corner of the image; one
            per connected region.
        text: Class and score.
        position: Its lower left corner.
        colour: Red, green and blue from 0 to 1.
    """

    polygons: list[NDArray[np.float64]]
    text: str
    position: tuple[float, float]
    colour: tuple[float, float, float]


def outlines(result: FrameResult, names: Mapping[int, str], ids: Sequence[int]) -> list[Outline]:
    """Trace all instances.

    Args:
        result: Labels and instances of a frame.
        names: Class name by class id.
        ids: Of the instances, from a tracker; each has a colour of its own.

    Returns:
        Their outlines.
    """
    found = []
    for k, (instance, identity) in enumerate(zip(result.instances, ids, strict=True), start=1):
        x, y, width, height = instance.bbox
        mask = cv2.compare(result.labels[y : y + height, x : x + width], k, cv2.CMP_EQ)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        polygons = [
            cv2.approxPolyDP(contour, _TOLERANCE, True)[:, 0] + (x + 0.5, y + 0.5)
            for contour in contours
        ]
        red, green, blue = (channel / 255 for channel in identity_colour(identity))
        text = f"{names.get(instance.class_id, instance.class_id)} {instance.score:.2f}"
        found.append(Outline(polygons, text, (float(x), float(y)), (red, green, blue)))
    return found
