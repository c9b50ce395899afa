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

"""From affinities to instance labels: the public face of the compiled core.

All functions accept non-contiguous arrays (they are copied), never change their arguments, release
the GIL while they work, may be called from several threads at once and give the same result for the
same input. Bad arguments raise InputError, a ValueError, that says what was expected and what came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssap_ros.stages import core
from ssap_ros.stages.arguments import N_OFFSETS as N_OFFSETS
from ssap_ros.stages.core import Linkage as Linkage
from ssap_ros.types import ClassArray, FloatArray, LabelArray


@dataclass(frozen=True)
class LevelReport:
    """One level of a cascade: nodes of its graph, wall time in milliseconds by stage.

    Attributes:
        costs_ms: Edge costs.
        graph_ms: The rest of building the graph.
        solve_ms: Contraction.
        labels_ms: Labels, and proposals for the next level.
    """

    n_nodes: int
    costs_ms: float
    graph_ms: float
    solve_ms: float
    labels_ms: float


@dataclass
class CascadeReport:
    """How a call of `cascaded_graph_partition` went; pass an empty one to have it filled.

    Attributes:
        complete: False if the time was up before the finest level was solved.
        levels: The levels worked on, coarsest first.
        workspace_bytes: Memory that the core keeps for the next call of this kind.
    """

    complete: bool = True
    levels: list[LevelReport] = field(default_factory=list)
    workspace_bytes: int = 0


def edge_costs(
    affinities: NDArray[Any],
    *,
    logits: bool = False,
    eps: float = 1e-4,
    scores: NDArray[Any] | None = None,
) -> FloatArray:
    """Signed costs of the pixel pairs of one level (Eq. 2-3): positive attracts, negative repels.

    The two directed affinities of a pair are averaged and turned into log-odds, the average being
    clamped to [eps, 1 - eps]. With `scores` the average is first multiplied by exp(-JS) of the two
    pixels' class distributions (segmentation refinement, Eq. 6-8).

    Args:
        affinities: (24 or 25, H, W) float32 or float16, row-major over the 5x5 window with or
            without its centre; probabilities, or logits if `logits`.
        logits: Whether `affinities` are logits.
        eps: Least and, as 1 - eps, greatest probability.
        scores: (C, H, W) float32 or float16, for each pixel a distribution over the object classes.

    Returns:
        (12, H, W) float32 for the forward displacements (dy, dx) = (0, 1), (0, 2), (1, -2), ...,
        (1, 2), (2, -2), ..., (2, 2); 0 where the neighbour is outside.
    """
    return core.edge_costs(affinities, logits, eps, scores)


def cascaded_graph_partition(
    costs: Sequence[NDArray[Any]],
    classes: Sequence[ClassArray],
    *,
    scores: NDArray[Any] | None = None,
    long_range: Sequence[NDArray[Any]] = (),
    eps: float = 1e-4,
    erosion_radius: int = 1,
    joint_finest: bool = True,
    linkage: Linkage = "sum",
    max_ms: float | None = None,
    report: CascadeReport | None = None,
) -> LabelArray:
    """Instances of the finest level, found from coarse to fine (section 3.3).

    The coarsest level given is partitioned first. The inner regions of its segments become single
    nodes of the next level, and so on. Each level is solved by contraction, the two clusters that
    attract each other most first; two proposals are merged only after everything else, and never if
    the costs between their segments sum up to -20 or less at a coarser level. The work is O(H W)
    for the classes and O(E log E) in the E pixel pairs outside of proposals; only their costs are
    computed or looked at.

    Args:
        costs: One float32 or float16 array per level, finest level first; each level has half the
            size of the one before, rounded up. Either (12, H, W) costs as from `edge_costs`, or (24
            or 25, H, W) directed affinity logits, from which the costs are made with `eps`.
        classes: One (H, W) uint8 array per level; 0 = not a thing. Different classes are never
            joined, except at the finest level if `joint_finest`.
        scores: (C, H, W) float32 or float16 class distributions that refine the finest level's
            logits as in `edge_costs`; only for logits.
        long_range: Costs or logits of levels coarser than the coarsest of `costs`, the next one
            first. They join the coarsest graph as sparse edges between the pixels at the cells'
            centres.
        eps: See `edge_costs`.
        erosion_radius: Distance, in pixels of the level to be solved, that the inner region of a
            segment keeps from the other segments.
        joint_finest: Whether the finest level joins pixels of different classes.
        linkage: Which clusters attract most: "sum" by the sum of the costs between them (greedy
            additive edge contraction), "mean" by their mean, "mutex" by the cost of the largest
            magnitude (mutex watershed).
        max_ms: Time after which the rest is given up. The labels are then those of the last level
            that was finished, or of the coarsest one as far as it had come.
        report: Filled with how it went, `complete` among it.

    Returns:
        (H, W) int32 of the finest level: 0 = background, 1..N in raster order of first pixels.
    """
    labels, outcome = core.cascaded_graph_partition(
        costs,
        classes,
        scores,
        long_range,
        eps,
        erosion_radius,
        joint_finest,
        linkage,
        max_ms,
    )
    if report is not None:
        report.complete = outcome.is_complete
        report.levels = [
            LevelReport(x.n_nodes, x.costs_ms, x.graph_ms, x.solve_ms, x.labels_ms)
            for x in outcome.levels
        ]
        report.workspace_bytes = outcome.bytes
    return labels


def greedy_additive(
    n_nodes: int, uv_ids: NDArray[Any], costs: NDArray[Any], *, linkage: Linkage = "sum"
) -> NDArray[np.int64]:
    """Cluster a graph by greedy additive edge contraction, a heuristic for the multicut (Eq. 4-5).

    Again and again the two clusters with the largest positive sum of costs between them are merged;
    sums are taken and compared in float32, and ties are broken in a fixed way. In the end no two
    clusters have a positive sum between them. O(E log E) time, about 25 E bytes. Source: Keuper et
    al., ICCV 2015; `linkage` "mean": Bailoni et al., CVPR 2022; "mutex": Wolf et al., ECCV 2018.

    Args:
        n_nodes: Number of nodes.
        uv_ids: (E, 2) integers in [0, n_nodes), no loops; parallel edges are summed.
        costs: (E,) float32 or float64 within the range of float32; positive attracts.
        linkage: What decides instead of the sum, as in `cascaded_graph_partition`.

    Returns:
        (n_nodes,) int64: labels 0, 1, 2, ... in the order of each cluster's first node.
    """
    return core.greedy_additive(n_nodes, uv_ids, costs, linkage)


def kernighan_lin(
    uv_ids: NDArray[Any],
    costs: NDArray[Any],
    labels: NDArray[Any],
    *,
    max_ms: float | None = None,
    max_moves: int | None = None,
) -> NDArray[np.int64]:
    """Improve a clustering: Kernighan-Lin with joins (Keuper et al., ICCV 2015).

    Nodes change sides between two clusters, clusters are joined and split, as long as this lowers
    `multicut_objective`, which never rises. A pass takes O(E log E) plus O(degree log E) for every
    move that it tries.

    Args:
        uv_ids: Edges, as in `greedy_additive`; the nodes are those of `labels`.
        costs: Of the edges, as in `greedy_additive`.
        labels: (n_nodes,) integers, one per cluster.
        max_ms: Limit on the time, None for none.
        max_moves: Limit on the number of moves tried, None for none.

    Returns:
        (n_nodes,) int64: labels 0, 1, 2, ... in the order of each cluster's first node.
    """
    return core.kernighan_lin(uv_ids, costs, labels, max_ms, max_moves)


def multicut_objective(uv_ids: NDArray[Any], costs: NDArray[Any], labels: NDArray[Any]) -> float:
    """Sum the costs of the edges that a labelling cuts: its multicut cost (Eq. 4).

    Args:
        uv_ids: (E, 2) integers in [0, n), no loops.
        costs: (E,) float32 or float64.
        labels: (n,) integers.

    Returns:
        The sum.
    """
    return core.multicut_objective(uv_ids, costs, labels)


def upsample_labels(labels: LabelArray, size: tuple[int, int], scale: float) -> LabelArray:
    """The label map at image resolution, with smooth outlines.

    Each output pixel takes the label with the largest sum of bilinear weights among the four cells
    around it (on ties that of the nearest cell); background is a label like any other.

    Args:
        labels: (h, w) int32.
        size: (H, W) of the result.
        scale: Label cells per output pixel; the centre of output pixel (y, x) lies at ((y + 0.5) *
            scale, (x + 0.5) * scale). Beyond the label map its outermost cells continue.

    Returns:
        (H, W) int32.
    """
    return core.upsample_labels(labels, size, scale)
