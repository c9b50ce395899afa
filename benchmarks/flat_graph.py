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

"""The graph over all object pixels of one level, as edge lists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssap_ros.types import ClassArray, FloatArray, LabelArray

OFFSETS = [(0, 1), (0, 2), *((dy, dx) for dy in (1, 2) for dx in range(-2, 3))]

_Slices = tuple[slice, slice]


@dataclass(frozen=True)
class FlatGraph:
    """A graph of the pixels that have a class.

    Attributes:
        nodes: Node of each pixel, (h, w), -1 = none.
        uv_ids: (E, 2) int64.
        costs: (E,) float64.
    """

    nodes: NDArray[np.int64]
    uv_ids: NDArray[np.int64]
    costs: NDArray[np.float64]

    @property
    def n_nodes(self) -> int:
        """The number of object pixels."""
        return int(self.nodes.max(initial=-1)) + 1

    def pair_slices(self, offset: tuple[int, int]) -> tuple[_Slices, _Slices]:
        """Where the first and the second pixels of all pairs with this displacement are."""
        (height, width), (dy, dx) = self.nodes.shape, offset
        left, right = max(0, -dx), width - max(0, dx)
        first = slice(0, height - dy), slice(left, right)
        return first, (slice(dy, height), slice(left + dx, right + dx))

    def labels_of(self, label_map: LabelArray) -> NDArray[np.int64]:
        """Labels per node of a label map; pixels without a label are alone."""
        labels = label_map[self.nodes >= 0].astype(np.int64)
        alone = labels == 0
        labels[alone] = labels.max(initial=0) + 1 + np.arange(np.count_nonzero(alone))
        return labels

    def map_of(self, labels: NDArray[np.int64]) -> LabelArray:
        """The label map, 0 = no object, of labels per node."""
        label_map = np.zeros(self.nodes.shape, np.int32)
        label_map[self.nodes >= 0] = np.unique(labels, return_inverse=True)[1] + 1
        return label_map


def flat_graph(costs: FloatArray, classes: ClassArray) -> FlatGraph:
    """Build one graph of the pixels that have a class.

    Args:
        costs: (12, h, w) float32.
        classes: (h, w) uint8, 0 = no object.

    Returns:
        The graph, its nodes in raster order.
    """
    nodes = np.full(classes.shape, -1, np.int64)
    nodes[classes > 0] = np.arange(np.count_nonzero(classes))
    graph = FlatGraph(nodes, np.empty((0, 2), np.int64), np.empty(0))
    uv_ids, weights = [], []
    for k, offset in enumerate(OFFSETS):
        first, second = graph.pair_slices(offset)
        joined = (nodes[first] >= 0) & (nodes[second] >= 0)
        uv_ids.append(np.stack([nodes[first][joined], nodes[second][joined]], axis=1))
        weights.append(costs[k][first][joined])
    edges, values = np.concatenate(uv_ids), np.concatenate(weights).astype(np.float64)
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    return FlatGraph(nodes, np.ascontiguousarray(edges[order]), values[order])
