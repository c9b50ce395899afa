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

"""Semantic and confidence maps against maps worked out by hand."""

from __future__ import annotations

import numpy as np

from ssap_ros.stages.semantics import UNLABELLED, confidence_map, semantic_map

NAMES = ("background", "person", "road")


def halves(probability: float) -> np.ndarray:
    """Two by four cells: left person, right road, at this probability."""
    cells = np.zeros((3, 2, 4), np.float32)
    cells[1, :, :2] = cells[2, :, 2:] = probability
    cells[0] = 1 - probability
    return cells


def test_the_class_of_each_half_and_255_for_the_background() -> None:
    result = semantic_map(halves(0.9), NAMES, (8, 16), 0.25)
    assert result.dtype == np.uint8
    assert (result[:, :8] == 1).all()
    assert (result[:, 8:] == 2).all()
    assert (semantic_map(halves(0.2), NAMES, (8, 16), 0.25) == UNLABELLED).all()


def test_confidence_is_linear_between_the_centres_of_the_cells() -> None:
    cells = np.zeros((2, 1, 2), np.float32)
    cells[0] = [[1.0, 0.6]]
    cells[1] = 1 - cells[0]
    result = confidence_map(cells, (4, 8), 0.25)
    assert result.dtype == np.uint8
    ramp = [255, 255, 242, 217, 191, 166, 153, 153]
    assert np.abs(result.astype(int) - ramp).max() <= 2


def test_odd_sizes_and_one_pixel() -> None:
    for size in ((1, 1), (3, 7), (33, 5)):
        assert semantic_map(halves(0.9), NAMES, size, 0.4).shape == size
        assert confidence_map(halves(0.9), size, 0.4).shape == size
