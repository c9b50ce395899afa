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

"""Procedural scenes: the truth is exact, complete and repeatable."""

import itertools

import cv2
import numpy as np
import pytest

from ssap_ros.data.scenes.street import CLASSES, MIN_PIXELS, PERSON, street_scene, street_video

SEEDS = range(12)


@pytest.fixture(scope="module")
def scenes():
    return [street_scene(seed, (192, 256)) for seed in SEEDS]


def test_a_seed_gives_the_same_scene_again(scenes):
    again = street_scene(SEEDS[3], (192, 256))
    for name in ("image", "instances", "class_ids"):
        np.testing.assert_array_equal(getattr(again, name), getattr(scenes[3], name))


def test_seeds_differ(scenes):
    assert len({scene.image.tobytes() for scene in scenes}) == len(scenes)


def test_shapes_and_types(scenes):
    for scene in scenes:
        assert scene.image.shape == (192, 256, 3)
        assert scene.image.dtype == np.uint8
        assert scene.image.flags.c_contiguous
        assert scene.instances.shape == (192, 256)
        assert scene.instances.dtype == np.int32
        assert scene.class_ids.dtype == np.uint8


def test_ids_are_contiguous_and_every_instance_is_visible(scenes):
    for scene in scenes:
        ids, areas = np.unique(scene.instances[scene.instances > 0], return_counts=True)
        assert ids.tolist() == list(range(1, len(scene.class_ids) + 1))
        assert areas.min(initial=MIN_PIXELS) >= MIN_PIXELS


def test_every_class_occurs_and_no_other():
    class_ids = np.concatenate([street_scene(seed, (96, 96)).class_ids for seed in range(60)])
    assert set(class_ids.tolist()) == set(range(1, len(CLASSES)))


def test_something_in_front_splits_objects(scenes):
    parts = [
        cv2.connectedComponents((scene.instances == k + 1).astype(np.uint8), connectivity=8)[0] - 1
        for scene in scenes
        for k in range(len(scene.class_ids))
    ]
    assert max(parts) >= 2


def test_objects_touch_others_of_their_class(scenes):
    def touching(scene):
        a, b = scene.instances[:, :-1], scene.instances[:, 1:]
        both = (a != b) & (a > 0) & (b > 0)
        classes = np.concatenate([[0], scene.class_ids])
        return (both & (classes[a] == classes[b])).any()

    assert sum(map(touching, scenes)) >= 2


def test_an_object_differs_from_what_surrounds_it(scenes):
    """The label follows the picture: more edges run along object borders than elsewhere."""
    along, elsewhere = [], []
    for scene in scenes:
        grey = cv2.cvtColor(scene.image, cv2.COLOR_RGB2GRAY).astype(float)
        step = np.abs(np.diff(grey, axis=1))
        border = scene.instances[:, 1:] != scene.instances[:, :-1]
        along.append(step[border])
        elsewhere.append(step[~border])
    assert np.concatenate(along).mean() > 2 * np.concatenate(elsewhere).mean()


@pytest.mark.parametrize("size", [(64, 64), (65, 131), (1, 1)])
def test_any_size(size):
    scene = street_scene(5, size)
    assert scene.image.shape == (*size, 3)
    assert scene.instances.shape == size


def test_video_keeps_the_ids_of_its_objects():
    frames = list(street_video(3, 6, (192, 256)))
    assert len(frames) == 6
    for frame in frames:
        np.testing.assert_array_equal(frame.class_ids, frames[0].class_ids)
        assert frame.instances.max() <= len(frame.class_ids)
    persistent = 0
    for before, after in itertools.pairwise(frames):
        for k in np.unique(before.instances[before.instances > 0]):
            a, b = before.instances == k, after.instances == k
            if a.sum() > 300 and b.any():  # what is large stays in place from frame to frame
                assert (a & b).sum() > 0.2 * min(a.sum(), b.sum())
                persistent += 1
    assert persistent > 5


def test_video_moves():
    first, *_, last = street_video(3, 6, (192, 256))
    assert (first.instances != last.instances).any()


def test_people_dominate_crowds(scenes):
    counts = [int((scene.class_ids == PERSON).sum()) for scene in scenes]
    assert max(counts) >= 8
