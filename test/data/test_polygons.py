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

"""Polygons of masks are exact: pycocotools makes the same pixels of them."""

import numpy as np
import pytest
from pycocotools import mask as rle

from ssap_ros.data.polygons import joined, mask_polygons


def pixels(polygons, shape):
    """What the COCO API makes of polygons."""
    codes = rle.frPyObjects([p.ravel().astype(float).tolist() for p in polygons], *shape)
    return rle.decode(rle.merge(codes)).astype(bool)


def drawn(*rows):
    return np.array([[c == "#" for c in row] for row in rows])


SHAPES = {
    "pixel": drawn("...", ".#.", "..."),
    "whole": drawn("##", "##"),
    "diagonal": drawn("#..", ".#.", "..#"),
    "hole": drawn("####", "#..#", "####"),
    "two holes": drawn("#####", "#.#.#", "#####"),
    "diagonal holes": drawn("####", "#.##", "##.#", "####"),
    "island in a hole": drawn("#####", "#...#", "#.#.#", "#...#", "#####"),
    "two regions": drawn("##..", "....", "..##"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    mask = SHAPES[name]
    polygons = mask_polygons(mask)
    np.testing.assert_array_equal(pixels(polygons, mask.shape), mask)
    np.testing.assert_array_equal(pixels([joined(polygons)], mask.shape), mask)


def test_a_rectangle_has_its_four_corners():
    mask = np.zeros((9, 9), bool)
    mask[2:5, 3:8] = True
    (polygon,) = mask_polygons(mask)
    assert sorted(map(tuple, polygon.tolist())) == [(3, 2), (3, 5), (8, 2), (8, 5)]


def test_of_nothing():
    assert mask_polygons(np.zeros((4, 5), bool)) == []


@pytest.mark.parametrize("density", [0.2, 0.5, 0.8])
def test_random_masks(density):
    rng = np.random.default_rng(round(10 * density))
    for _ in range(40):
        mask = rng.random(rng.integers(1, 24, 2)) < density
        if mask.any():
            polygons = mask_polygons(mask)
            np.testing.assert_array_equal(pixels(polygons, mask.shape), mask)
            np.testing.assert_array_equal(pixels([joined(polygons)], mask.shape), mask)
