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

"""Overlay: what is drawn where, and that an object keeps its colour."""

from __future__ import annotations

import numpy as np
import pytest

from ssap_ros.types import FrameResult, ImageArray, Instance
from ssap_ros.visualization.overlay import OverlayRenderer

CLASSES = ("background", "person", "car")
SIZE = (120, 200)
GREY = np.full((*SIZE, 3), 100, np.uint8)


def frame(*boxes: tuple[int, int, int, int], size: tuple[int, int] = SIZE) -> FrameResult:
    """Rectangles (x, y, width, height) as instances, the first one on top."""
    labels = np.zeros(size, np.uint16)
    for k, (x, y, width, height) in reversed(list(enumerate(boxes, start=1))):
        labels[y : y + height, x : x + width] = k
    instances = tuple(
        Instance(class_id=1, score=0.9, bbox=box, area=int(np.sum(labels == k)))
        for k, box in enumerate(boxes, start=1)
    )
    return FrameResult(labels, instances, {})


def rim_colour(picture: ImageArray, box: tuple[int, int, int, int]) -> tuple[int, ...]:
    """The outline's colour in the lower right corner, where no label lies."""
    x, y, width, height = box
    return tuple(int(c) for c in picture[y + height - 1, x + width - 1])


def test_nothing_to_draw_leaves_a_copy_of_the_image() -> None:
    picture = OverlayRenderer(CLASSES).draw(GREY, frame())
    assert np.array_equal(picture, GREY)
    assert not np.shares_memory(picture, GREY)


def test_inside_is_tinted_rim_is_pure_colour_and_the_rest_untouched() -> None:
    box = (60, 50, 40, 50)
    picture = OverlayRenderer(CLASSES).draw(GREY, frame(box))
    colour = np.array(rim_colour(picture, box), float)
    assert colour.max() == 255
    assert np.abs(picture[75, 80] - (0.55 * 100 + 0.45 * colour)).max() <= 1
    changed = np.argwhere((picture != GREY).any(2))
    assert (changed[:, 0] < 100).all(), "below the box nothing is drawn"
    assert np.array_equal(picture[:, :55], GREY[:, :55])
    assert not np.array_equal(picture[35:50, 60:100], GREY[35:50, 60:100]), "the label is above"


def test_colours_follow_the_objects_when_order_and_position_change() -> None:
    renderer = OverlayRenderer(CLASSES)
    left, right = (20, 40, 30, 60), (120, 40, 30, 60)
    first = renderer.draw(GREY, frame(left, right))
    moved_left, moved_right = (26, 42, 30, 60), (114, 38, 30, 60)
    second = renderer.draw(GREY, frame(moved_right, moved_left))
    assert rim_colour(first, left) == rim_colour(second, moved_left)
    assert rim_colour(first, right) == rim_colour(second, moved_right)
    assert rim_colour(first, left) != rim_colour(first, right)


def test_a_missed_object_gets_its_colour_back_and_a_new_one_another() -> None:
    renderer = OverlayRenderer(CLASSES)
    left, right, new = (20, 40, 30, 60), (120, 40, 30, 60), (70, 40, 30, 60)
    first = renderer.draw(GREY, frame(left, right))
    renderer.draw(GREY, frame(right))
    third = renderer.draw(GREY, frame(new, left, right))
    assert rim_colour(third, left) == rim_colour(first, left)
    assert len({rim_colour(third, box) for box in (left, right, new)}) == 3


def test_twelve_neighbouring_identities_have_distinct_colours() -> None:
    size = (400, 960)
    boxes = [(x, y, 60, 60) for y in (100, 300) for x in range(10, 960, 160)]
    image = np.zeros((*size, 3), np.uint8)
    picture = OverlayRenderer(CLASSES).draw(image, frame(*boxes, size=size))
    colours = np.array([rim_colour(picture, box) for box in boxes])
    distance = np.abs(colours[:, None] - colours[None]).sum(2)
    assert distance[~np.eye(len(boxes), dtype=bool)].min() > 40


def test_a_new_frame_size_starts_afresh() -> None:
    renderer = OverlayRenderer(CLASSES)
    renderer.draw(GREY, frame((20, 40, 30, 60)))
    small = np.full((60, 90, 3), 100, np.uint8)
    assert renderer.draw(small, frame((5, 5, 20, 20), size=(60, 90))).shape == small.shape


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (7, 5)])
def test_tiny_pictures_hold_what_fits(size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    picture = OverlayRenderer(CLASSES).draw(image, frame((0, 0, size[1], size[0]), size=size))
    assert picture.shape == image.shape
    assert picture.dtype == np.uint8


def test_sizes_that_differ_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"image must be \(120, 200, 3\), got \(10, 10, 3\)"):
        OverlayRenderer(CLASSES).draw(np.zeros((10, 10, 3), np.uint8), frame())
