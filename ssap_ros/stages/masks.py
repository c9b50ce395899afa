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

"""One mask of all instances of some classes, for those who want them out of the picture."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ssap_ros.stages import core

_SMALL = 8  # pixels; up to here a disc is faster than the distances, with the same result


def class_mask(
    labels: NDArray[np.uint16],
    class_ids: Sequence[int],
    wanted: Collection[int],
    dilation: int = 0,
) -> NDArray[np.uint8]:
    """The union of the instances of some classes.

    Args:
        labels: uint16 (H, W), 0 = no instance, k = the instance of `class_ids[k - 1]`.
        class_ids: Of the instances.
        wanted: Ids of the classes.
        dilation: Pixels whose centre is at most so many pixels from an instance belong to it.

    Returns:
        uint8 (H, W), 255 = an instance of these classes, 0 = none.
    """
    value = np.zeros(len(class_ids) + 1, np.uint8)
    value[1:] = [255 if class_id in wanted else 0 for class_id in class_ids]
    mask = core.look_up(labels, value)
    return dilated(mask, dilation) if value.any() else mask


def dilated(mask: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    """A mask of 0 and 255 that grew by a distance; uint8 (H, W)."""
    x, y, width, height = cv2.boundingRect(mask)
    if pixels == 0 or width == 0:
        return mask
    within = np.s_[
        max(y - pixels, 0) : y + height + pixels, max(x - pixels, 0) : x + width + pixels
    ]
    grown = np.zeros_like(mask)
    if pixels <= _SMALL:
        offsets = np.arange(-pixels, pixels + 1) ** 2
        disc = (offsets[:, None] + offsets <= pixels**2).astype(np.uint8)
        grown[within] = cv2.dilate(mask[within], disc)
        return grown
    distance = cv2.distanceTransform(255 - mask[within], cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    grown[within] = cv2.compare(distance, float(pixels), cv2.CMP_LE)
    return grown
