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
from ssap_ros.stages.partition import (
    CascadeReport,
    Linkage,
    cascaded_graph_partition,
    edge_costs,
    greedy_additive,
)
from support import oracles


def sample(ids: np.ndarray, step: int) -> np.ndarray:
    """The ids at the centres of cells of step x step pixels."""
    rows, columns = (
        np.minimum(np.arange(-(-n // step)) * step + step // 2, n - 1) for n in ids.shape
    )
    return ids[np.ix_(rows, columns)]


def pyramid(
    ids: np.ndarray, class_of_id: np.ndarray, n_levels: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Ideal costs and classes of an id map and, sampled at cell centres, of its coarser levels."""
    costs, classes = [], []
    for level in range(n_levels):
        sampled = sample(ids, 2**level)
        costs.append(edge_costs(oracles.ideal_affinities(sampled)))
        classes.append(class_of_id[sampled].astype(np.uint8))
    return costs, classes


def touching_rectangles() -> np.ndarray:
    ids = np.zeros((48, 80), int)
    ids[8:40, 4:30] = 1
    ids[8:40, 30:44] = 2
    ids[20:48, 44:80] = 3
    return ids


def discs() -> np.ndarray:
    y, x = np.mgrid[:61, :83]
    ids = np.zeros(y.shape, int)
    for i, (cy, cx, r) in enumerate([(15, 15, 12), (20, 36, 14), (45, 60, 15), (58, 5, 9)]):
        ids[(y - cy) ** 2 + (x - cx) ** 2 < r**2] = i + 1
    return ids


def behind_a_pole() -> np.ndarray:
    ids = np.zeros((64, 96), int)
    ids[12:60, 8:88] = 1
    ids[:, 44:47] = 2  # beyond the window of the finest level
    return ids


SCENES = {"rectangles": touching_rectangles, "discs": discs, "pole": behind_a_pole}
CLASSES = {
    "one class": np.array([0, 1, 1, 1, 1]),
    "several classes": np.array([0, 1, 2, 1, 3]),
}


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


def in_raster_order(ids: np.ndarray) -> np.ndarray:
    return oracles.in_order_of_appearance([0, *ids.ravel().tolist()])[1:].reshape(ids.shape)


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


def test_arguments_may_be_non_contiguous_and_are_left_alone() -> None:
    costs, classes = pyramid(discs(), CLASSES["one class"], 2)
    flipped = [np.asfortranarray(c) for c in costs], [np.asfortranarray(c) for c in classes]
    copies = [c.copy() for c in costs]
    np.testing.assert_array_equal(
        cascaded_graph_partition(*flipped), cascaded_graph_partition(costs, classes)
    )
    assert all(np.array_equal(c, copy) for c, copy in zip(costs, copies, strict=True))


def noisy_logits(
    seed: int, class_of_id: np.ndarray, n_levels: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Directed float16 logits and classes of a few overlapping rectangles."""
    rng = np.random.default_rng(seed)
    ids = np.zeros((45, 70), int)
    for i in range(1, 5):
        y, x = rng.integers(0, 40, 2)
        ids[y : y + 22, x : x + 26] = i
    logits, classes = [], []
    for i in range(n_levels):
        sampled = sample(ids, 2**i)
        ideal = 6 * oracles.ideal_affinities(sampled) - 3
        logits.append((ideal + rng.normal(0, 1.5, ideal.shape)).astype(np.float16))
        classes.append(class_of_id[sampled].astype(np.uint8))
    return logits, classes


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("refine", [False, True])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("n_channels", [24, 25])
@pytest.mark.parametrize("erosion_radius", [0, 1])
def test_logits_give_what_their_costs_give(
    seed: int, refine: bool, dtype: type, n_channels: int, erosion_radius: int
) -> None:
    logits, classes = noisy_logits(seed, CLASSES["several classes"], 3)
    logits = [level.astype(dtype) for level in logits]
    if n_channels == 24:
        logits = [np.delete(level, 12, axis=0) for level in logits]
    scores = np.random.default_rng(seed).dirichlet(np.ones(3), (45, 70)).transpose(2, 0, 1)
    scores = scores.astype(np.float32) if refine else None
    costs = [
        edge_costs(level, logits=True, scores=scores if i == 0 else None)
        for i, level in enumerate(logits)
    ]
    np.testing.assert_array_equal(
        cascaded_graph_partition(logits, classes, scores=scores, erosion_radius=erosion_radius),
        cascaded_graph_partition(costs, classes, erosion_radius=erosion_radius),
    )


def test_half_precision_costs_equal_their_single_precision_copy() -> None:
    logits, classes = noisy_logits(0, CLASSES["one class"], 3)
    costs = [edge_costs(level, logits=True).astype(np.float16) for level in logits]
    np.testing.assert_array_equal(
        cascaded_graph_partition(costs, classes),
        cascaded_graph_partition([level.astype(np.float32) for level in costs], classes),
    )


def test_what_cannot_matter_is_not_looked_at() -> None:
    logits, classes = noisy_logits(1, CLASSES["one class"], 3)
    expected = cascaded_graph_partition(logits, classes)
    far = [np.pad(level, ((0, 0), (0, 40), (0, 64))) for level in logits]
    far_classes = [np.pad(level, ((0, 40), (0, 64))) for level in classes]
    assert far[1].shape[1] * 2 > far[0].shape[1]
    far = [level[:, : -(-85 // 2**i), : -(-134 // 2**i)] for i, level in enumerate(far)]
    far_classes = [
        level[: -(-85 // 2**i), : -(-134 // 2**i)] for i, level in enumerate(far_classes)
    ]
    far[0][:, 80:, 128:] = np.nan
    labels = cascaded_graph_partition(far, far_classes)
    np.testing.assert_array_equal(labels[:45, :70], expected)
    assert not labels[45:].any()
    assert not labels[:, 70:].any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["costs", "long_range"])
def test_what_is_not_finite_is_named(name: str, value: float) -> None:
    logits, classes = noisy_logits(0, np.array([0, 1, 1, 1, 1]), 3)
    y = int(np.argwhere(classes[0])[0, 0])
    if name == "costs":
        logits[0][13, y:] = value  # also where two objects meet, which is looked at
        where = rf"\(13, {y}, 0\)"
    else:
        logits[2][13, 4, 5] = value
        where = r"\(13, 4, 5\)"
    match = rf"{name}\[0\] must be finite, got {value} at {where}"
    n = 3 if name == "costs" else 2
    with pytest.raises(ValueError, match=match):
        cascaded_graph_partition(logits[:n], classes[:n], long_range=logits[n:])


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


def test_the_report_tells_of_every_level() -> None:
    costs, classes = pyramid(discs(), CLASSES["one class"], 3)
    report = CascadeReport()
    cascaded_graph_partition(costs, classes, report=report)
    assert report.complete
    n_nodes = [level.n_nodes for level in report.levels]
    assert n_nodes[0] == np.count_nonzero(classes[2])
    assert n_nodes[2] < np.count_nonzero(classes[0]) / 2
    assert report.workspace_bytes > 0
    assert all(level.solve_ms >= 0 for level in report.levels)


def test_out_of_time_the_coarsest_labels_are_carried_to_the_finest_level() -> None:
    costs, classes = pyramid(discs(), CLASSES["one class"], 3)
    report = CascadeReport()
    labels = cascaded_graph_partition(costs, classes, max_ms=1e-6, report=report)
    assert not report.complete
    # no level was finished: every pixel of the coarsest one by itself
    assert len(report.levels) == 1
    np.testing.assert_array_equal(labels > 0, (labels > 0) & (classes[0] > 0))
    assert len(np.unique(labels)) == labels.max() + 1


def carried(labels: np.ndarray, factor: int, classes: np.ndarray) -> np.ndarray:
    """Coarse labels at a finer level, for its things, in raster order."""
    height, width = classes.shape
    fine = labels.repeat(factor, axis=0).repeat(factor, axis=1)[:height, :width]
    return in_raster_order(np.where(classes > 0, fine, 0))


@pytest.mark.parametrize("max_ms", np.geomspace(0.01, 3, 24))
def test_a_cut_run_gives_the_labels_of_the_last_finished_level(max_ms: float) -> None:
    costs, classes = pyramid(
        touching_rectangles().repeat(4, 0).repeat(4, 1), CLASSES["one class"], 4
    )
    report = CascadeReport()
    labels = cascaded_graph_partition(costs, classes, max_ms=max_ms, report=report)
    finished = len(report.levels) - (not report.complete)
    if report.complete:
        np.testing.assert_array_equal(labels, cascaded_graph_partition(costs, classes))
    elif finished:
        first = len(costs) - finished
        coarse = cascaded_graph_partition(costs[first:], classes[first:], joint_finest=False)
        np.testing.assert_array_equal(labels, carried(coarse, 2**first, classes[0]))
    assert len(np.unique(np.append(labels, 0))) == labels.max() + 1


def test_with_time_enough_the_budget_changes_nothing() -> None:
    levels = pyramid(discs(), CLASSES["one class"], 3)
    report = CascadeReport(complete=False)
    labels = cascaded_graph_partition(*levels, max_ms=1e6, report=report)
    assert report.complete
    np.testing.assert_array_equal(labels, cascaded_graph_partition(*levels))


def level(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((12, height, width), np.float32), np.ones((height, width), np.uint8)


FINE, COARSE = level(5, 8), level(3, 4)


@pytest.mark.parametrize(
    ("costs", "classes", "message"),
    [
        ([], [], "costs and classes must be equally long and not empty, got 0 and 0 levels"),
        ([FINE[0]], [], "got 1 and 0 levels"),
        (
            [FINE[0], FINE[0]],
            [FINE[1]] * 2,
            r"costs\[1\] .* half the size .* \(3, 4\), got \(5, 8\)",
        ),
        ([FINE[0]], [COARSE[1]], r"classes\[0\] must have shape \(5, 8\) .* got \(3, 4\)"),
        ([FINE[0][:11]], [FINE[1]], r"costs\[0\] must have 12 channels .* 24 or 25 .* got 11"),
        ([FINE[0][0]], [FINE[1]], r"costs\[0\] must have 3 dimensions, got shape \(5, 8\)"),
        ([FINE[0] * np.nan], [FINE[1]], r"costs\[0\] must be finite, got nan at \(0, 0, 0\)"),
        ([FINE[0].astype(float)], [FINE[1]], r"costs\[0\] must be float32 or float16, got float64"),
        ([FINE[0]], [FINE[1].astype(int)], r"classes\[0\] must be uint8, got int64"),
        ([FINE[0][:, :0]], [FINE[1][:0]], r"costs\[0\] must have at least one pixel"),
    ],
)
def test_bad_levels_are_named(costs: list, classes: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cascaded_graph_partition(costs, classes)


def test_bad_erosion_radius_is_named() -> None:
    with pytest.raises(ValueError, match="erosion_radius must not be negative, got -1"):
        cascaded_graph_partition([FINE[0]], [FINE[1]], erosion_radius=-1)
