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

"""The metrics against truths known by hand; parts of a set, and sets without anything."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from ssap_ros.data.segments import Segments, intersections
from ssap_ros.evaluation.metrics.average_precision import CocoAveragePrecision
from ssap_ros.evaluation.metrics.cityscapes_precision import CityscapesAveragePrecision
from ssap_ros.evaluation.metrics.mean_iou import MeanIou
from ssap_ros.evaluation.metrics.panoptic_quality import PanopticQuality
from support.metric_pictures import PICTURES, STUFF, THINGS, Picture


def accumulators() -> list[Any]:
    classes = {**STUFF, **THINGS}
    return [
        PanopticQuality(classes, list(THINGS)),
        CityscapesAveragePrecision(THINGS),
        CocoAveragePrecision(THINGS),
        MeanIou(classes),
    ]


def add(metric: Any, picture: Picture) -> None:
    prediction, truth = picture.panoptic(), picture.truth()
    if isinstance(metric, MeanIou):
        metric.add(prediction.class_map(), truth.class_map())
    else:
        metric.add(prediction, truth)


@pytest.mark.parametrize("kind", range(4))
def test_parts_merged_give_the_result_of_the_whole(kind: int) -> None:
    whole, parts = accumulators()[kind], [accumulators()[kind] for _ in range(3)]
    for n, picture in enumerate(PICTURES[:12]):
        add(whole, picture)
        add(parts[n // 4], picture)
    merged = accumulators()[kind]
    for part in parts:
        merged.merge(part)
    assert json.dumps(merged.result()) == json.dumps(whole.result())
    again = whole.resampled(np.arange(12))
    assert again.result() == whole.result()
    assert whole.resampled(np.array([3, 3, 8])).result() != whole.result()


@pytest.mark.parametrize("kind", range(4))
def test_no_image_and_images_without_anything(kind: int) -> None:
    metric = accumulators()[kind]
    first = next(iter(metric.result()))
    assert metric.result()[first] is None
    nothing = Segments(np.zeros((8, 8), np.int32), np.zeros(0, int))
    if isinstance(metric, MeanIou):
        metric.add(nothing.class_map(), nothing.class_map())
    else:
        metric.add(nothing, nothing)
    assert metric.result()[first] is None


def square(x: int) -> np.ndarray:
    mask = np.zeros((40, 80), np.int32)
    mask[10:30, x : x + 20] = 1
    return mask


def test_panoptic_quality_of_a_hand_made_picture() -> None:
    """A person found with IoU 3/5, another one missed, a car invented, the ground exact."""
    truth = Segments(square(0) + 2 * square(30), np.array([24, 24])).with_background(7)
    found = Segments(square(5) + 2 * square(55), np.array([24, 26])).with_background(7)
    metric = PanopticQuality({7: "road", 24: "person", 26: "car"}, [24, 26])
    metric.add(found, truth)
    result = metric.result()
    assert result["classes"]["person"] == pytest.approx({"PQ": 0.6 / 1.5, "SQ": 0.6, "RQ": 2 / 3})
    assert result["classes"]["car"] == {"PQ": 0, "SQ": 0, "RQ": 0}
    assert result["PQ_th"] == pytest.approx(0.2)
    assert result["PQ_st"] == result["SQ_st"] == pytest.approx(result["classes"]["road"]["PQ"])


def test_coco_and_cityscapes_precision_of_one_hit_and_one_miss() -> None:
    truth = Segments(square(0) + 2 * square(30), np.array([24, 24])).with_background(7)
    found = Segments(square(0), np.array([24]), np.array([0.8]))
    coco, cityscapes = CocoAveragePrecision(THINGS), CityscapesAveragePrecision(THINGS)
    coco.add(found, truth)
    cityscapes.add(found, truth)
    assert coco.result()["classes"]["person"]["AP"] == pytest.approx(51 / 101)
    assert cityscapes.result()["AP"] == pytest.approx(0.5)
    assert cityscapes.result()["classes"]["car"] == {"AP": None, "AP50": None}


def test_segments_that_do_not_fit_are_refused() -> None:
    ids = np.zeros((4, 5), np.int32)
    with pytest.raises(ValueError, match=r"ids must be in \[0, 0\], got \[0, 1\]"):
        Segments(ids + np.eye(4, 5, dtype=np.int32), np.zeros(0, int))
    with pytest.raises(ValueError, match=r"ids must be integer .*got float64"):
        Segments(ids.astype(float), np.zeros(0, int))
    with pytest.raises(ValueError, match=r"scores must have shape \(1,\), got \(2,\)"):
        Segments(ids, np.array([1]), np.array([0.1, 0.2]))
    one, other = Segments(ids, np.array([1])), Segments(ids.T, np.array([1]))
    with pytest.raises(ValueError, match=r"one size, got \(4, 5\) and \(5, 4\)"):
        intersections(one, other)
    masks = Segments(np.zeros((1, 4, 5), bool), np.array([1]))
    with pytest.raises(ValueError, match="overlap"):
        PanopticQuality(THINGS, []).add(masks, one)
    with pytest.raises(ValueError, match="uint8"):
        MeanIou(THINGS).add(ids, ids)
