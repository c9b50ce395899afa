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

"""The shipped model: its size, what it says about itself, and that it sees the street."""

import cv2
import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from ssap_ros.backends import load_backend
from ssap_ros.backends.resources import default_model_path
from ssap_ros.config import SsapConfig
from ssap_ros.data.scenes.street import street_scene
from ssap_ros.pipeline import SsapPipeline

CLASSES = ("background", "person", "bicycle", "car", "motorcycle", "bus", "train", "truck")


@pytest.fixture(scope="module")
def pipeline() -> SsapPipeline:
    config = SsapConfig()
    return SsapPipeline(load_backend(config), config)


def test_fits_into_20_megabytes_and_names_the_street_classes():
    assert default_model_path().stat().st_size <= 20e6
    info = load_backend(SsapConfig()).info
    assert info.classes == CLASSES
    assert info.thing_ids == tuple(range(1, 8))


def test_finds_most_large_people_and_cars_of_unseen_scenes(pipeline: SsapPipeline):
    """Those of more than 4 % of the picture; found = a mask of the same class with IoU > 0.5.

    What was drawn of the other classes looks too little like a photograph (see the model card).
    """
    wanted = {CLASSES.index(name) for name in ("person", "car")}
    found = total = 0
    for seed in range(900, 912):
        scene = street_scene(seed, (480, 640))
        result = pipeline(scene.image)
        for instance_id in range(1, len(scene.class_ids) + 1):
            truth = scene.instances == instance_id
            if truth.mean() < 0.04 or scene.class_ids[instance_id - 1] not in wanted:
                continue
            total += 1
            k = np.bincount(result.labels[truth]).argmax()
            mask = result.labels == k
            overlap = (mask & truth).sum() / (mask | truth).sum()
            found += bool(
                k
                and overlap > 0.5
                and result.instances[k - 1].class_id == scene.class_ids[instance_id - 1]
            )
    assert total >= 12
    assert found >= total / 2, f"{found} of {total}"


def test_sees_nothing_in_noise_and_in_grey(pipeline: SsapPipeline):
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    for image in (cv2.GaussianBlur(noise, (0, 0), 2), np.full((480, 640, 3), 127, np.uint8)):
        assert sum(i.area for i in pipeline(image).instances) < 0.05 * image.shape[0] * 640
