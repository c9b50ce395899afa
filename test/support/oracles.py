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

"""Slow, plain twins of the compiled core, written from the definitions, to compare it with."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)]
FORWARD = WINDOW[13:]


def in_image(y: int, x: int, shape: tuple[int, ...]) -> bool:
    return 0 <= y < shape[-2] and 0 <= x < shape[-1]


def ideal_affinities(ids: NDArray[Any]) -> NDArray[np.float32]:
    """(25, H, W) float32: 1 where the two pixels have the same id, 0 elsewhere and outside."""
    padded = np.pad(ids.astype(np.int64), 2, constant_values=-1)
    height, width = ids.shape
    return np.stack(
        [padded[2 + dy :, 2 + dx :][:height, :width] == ids for dy, dx in WINDOW]
    ).astype(np.float32)


def edge_costs(
    affinities: NDArray[Any],
    *,
    logits: bool = False,
    eps: float = 1e-4,
    scores: NDArray[Any] | None = None,
) -> NDArray[np.float64]:
    """Eq. 2-3 and 6-8, one pixel pair at a time, in double precision."""
    values = affinities.astype(np.float64)
    if logits:
        values = 1 / (1 + np.exp(-values))
    if len(values) == 24:
        values = np.insert(values, 12, 1.0, axis=0)

    def entropy(p: NDArray[np.float64]) -> float:
        return float(-sum(q * np.log(q) for q in p if q > 0))

    costs = np.zeros((12, *values.shape[1:]))
    for k, (dy, dx) in enumerate(FORWARD):
        for y, x in np.ndindex(values.shape[1:]):
            if not in_image(y + dy, x + dx, values.shape):
                continue
            there = WINDOW.index((dy, dx))
            back = WINDOW.index((-dy, -dx))
            alpha = (values[there, y, x] + values[back, y + dy, x + dx]) / 2
            if scores is not None:
                p = scores[:, y, x].astype(np.float64)
                q = scores[:, y + dy, x + dx].astype(np.float64)
                alpha *= np.exp(-(entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2))
            alpha = min(max(alpha, eps), 1 - eps)
            costs[k, y, x] = np.log(alpha / (1 - alpha))
    return costs


def in_order_of_appearance(labels: Sequence[int]) -> NDArray[np.int64]:
    names: dict[int, int] = {}
    return np.array([names.setdefault(label, len(names)) for label in labels], np.int64)


def strongest(costs: Sequence[float]) -> float:
    return max(costs, key=abs)


def greedy_additive(
    n_nodes: int,
    edges: Sequence[tuple[int, int, float]],
    proposals: frozenset[int] = frozenset(),
    linkage: str = "sum",
) -> NDArray[np.int64]:
    """Contraction on dictionaries: before each merge, look at every pair of clusters.

    While `proposals` are deferred, two clusters that both hold one are not merged.
    """
    pairs: dict[frozenset[int], list[float]] = {}
    summary = {"sum": sum, "mean": np.mean, "mutex": strongest}[linkage]

    for u, v, cost in edges:
        pairs.setdefault(frozenset((u, v)), []).append(float(cost))
    cluster = list(range(n_nodes))
    held = set(proposals)
    for deferring in (True, False):
        while True:
            priorities = {
                pair: summary(costs)
                for pair, costs in pairs.items()
                if not (deferring and pair <= held)
            }
            best = max(priorities, key=lambda pair: priorities[pair], default=None)
            if best is None or priorities[best] <= 0:
                break
            kept, absorbed = best
            if absorbed in held:
                held.add(kept)
            cluster = [kept if c == absorbed else c for c in cluster]
            for pair in [pair for pair in pairs if absorbed in pair]:
                costs = pairs.pop(pair)
                if (renamed := pair - {absorbed} | {kept}) != {kept}:
                    pairs.setdefault(renamed, []).extend(costs)
    return in_order_of_appearance(cluster)


def cascaded_graph_partition(
    costs: Sequence[NDArray[np.float32]],
    classes: Sequence[NDArray[np.uint8]],
    *,
    long_range: Sequence[NDArray[np.float32]] = (),
    erosion_radius: int = 1,
    joint_finest: bool = True,
    linkage: str = "sum",
) -> NDArray[np.int32]:
    """The cascade, pixel by pixel."""
    segments: NDArray[np.int32] | None = None
    kept_apart: set[frozenset[int]] = set()  # segments of the level before
    for level in reversed(range(len(costs))):
        shape = classes[level].shape
        nodes: dict[Any, int] = {}
        node_of: dict[tuple[int, int], int] = {}
        proposals = set()
        for y, x in np.ndindex(shape):
            if classes[level][y, x] == 0:
                continue
            name: Any = (y, x)
            parent = (y // 2, x // 2)
            if segments is not None and classes[level + 1][parent] == classes[level][y, x]:
                top, left = (max(i - erosion_radius, 0) // 2 for i in (y, x))
                bottom, right = ((i + erosion_radius) // 2 + 1 for i in (y, x))
                near = segments[top:bottom, left:right]
                if np.all((near == segments[parent]) | (near == 0)):
                    name = int(segments[parent])
            node_of[y, x] = nodes.setdefault(name, len(nodes))
            if isinstance(name, int):
                proposals.add(node_of[y, x])
        grids = [(costs[level], 1)]
        if segments is None:
            grids += [(coarse, 2**i) for i, coarse in enumerate(long_range, start=1)]
        edges = [
            (*(nodes[segment] for segment in pair), -np.inf)
            for pair in kept_apart
            if pair <= nodes.keys()
        ]
        for grid, step in grids:
            for k, y, x in np.ndindex(grid.shape):
                p, q = (
                    tuple(
                        min(step * i + step // 2, n - 1) for i, n in zip(cell, shape, strict=True)
                    )
                    for cell in ((y, x), (y + FORWARD[k][0], x + FORWARD[k][1]))
                )
                if not in_image(y + FORWARD[k][0], x + FORWARD[k][1], grid.shape):
                    continue
                u, v = node_of.get(p), node_of.get(q)
                if u is None or v is None or u == v:
                    continue
                if classes[level][p] == classes[level][q] or (joint_finest and level == 0):
                    edges.append((u, v, grid.item((k, y, x))))
        clusters = greedy_additive(len(nodes), edges, frozenset(proposals), linkage)
        segments = np.zeros(shape, np.int32)
        for pixel, node in node_of.items():
            segments[pixel] = clusters[node] + 1
        between: dict[frozenset[int], list[float]] = {}
        for u, v, cost in edges:
            if clusters[u] != clusters[v]:
                pair = frozenset(int(clusters[node]) + 1 for node in (u, v))
                between.setdefault(pair, []).append(cost)
        total = strongest if linkage == "mutex" else sum
        kept_apart = {pair for pair, costs in between.items() if total(costs) <= -20}
    assert segments is not None
    return segments


def window_components(ids: NDArray[Any]) -> NDArray[np.int32]:
    """Parts of each id > 0 that 5x5 windows connect: 1..N in raster order, 0 elsewhere."""
    labels = np.zeros(ids.shape, np.int32)
    for start in zip(*np.nonzero(ids), strict=True):
        if labels[start]:
            continue
        labels[start] = labels.max() + 1
        waiting = deque([start])
        while waiting:
            y, x = waiting.popleft()
            for dy, dx in WINDOW:
                pixel = (y + dy, x + dx)
                if in_image(*pixel, ids.shape) and not labels[pixel] and ids[pixel] == ids[start]:
                    labels[pixel] = labels[start]
                    waiting.append(pixel)
    return labels


def upsample_labels(
    labels: NDArray[np.int32], size: tuple[int, int], scale: float
) -> NDArray[np.int32]:
    """Bilinear weights per label, added up in a dictionary for every output pixel."""
    result = np.zeros(size, np.int32)
    for y, x in np.ndindex(size):
        v, u = (y + 0.5) * scale - 0.5, (x + 0.5) * scale - 0.5
        weights: dict[int, float] = {}
        for i in (int(np.floor(v)), int(np.floor(v)) + 1):
            for j in (int(np.floor(u)), int(np.floor(u)) + 1):
                label = labels.item(
                    (min(max(i, 0), labels.shape[0] - 1), min(max(j, 0), labels.shape[1] - 1))
                )
                weights[label] = weights.get(label, 0.0) + (1 - abs(v - i)) * (1 - abs(u - j))
        nearest = labels.item(
            (
                min(int((y + 0.5) * scale), labels.shape[0] - 1),
                min(int((x + 0.5) * scale), labels.shape[1] - 1),
            )
        )
        heaviest = max(weights, key=lambda label: weights[label])
        is_tie = weights.get(nearest, 0.0) > weights[heaviest] - 1e-9
        result[y, x] = nearest if is_tie else heaviest
    return result
