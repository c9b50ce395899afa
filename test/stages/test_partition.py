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

"""The cascaded partition: exact instances back, and a plain Python twin."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ssap_ros.data.scenes.street import street_scene
from ssap_ros.stages.partition import Linkage, cascaded_graph_partition, edge_costs, greedy_additive
from support import oracles
from support.partition_scenes import (
    CLASSES,
    SCENES,
    behind_a_pole,
    discs,
    in_raster_order,
    noisy_logits,
    pyramid,
)


@pytest.mark.parametrize("n_levels", [2, 3, 4])
@pytest.mark.parametrize("class_of_id", CLASSES.values(), ids=CLASSES.keys())
@pytest.mark.parametrize("joint_finest", [True, False])
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_ideal_affinities_give_the_exact_instances(
    scene, n_levels: int, class_of_id: np.ndarray, joint_finest: bool
) -> None:
    ids = scene()
    labels = cascaded_graph_partition(
        *pyramid(ids, class_of_id, n_levels), joint_finest=joint_finest
    )
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, in_raster_order(ids))


def test_only_the_coarse_level_joins_the_parts_of_a_split_object() -> None:
    ids = behind_a_pole()
    costs, classes = pyramid(ids, np.array([0, 1, 0]), 3)
    assert cascaded_graph_partition(costs[:1], classes[:1]).max() == 2
    np.testing.assert_array_equal(cascaded_graph_partition(costs, classes), ids == 1)


@pytest.mark.parametrize("seed", range(4))
def test_one_level_of_a_street_scene_gives_its_connected_parts(seed: int) -> None:
    scene = street_scene(seed, (90, 160))
    class_of_id = np.concatenate([[0], scene.class_ids])
    labels = cascaded_graph_partition(*pyramid(scene.instances, class_of_id, 1))
    np.testing.assert_array_equal(labels, oracles.window_components(scene.instances))


@pytest.mark.parametrize("seed", range(4))
def test_the_cascade_recovers_the_objects_of_a_street_scene(seed: int) -> None:
    scene = street_scene(seed, (181, 321))
    ids = scene.instances.copy()
    largest = np.bincount(ids[ids > 0]).argmax()
    pole = int(np.median(np.nonzero(ids == largest)[1]))
    ids[:, pole - 1 : pole + 2] = 0
    labels = cascaded_graph_partition(*pyramid(ids, np.concatenate([[0], scene.class_ids]), 3))
    np.testing.assert_array_equal(labels > 0, ids > 0)

    # The largest object is one segment on both sides of the pole.
    left, right = np.split(np.where(ids == largest, labels, 0), [pole], axis=1)
    assert np.bincount(left[left > 0]).argmax() == np.bincount(right[right > 0]).argmax()

    # No visible part is torn, but for the few pixels that no sample of a coarser level has seen.
    parts = oracles.window_components(ids)
    in_part = np.zeros((parts.max() + 1, labels.max() + 1), int)
    np.add.at(in_part, (parts, labels), 1)
    assert in_part.max(axis=1).sum() >= 0.995 * ids.size
    # Nor is any segment made of several objects.
    of_object = np.zeros((ids.max() + 1, labels.max() + 1), int)
    np.add.at(of_object, (ids, labels), 1)
    assert of_object.max(axis=0).sum() >= 0.995 * ids.size


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("joint_finest", [True, False])
@pytest.mark.parametrize("erosion_radius", [0, 1, 2])
def test_the_cascade_equals_its_twin(seed: int, joint_finest: bool, erosion_radius: int) -> None:
    rng = np.random.default_rng(seed)
    ids = np.zeros((15, 18), int)
    for i in range(1, 5):
        y, x = rng.integers(0, 12, 2)
        ids[y : y + 9, x : x + 7] = i
    costs, classes = pyramid(ids, np.array([0, 1, 1, 2, 2]), 3)
    costs = [c + rng.normal(0, 6, c.shape).astype(np.float32) for c in costs]
    options = {"joint_finest": joint_finest, "erosion_radius": erosion_radius}
    np.testing.assert_array_equal(
        cascaded_graph_partition(costs, classes, **options),
        oracles.cascaded_graph_partition(costs, classes, **options),
    )


def test_proposals_wait_until_the_pixels_between_them_have_spoken() -> None:
    # Three coarse cells that repel each other: the proposals A = {0, 1}, B = {3} and C = {4, 5} of
    # the fine level, where pixel 2 has left B because of its class.
    coarse_costs = np.full((12, 1, 3), -1, np.float32)
    coarse_classes = np.ones((1, 3), np.uint8)
    classes = np.array([[1, 1, 2, 1, 1, 1]], np.uint8)
    # A and B attract (+3) more than B and pixel 2 (+2), but A and pixel 2 repel (-6).
    costs = np.zeros((12, 1, 6), np.float32)
    costs[1, 0, 1] = 3  # 1-3
    costs[0, 0, 2] = 2  # 2-3
    costs[0, 0, 1] = -6  # 1-2
    labels = cascaded_graph_partition(
        [costs, coarse_costs], [classes, coarse_classes], erosion_radius=0
    )
    np.testing.assert_array_equal(labels, [[1, 1, 2, 2, 3, 3]])
    # Without the wait A and B would merge first, and pixel 2 would be left alone.
    plain = greedy_additive(3, np.array([[0, 2], [1, 2], [0, 1]]), np.array([3.0, 2, -6]))
    np.testing.assert_array_equal(plain, [0, 1, 0])


def test_inner_regions_that_meet_at_a_corner_are_neighbours() -> None:
    # Two coarse cells, diagonal, with nothing on the other two. Only the fine pixels at the corner
    # between them are near the other segment: (0, 1) and (2, 3) stay in their proposals.
    coarse_classes = np.array([[1, 0], [0, 1]], np.uint8)
    classes = np.kron(coarse_classes, np.ones((2, 2), np.uint8))
    coarse_costs = np.full((12, 2, 2), -1, np.float32)
    costs = np.full((12, 4, 4), -1, np.float32)
    levels = [costs, coarse_costs], [classes, coarse_classes]
    assert cascaded_graph_partition(*levels).max() == 4
    costs[-1, 0, 1] = 5
    labels = cascaded_graph_partition(*levels)
    assert labels.max() == 3
    assert labels[0, 1] == labels[2, 3]
    np.testing.assert_array_equal(labels, oracles.cascaded_graph_partition(*levels))


def test_scores_refine_the_edges_between_proposals_too() -> None:
    # Left and right half are two proposals, which attract each other a little in the upper rows;
    # there, and only there, the halves are of different classes.
    coarse = np.full((25, 20, 2), 3, np.float32)
    coarse[[k for k in range(25) if k % 5 % 2 == 1]] = -0.1  # dx = -1 and 1
    fine = np.zeros((25, 40, 4), np.float32)
    fine[:, :8] = 0.4
    scores = np.full((2, 40, 4), 0.5, np.float32)
    scores[:, :8, :2] = [[[1]], [[0]]]
    scores[:, :8, 2:] = [[[0]], [[1]]]
    classes = [np.ones((40, 4), np.uint8), np.ones((20, 2), np.uint8)]
    plain = cascaded_graph_partition([fine, coarse], classes, erosion_radius=0)
    refined = cascaded_graph_partition([fine, coarse], classes, scores=scores, erosion_radius=0)
    assert plain.max() == 1
    np.testing.assert_array_equal(refined, [[1, 1, 2, 2]] * 40)


@pytest.mark.parametrize(("cost", "n_segments"), [(-9.0, 1), (-11.0, 2)])
def test_what_a_level_is_sure_of_is_kept_apart(cost: float, n_segments: int) -> None:
    # Two coarse cells in two rows repel each other with 2 * cost; all fine pixels attract.
    coarse_costs = np.zeros((12, 2, 2), np.float32)
    coarse_costs[4, 0] = 1  # the two rows
    coarse_costs[0, :, 0] = cost
    classes = [np.ones((4, 4), np.uint8), np.ones((2, 2), np.uint8)]
    fine = np.full((12, 4, 4), 5, np.float32)
    labels = cascaded_graph_partition([fine, coarse_costs], classes)
    assert labels.max() == n_segments
    # It holds at every level that follows.
    finest, finest_classes = np.full((12, 8, 8), 5, np.float32), np.ones((8, 8), np.uint8)
    labels = cascaded_graph_partition([finest, fine, coarse_costs], [finest_classes, *classes])
    assert labels.max() == n_segments


def test_a_joint_finest_level_may_join_classes_and_a_classwise_one_may_not() -> None:
    costs = [np.full((12, 4, 4), 5, np.float32)]
    classes = [np.array([[1, 1, 2, 2]] * 4, np.uint8)]
    assert cascaded_graph_partition(costs, classes, joint_finest=True).max() == 1
    np.testing.assert_array_equal(
        cascaded_graph_partition(costs, classes, joint_finest=False), classes[0]
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1), (2, 2), (5, 3), (33, 17)])
@pytest.mark.parametrize("n_levels", [1, 2, 4])
@pytest.mark.parametrize("class_id", [0, 1, 255])
def test_uniform_images_of_any_size(shape: tuple[int, int], n_levels: int, class_id: int) -> None:
    ids = np.full(shape, int(class_id > 0))
    labels = cascaded_graph_partition(*pyramid(ids, np.array([0, class_id]), n_levels))
    np.testing.assert_array_equal(labels, ids)


def test_repulsion_everywhere_leaves_single_pixels() -> None:
    costs = [np.full((12, n, n), -1, np.float32) for n in (6, 3)]
    classes = [np.ones((n, n), np.uint8) for n in (6, 3)]
    labels = cascaded_graph_partition(costs, classes)
    np.testing.assert_array_equal(labels, np.arange(1, 37).reshape(6, 6))


def test_results_repeat_also_from_many_threads() -> None:
    rng = np.random.default_rng(0)
    costs, classes = pyramid(discs(), CLASSES["one class"], 3)
    costs = [c + rng.normal(0, 5, c.shape).astype(np.float32) for c in costs]
    expected = cascaded_graph_partition(costs, classes)
    with ThreadPoolExecutor(4) as pool:
        results = pool.map(lambda _: cascaded_graph_partition(costs, classes), range(12))
        assert all(np.array_equal(result, expected) for result in results)


@pytest.mark.parametrize("linkage", ["mean", "mutex"])
@pytest.mark.parametrize("seed", range(4))
def test_other_linkages_equal_their_twins(seed: int, linkage: Linkage) -> None:
    logits, classes = noisy_logits(seed, CLASSES["several classes"], 3)
    costs = [edge_costs(level[:, :16, :20], logits=True)[:, :8, :12] for level in logits[:1]]
    levels = costs, [level[:8, :12] for level in classes[:1]]
    np.testing.assert_array_equal(
        cascaded_graph_partition(*levels, linkage=linkage),
        oracles.cascaded_graph_partition(*levels, linkage=linkage),
    )


def test_long_range_edges_join_what_the_start_level_cannot_reach() -> None:
    ids = behind_a_pole()
    costs, classes = pyramid(ids, np.array([0, 1, 0]), 4)
    assert cascaded_graph_partition(costs[:1], classes[:1]).max() == 2
    labels = cascaded_graph_partition(costs[:1], classes[:1], long_range=costs[1:])
    np.testing.assert_array_equal(labels, ids == 1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("joint_finest", [True, False])
def test_long_range_edges_equal_their_twin(seed: int, joint_finest: bool) -> None:
    rng = np.random.default_rng(seed)
    classes = [rng.integers(0, 3, (9, 14), np.uint8)]
    costs, *long_range = (
        rng.normal(-0.2, 1, (12, *shape)).astype(np.float32) for shape in [(9, 14), (5, 7), (3, 4)]
    )
    options = {"long_range": long_range, "joint_finest": joint_finest}
    np.testing.assert_array_equal(
        cascaded_graph_partition([costs], classes, **options),
        oracles.cascaded_graph_partition([costs], classes, **options),
    )
