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

"""Greedy contraction of a graph: tiny hand-made truths, and a plain Python twin."""

from __future__ import annotations

import numpy as np
import pytest

from ssap_ros.stages.partition import (
    Linkage,
    greedy_additive,
    multicut_objective,
)
from support import oracles


def random_graph(
    rng: np.random.Generator, n_nodes: int, n_edges: int, integer_costs: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Parallel edges included; integer costs give many ties and exact zero sums."""
    u = rng.integers(0, n_nodes, n_edges)
    v = (u + rng.integers(1, n_nodes, n_edges)) % n_nodes
    costs = rng.integers(-3, 4, n_edges) if integer_costs else rng.standard_normal(n_edges)
    return np.stack([u, v], axis=1), costs.astype(np.float64)


def test_two_triangles_joined_by_a_repulsive_edge() -> None:
    uv_ids = np.array([[0, 1], [1, 2], [2, 0], [2, 3], [3, 4], [4, 5], [5, 3]])
    costs = np.array([1.0, 1, 1, -1, 1, 1, 1])
    labels = greedy_additive(6, uv_ids, costs)
    np.testing.assert_array_equal(labels, [0, 0, 0, 1, 1, 1])
    assert labels.dtype == np.int64
    assert multicut_objective(uv_ids, costs, labels) == -1


def test_sums_decide_not_single_edges() -> None:
    # 0-1 attract most; then 2 is drawn by 1 (+2) but repelled more by 0 (-3).
    uv_ids = np.array([[0, 1], [1, 2], [0, 2]])
    np.testing.assert_array_equal(greedy_additive(3, uv_ids, np.array([5.0, 2, -3])), [0, 0, 1])
    np.testing.assert_array_equal(greedy_additive(3, uv_ids, np.array([5.0, 3, -2])), [0, 0, 0])


def test_parallel_edges_are_summed_in_either_direction() -> None:
    uv_ids = np.array([[0, 1], [1, 0], [0, 1]])
    np.testing.assert_array_equal(greedy_additive(2, uv_ids, np.array([1.0, -3, 1])), [0, 1])
    np.testing.assert_array_equal(greedy_additive(2, uv_ids, np.array([1.0, -3, 3])), [0, 0])


def test_zero_is_not_attractive() -> None:
    np.testing.assert_array_equal(greedy_additive(2, np.array([[0, 1]]), np.zeros(1)), [0, 1])


@pytest.mark.parametrize("n_nodes", [0, 1, 5])
def test_without_edges_every_node_is_a_cluster(n_nodes: int) -> None:
    labels = greedy_additive(n_nodes, np.empty((0, 2), np.int64), np.empty(0))
    np.testing.assert_array_equal(labels, np.arange(n_nodes))


@pytest.mark.parametrize("linkage", ["sum", "mean", "mutex"])
@pytest.mark.parametrize("seed", range(15))
def test_contraction_equals_its_twin(seed: int, linkage: Linkage) -> None:
    rng = np.random.default_rng(seed)
    n_nodes = int(rng.integers(2, 40))
    uv_ids, costs = random_graph(rng, n_nodes, int(rng.integers(1, 6 * n_nodes)), False)
    edges = [(int(u), int(v), float(cost)) for (u, v), cost in zip(uv_ids, costs, strict=True)]
    np.testing.assert_array_equal(
        greedy_additive(n_nodes, uv_ids, costs, linkage=linkage),
        oracles.greedy_additive(n_nodes, edges, linkage=linkage),
    )


@pytest.mark.parametrize("seed", range(10))
def test_ties_are_broken_in_a_fixed_way(seed: int) -> None:
    rng = np.random.default_rng(seed)
    uv_ids, costs = random_graph(rng, 60, 200, integer_costs=True)
    labels = greedy_additive(60, uv_ids, costs)
    assert_no_attraction_is_left(uv_ids, costs, labels)
    np.testing.assert_array_equal(greedy_additive(60, uv_ids.copy(), costs.copy()), labels)


@pytest.mark.parametrize("seed", range(10))
def test_the_order_of_edges_and_of_their_ends_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    uv_ids = np.unique(np.sort(random_graph(rng, 80, 500, False)[0], axis=1), axis=0)
    costs = rng.standard_normal(len(uv_ids))
    order = rng.permutation(len(uv_ids))
    turned = np.where(rng.random((len(uv_ids), 1)) < 0.5, uv_ids[order], uv_ids[order, ::-1])
    np.testing.assert_array_equal(
        greedy_additive(80, turned, costs[order]), greedy_additive(80, uv_ids, costs)
    )


def assert_no_attraction_is_left(
    uv_ids: np.ndarray, costs: np.ndarray, labels: np.ndarray, tolerance: float = 1e-6
) -> None:
    """No two clusters have a positive sum between them, up to the rounding of float32 sums."""
    n = int(labels.max()) + 1
    sums, sizes = np.zeros((n, n)), np.zeros((n, n))
    pairs = labels[uv_ids[:, 0]], labels[uv_ids[:, 1]]
    np.add.at(sums, pairs, costs)
    np.add.at(sizes, pairs, np.abs(costs))
    sums, sizes = sums + sums.T, sizes + sizes.T
    np.fill_diagonal(sums, 0)
    assert np.all(sums <= tolerance * sizes)


@pytest.mark.parametrize(
    ("n_nodes", "n_edges"), [(50, 1000), (400, 1500), (3000, 60_000), (300, 40_000)]
)
@pytest.mark.parametrize("seed", range(5))
def test_no_two_clusters_attract_each_other_in_the_end(
    n_nodes: int, n_edges: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    uv_ids, costs = random_graph(rng, n_nodes, n_edges, integer_costs=False)
    costs += 0.1 * rng.choice([-1, 1])
    assert_no_attraction_is_left(uv_ids, costs, greedy_additive(n_nodes, uv_ids, costs))


def test_a_star_whose_hub_absorbs_everything() -> None:
    n = 5000  # the hub's neighbours are joined among themselves, so that every merge sums edges
    spokes = np.stack([np.zeros(n, int), np.arange(1, n + 1)], axis=1)
    rim = np.stack([np.arange(1, n), np.arange(2, n + 1)], axis=1)
    costs = np.concatenate([np.linspace(2, 1, n), np.full(n - 1, -0.4)])
    assert np.all(greedy_additive(n + 1, np.concatenate([spokes, rim]), costs) == 0)


def test_labels_are_contiguous_in_order_of_first_nodes() -> None:
    rng = np.random.default_rng(0)
    labels = greedy_additive(100, *random_graph(rng, 100, 300, integer_costs=False))
    np.testing.assert_array_equal(labels, oracles.in_order_of_appearance(labels.tolist()))


def test_objective_sums_the_cut_edges() -> None:
    uv_ids = np.array([[0, 1], [1, 2], [0, 2]])
    costs = np.array([1.0, 2.0, -4.0])
    assert multicut_objective(uv_ids, costs, np.array([0, 0, 0])) == 0
    assert multicut_objective(uv_ids, costs, np.array([7, 7, -7])) == -2
    assert multicut_objective(uv_ids, costs, np.array([0, 1, 2])) == -1


UV = np.array([[0, 1], [1, 2]])
COSTS = np.array([1.0, -1.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, UV, COSTS), r"n_nodes must be in \[0, 2147483647\], got -1"),
        ((3, UV.astype(float), COSTS), "uv_ids must be integers in 2 dimensions, got float64"),
        (
            (3, UV.T[:, :1].ravel(), COSTS),
            r"uv_ids must be integers in 2 dimensions, got .* \(2,\)",
        ),
        ((3, np.ones((2, 3), int), COSTS), r"uv_ids must have shape \(E, 2\), got \(2, 3\)"),
        ((2, UV, COSTS), r"uv_ids must be in \[0, 2\), got values in \[0, 2\]"),
        ((3, UV - 1, COSTS), r"uv_ids must be in \[0, 3\), got values in \[-1, 1\]"),
        ((3, UV[:, :1].repeat(2, 1), COSTS), r"uv_ids must join different nodes, got \[0, 0\]"),
        ((3, UV, COSTS[:1]), r"costs must have shape \(2,\) like uv_ids, got \(1,\)"),
        ((3, UV, COSTS.astype(int)), "costs must be float32 or float64, got int64"),
        ((3, UV, np.array([np.inf, 0])), r"costs must be finite, got inf at \(0,\)"),
        ((3, UV, COSTS * 1e300), r"costs must be within the range of float32, got 1e\+300"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_bad_graphs_are_named(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        greedy_additive(*arguments)


def test_objective_wants_a_label_for_every_node() -> None:
    with pytest.raises(ValueError, match=r"uv_ids must be in \[0, 2\), got values in \[0, 2\]"):
        multicut_objective(UV, COSTS, np.array([0, 1]))
    with pytest.raises(ValueError, match="labels must be integers in 1 dimensions, got float64"):
        multicut_objective(UV, COSTS, np.zeros(3))
