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

"""Flicker: what comes, goes and changes its class counts; what moves does not."""

import itertools

import numpy as np
import pytest

from ssap_ros.data.scenes.street import FRAME_RATE, street_video
from ssap_ros.replay.review.flicker import FlickerMeter
from ssap_ros.types import FrameResult, Instance

STEP = 100_000_000
SIZE = (120, 240)
PERSON, CAR = 1, 3


def frame(*objects, size=SIZE):
    """Rectangles (class id, x, y, width, height), the first one in front."""
    labels = np.zeros(size, np.uint16)
    for k, (_, x, y, width, height) in reversed(list(enumerate(objects, start=1))):
        labels[y : y + height, x : x + width] = k
    instances = tuple(
        Instance(class_id, 0.9, tuple(box), int(np.sum(labels == k)))
        for k, (class_id, *box) in enumerate(objects, start=1)
    )
    return FrameResult(labels, instances, {})


def flicker(frames, stamps=None):
    """Of every frame but the first."""
    meter = FlickerMeter()
    stamps = stamps or [k * STEP for k in range(len(frames))]
    first, *others = (meter.add(shown, t) for shown, t in zip(frames, stamps, strict=True))
    assert first is None
    return others


def walker(x):
    return PERSON, x, 30, 20, 60


PARKED = (CAR, 180, 40, 50, 30)


def test_nothing_changes():
    assert flicker([frame(walker(20), PARKED)] * 3) == [0, 0]
    assert flicker([frame()] * 3) == [0, 0]


@pytest.mark.parametrize("step", [1, 10, 20, -20])
def test_a_walker_only_moves(step):
    """By up to its own width, so that its masks share no pixel."""
    frames = [frame(walker(100 + step * k), PARKED) for k in range(5)]
    assert flicker(frames) == [0] * 4


def test_a_crowd_that_moves_on_by_one_place():
    """Each one stands where its neighbour stood; the first has left, one has come."""
    frames = [frame(*(walker(x + 10 * k) for x in range(-40, 240, 40) if 0 <= x + 10 * k < 220))
              for k in range(9)]  # fmt: skip
    counts = [len(shown.instances) for shown in frames]
    expected = [abs(b - a) / (a + b) for a, b in itertools.pairwise(counts)]
    assert any(expected)
    assert flicker(frames) == pytest.approx(expected)


def test_one_that_blinks_comes_and_goes():
    both, one = frame(walker(20), PARKED), frame(PARKED)
    assert flicker([both, one, both, one]) == pytest.approx([1 / 3] * 3)
    assert flicker([frame(), one, frame()]) == [1, 1]


def test_a_class_that_flips():
    other = frame((CAR, *walker(20)[1:]), PARKED)
    assert flicker([frame(walker(20), PARKED), other, other]) == [1 / 2, 0]


def test_split_and_merge():
    """One of the two halves is the whole of before, the other one is new."""
    whole = frame(walker(20))
    halves = frame((PERSON, 20, 30, 20, 30), (PERSON, 20, 60, 20, 30))
    assert flicker([whole, halves, halves, whole]) == pytest.approx([1 / 3, 0, 1 / 3])


@pytest.mark.parametrize(
    "other",
    [
        (PERSON, 200, 30, 20, 60),  # too far for one frame
        (PERSON, 25, 70, 6, 6),  # not of its size
        (CAR, 45, 30, 20, 60),
    ],
)
def test_another_one_is_not_the_one_that_has_gone(other):
    assert flicker([frame(walker(20)), frame(other)]) == [1]


def test_dropped_frames():
    """After a gap a walker of known speed is where it should be, one of unknown speed near."""
    stamps = [k * STEP for k in (0, 1, 2, 3, 9, 10)]
    walked = [frame(walker(10 + 20 * t // STEP), PARKED) for t in stamps]
    assert flicker(walked, stamps) == [0] * 5
    first, second = frame(walker(10)), frame(walker(70))
    assert flicker([first, second], [0, STEP]) == [1]
    assert flicker([first, second], [0, 4 * STEP]) == [0]


def test_what_cannot_be_compared():
    shown = frame(walker(20))
    for step in (3_000_000_000, -1, -60_000_000_000):
        assert flicker([shown, shown, shown], [0, step, step + STEP]) == [None, 0]
    small = frame(walker(20), size=(120, 200))
    assert flicker([shown, small, small]) == [None, 0]
    assert flicker([shown, shown], [7, 7]) == [0]


def street(seed, n):
    """Area by id and result of each frame; of the objects that have at least 30 pixels."""
    for scene in street_video(seed, n, (240, 320)):
        areas = np.bincount(scene.instances.ravel(), minlength=len(scene.class_ids) + 1)
        areas[0] = 0
        ids = np.flatnonzero(areas >= 30).tolist()
        labels, instances = np.zeros((240, 320), np.uint16), []
        for rank, identity in enumerate(ids, start=1):
            mask = scene.instances == identity
            labels[mask] = rank
            y, x = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
            box = (int(x[0]), int(y[0]), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1)
            class_id = int(scene.class_ids[identity - 1])
            instances.append(Instance(class_id, 1.0, box, int(areas[identity])))
        yield {k: int(areas[k]) for k in ids}, FrameResult(labels, tuple(instances), {})


@pytest.mark.parametrize("seed", range(100, 104))
def test_the_truth_of_a_street_flickers_only_where_objects_enter_and_leave(seed):
    """An object comes in or goes out at once, or within two frames, of which one sees a sliver."""
    seen, shown = zip(*street(seed, 40), strict=True)
    stamps = [round(k * 1e9 / FRAME_RATE) for k in range(len(shown))]
    for a, b, measured in zip(seen, seen[1:], flicker(shown, stamps), strict=False):
        changed = len(a.keys() ^ b.keys())
        slivers = sum(max(a[k], b[k]) > 3 * min(a[k], b[k]) for k in a.keys() & b.keys())
        assert changed - 1e-6 <= measured * (len(a) + len(b)) <= changed + 2 * slivers + 1e-6
