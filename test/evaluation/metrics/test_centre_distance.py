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

"""Centres in space against the truth, on tiny sets whose figures are counted by hand."""

import numpy as np
import pytest

from ssap_ros.evaluation.metrics.centre_distance import CentreDistance

CLASSES = {1: "person", 3: "car"}


def add(scores, predicted, truth):
    """Of (class, x, y, z) each."""
    found, true = (np.array(rows, float).reshape(-1, 4) for rows in (predicted, truth))
    return scores.add(
        found[:, 1:].astype(np.float32),
        found[:, 0].astype(int),
        true[:, 1:].astype(np.float32),
        true[:, 0].astype(int),
    )


def test_nearest_pairs_of_one_class_match_once():
    scores = CentreDistance(CLASSES)
    predicted = [(1, 0, 0, 5.3), (1, 0, 0, 5.1), (3, 4, 0, 10), (3, 0, 0, 5)]
    distances = add(scores, predicted, [(1, 0, 0, 5), (3, 4, 0, 11.5), (1, 0, 0, 30)])
    assert distances == pytest.approx([0.1, 1.5], abs=1e-6)
    result = scores.result()
    assert (result["frames"], result["truth"], result["predicted"]) == (1, 3, 4)
    third = round(1 / 3, 4)
    assert result["recall"] == {"0.5 m": third, "1 m": third, "2 m": 0.6667, "4 m": 0.6667}
    assert result["centre_error_m"]["p50"] == pytest.approx(0.8)
    assert result["classes"]["person"]["recall"]["4 m"] == 0.5
    assert result["classes"]["car"]["recall"]["1 m"] == 0


def test_nothing_predicted_and_nothing_true():
    scores = CentreDistance(CLASSES)
    assert scores.result()["recall"]["2 m"] is None
    assert add(scores, [], []) == []
    assert add(scores, [], [(1, 0, 0, 5)]) == []
    assert add(scores, [(1, 0, 0, 5)], []) == []
    result = scores.result()
    assert (result["frames"], result["truth"], result["predicted"]) == (3, 1, 1)
    assert result["recall"]["4 m"] == 0
    assert result["centre_error_m"]["p50"] is None


def test_merged_scores_are_those_of_all_frames():
    one, other, both = (CentreDistance(CLASSES) for _ in range(3))
    frames = [([(1, 0, 0, 5)], [(1, 0, 0, 6)]), ([(3, 0, 0, 5)], [(3, 0, 0, 5.2)])]
    for scores, frame in zip((one, other), frames, strict=True):
        add(scores, *frame)
        add(both, *frame)
    one.merge(other)
    assert one.result() == both.result()
