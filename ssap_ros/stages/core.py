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

"""The door to the compiled core: checks everything that goes in.

The core is C++ and works on bare memory. Nothing but this module and `core_space`, the door for
objects in space, imports it, so what their checks let pass is all that it ever gets. Arrays may be
non-contiguous (they are copied then) and are never changed unless said so. The GIL is released
while the core works, and calls may run at once. Bad arguments raise InputError that says what was
expected and what came.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import isfinite
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from ssap_ros import _core
from ssap_ros.errors import InputError
from ssap_ros.stages import arguments
from ssap_ros.types import ClassArray, FloatArray, FloatOrHalfArray, ImageArray, LabelArray

Linkage = Literal["sum", "mean", "mutex"]
_Value = TypeVar("_Value", np.uint8, np.uint16)


# --- partition ---


def edge_costs(
    affinities: NDArray[Any], logits: bool, eps: float, scores: NDArray[Any] | None
) -> FloatArray:
    """See `ssap_ros.partition.edge_costs`."""
    affinities = arguments.grid("affinities", affinities, (np.float32, np.float16), 3)
    if affinities.shape[0] not in (24, 25):
        raise InputError(f"affinities must have 24 or 25 channels, got {affinities.shape[0]}")
    arguments.require_eps(eps)
    affinities = arguments.dense(affinities)
    arguments.require_finite("affinities", affinities)
    if not logits and (affinities.min() < 0 or affinities.max() > 1):
        raise InputError(
            "affinities must be probabilities in [0, 1] unless logits=True, "
            f"got values in [{affinities.min():g}, {affinities.max():g}]"
        )
    scores = arguments.class_scores(scores, "affinities", affinities)
    if scores is not None:
        arguments.require_distributions(scores)
    return _core.edge_costs(affinities, logits, eps, scores)


def cascaded_graph_partition(
    costs: Sequence[NDArray[Any]],
    classes: Sequence[ClassArray],
    scores: NDArray[Any] | None,
    long_range: Sequence[NDArray[Any]],
    eps: float,
    erosion_radius: int,
    joint_finest: bool,
    linkage: Linkage,
    max_ms: float | None,
) -> tuple[LabelArray, _core.CascadeReport]:
    """See `ssap_ros.partition.cascaded_graph_partition`."""
    if len(costs) == 0 or len(costs) != len(classes):
        raise InputError(
            "costs and classes must be equally long and not empty, "
            f"got {len(costs)} and {len(classes)} levels"
        )
    if erosion_radius < 0:
        raise InputError(f"erosion_radius must not be negative, got {erosion_radius!r}")
    _require_linkage(linkage)
    arguments.require_eps(eps)
    costs = [arguments.level_array(f"costs[{i}]", level) for i, level in enumerate(costs)]
    long_range = [
        arguments.level_array(f"long_range[{i}]", level) for i, level in enumerate(long_range)
    ]
    arguments.require_halving(
        [(f"costs[{i}]", level) for i, level in enumerate(costs)]
        + [(f"long_range[{i}]", level) for i, level in enumerate(long_range)]
    )
    classes = [
        arguments.class_map(f"classes[{i}]", level, f"costs[{i}]", like)
        for i, (level, like) in enumerate(zip(classes, costs, strict=True))
    ]
    if scores is not None and costs[0].shape[0] == arguments.N_OFFSETS:
        raise InputError("scores refine logits, but costs[0] holds costs")
    scores = arguments.class_scores(scores, "costs[0]", costs[0])
    labels, report = _core.cascaded_graph_partition(
        costs,
        classes,
        long_range,
        scores,
        eps,
        min(erosion_radius, max(costs[0].shape[1:])),
        joint_finest,
        linkage,
        arguments.milliseconds(max_ms),
    )
    if not report.is_valid:  # reported by the core, which has looked at what matters
        for name, levels in (("costs", costs), ("long_range", long_range)):
            for i, level in enumerate(levels):
                arguments.require_finite(f"{name}[{i}]", level)
        if scores is not None:
            arguments.require_distributions(scores)
    return labels, report


def greedy_additive(
    n_nodes: int, uv_ids: NDArray[Any], costs: NDArray[Any], linkage: Linkage
) -> NDArray[np.int64]:
    """See `ssap_ros.partition.greedy_additive`."""
    arguments.require_n_nodes(n_nodes)
    _require_linkage(linkage)
    uv_ids, costs = _edges(n_nodes, uv_ids, costs)
    return _core.contract(n_nodes, uv_ids, costs, linkage)


def kernighan_lin(
    uv_ids: NDArray[Any],
    costs: NDArray[Any],
    labels: NDArray[Any],
    max_ms: float | None,
    max_moves: int | None,
) -> NDArray[np.int64]:
    """See `ssap_ros.partition.kernighan_lin`."""
    labels = arguments.node_labels(labels)
    if max_moves is not None and max_moves < 0:
        raise InputError(f"max_moves must not be negative, got {max_moves!r}")
    uv_ids, costs = _edges(len(labels), uv_ids, costs)
    limit = sys.maxsize if max_moves is None else min(max_moves, sys.maxsize)
    start = _in_order_of_appearance(labels)
    improved = _core.kernighan_lin(uv_ids, costs, start, arguments.milliseconds(max_ms), limit)
    return _in_order_of_appearance(improved)


def multicut_objective(uv_ids: NDArray[Any], costs: NDArray[Any], labels: NDArray[Any]) -> float:
    """See `ssap_ros.partition.multicut_objective`."""
    labels = arguments.node_labels(labels)
    uv_ids, costs = _edges(len(labels), uv_ids, costs)
    return _core.multicut_objective(uv_ids, costs, labels)


def _require_linkage(linkage: str) -> None:
    if linkage not in get_args(Linkage):
        raise InputError(f"linkage must be one of {get_args(Linkage)}, got {linkage!r}")


def _edges(
    n_nodes: int, uv_ids: NDArray[Any], costs: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    uv_ids, costs = arguments.edge_list(uv_ids, costs)
    if not _core.is_valid(n_nodes, uv_ids, costs):
        arguments.name_bad_edge(uv_ids, costs, n_nodes)
    return uv_ids, costs


def _in_order_of_appearance(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


# --- label images ---


def upsample_labels(labels: LabelArray, size: tuple[int, int], scale: float) -> LabelArray:
    """See `ssap_ros.partition.upsample_labels`."""
    labels = arguments.dense(arguments.grid("labels", labels, (np.int32,), 2))
    arguments.require_scale(scale)
    return _core.upsample_labels(labels, *arguments.output_size("size", size), scale)


class UpsampledSegments:
    """Segments at image resolution, as runs of pixels: `upsample_labels` without the image.

    Args:
        labels: int32 (h, w), 0 = background, segments 1..N with N at most h * w.
        size: (H, W) of the image.
        scale: label cells per pixel of the image.
    """

    def __init__(self, labels: LabelArray, size: tuple[int, int], scale: float) -> None:
        labels = _segments(labels)
        arguments.require_scale(scale)
        self._n_labels = int(labels.max()) + 1
        self._runs = _core.upsampled_runs(labels, *arguments.output_size("size", size), scale)

    def extents(self) -> NDArray[np.int64]:
        """Measure every segment, background first.

        Returns:
            (N + 1, 5) int64: area, left, top, right, bottom in pixels. Right and bottom are the
            first column and row beyond a segment. The area is 0 where none of its pixels is left.
        """
        return self._runs.extents(self._n_labels)

    def paint(self, new_label: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """Paint the label image; label k becomes new_label[k].

        Args:
            new_label: uint16 (N + 1,).

        Returns:
            uint16 (H, W).

        Raises:
            InputError: It is another array.
        """
        new_label = arguments.checked_array("new_label", new_label, (np.uint16,), 1)
        if len(new_label) != self._n_labels:
            raise InputError(
                f"new_label must have shape ({self._n_labels},), got {new_label.shape}"
            )
        return self._runs.paint(arguments.dense(new_label))


def look_up(labels: NDArray[np.uint16], value: NDArray[_Value]) -> NDArray[_Value]:
    """An image (H, W) in which label k of uint16 (H, W) has become value[k], uint8 or uint16."""
    labels = arguments.grid("labels", labels, (np.uint16,), 2)
    value = arguments.checked_array("value", value, (np.uint8, np.uint16), 1)
    arguments.require_at_most("labels", labels, len(value) - 1)
    return _core.look_up(arguments.dense(labels), arguments.dense(value))


def count_votes(
    labels: LabelArray,
    classes: ClassArray,
    probabilities: FloatOrHalfArray,
    thing_ids: Sequence[int],
) -> NDArray[np.float64]:
    """What the cells of each segment say about its class.

    Args:
        labels: int32 (h, w), 0 = background, segments 1..N with N at most h * w.
        classes: uint8 (h, w); 0 = no vote, k = a vote for thing_ids[k - 1].
        probabilities: float32 or float16 (n_classes, h, w), indexed by class id.
        thing_ids: class ids, T of them.

    Returns:
        (N, 2 + 2 T) float64: the cells of a segment, their weight, their votes for each thing, and
        the weighted sum over all of its cells of each thing's probability. Cells with a neighbour
        in another segment, or in none, weigh a tenth, the others 1.
    """
    labels = _segments(labels)
    classes = arguments.class_map("classes", classes, "labels", labels)
    probabilities = arguments.grid("probabilities", probabilities, (np.float32, np.float16), 3)
    arguments.require_same_size("probabilities", probabilities, "labels", labels)
    thing_ids = arguments.class_ids("thing_ids", thing_ids, len(probabilities))
    arguments.require_at_most("classes", classes, len(thing_ids))
    return _core.count_votes(
        labels,
        classes,
        arguments.dense(probabilities, np.float32),
        thing_ids,
        int(labels.max()),
    )


def _segments(labels: LabelArray) -> LabelArray:
    labels = arguments.grid("labels", labels, (np.int32,), 2)
    arguments.require_at_most("labels", labels, labels.size)
    return arguments.dense(labels)


# --- class maps and images ---


def thing_classes(logits: FloatArray, thing_ids: Sequence[int]) -> ClassArray:
    """See `ssap_ros.stages.affinity.thing_classes`."""
    logits = arguments.class_maps("logits", logits)
    thing_ids = arguments.class_ids("thing_ids", thing_ids, len(logits))
    if len(thing_ids) > np.iinfo(np.uint8).max:
        raise InputError(f"thing_ids must be at most 255 class ids, got {len(thing_ids)}")
    names = [0] * len(logits)
    for name, class_id in enumerate(thing_ids, start=1):
        names[class_id] = name
    return _core.best_class(logits, names)


def softmax(logits: FloatArray, class_ids: Sequence[int] | None) -> FloatArray:
    """See `ssap_ros.stages.affinity.softmax`."""
    logits = arguments.class_maps("logits", logits)
    if class_ids is None:
        class_ids = range(len(logits))
    chosen = arguments.class_ids("class_ids", class_ids, len(logits))
    if not chosen:
        raise InputError("class_ids must name at least one class, got none")
    return _core.softmax(logits, chosen)


def area_resize(
    image: ImageArray,
    size: tuple[int, int],
    factor: Sequence[float],
    offset: Sequence[float],
    tensor: FloatArray,
) -> None:
    """Write the network input of an image: every value is the mean of the area that it covers.

    Args:
        image: uint8 (H, W, 3) RGB.
        size: (height, width) of the scaled image.
        factor: three numbers; the mean, rounded to a whole level, becomes level * factor - offset.
        offset: three numbers.
        tensor: float32 (1, 3, h, w), contiguous, at least of that size; its upper left corner is
            written, nothing else.

    Raises:
        InputError: An array is another, or `tensor` is smaller than `size`.
    """
    image = arguments.checked_array("image", image, (np.uint8,), 3)
    if image.shape[2] != 3 or image.size == 0:
        raise InputError(f"image must have shape (H, W, 3), got {image.shape}")
    arguments.require_capacity("image", image.shape[:2])
    for name, values in (("factor", factor), ("offset", offset)):
        if len(values) != 3 or not all(map(isfinite, values)):
            raise InputError(f"{name} must be three finite numbers, got {values}")
    rows, columns = arguments.output_size("size", size)
    tensor = arguments.checked_array("tensor", tensor, (np.float32,), 4)
    if tensor.shape[:2] != (1, 3) or tensor.shape[2] < rows or tensor.shape[3] < columns:
        raise InputError(
            f"tensor must have shape (1, 3, >= {rows}, >= {columns}), got {tensor.shape}"
        )
    if not tensor.flags.carray:
        raise InputError("tensor must be contiguous, aligned and writeable")
    _core.area_resize(arguments.dense(image), rows, columns, factor, offset, tensor)
