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

"""The four views: what each is, their mean, and the interval of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from ssap_ros.config import SsapConfig
from ssap_ros.data.scenes.street import street_scene
from ssap_ros.evaluation.predict import PredictionSettings, load_predictor
from ssap_ros.evaluation.scoring import Scores
from ssap_ros.evaluation.views import four_views, mean_of_views


class MeanMetric:
    """The mean of one number per image, over all and, as of one class, again."""

    def __init__(self, values: list[float]) -> None:
        self.values = values

    def merge(self, other: MeanMetric) -> None:
        self.values = self.values + other.values

    def resampled(self, indices: Any) -> MeanMetric:
        return MeanMetric([self.values[i] for i in indices])

    def result(self) -> dict[str, Any]:
        mean = float(np.mean(self.values))
        return {"AP": mean, "AP50": None, "classes": {"car": {"AP": 2 * mean}}}


def scores(values: list[float]) -> Scores:
    return Scores([MeanMetric(values)], values)


def test_the_mean_is_over_views_and_the_interval_over_images() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(100)
    views = {"plain": scores(base.tolist()), "mirrored": scores((base + 0.2).tolist())}
    result = mean_of_views(views, samples=400)
    assert result["AP"] == pytest.approx(base.mean() + 0.1)
    assert result["AP50"] is None
    assert result["classes"]["car"]["AP"] == pytest.approx(2 * (base.mean() + 0.1))
    assert result["views"]["mirrored"]["AP"] == pytest.approx(base.mean() + 0.2)
    # the same images are drawn for both views, so that the spread is that of the images
    low, high = result["interval"]["AP"]
    assert high - low == pytest.approx(2 * 1.96 * base.std() / 10, rel=0.2)
    assert result["interval"]["AP50"] is None
    assert mean_of_views(views, samples=400) == result


def test_four_views_differ_in_what_they_say() -> None:
    settings = PredictionSettings(SsapConfig(score_threshold=0.5))
    views = four_views(settings, 768)
    assert list(views) == ["plain", "mirrored", "long side 736", "long side 800"]
    assert views["plain"] == settings
    assert views["mirrored"] == dataclasses.replace(settings, mirror=True)
    sides = [view.config.input_long_side for view in views.values()]
    assert sides == [0, 0, 736, 800]
    assert {view.config.score_threshold for view in views.values()} == {0.5}


def test_a_mirrored_view_predicts_the_mirrored_image(toy_model_path: Any) -> None:
    image = street_scene(3, (192, 256)).image
    settings = PredictionSettings(SsapConfig(model_file_path=str(toy_model_path), num_threads=1))
    plain = load_predictor(settings)(np.ascontiguousarray(image[:, ::-1]))
    mirrored = load_predictor(dataclasses.replace(settings, mirror=True))(image)
    assert plain.instances.ids.any()
    np.testing.assert_array_equal(mirrored.instances.ids, plain.instances.ids[:, ::-1])
    np.testing.assert_array_equal(mirrored.instances.class_ids, plain.instances.class_ids)
    np.testing.assert_array_equal(mirrored.classes, plain.classes[:, ::-1])
    np.testing.assert_array_equal(mirrored.panoptic.ids, plain.panoptic.ids[:, ::-1])
