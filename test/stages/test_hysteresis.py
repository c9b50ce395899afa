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

"""Hysteresis of the scores: hand-made frames, whose truth can be read off."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from ssap_ros.stages.hysteresis import ScoreHysteresis, shown_result
from ssap_ros.types import FrameResult, Instance

THRESHOLDS = np.array([0.4, 0.4, 0.6])
MARGIN = 0.2
SIZE = (40, 60)
Box = tuple[int, int, int, int]  # x, y, width, height


class Scene:
    """Frames of boxes, 0.1 s apart unless told otherwise."""

    def __init__(self, margin: float = MARGIN) -> None:
        self.decide = ScoreHysteresis()
        self.margin = margin
        self.time_s = 5.0

    def frame(
        self,
        *objects: tuple[Box, int, float],
        after_s: float = 0.1,
        thresholds: NDArray[np.float64] = THRESHOLDS,
        size: tuple[int, int] = SIZE,
    ) -> list[bool]:
        self.time_s += after_s
        labels = np.zeros(size, np.uint16)
        for k, ((x, y, width, height), _, _) in enumerate(objects, start=1):
            labels[y : y + height, x : x + width] = k
        class_ids = np.array([class_id for _, class_id, _ in objects], np.int64)
        scores = np.array([score for _, _, score in objects])
        shown = self.decide(labels, class_ids, scores, thresholds, self.margin, self.time_s)
        assert shown.dtype == bool
        return [bool(value) for value in shown]


HERE, NEAR, FAR = (10, 10, 8, 20), (12, 11, 8, 20), (40, 10, 8, 20)


def test_one_that_was_shown_stays_for_less() -> None:
    scene = Scene()
    assert scene.frame((HERE, 1, 0.3)) == [False]
    assert scene.frame((HERE, 1, 0.4), (FAR, 1, 0.3)) == [True, False]
    assert scene.frame((NEAR, 1, 0.21), (FAR, 1, 0.39)) == [True, False]
    assert scene.frame((NEAR, 1, 0.25)) == [True]  # as long as it takes
    assert scene.frame((NEAR, 1, 0.19)) == [False]
    assert scene.frame((NEAR, 1, 0.3)) == [False]  # gone is gone
    assert scene.frame((NEAR, 1, 0.4)) == [True]


def test_the_threshold_is_that_of_the_class_and_the_class_stays_the_same() -> None:
    scene = Scene()
    assert scene.frame((HERE, 2, 0.6), (FAR, 2, 0.6)) == [True, True]
    assert scene.frame((HERE, 2, 0.41), (FAR, 1, 0.39)) == [True, False]


def test_only_the_best_fit_stays() -> None:
    """Neither a fragment beside what is found again, nor both halves of what broke."""
    scene = Scene()
    whole, top, bottom = (10, 4, 8, 30), (10, 4, 8, 19), (10, 23, 8, 11)
    assert scene.frame((whole, 1, 0.9)) == [True]
    assert scene.frame((top, 1, 0.5), (bottom, 1, 0.3)) == [True, False]
    scene = Scene()
    assert scene.frame((whole, 1, 0.9)) == [True]
    assert scene.frame((bottom, 1, 0.35), (top, 1, 0.3)) == [False, True]
    scene = Scene()
    assert scene.frame((whole, 1, 0.9)) == [True]
    # what scores too little to stay does not stand in the way
    assert scene.frame((top, 1, 0.1), (bottom, 1, 0.3)) == [False, True]


def test_little_overlap_is_another_object() -> None:
    for shift, stays in [(4, True), (5, False)]:  # IoU 4/12, 3/13 of a width of 8
        scene = Scene()
        scene.frame((HERE, 1, 0.9))
        x, y, width, height = HERE
        assert scene.frame(((x + shift, y, width, height), 1, 0.3)) == [stays]


@pytest.mark.parametrize(
    "change",
    [
        {"after_s": 1.1},
        {"after_s": -0.1},
        {"size": (60, 40)},
        {"thresholds": np.array([0.4, 0.45, 0.6])},
    ],
)
def test_forgets_after_a_jump_and_with_new_settings(change: dict[str, object]) -> None:
    scene = Scene()
    assert scene.frame((HERE, 1, 0.9)) == [True]
    assert scene.frame((HERE, 1, 0.3), **change) == [False]


def test_without_margin_every_frame_is_on_its_own() -> None:
    scene, rng = Scene(margin=0.0), np.random.default_rng(0)
    for _ in range(50):
        score = rng.random()
        assert scene.frame((HERE, 1, score)) == [score >= 0.4]


def test_no_instances_and_large_images() -> None:
    scene = Scene()
    assert scene.frame() == []
    assert scene.frame((HERE, 1, 0.9)) == [True]
    assert scene.frame() == []
    assert scene.frame((HERE, 1, 0.3)) == [False]
    size, large = (1500, 2000), (300, 400, 60, 200)
    assert scene.frame((large, 1, 0.9), size=size) == [True]
    assert scene.frame((large, 1, 0.3), size=size) == [True]


def test_thresholds_of_hidden_classes_hide_whatever_the_margin() -> None:
    scene, hidden = Scene(), np.array([0.4, np.inf, 0.4])
    for _ in range(2):
        assert scene.frame((HERE, 1, 0.99), thresholds=hidden) == [False]


def test_the_result_has_the_labels_of_those_shown() -> None:
    labels = np.array([[1, 2, 2], [3, 0, 3]], np.uint16)
    instances = tuple(
        Instance(1, score, (0, 0, 3, 2), area) for score, area in [(0.9, 1), (0.3, 2), (0.25, 2)]
    )
    found = FrameResult(labels, instances, {"partition": 1.0}, partition_complete=False)
    result = shown_result(found, np.array([True, False, True]))
    np.testing.assert_array_equal(result.labels, [[1, 0, 0], [2, 0, 2]])
    assert result.labels.dtype == np.uint16
    assert result.instances == (instances[0], instances[2])
    assert dataclasses.replace(result, labels=labels, instances=instances) == found
    assert shown_result(found, np.ones(3, bool)) is found
