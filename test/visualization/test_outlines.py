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

"""Outlines enclose their masks, and nothing else."""

import cv2
import numpy as np

from ssap_ros.types import FrameResult, Instance
from ssap_ros.visualization.outlines import outlines
from ssap_ros.visualization.overlay import identity_colour

SIZE = (60, 80)


def test_an_outline_encloses_its_mask():
    labels = np.zeros(SIZE, np.uint16)
    labels[10:30, 5:25] = 1
    cv2.circle(labels, (55, 35), 15, 2, -1)
    labels[20:50, 50:52] = 0  # cuts it in two
    instances = (Instance(1, 0.91, (5, 10, 20, 20), 400), Instance(3, 0.5, (40, 20, 31, 31), 600))
    found = outlines(FrameResult(labels, instances, {}), {1: "person"}, (4, 9))
    assert [outline.text for outline in found] == ["person 0.91", "3 0.50"]
    assert [len(outline.polygons) for outline in found] == [1, 2]
    assert found[0].position == (5, 10)
    for k, (outline, identity) in enumerate(zip(found, (4, 9), strict=True), start=1):
        filled = np.zeros(SIZE, np.uint8)
        for polygon in outline.polygons:
            cv2.fillPoly(filled, [np.int32(polygon - 0.5)], 1)
        both = np.count_nonzero((filled > 0) & (labels == k))
        assert both / np.count_nonzero((filled > 0) | (labels == k)) > 0.95
        assert [round(255 * c) for c in outline.colour] == list(identity_colour(identity))


def test_a_picture_without_instances():
    assert outlines(FrameResult(np.zeros(SIZE, np.uint16), (), {}), {}, ()) == []
