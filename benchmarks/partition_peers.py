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

"""Public solvers that the benchmark runs beside ours; none of them is a dependency."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from flat_graph import OFFSETS, FlatGraph
from numpy.typing import NDArray

from ssap_ros.cli.options import require
from ssap_ros.types import FloatArray

# The solver of one problem, made outside of the measurement: a call returns labels per node, (n,).
Solver = Callable[[], NDArray[Any]]


def bioimage_cpp(graph: FlatGraph, _costs: FloatArray) -> Solver:
    """Greedy additive edge contraction, the solving alone."""
    require("bioimage_cpp", "bioimage-cpp is not installed: pip install bioimage-cpp")
    from bioimage_cpp.graph import UndirectedGraph, multicut

    peer = UndirectedGraph.from_unique_edges(graph.n_nodes, graph.uv_ids.astype(np.uint64))
    objective = multicut.MulticutObjective(peer, graph.costs)

    def solve() -> NDArray[Any]:
        objective.reset_labels()
        return np.asarray(multicut.GreedyAdditiveMulticut().optimize(objective))

    return solve


def mwatershed(graph: FlatGraph, costs: FloatArray) -> Solver:
    """The mutex watershed on the whole grid; pairs with the background repel."""
    require("mwatershed", "mwatershed is not installed: pip install mwatershed")
    import mwatershed as peer

    affinities = np.full(costs.shape, -10.0)
    for k, offset in enumerate(OFFSETS):
        first, second = graph.pair_slices(offset)
        inside = (graph.nodes[first] >= 0) & (graph.nodes[second] >= 0)
        affinities[k][first] = np.where(inside, costs[k][first], -10.0)
    offsets = [list(offset) for offset in OFFSETS]

    def solve() -> NDArray[Any]:
        return np.asarray(peer.agglom(affinities, offsets)[graph.nodes >= 0])

    return solve


PEERS: dict[str, Callable[[FlatGraph, FloatArray], Solver]] = {
    "bioimage-cpp": bioimage_cpp,
    "mwatershed": mwatershed,
}
