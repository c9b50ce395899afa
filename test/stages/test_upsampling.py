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

"""Labels at image resolution."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ssap_ros.stages.partition import (
    upsample_labels,
)
from support import oracles


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (12, 20), (31, 17)])
@pytest.mark.parametrize("scale", [0.25, 1 / 3, 0.23, 1.0, 1.7])
@pytest.mark.parametrize("n_labels", [2, 5])
def test_upsampling_equals_its_oracle(size: tuple[int, int], scale: float, n_labels: int) -> None:
    rng = np.random.default_rng(0)
    for shape in [(1, 1), (1, 6), (4, 1), (5, 6)]:
        labels = rng.integers(0, n_labels, shape, dtype=np.int32)
        np.testing.assert_array_equal(
            upsample_labels(labels, size, scale), oracles.upsample_labels(labels, size, scale)
        )


def test_upsampling_at_scale_one_copies_and_at_a_half_doubles() -> None:
    labels = np.array([[0, 1], [2, 2]], np.int32)
    np.testing.assert_array_equal(upsample_labels(labels, (2, 2), 1.0), labels)
    np.testing.assert_array_equal(
        upsample_labels(labels, (4, 4), 0.5), [[0, 0, 1, 1], [0, 0, 1, 1], [2] * 4, [2] * 4]
    )


def test_upsampling_rounds_the_corner_of_a_square() -> None:
    labels = np.zeros((4, 4), np.int32)
    labels[1:3, 1:3] = 7
    upsampled = upsample_labels(labels, (64, 64), 1 / 16)
    assert upsampled.dtype == np.int32
    assert np.all(upsampled[32, 16:48] == 7)
    assert upsampled[17, 17] == 0
    np.testing.assert_array_equal(upsampled, upsampled.T)


@pytest.mark.parametrize(
    ("labels", "size", "scale", "message"),
    [
        (np.zeros((2, 2)), (4, 4), 0.5, "labels must be int32, got float64"),
        (np.zeros(4, np.int32), (4, 4), 0.5, r"labels must have 2 dimensions, got shape \(4,\)"),
        (np.zeros((0, 2), np.int32), (4, 4), 0.5, "labels must have at least one pixel"),
        (np.zeros((2, 2), np.int32), (4, 0), 0.5, r"size must be .* got \(4, 0\)"),
        *itertools.product(
            [np.zeros((2, 2), np.int32)], [(4, 4)], [0.0, -1.0, np.nan, np.inf], ["scale must be"]
        ),
    ],
)
def test_bad_upsampling_arguments_are_named(
    labels: np.ndarray, size: tuple[int, int], scale: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        upsample_labels(labels, size, scale)
