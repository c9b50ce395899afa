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

"""Vote, score, filter, rank; areas and boxes agree with the masks pixel by pixel."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from ssap_ros.stages.instances import SIZE_EXPONENT, USUAL_CELLS, extract_instances, vote
from ssap_ros.types import Instance

THINGS = (1, 2, 3)
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def random_case(seed: int, n: int = 12) -> dict[str, Any]:
    """Random label blobs on a 30 x 40 grid whose classes and probabilities are noise."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((30, 40), np.int32)
    for label in range(1, n + 1):
        y, x = rng.integers(0, 26), rng.integers(0, 36)
        labels[y : y + rng.integers(1, 9), x : x + rng.integers(1, 9)] = label
    _, labels = np.unique(labels, return_inverse=True)
    labels = labels.reshape(30, 40).astype(np.int32)
    classes = np.where(labels, rng.integers(1, 4, labels.shape), 0).astype(np.uint8)
    probabilities = rng.dirichlet(np.ones(4), labels.shape).transpose(2, 0, 1).astype(np.float32)
    return {"labels": labels, "classes": classes, "probabilities": probabilities}


def extract(
    case: dict[str, Any], score_threshold: float = 0.0, min_area: int = 0
) -> tuple[np.ndarray, tuple[Instance, ...]]:
    return extract_instances(
        **case,
        thing_ids=THINGS,
        size=(101, 150),
        cells_per_pixel=30 / 101,
        score_threshold=score_threshold,
        min_area=min_area,
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("score_threshold", "min_area"), [(0, 0), (0.1, 0), (0, 200), (0.1, 150)])
def test_masks_and_instances_agree(seed: int, score_threshold: float, min_area: int) -> None:
    masks, instances = extract(random_case(seed), score_threshold, min_area)
    assert (masks.dtype, masks.shape) == (np.uint16, (101, 150))
    assert set(np.unique(masks)) - {0} == set(range(1, len(instances) + 1))
    for label, instance in enumerate(instances, start=1):
        ys, xs = np.nonzero(masks == label)
        box = (xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1)
        assert (instance.bbox, instance.area) == (box, len(ys))
        assert instance.score >= score_threshold
        assert instance.area >= min_area
    scores = [instance.score for instance in instances]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("seed", range(3))
def test_a_mask_does_not_depend_on_what_is_dropped(seed: int) -> None:
    every_mask, everyone = extract(random_case(seed))
    kept_mask, kept = extract(random_case(seed), score_threshold=0.12, min_area=100)
    assert 0 < len(kept) < len(everyone)
    for label, instance in enumerate(kept, start=1):
        same = everyone.index(instance) + 1
        np.testing.assert_array_equal(kept_mask == label, every_mask == same)


def test_score_is_the_mean_probability_away_from_the_edge() -> None:
    labels = np.zeros((20, 20), np.int32)
    labels[:10, :10], labels[:10, 10:] = 1, 2  # 9 x 9 cells of each have no edge to the other
    probabilities = np.zeros((4, 20, 20), np.float32)
    probabilities[1] = 0.3
    probabilities[1, :9, :9] = 0.8
    class_ids, scores = vote(labels, (labels > 0).astype(np.uint8), probabilities, THINGS)
    assert class_ids.tolist() == [1, 1]
    np.testing.assert_allclose(scores, [(81 * 0.8 + 1.9 * 0.3) / 82.9, 0.3], rtol=1e-6)


