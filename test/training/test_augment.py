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

"""Crops and pasted objects."""

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # several would wait for each other on a busy machine

from ssap_ros.training.augment import (  # noqa: E402
    Cutout,
    paste_beside,
    paste_group,
    random_crop,
)
from ssap_ros.training.samples import (  # noqa: E402
    VOID,
    Sample,
)


def test_crop_keeps_labels_on_their_pixels():
    """The picture is painted with its own labels, so both must still agree after any crop."""
    rng = np.random.default_rng(0)
    instances = np.kron(rng.integers(0, 5, (6, 8)), np.ones((20, 20))).astype(np.int32)
    image = np.repeat((instances * 50 + 20).astype(np.uint8)[..., None], 3, axis=2)
    sample = Sample(image, instances, np.arange(5, dtype=np.uint8))
    for _ in range(20):
        crop = random_crop(sample, (64, 48), (0.8, 2.0), rng)
        inside = crop.instances != VOID
        assert crop.image.shape == (64, 48, 3)
        expected = crop.instances * 50 + 20
        off = np.abs(crop.image[..., 0].astype(int) - expected)[inside] > 5
        assert off.mean() < 0.25  # interpolated edges alone


def test_pasted_objects_get_ids_and_classes_of_their_own():
    base = Sample(
        np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.int32), np.zeros(1, np.uint8)
    )
    cutout = Cutout(np.full((20, 10, 3), 200, np.uint8), np.full((20, 10), 255, np.uint8), 3)
    pasted = paste_group(base, [cutout], 4, np.random.default_rng(1))
    assert pasted.class_ids.tolist() == [0, 3, 3, 3, 3]
    assert (pasted.image[pasted.instances > 0] > 0).mean() > 0.9
    assert not base.instances.any()


def test_a_third_of_the_crops_is_where_objects_touch():
    instances = np.zeros((300, 900), np.int32)
    instances[100:130, 100:110], instances[100:130, 110:120] = 1, 2  # the only contact
    instances[:, 400:800] = 3
    sample = Sample(np.zeros((300, 900, 3), np.uint8), instances, np.array([0, 1, 1, 1], np.uint8))
    rng = np.random.default_rng(0)
    crops = [random_crop(sample, (64, 64), (1.0, 1.0), rng).instances for _ in range(60)]
    both = np.mean([{1, 2} <= set(np.unique(crop)) for crop in crops])
    assert 0.4 < both < 0.8  # and most of those at 1 or at 2, which are two objects of three


def test_a_neighbour_is_pasted_beside_an_object_before_or_behind_it():
    instances = np.zeros((96, 128), np.int32)
    instances[30:80, 50:70] = 1
    image = np.where(instances > 0, 180, 40)[..., None].repeat(3, axis=2).astype(np.uint8)
    base = Sample(image, instances, np.array([0, 3], np.uint8))
    striped = np.zeros((40, 20, 3), np.uint8) + 90
    pools = {3: [Cutout(striped, np.full((40, 20), 255, np.uint8), 3)]}
    touching, covered, colours = [], [], []
    for seed in range(40):
        pasted = paste_beside(base, pools, np.random.default_rng(seed))
        new = pasted.instances == 2
        assert pasted.class_ids.tolist() == [0, 3, 3]
        assert new.any()
        grown = cv2.dilate(new.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        touching.append((grown & (pasted.instances == 1)).any())
        covered.append((pasted.instances == 1).sum() < 50 * 20)
        colours.append(np.median(pasted.image[new]))
    assert np.mean(touching) > 0.7
    assert 0.2 < np.mean(covered) < 0.8
    own, other = np.isin(colours, (179, 180)).mean(), np.isin(colours, (89, 90)).mean()
    assert own > other > 0
    assert own + other < 1  # the rest stands in another light
    assert np.array_equal(base.image, image)
    empty = Sample(image, np.zeros_like(instances), np.zeros(1, np.uint8))
    assert paste_beside(empty, pools, np.random.default_rng(0)) is empty
