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

"""The solvers on flat graphs, against the exact optimum and their own laws."""

from __future__ import annotations

import numpy as np
import pytest

from ssap_ros.stages.partition import greedy_additive, kernighan_lin, multicut_objective
from support import oracles
from support.multicut_oracle import optimal_multicut


def random_tree(rng: np.random.Generator, n_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    children = np.arange(1, n_nodes)
    parents = (rng.random(n_nodes - 1) * children).astype(int)
    return np.stack([parents, children], axis=1), rng.standard_normal(n_nodes - 1)


def random_grid(rng: np.random.Generator) -> tuple[int, np.ndarray, np.ndarray]:
    """A graph over up to 8x8 pixels with 5x5 windows, and costs around those of a hidden truth."""
    height, width = rng.integers(2, 9, 2)
    ids = rng.integers(0, 4, (-(-height // 3), -(-width // 3)))
    ids = ids.repeat(3, axis=0).repeat(3, axis=1)[:height, :width]
    uv_ids, costs = [], []
    for y, x in np.ndindex(height, width):
        for dy, dx in oracles.FORWARD:
            if oracles.in_image(y + dy, x + dx, ids.shape):
                uv_ids.append((y * width + x, (y + dy) * width + x + dx))
                costs.append(1.0 if ids[y, x] == ids[y + dy, x + dx] else -1.0)
    noise = rng.uniform(0.2, 1.5) * rng.standard_normal(len(costs))
    return height * width, np.array(uv_ids), np.array(costs) + noise


def solve(n_nodes: int, uv_ids: np.ndarray, costs: np.ndarray) -> np.ndarray:
    return kernighan_lin(uv_ids, costs, greedy_additive(n_nodes, uv_ids, costs))


def test_the_oracle_knows_a_hand_made_optimum() -> None:
    # a square that attracts, with a diagonal that repels more than two sides attract
    uv_ids = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [0, 2]])
    costs = np.array([1.0, 2.0, 1.0, 2.0, -4.0])
    labels, objective = optimal_multicut(4, uv_ids, costs)
    assert objective == pytest.approx(-2)
    assert multicut_objective(uv_ids, costs, labels) == pytest.approx(-2)


@pytest.mark.parametrize("seed", range(20))
def test_trees_are_solved_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_nodes = int(rng.integers(2, 60))
    uv_ids, costs = random_tree(rng, n_nodes)
    labels = solve(n_nodes, uv_ids, costs)
    assert multicut_objective(uv_ids, costs, labels) == pytest.approx(costs[costs < 0].sum())


@pytest.mark.timeout(400)
def test_grids_are_solved_to_within_a_hundredth_of_the_optimum() -> None:
    gaps = []
    for seed in range(200):
        graph = random_grid(np.random.default_rng(seed))
        _, optimum = optimal_multicut(*graph)
        objective = multicut_objective(*graph[1:], solve(*graph))
        assert objective >= optimum - 1e-6
        gaps.append((objective - optimum) / max(abs(optimum), 1e-9))
    quantiles = np.quantile(gaps, [0.5, 0.9, 1.0])
    print(f"gap to the optimum: mean {np.mean(gaps):.4%}, p50 p90 max {quantiles}")
    assert np.mean(gaps) <= 0.01


@pytest.mark.parametrize("seed", range(30))
def test_kernighan_lin_never_worsens_and_finds_a_local_optimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_nodes, uv_ids, costs = random_grid(rng)
    start = rng.integers(0, max(1, seed), n_nodes)
    labels = kernighan_lin(uv_ids, costs, start)
    objective = multicut_objective(uv_ids, costs, labels)
    assert objective <= multicut_objective(uv_ids, costs, start)
    np.testing.assert_array_equal(labels, oracles.in_order_of_appearance(labels.tolist()))
    # no single node would rather be elsewhere or alone
    for node in range(n_nodes):
        for other in range(labels.max() + 2):
            moved = labels.copy()
            moved[node] = other
            assert multicut_objective(uv_ids, costs, moved) >= objective - 1e-6


def test_kernighan_lin_joins_and_splits() -> None:
    uv_ids = np.array([[0, 1], [1, 2], [2, 0], [2, 3], [3, 4], [4, 5], [5, 3]])
    costs = np.array([1.0, 1, 1, -1, 1, 1, 1])
    truth = [0, 0, 0, 1, 1, 1]
    for start in (np.arange(6), np.zeros(6, int), np.array([0, 0, 5, 5, 5, 2])):
        np.testing.assert_array_equal(kernighan_lin(uv_ids, costs, start), truth)


@pytest.mark.parametrize("seed", range(10))
def test_kernighan_lin_sums_parallel_edges(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_nodes, uv_ids, costs = random_grid(rng)
    start = rng.integers(0, 5, n_nodes)
    doubled = (
        np.concatenate([uv_ids, uv_ids[:, ::-1]]),
        np.concatenate([costs + 1, np.full_like(costs, -1)]),
    )
    labels = kernighan_lin(*doubled, start)
    objective = multicut_objective(uv_ids, costs, labels)
    assert objective <= multicut_objective(uv_ids, costs, start)
    assert objective == pytest.approx(
        multicut_objective(uv_ids, costs, kernighan_lin(uv_ids, costs, labels))
    )


def test_limits_stop_kernighan_lin_without_harm() -> None:
    n_nodes, uv_ids, costs = random_grid(np.random.default_rng(8))
    start = np.arange(n_nodes)
    np.testing.assert_array_equal(kernighan_lin(uv_ids, costs, start, max_moves=0), start)
    before = multicut_objective(uv_ids, costs, start)
    for limits in ({"max_moves": 5}, {"max_ms": 1e-6}):
        labels = kernighan_lin(uv_ids, costs, start, **limits)
        assert multicut_objective(uv_ids, costs, labels) <= before


@pytest.mark.parametrize("n_nodes", [0, 1, 3])
def test_kernighan_lin_without_edges(n_nodes: int) -> None:
    labels = kernighan_lin(np.empty((0, 2), int), np.empty(0), np.full(n_nodes, -7))
    np.testing.assert_array_equal(labels, np.zeros(n_nodes))


def test_bad_limits_are_named() -> None:
    graph = np.array([[0, 1]]), np.ones(1), np.zeros(2, int)
    with pytest.raises(ValueError, match="max_ms must be positive, got 0"):
        kernighan_lin(*graph, max_ms=0)
    with pytest.raises(ValueError, match="max_moves must not be negative, got -1"):
        kernighan_lin(*graph, max_moves=-1)
    with pytest.raises(ValueError, match=r"uv_ids must join different nodes, got \[0, 0\]"):
        kernighan_lin(np.zeros((1, 2), int), *graph[1:])