def test_more_cells_make_a_score_surer() -> None:
    labels = np.zeros((30, 60), np.int32)
    labels[:20, :50], labels[25, :10], labels[28, :1] = 1, 2, 3  # 1000, 10 and 1 cells
    probabilities = np.full((4, 30, 60), 0.5, np.float32)
    _, scores = vote(labels, (labels > 0).astype(np.uint8), probabilities, THINGS)
    steps = -np.diff(np.log(scores / (1 - scores))) / np.log(10)
    np.testing.assert_allclose(steps, [2 * SIZE_EXPONENT, SIZE_EXPONENT])
    labels[:], labels[:10, : USUAL_CELLS // 10] = 0, 1
    _, scores = vote(labels, (labels > 0).astype(np.uint8), probabilities, THINGS)
    np.testing.assert_allclose(scores, [0.5])


def test_the_majority_wins_and_probability_decides_a_tie() -> None:
    labels = np.int32([[1, 1, 1, 2, 2]])
    classes = np.uint8([[2, 2, 3, 1, 3]])
    probabilities = np.zeros((4, 1, 5), np.float32)
    probabilities[3] = 0.6
    probabilities[2], probabilities[1] = 0.3, 0.1
    class_ids, _ = vote(labels, classes, probabilities, THINGS)
    assert class_ids.tolist() == [2, 3]
    class_ids, _ = vote(labels, classes, probabilities[[0, 3, 2, 1]], THINGS)
    assert class_ids.tolist() == [2, 1]


@pytest.mark.parametrize("seed", range(3))
def test_votes_and_scores_are_those_of_every_mask_taken_alone(seed: int) -> None:
    case = random_case(seed)
    case["classes"][::3] = 0  # cells without a vote count for the scores all the same
    class_ids, scores = vote(**case, thing_ids=THINGS)
    assert len(scores) == case["labels"].max()
    for label, (class_id, score) in enumerate(zip(class_ids, scores, strict=True), start=1):
        mask = case["labels"] == label
        inner = cv2.erode(mask.astype(np.uint8), CROSS, borderValue=1)
        weight = np.where(inner[mask] > 0, 1.0, 0.1)
        means = [np.average(case["probabilities"][k][mask], weights=weight) for k in THINGS]
        votes = [int((case["classes"][mask] == k).sum()) for k in THINGS]
        best = max(zip(votes, means, THINGS, strict=True))[2]
        p = means[best - 1]
        odds = p / (1 - p) * (mask.sum() / USUAL_CELLS) ** SIZE_EXPONENT
        assert class_id == best
        assert score == pytest.approx(odds / (1 + odds), rel=1e-9)


def test_class_ids_come_from_thing_ids() -> None:
    labels = np.int32([[1, 2]])
    probabilities = np.full((9, 1, 2), 1 / 9, np.float32)
    class_ids, _ = vote(labels, np.uint8([[2, 1]]), probabilities, (4, 8))
    assert class_ids.tolist() == [8, 4]


def test_equal_scores_keep_the_order_of_the_partition() -> None:
    case = random_case(0)
    case["labels"] = np.repeat(np.arange(1, 31, dtype=np.int32)[:, None], 40, axis=1)
    case["classes"][:] = 1
    case["probabilities"][:] = 0.25
    masks, instances = extract(case)
    assert len(instances) == 30
    assert (np.diff(masks[:, 0].astype(int)) >= 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (3, 5)])
def test_no_instance(shape: tuple[int, int]) -> None:
    masks, instances = extract_instances(
        np.zeros(shape, np.int32),
        np.zeros(shape, np.uint8),
        np.ones((4, *shape), np.float32),
        THINGS,
        (9, 16),
        0.25,
        score_threshold=0,
        min_area=0,
    )
    assert instances == ()
    assert (masks.shape, masks.dtype, masks.any()) == ((9, 16), np.uint16, False)


def test_an_instance_that_vanishes_in_a_smaller_image_is_dropped() -> None:
    labels = np.zeros((9, 9), np.int32)
    labels[1, 1] = 1
    masks, instances = extract_instances(
        labels,
        labels.astype(np.uint8),
        np.ones((4, 9, 9), np.float32),
        THINGS,
        (3, 3),
        3.0,
        score_threshold=0,
        min_area=0,
    )
    assert len(instances) == masks.max()


def test_half_precision_probabilities_count_as_their_single_precision_copies() -> None:
    case = random_case(0)
    half = case["probabilities"].astype(np.float16)  # as a GPU writes them
    from_half = vote(case["labels"], case["classes"], half, THINGS)
    from_single = vote(case["labels"], case["classes"], half.astype(np.float32), THINGS)
    for a, b in zip(from_half, from_single, strict=True):
        np.testing.assert_array_equal(a, b)
