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

"""Which classes are wanted, and from which score: by name, for a model that knows them."""

import dataclasses

import numpy as np
import pytest

from ssap_ros.config import SsapConfig
from ssap_ros.errors import InputError
from ssap_ros.pipeline import SsapPipeline
from ssap_ros.stages.class_choice import ClassChoice
from support.tiny_sets import CAR, PERSON, objects
from support.toy_model import THING_IDS, paint, probability, toy_info

BOXES = [(16, 24, 64, 96), (120, 40, 100, 80), (40, 140, 96, 40)]
IMAGE = paint(objects(BOXES), [PERSON, CAR, PERSON], [255, 255, 30])


def choice(**settings):
    return ClassChoice.of(SsapConfig(**settings), toy_info())


def test_by_default_all_classes_have_the_one_threshold():
    everything = choice(score_threshold=0.3)
    assert everything.hidden == frozenset()
    assert set(everything.thresholds) == {0.3}
    assert everything.shown[PERSON] == "person"
    assert everything.lowest_score == 0.3


def test_other_thing_classes_are_hidden():
    cars = choice(classes=("car",), class_score_thresholds=("car: 0.7", "person:0.1"))
    assert cars.hidden == set(THING_IDS) - {CAR}
    assert cars.thresholds[CAR] == 0.7
    assert np.isinf(cars.thresholds[PERSON])
    assert set(cars.shown.values()) == {"background", "car"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"classes": ("cow",)}, "classes must be of person, bicycle, .*, got 'cow'"),
        ({"classes": ("background",)}, "got 'background'"),
        ({"class_score_thresholds": ("cow: 0.5",)}, "class_score_thresholds must be of person"),
        ({"class_score_thresholds": ("car",)}, "must be like .*, got 'car'"),
        ({"class_score_thresholds": ("car: 1.5",)}, r"scores in \[0, 1\], got 'car: 1.5'"),
        ({"class_score_thresholds": ("car: nan",)}, r"scores in \[0, 1\], got 'car: nan'"),
        ({"class_score_thresholds": (": 0.5",)}, "got ': 0.5'"),
    ],
)
def test_what_makes_no_choice_is_refused(settings, words):
    with pytest.raises(InputError, match=words):
        choice(**settings)


def test_the_pipeline_finds_what_is_wanted_live(toy_backend):
    config = SsapConfig()
    pipeline = SsapPipeline(toy_backend, config)
    assert [i.class_id for i in pipeline(IMAGE).instances] == [CAR, PERSON, PERSON]
    whole = pipeline(IMAGE)

    pipeline.config = dataclasses.replace(config, classes=("car",))
    result = pipeline(IMAGE)
    assert [i.class_id for i in result.instances] == [CAR]
    np.testing.assert_array_equal(result.labels == 1, whole.labels == 1)

    assert 0.4 < probability(PERSON, 30) < 0.9
    pipeline.config = dataclasses.replace(config, class_score_thresholds=("person: 0.9",))
    assert [i.class_id for i in pipeline(IMAGE).instances] == [CAR, PERSON]

    with pytest.raises(InputError, match="'cow'"):
        pipeline.config = dataclasses.replace(config, classes=("cow",))
    assert pipeline.config.class_score_thresholds == ("person: 0.9",)
