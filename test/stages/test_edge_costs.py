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

"""Eq. 2-3 and 6-8 of the compiled core against double-precision NumPy, and their own laws."""

from __future__ import annotations

import numpy as np
import pytest

from ssap_ros.stages.partition import edge_costs
from support import oracles

SIZES = [(1, 1), (1, 7), (2, 2), (3, 1), (5, 9), (8, 6)]


def random_scores(rng: np.random.Generator, n_classes: int, size: tuple[int, int]) -> np.ndarray:
    scores = rng.random((n_classes, *size)) ** 4
    scores[rng.random(scores.shape) < 0.3] = 0.0
    scores[0] += 1e-3
    return (scores / scores.sum(axis=0)).astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("n_channels", [24, 25])
@pytest.mark.parametrize("refine", [False, True])
def test_probabilities_agree_with_the_oracle(
    size: tuple[int, int], n_channels: int, refine: bool
) -> None:
    rng = np.random.default_rng(n_channels)
    affinities = rng.random((n_channels, *size), dtype=np.float32)
    scores = random_scores(rng, 7, size) if refine else None
    np.testing.assert_allclose(
        edge_costs(affinities, scores=scores),
        oracles.edge_costs(affinities, scores=scores),
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize("n_channels", [24, 25])
@pytest.mark.parametrize("spread", [0.1, 3.0, 30.0])
@pytest.mark.parametrize("refine", [False, True])
def test_logits_agree_with_the_oracle(n_channels: int, spread: float, refine: bool) -> None:
    rng = np.random.default_rng(0)
    affinities = (spread * rng.standard_normal((n_channels, 7, 10))).astype(np.float32)
    scores = random_scores(rng, 3, (7, 10)) if refine else None
    np.testing.assert_allclose(
        edge_costs(affinities, logits=True, scores=scores),
        oracles.edge_costs(affinities, logits=True, scores=scores),
        rtol=1e-5,
        atol=1e-5,
    )


def test_huge_logits_are_clamped_and_stay_finite() -> None:
    affinities = np.full((25, 4, 4), 3e38, np.float32)
    limit = np.log(0.999 / 0.001)
    assert edge_costs(affinities, logits=True, eps=1e-3)[4, 0, 0] == pytest.approx(limit)
    assert edge_costs(-affinities, logits=True, eps=1e-3)[4, 0, 0] == pytest.approx(-limit)


def test_half_precision_input_equals_its_single_precision_copy() -> None:
    affinities = np.random.default_rng(0).random((25, 6, 5)).astype(np.float16)
    costs = edge_costs(affinities)
    assert costs.dtype == np.float32
    np.testing.assert_array_equal(costs, edge_costs(affinities.astype(np.float32)))


def test_pairs_that_leave_the_image_cost_nothing() -> None:
    costs = edge_costs(np.ones((25, 4, 6), np.float32))
    for k, (dy, dx) in enumerate(oracles.FORWARD):
        for y, x in np.ndindex(4, 6):
            assert (costs[k, y, x] > 0) == oracles.in_image(y + dy, x + dx, costs.shape)


def test_the_centre_channel_does_not_matter() -> None:
    affinities = np.random.default_rng(0).random((25, 6, 5), dtype=np.float32)
    without = np.delete(affinities, 12, axis=0)
    np.testing.assert_array_equal(edge_costs(affinities), edge_costs(without))


def test_a_half_turn_of_the_image_is_a_half_turn_of_the_costs() -> None:
    affinities = np.random.default_rng(0).random((25, 6, 5), dtype=np.float32)
    costs = edge_costs(affinities)
    turned = edge_costs(affinities[::-1, ::-1, ::-1])
    for k, (dy, dx) in enumerate(oracles.FORWARD):
        for y, x in np.ndindex(6, 5):
            if oracles.in_image(y + dy, x + dx, (6, 5)):
                assert costs[k, y, x] == turned[k, 5 - y - dy, 4 - x - dx]


def test_refinement_leaves_equal_distributions_alone_and_never_attracts() -> None:
    rng = np.random.default_rng(0)
    affinities = rng.random((25, 6, 5), dtype=np.float32)
    plain = edge_costs(affinities)
    uniform = np.full((4, 6, 5), 0.25, np.float32)
    np.testing.assert_allclose(edge_costs(affinities, scores=uniform), plain, atol=1e-5)
    assert np.all(edge_costs(affinities, scores=random_scores(rng, 4, (6, 5))) <= plain + 1e-5)


def test_refinement_halves_the_affinity_of_different_classes() -> None:
    scores = np.array([[[1.0, 0.0]], [[0.0, 1.0]]], np.float32)
    costs = edge_costs(np.full((25, 1, 2), 0.8, np.float32), scores=scores)
    assert costs[0, 0, 0] == pytest.approx(np.log(0.4 / 0.6), abs=1e-5)


def test_non_contiguous_input_is_accepted_and_left_alone() -> None:
    affinities = np.random.default_rng(0).random((6, 5, 25), dtype=np.float32)
    before = affinities.copy()
    np.testing.assert_array_equal(
        edge_costs(affinities.transpose(2, 0, 1)),
        edge_costs(np.ascontiguousarray(affinities.transpose(2, 0, 1))),
    )
    np.testing.assert_array_equal(affinities, before)


GOOD = np.full((25, 4, 6), 0.5, np.float32)


@pytest.mark.parametrize(
    ("affinities", "message"),
    [
        (GOOD.tolist(), "affinities must be a float32 or float16 array, got list"),
        (GOOD.astype(np.float64), "affinities must be float32 or float16, got float64"),
        (GOOD[0], r"affinities must have 3 dimensions, got shape \(4, 6\)"),
        (GOOD[:23], "affinities must have 24 or 25 channels, got 23"),
        (GOOD[:, :0], r"affinities must have at least one pixel, got shape \(25, 0, 6\)"),
        (np.where(GOOD > 0, np.nan, GOOD), r"affinities must be finite, got nan at \(0, 0, 0\)"),
        (GOOD + 1, r"affinities must be probabilities .* got values in \[1.5, 1.5\]"),
    ],
)
def test_bad_affinities_are_named(affinities: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        edge_costs(affinities)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (GOOD.astype(np.float64), "scores must be float32 or float16, got float64"),
        (GOOD[:, :3], r"scores must have shape \(C >= 1, 4, 6\) .* got \(25, 3, 6\)"),
        (GOOD[:0], r"scores must have shape \(C >= 1, 4, 6\) .* got \(0, 4, 6\)"),
        (GOOD * np.float32("inf"), r"scores must be finite, got inf at \(0, 0, 0\)"),
        (-GOOD, "scores must not be negative, got -0.5"),
    ],
)
def test_bad_scores_are_named(scores: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        edge_costs(GOOD, scores=scores)


@pytest.mark.parametrize("eps", [0.0, 0.5, -1.0, 1.0, float("nan")])
def test_bad_eps_is_named(eps: float) -> None:
    with pytest.raises(ValueError, match=r"eps must be in \[1e-6, 0.5\), got "):
        edge_costs(GOOD, eps=eps)
