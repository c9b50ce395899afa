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

"""What the cascade takes in: logits or costs, in any precision and layout; bad levels are named."""

from __future__ import annotations

import numpy as np
import pytest

from ssap_ros.stages.partition import cascaded_graph_partition, edge_costs
from support.partition_scenes import CLASSES, discs, noisy_logits, pyramid


def test_arguments_may_be_non_contiguous_and_are_left_alone() -> None:
    costs, classes = pyramid(discs(), CLASSES["one class"], 2)
    flipped = [np.asfortranarray(c) for c in costs], [np.asfortranarray(c) for c in classes]
    copies = [c.copy() for c in costs]
    np.testing.assert_array_equal(
        cascaded_graph_partition(*flipped), cascaded_graph_partition(costs, classes)
    )
    assert all(np.array_equal(c, copy) for c, copy in zip(costs, copies, strict=True))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("refine", [False, True])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("n_channels", [24, 25])
@pytest.mark.parametrize("erosion_radius", [0, 1])
def test_logits_give_what_their_costs_give(
    seed: int, refine: bool, dtype: type, n_channels: int, erosion_radius: int
) -> None:
    logits, classes = noisy_logits(seed, CLASSES["several classes"], 3)
    logits = [level.astype(dtype) for level in logits]
    if n_channels == 24:
        logits = [np.delete(level, 12, axis=0) for level in logits]
    scores = np.random.default_rng(seed).dirichlet(np.ones(3), (45, 70)).transpose(2, 0, 1)
    scores = scores.astype(np.float32) if refine else None
    costs = [
        edge_costs(level, logits=True, scores=scores if i == 0 else None)
        for i, level in enumerate(logits)
    ]
    np.testing.assert_array_equal(
        cascaded_graph_partition(logits, classes, scores=scores, erosion_radius=erosion_radius),
        cascaded_graph_partition(costs, classes, erosion_radius=erosion_radius),
    )


def test_half_precision_costs_equal_their_single_precision_copy() -> None:
    logits, classes = noisy_logits(0, CLASSES["one class"], 3)
    costs = [edge_costs(level, logits=True).astype(np.float16) for level in logits]
    np.testing.assert_array_equal(
        cascaded_graph_partition(costs, classes),
        cascaded_graph_partition([level.astype(np.float32) for level in costs], classes),
    )


def test_what_cannot_matter_is_not_looked_at() -> None:
    logits, classes = noisy_logits(1, CLASSES["one class"], 3)
    expected = cascaded_graph_partition(logits, classes)
    far = [np.pad(level, ((0, 0), (0, 40), (0, 64))) for level in logits]
    far_classes = [np.pad(level, ((0, 40), (0, 64))) for level in classes]
    assert far[1].shape[1] * 2 > far[0].shape[1]
    far = [level[:, : -(-85 // 2**i), : -(-134 // 2**i)] for i, level in enumerate(far)]
    far_classes = [
        level[: -(-85 // 2**i), : -(-134 // 2**i)] for i, level in enumerate(far_classes)
    ]
    far[0][:, 80:, 128:] = np.nan
    labels = cascaded_graph_partition(far, far_classes)
    np.testing.assert_array_equal(labels[:45, :70], expected)
    assert not labels[45:].any()
    assert not labels[:, 70:].any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["costs", "long_range"])
def test_what_is_not_finite_is_named(name: str, value: float) -> None:
    logits, classes = noisy_logits(0, np.array([0, 1, 1, 1, 1]), 3)
    y = int(np.argwhere(classes[0])[0, 0])
    if name == "costs":
        logits[0][13, y:] = value  # also where two objects meet, which is looked at
        where = rf"\(13, {y}, 0\)"
    else:
        logits[2][13, 4, 5] = value
        where = r"\(13, 4, 5\)"
    match = rf"{name}\[0\] must be finite, got {value} at {where}"
    n = 3 if name == "costs" else 2
    with pytest.raises(ValueError, match=match):
        cascaded_graph_partition(logits[:n], classes[:n], long_range=logits[n:])


def level(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((12, height, width), np.float32), np.ones((height, width), np.uint8)


FINE, COARSE = level(5, 8), level(3, 4)


@pytest.mark.parametrize(
    ("costs", "classes", "message"),
    [
        ([], [], "costs and classes must be equally long and not empty, got 0 and 0 levels"),
        ([FINE[0]], [], "got 1 and 0 levels"),
        (
            [FINE[0], FINE[0]],
            [FINE[1]] * 2,
            r"costs\[1\] .* half the size .* \(3, 4\), got \(5, 8\)",
        ),
        ([FINE[0]], [COARSE[1]], r"classes\[0\] must have shape \(5, 8\) .* got \(3, 4\)"),
        ([FINE[0][:11]], [FINE[1]], r"costs\[0\] must have 12 channels .* 24 or 25 .* got 11"),
        ([FINE[0][0]], [FINE[1]], r"costs\[0\] must have 3 dimensions, got shape \(5, 8\)"),
        ([FINE[0] * np.nan], [FINE[1]], r"costs\[0\] must be finite, got nan at \(0, 0, 0\)"),
        ([FINE[0].astype(float)], [FINE[1]], r"costs\[0\] must be float32 or float16, got float64"),
        ([FINE[0]], [FINE[1].astype(int)], r"classes\[0\] must be uint8, got int64"),
        ([FINE[0][:, :0]], [FINE[1][:0]], r"costs\[0\] must have at least one pixel"),
    ],
)
def test_bad_levels_are_named(costs: list, classes: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cascaded_graph_partition(costs, classes)


def test_bad_erosion_radius_is_named() -> None:
    with pytest.raises(ValueError, match="erosion_radius must not be negative, got -1"):
        cascaded_graph_partition([FINE[0]], [FINE[1]], erosion_radius=-1)
