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

"""The exact minimum-cost multicut of a small graph, by integer programming."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array, lil_array
from scipy.sparse.csgraph import connected_components, dijkstra


def optimal_multicut(
    n_nodes: int, uv_ids: NDArray[np.int64], costs: NDArray[np.float64]
) -> tuple[NDArray[np.int64], float]:
    """Labels (n_nodes,) of a cheapest clustering of a connected graph, and its objective.

    One binary variable per edge, 1 = cut. A cycle may not be cut exactly once; the inequalities
    that say so are added as they are violated: wherever an edge is cut though the uncut edges join
    its ends, the shortest such path closes a violated cycle. The solver is HiGHS.
    """
    edge_of = {frozenset(pair): i for i, pair in enumerate(uv_ids.tolist())}
    cycles: list[tuple[int, list[int]]] = []
    while True:
        constraints = []
        if cycles:
            matrix = lil_array((len(cycles), len(costs)))
            for row, (cut, path) in enumerate(cycles):
                matrix[row, cut] = -1
                for edge in path:
                    matrix[row, edge] = 1
            constraints = [LinearConstraint(csr_array(matrix), lb=0)]
        solution = milp(
            costs, integrality=np.ones(len(costs)), bounds=Bounds(0, 1), constraints=constraints
        )
        assert solution.success, solution.message
        cut = solution.x > 0.5
        kept = uv_ids[~cut]
        uncut = coo_array(
            (np.ones(len(kept)), (kept[:, 0], kept[:, 1])), shape=(n_nodes, n_nodes)
        ).tocsr()
        labels = connected_components(uncut, directed=False)[1]
        wrong = np.flatnonzero(cut & (labels[uv_ids[:, 0]] == labels[uv_ids[:, 1]]))
        if len(wrong) == 0:
            return labels.astype(np.int64), float(costs[cut].sum())
        starts = np.unique(uv_ids[wrong, 0])
        _, before = dijkstra(
            uncut, directed=False, indices=starts, return_predecessors=True, unweighted=True
        )
        for edge in wrong:
            u, node = uv_ids[edge].tolist()
            path = []
            while node != u:
                parent = int(before[np.searchsorted(starts, u), node])
                path.append(edge_of[frozenset((node, parent))])
                node = parent
            cycles.append((int(edge), path))
