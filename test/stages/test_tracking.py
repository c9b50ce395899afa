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

"""Ids that stay with their objects: hand-made motions, and the identities of procedural streets."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from numpy.typing import NDArray

from ssap_ros.data.scenes.street import FRAME_RATE, Scene, street_video
from ssap_ros.stages.tracking import Tracker
from ssap_ros.types import Instance

SIZE = (120, 200)
Box = tuple[int, int, int, int]


def frame(*boxes: Box, classes: tuple[int, ...] = ()) -> tuple[NDArray[np.uint16], list[Instance]]:
    """Rectangles (x, y, width, height), the first one in front."""
    labels = np.zeros(SIZE, np.uint16)
    for k, (x, y, width, height) in reversed(list(enumerate(boxes, start=1))):
        labels[max(y, 0) : y + height, max(x, 0) : x + width] = k
    class_ids = classes or (1,) * len(boxes)
    instances = [
        Instance(class_id, 0.9, box, int(np.sum(labels == k)))
        for k, (box, class_id) in enumerate(zip(boxes, class_ids, strict=True), start=1)
    ]
    return labels, instances


def test_ids_count_from_one_and_follow_the_objects_through_a_new_order() -> None:
    tracker = Tracker()
    left, right = (20, 40, 30, 60), (120, 40, 30, 60)
    assert tracker.update(*frame(left, right), 0.0) == (1, 2)
    assert tracker.update(*frame((114, 38, 30, 60), (26, 42, 30, 60)), 0.1) == (2, 1)
    assert tracker.update(*frame(), 0.2) == ()
    new = (75, 40, 30, 60)
    assert tracker.update(*frame(new, left, right), 0.3) == (3, 1, 2)


def test_two_objects_that_cross_are_kept_apart_by_their_velocity() -> None:
    tracker = Tracker()
    seen = []
    for step in range(16):
        right, left = (10 + 10 * step, 40, 30, 40), (160 - 10 * step, 50, 30, 40)
        seen.append(tracker.update(*frame(right, left), 0.1 * step))
    assert set(seen) == {(1, 2)}


def test_a_fast_object_is_found_where_its_velocity_takes_it() -> None:
    """From frame to frame its masks do not overlap."""
    tracker = Tracker()
    slow = [tracker.update(*frame((10 + 8 * i, 40, 20, 40)), 0.1 * i) for i in range(4)]
    assert set(slow) == {(1,)}
    assert tracker.update(*frame((10 + 24 + 8 * 4, 40, 20, 40)), 0.7) == (1,)


def test_a_hidden_object_keeps_its_id_for_a_second_and_moves_on() -> None:
    tracker = Tracker()
    for step in range(5):
        tracker.update(*frame((10 + 4 * step, 40, 30, 40)), 0.1 * step)
    for step in range(5, 10):
        tracker.update(*frame(), 0.1 * step)
    assert tracker.update(*frame((10 + 4 * 10, 40, 30, 40)), 1.0) == (1,)
    for step in range(20):
        tracker.update(*frame(), 1.1 + 0.1 * step)
    assert tracker.update(*frame((50, 40, 30, 40)), 3.1) == (2,)


def test_the_best_sum_wins_over_the_best_pair() -> None:
    """Greedy matching would give the middle object's id away and leave one without."""
    tracker = Tracker()
    assert tracker.update(*frame((40, 40, 40, 40), (80, 40, 40, 40)), 0.0) == (1, 2)
    assert tracker.update(*frame((62, 40, 40, 40), (102, 40, 40, 40)), 0.1) == (1, 2)


def test_of_equal_places_the_same_class_is_taken() -> None:
    tracker = Tracker()
    box, other = (20, 40, 40, 40), (40, 40, 40, 40)
    tracker.update(*frame(box, other, classes=(1, 3)), 0.0)
    between = (30, 40, 40, 40)
    assert tracker.update(*frame(between, classes=(3,)), 0.1) == (2,)


@pytest.mark.parametrize("later", [-0.1, 2.5])
def test_a_jump_in_time_ends_all_tracks(later: float) -> None:
    tracker = Tracker()
    tracker.update(*frame((20, 40, 40, 40)), 5.0)
    assert tracker.update(*frame((20, 40, 40, 40)), 5.0 + later) == (2,)


def test_another_picture_size_ends_all_tracks() -> None:
    tracker = Tracker()
    labels, instances = frame((20, 40, 40, 40))
    tracker.update(labels, instances, 0.0)
    assert tracker.update(labels[:100, :150], instances, 0.1) == (2,)


@functools.cache
def street(seed: int) -> list[Scene]:
    return list(street_video(seed, 16, (112, 200)))


def id_switches(seed: int, dropped: float) -> tuple[int, int]:
    """How often an object came back under another id than before, and how often one was seen.

    The objects come in random order; dropped: the chance of one to be missed in a frame.
    """
    rng, tracker = np.random.default_rng(seed), Tracker()
    last: dict[int, int] = {}
    switches = seen = 0
    for step, scene in enumerate(street(seed)):
        areas = np.bincount(scene.instances.ravel(), minlength=len(scene.class_ids) + 1)
        true = [int(k) for k in np.flatnonzero(areas >= 30) if k > 0 and rng.random() >= dropped]
        rng.shuffle(true)
        renumbered = np.zeros(len(areas), np.uint16)
        renumbered[true] = np.arange(1, len(true) + 1)
        instances = []
        for k in true:
            ys, xs = np.nonzero(scene.instances == k)
            box = (int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1)
            instances.append(Instance(int(scene.class_ids[k - 1]), 0.9, box, len(xs)))
        ids = tracker.update(renumbered[scene.instances], instances, step / FRAME_RATE)
        assert len(set(ids)) == len(ids) == len(true)
        for identity, number in zip(true, ids, strict=True):
            switches += last.get(identity, number) != number
            last[identity] = number
            seen += 1
    return switches, seen


@pytest.mark.parametrize(("dropped", "most"), [(0.0, 0.005), (0.1, 0.02)])
def test_id_switches_on_procedural_streets(dropped: float, most: float) -> None:
    counts = np.array([id_switches(seed, dropped) for seed in range(3)])
    switches, seen = counts.sum(axis=0)
    assert seen > 100
    assert switches <= most * seen, f"{switches} of {seen}"
