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

"""Instances and class scores -> one panoptic map: every pixel in one segment or in none."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ssap_ros.data.segments import Segments
from ssap_ros.types import ClassArray, FloatOrHalfArray

MIN_STUFF_AREA = 2048


def panoptic_segments(
    instances: Segments, classes: ClassArray, thing_ids: tuple[int, ...], min_stuff_area: int
) -> Segments:
    """Join instances and stuff: of the other pixels those of one stuff class are one segment.

    Thing pixels outside all instances are in no segment (Kirillov et al., CVPR 2019).

    Args:
        instances: Label map of those that are to be shown, with class ids of the network.
        classes: Best class of each pixel, uint8 (H, W).
        thing_ids: Ids of the thing classes.
        min_stuff_area: Smaller stuff segments are left out, in pixels; they are mostly errors.

    Returns:
        The segments, instances first.
    """
    free = np.where(instances.ids == 0, classes, thing_ids[0])
    counts = np.bincount(free.ravel(), minlength=256)
    counts[list(thing_ids)] = 0
    stuff = np.flatnonzero(counts >= max(1, min_stuff_area))
    n = len(instances.class_ids)
    number = np.zeros(256, np.int64)
    number[stuff] = n + 1 + np.arange(len(stuff))
    return Segments(
        np.where(instances.ids == 0, number[free], instances.ids),
        np.concatenate([instances.class_ids, stuff]),
    )


def full_resolution_classes(
    probabilities: FloatOrHalfArray, size: tuple[int, int], cells_per_pixel: float
) -> ClassArray:
    """Take the best class of each image pixel, from bilinear class probabilities.

    Args:
        probabilities: float32 or float16 (n_classes, h, w) of the finest level.
        size: (H, W) of the image.
        cells_per_pixel: Its cells per image pixel; the centres of pixel (y, x) and its cell lie as
            in `upsample_labels`.

    Returns:
        Class ids, uint8 (H, W).
    """
    best: NDArray[np.float32] = np.full(size, -1, np.float32)
    classes = np.zeros(size, np.uint8)
    shift = (cells_per_pixel - 1) / 2
    to_cells = np.array([[cells_per_pixel, 0, shift], [0, cells_per_pixel, shift]])
    for class_id, cells in enumerate(probabilities):
        p = cv2.warpAffine(
            np.ascontiguousarray(cells, np.float32),  # OpenCV has no half precision
            to_cells,
            size[::-1],
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        better = p > best
        best[better] = p[better]
        classes[better] = class_id
    return classes
