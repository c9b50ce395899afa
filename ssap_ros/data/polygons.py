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

"""Masks as polygons along the edges of their pixels, which give back the same pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Polygon = NDArray[np.int32]
"""Corners (N, 2) as (x, y); pixel (x, y) is the square from (x, y) to (x + 1, y + 1)."""

_CELLS = 3  # per side of a pixel: its two edges are two different cells


def mask_polygons(mask: NDArray[np.bool_]) -> list[Polygon]:
    """One polygon per connected region of a mask, exact under the even-odd rule.

    A hole is part of the polygon around it: a line leads to it and the same way back, which
    encloses nothing.

    Args:
        mask: bool (H, W).

    Returns:
        Polygons of the 8-connected regions; none for an empty mask.
    """
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    if width == 0:
        return []
    crop = mask[y : y + height, x : x + width].astype(np.uint8)
    cells = crop.repeat(_CELLS, axis=0).repeat(_CELLS, axis=1)
    contours, hierarchy = cv2.findContours(cells, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    # the first cell of pixel i lies on the edge i, its last one on the edge i + 1
    loops = [(np.asarray(contour)[:, 0] + 1) // _CELLS + (x, y) for contour in contours]
    polygons = []
    for k, (_, _, child, parent) in enumerate(hierarchy[0]):
        if parent >= 0:
            continue
        polygon = _without_repeats(loops[k])
        while child >= 0:
            polygon = _joined(polygon, _without_repeats(loops[child]))
            child = hierarchy[0][child][0]
        polygons.append(polygon.astype(np.int32))
    return polygons


def joined(polygons: list[Polygon]) -> Polygon:
    """Several polygons as one, with lines between them that enclose nothing."""
    polygon = polygons[0]
    for other in polygons[1:]:
        polygon = _joined(polygon, other)
    return polygon


def _without_repeats(loop: NDArray[np.integer]) -> NDArray[np.integer]:
    return loop[(loop != np.roll(loop, 1, axis=0)).any(axis=1)]


def _joined(polygon: NDArray[np.integer], loop: NDArray[np.integer]) -> Polygon:
    """The polygon with a way to the loop, once around and back, from its corner that is nearest."""
    at = int(np.abs(polygon - loop[0]).sum(axis=1).argmin())
    return np.concatenate([polygon[: at + 1], loop, loop[:1], polygon[at:]]).astype(np.int32)
