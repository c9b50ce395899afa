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

"""What the compiled core expects of its arguments: each check returns them ready for it.

Errors are InputErrors that say what was expected and what came.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite, prod
from typing import Any, NoReturn

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ssap_ros.errors import InputError
from ssap_ros.types import ClassArray, FloatArray

N_OFFSETS = 12
MAX_PIXELS = 2**27 - 1
"""The core counts the edges of a grid, up to 32 per pixel, in 32 bits."""
MAX_NODES = 2**31 - 1
MAX_EDGES = 2**31 - 1


def checked_array(
    name: str, value: NDArray[Any], dtypes: Sequence[type], ndim: int
) -> NDArray[Any]:
    """`value`, once it is known to be an array of one of the dtypes with `ndim` dimensions."""
    expected = " or ".join(np.dtype(dtype).name for dtype in dtypes)
    if not isinstance(value, np.ndarray):
        raise InputError(f"{name} must be a {expected} array, got {type(value).__name__}")
    if value.dtype not in dtypes:
        raise InputError(f"{name} must be {expected}, got {value.dtype}")
    if value.ndim != ndim:
        raise InputError(f"{name} must have {ndim} dimensions, got shape {value.shape}")
    return value


def dense(value: NDArray[Any], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """`value`, or a copy of it, of the dtype (its own if None), contiguous and aligned."""
    if value.flags.c_contiguous and value.flags.aligned and dtype in (None, value.dtype):
        return value
    return np.array(value, dtype, order="C")


def grid(name: str, value: NDArray[Any], dtypes: Sequence[type], ndim: int) -> NDArray[Any]:
    """As `checked_array`, for one whose last dimensions are a height and a width."""
    value = checked_array(name, value, dtypes, ndim)
    if 0 in value.shape[-2:]:
        raise InputError(f"{name} must have at least one pixel, got shape {value.shape}")
    require_capacity(name, value.shape[-2:])
    return value


def require_capacity(name: str, size: Sequence[int]) -> None:
    """A (height, width) that the core can count."""
    if prod(size) > MAX_PIXELS:
        raise InputError(f"{name} must have at most {MAX_PIXELS} pixels, got {size[0]} x {size[1]}")


def require_same_size(name: str, value: NDArray[Any], other: str, like: NDArray[Any]) -> None:
    """Both have the same height and width; they come last in the shapes."""
    if value.shape[-2:] != like.shape[-2:]:
        expected = (*value.shape[:-2], *like.shape[-2:])
        raise InputError(f"{name} must have shape {expected} like {other}, got {value.shape}")


def output_size(name: str, size: tuple[int, int]) -> tuple[int, int]:
    """A (height, width) to be filled."""
    if len(size) != 2 or min(size) < 1:
        raise InputError(f"{name} must be a positive height and width, got {size!r}")
    require_capacity(name, size)
    return size


def require_scale(scale: float) -> None:
    """Cells per pixel."""
    if not (scale > 0 and isfinite(scale)):
        raise InputError(f"scale must be positive and finite, got {scale!r}")


def matrix(name: str, value: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """A float32 matrix of that shape, contiguous."""
    value = checked_array(name, value, (np.float32,), 2)
    if value.shape != shape:
        raise InputError(f"{name} must have shape {shape}, got {value.shape}")
    return dense(value)


def require_boxes(boxes: Sequence[tuple[int, int, int, int]], labels: NDArray[Any]) -> None:
    """(x, y, width, height) in pixels, each inside of the image; one per label at most."""
    if len(boxes) > np.iinfo(labels.dtype).max:
        raise InputError(f"boxes must be at most {np.iinfo(labels.dtype).max}, got {len(boxes)}")
    rows, columns = labels.shape
    for number, box in enumerate(boxes, start=1):
        x, y, width, height = box
        inside = x >= 0 and y >= 0 and x + width <= columns and y + height <= rows
        if not inside or width < 1 or height < 1:
            raise InputError(f"box {number} must lie in the image of {columns} x {rows}, got {box}")


def point_rows(name: str, value: NDArray[np.void]) -> NDArray[np.void]:
    """A structured array, contiguous, whose rows begin with float32 x, y and z."""
    fields = value.dtype.fields if isinstance(value, np.ndarray) and value.ndim == 1 else None
    start = {axis: (np.dtype(np.float32), 4 * i) for i, axis in enumerate("xyz")}
    if not fields or any(fields.get(axis) != place for axis, place in start.items()):
        raise InputError(f"{name} must be rows that begin with float32 x, y, z, got {value!r}")
    if value.dtype.hasobject:
        raise InputError(f"{name} must be rows of numbers, got {value.dtype}")
    return dense(value)


# --- graphs ---


def integers(name: str, value: NDArray[Any], ndim: int) -> NDArray[Any]:
    """An array of integers, of any type, in `ndim` dimensions."""
    value = np.asarray(value)
    if not np.issubdtype(value.dtype, np.integer) or value.ndim != ndim:
        raise InputError(
            f"{name} must be integers in {ndim} dimensions, got {value.dtype} {value.shape}"
        )
    return value


def node_labels(labels: NDArray[Any]) -> NDArray[np.int64]:
    """One integer per node, as contiguous int64."""
    labels = integers("labels", labels, 1)
    require_n_nodes(len(labels))
    return dense(labels, np.int64)


def require_n_nodes(n_nodes: int) -> None:
    """As many nodes as the core can count."""
    if not 0 <= n_nodes <= MAX_NODES:
        raise InputError(f"n_nodes must be in [0, {MAX_NODES}], got {n_nodes!r}")


def edge_list(
    uv_ids: NDArray[Any], costs: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """uv_ids, (E, 2) integers, as int64 and costs, (E,) floats, as float64, both contiguous."""
    uv_ids = integers("uv_ids", uv_ids, 2)
    if uv_ids.shape[1] != 2:
        raise InputError(f"uv_ids must have shape (E, 2), got {uv_ids.shape}")
    if len(uv_ids) > MAX_EDGES:
        raise InputError(f"uv_ids must have at most {MAX_EDGES} rows, got {len(uv_ids)}")
    costs = checked_array("costs", costs, (np.float32, np.float64), 1)
    if len(costs) != len(uv_ids):
        raise InputError(f"costs must have shape ({len(uv_ids)},) like uv_ids, got {costs.shape}")
    return dense(uv_ids, np.int64), dense(costs, np.float64)


def name_bad_edge(uv_ids: NDArray[np.int64], costs: NDArray[np.float64], n_nodes: int) -> NoReturn:
    """Says which edge the core refuses, and why."""
    require_finite("costs", costs)
    if np.any(too_large := np.abs(costs) > np.finfo(np.float32).max):
        raise InputError(f"costs must be within the range of float32, got {costs[too_large][0]:g}")
    if not (uv_ids.min() >= 0 and uv_ids.max() < n_nodes):
        raise InputError(
            f"uv_ids must be in [0, {n_nodes}), got values in [{uv_ids.min()}, {uv_ids.max()}]"
        )
    loops = uv_ids[:, 0] == uv_ids[:, 1]
    raise InputError(f"uv_ids must join different nodes, got {uv_ids[loops][0].tolist()}")


# --- levels of a cascade ---


def level_array(name: str, value: NDArray[Any]) -> NDArray[Any]:
    """Costs or logits of one level, (12, 24 or 25, H, W) floats, contiguous."""
    value = grid(name, value, (np.float32, np.float16), 3)
    if value.shape[0] not in (N_OFFSETS, 24, 25):
        raise InputError(
            f"{name} must have {N_OFFSETS} channels (costs), or 24 or 25 (logits), "
            f"got {value.shape[0]}"
        )
    return dense(value)


def require_halving(levels: Sequence[tuple[str, NDArray[Any]]]) -> None:
    """Names and arrays (n, H, W), finest first: each has half the size of the one before."""
    for (finer, fine), (coarser, coarse) in pairwise(levels):
        expected = tuple((n + 1) // 2 for n in fine.shape[1:])
        if coarse.shape[1:] != expected:
            raise InputError(
                f"{coarser} must be half the size of {finer}, {expected}, got {coarse.shape[1:]}"
            )


def class_map(name: str, value: ClassArray, other: str, like: NDArray[Any]) -> ClassArray:
    """uint8 (H, W), contiguous; `like`: (n, H, W)."""
    value = grid(name, value, (np.uint8,), 2)
    require_same_size(name, value, other, like)
    return dense(value)


def class_scores(scores: NDArray[Any] | None, name: str, like: NDArray[Any]) -> FloatArray | None:
    """Scores of any number of classes, (C, H, W), as contiguous float32; `like`: (n, H, W)."""
    if scores is None:
        return None
    scores = checked_array("scores", scores, (np.float32, np.float16), 3)
    if scores.shape[0] == 0 or scores.shape[1:] != like.shape[1:]:
        raise InputError(
            f"scores must have shape (C >= 1, {like.shape[1]}, {like.shape[2]}) like {name}, "
            f"got {scores.shape}"
        )
    return dense(scores, np.float32)


def require_distributions(scores: FloatArray) -> None:
    """Every score is finite and not negative."""
    require_finite("scores", scores)
    if scores.min() < 0:
        raise InputError(f"scores must not be negative, got {scores.min():g}")


def require_eps(eps: float) -> None:
    """A limit that keeps log-odds finite in single precision."""
    if not 1e-6 <= eps < 0.5:
        raise InputError(f"eps must be in [1e-6, 0.5), got {eps!r}")


def milliseconds(max_ms: float | None) -> float:
    """A time limit as the core takes it, infinite for None."""
    if max_ms is None:
        return float("inf")
    if not max_ms > 0:
        raise InputError(f"max_ms must be positive, got {max_ms!r}")
    return max_ms


# --- classes of pixels ---


def class_maps(name: str, value: NDArray[Any]) -> FloatArray:
    """One map per class, (C, h, w), as float32 with dense rows: a cut-out is not copied."""
    value = grid(name, value, (np.float32, np.float16), 3)
    if value.shape[0] == 0:
        raise InputError(f"{name} must have at least one channel, got shape {value.shape}")
    if value.dtype == np.float32 and value.flags.aligned and value.strides[2] == value.itemsize:
        return value
    return dense(value, np.float32)


def class_ids(name: str, ids: Sequence[int], n_classes: int) -> list[int]:
    """Ids of different classes among `n_classes`."""
    ids = list(ids)
    if not all(0 <= class_id < n_classes for class_id in ids) or len(set(ids)) < len(ids):
        raise InputError(f"{name} must be different class ids in [0, {n_classes}), got {ids}")
    return ids


def require_at_most(name: str, value: NDArray[Any], high: int) -> None:
    """Every integer of the array, which is not empty, is in [0, high]."""
    unsigned = value.view(f"u{value.itemsize}")  # in which negative ones are the largest
    if int(unsigned.max()) > high:
        raise InputError(
            f"{name} must be in [0, {high}], got values in [{value.min()}, {value.max()}]"
        )


def require_finite(name: str, value: NDArray[Any]) -> None:
    """Every value is finite; the first one that is not is named."""
    if not np.isfinite(value).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(value))[0])
        raise InputError(f"{name} must be finite, got {value[index]} at {index}")
