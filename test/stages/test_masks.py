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

"""The mask of some classes: which pixels, and how far it grows."""

import numpy as np
import pytest

from ssap_ros.stages.masks import class_mask, dilated

LABELS = np.zeros((9, 12), np.uint16)
LABELS[2:4, 2:5], LABELS[5:8, 8:10] = 1, 2


def test_only_the_wanted_classes():
    mask = class_mask(LABELS, [7, 3], {7})
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, np.where(LABELS == 1, 255, 0))
    assert not class_mask(LABELS, [7, 3], {4}, dilation=3).any()
    assert not class_mask(np.zeros((3, 3), np.uint16), [], {4}, dilation=3).any()


@pytest.mark.parametrize("pixels", [0, 1, 2, 4])
def test_it_grows_by_a_distance(pixels):
    mask = class_mask(LABELS, [7, 3], {7, 3})
    ys, xs = np.nonzero(mask)
    y, x = np.mgrid[: LABELS.shape[0], : LABELS.shape[1]]
    distance = np.hypot(y[..., None] - ys, x[..., None] - xs).min(axis=2)
    np.testing.assert_array_equal(dilated(mask, pixels), np.where(distance <= pixels, 255, 0))
