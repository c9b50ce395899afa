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

"""What the network says of every pixel, whether or not it belongs to an instance."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ssap_ros.stages.partition import upsample_labels
from ssap_ros.types import FloatOrHalfArray, ImageArray

UNLABELLED = 255
_NO_CLASS = ("background", "unlabeled", "void")


def semantic_map(
    probabilities: FloatOrHalfArray,
    class_names: tuple[str, ...],
    size: tuple[int, int],
    cells_per_pixel: float,
    hidden: frozenset[int] = frozenset(),
) -> NDArray[np.uint8]:
    """Take the most probable class of every pixel.

    Args:
        probabilities: Of the finest level, float32 (n_classes, h, w).
        class_names: By class id.
        size: (H, W) of the result.
        cells_per_pixel: Cells of that level per pixel.
        hidden: Class ids that become 255.

    Returns:
        Class ids, uint8 (H, W); 255 where the class is the background or hidden.
    """
    ids = np.arange(len(class_names), dtype=np.uint8)
    ids[[name in _NO_CLASS for name in class_names]] = UNLABELLED
    ids[list(hidden)] = UNLABELLED
    best = probabilities.argmax(axis=0).astype(np.int32)
    return np.asarray(ids[upsample_labels(best, size, cells_per_pixel)], np.uint8)


def confidence_map(
    probabilities: FloatOrHalfArray, size: tuple[int, int], cells_per_pixel: float
) -> NDArray[np.uint8]:
    """Take the probability of the most probable class; arguments as in `semantic_map`.

    Returns:
        0-255 for 0-1, uint8 (H, W), interpolated linearly between the centres of the cells.
    """
    cells: ImageArray = np.rint(255 * probabilities.max(axis=0)).astype(np.uint8)
    offset = cells_per_pixel / 2 - 0.5
    to_cell = np.array([[cells_per_pixel, 0, offset], [0, cells_per_pixel, offset]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(cells, to_cell, size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )
