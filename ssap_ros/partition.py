"""From affinities to instance labels: the public, validating face of the compiled core.

All functions accept non-contiguous arrays (they are copied), never change their arguments, release
the GIL while they work and give the same result for the same input. Bad arguments raise ValueError
that says what was expected and what came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssap_ros import _core
from ssap_ros.types import ClassArray, FloatArray, LabelArray

N_OFFSETS = 12
_MAX_NODES = 2**31 - 1


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

    affinities: (24 or 25, H, W) float32 or float16, row-major over the 5x5 window with or without
        its centre; probabilities, or logits if `logits`.
    scores: (C, H, W) float32 or float16, for each pixel a distribution over the object classes.
    Returns (12, H, W) float32 for the forward displacements (dy, dx) = (0, 1), (0, 2), (1, -2),
    ..., (1, 2), (2, -2), ..., (2, 2); 0 where the neighbour is outside.
    """
    affinities = _array("affinities", affinities, (np.float32, np.float16), 3)
    if affinities.shape[0] not in (24, 25):
        raise ValueError(f"affinities must have 24 or 25 channels, got {affinities.shape[0]}")
    _require_pixels("affinities", affinities)
    if not 1e-6 <= eps < 0.5:
        raise ValueError(f"eps must be in [1e-6, 0.5), got {eps!r}")
    affinities = _contiguous(affinities, np.float32)
    _require_finite("affinities", affinities)
    if not logits and (affinities.min() < 0 or affinities.max() > 1):
        raise ValueError(
            "affinities must be probabilities in [0, 1] unless logits=True, "
            f"got values in [{affinities.min():g}, {affinities.max():g}]"
        )
    if scores is not None:
        scores = _array("scores", scores, (np.float32, np.float16), 3)
        if scores.shape[0] == 0 or scores.shape[1:] != affinities.shape[1:]:
            raise ValueError(
                f"scores must have shape (C >= 1, {affinities.shape[1]}, {affinities.shape[2]}) "
                f"like affinities, got {scores.shape}"
            )
        scores = _contiguous(scores, np.float32)
        _require_finite("scores", scores)
        if scores.min() < 0:
            raise ValueError(f"scores must not be negative, got {scores.min():g}")
    result: FloatArray = _core._edge_costs(affinities, logits, eps, scores)
    return result


def cascaded_graph_partition(
    costs: Sequence[FloatArray],
    classes: Sequence[ClassArray],
    *,
    erosion_radius: int = 1,
    joint_finest: bool = True,
) -> LabelArray:
    """Instances of the finest level, found from coarse to fine (section 3.3).

    The coarsest level given is partitioned first. The inner regions of its segments become single
    nodes of the next level, and so on. Each level is solved by greedy additive edge contraction,
    proposals being merged with each other only after everything else.

    costs: one (12, H, W) float32 array per level as from `edge_costs`, finest level first; each
        level has half the size of the one before, rounded up.
    classes: one (H, W) uint8 array per level; 0 = not a thing. Different classes are never joined,
        except at the finest level if `joint_finest`.
    erosion_radius: margin, in pixels, that separates the inner region from the rest of a segment.
    Returns (H, W) int32 of the finest level: 0 = background, 1..N in raster order of first pixels.
    """
    if len(costs) == 0 or len(costs) != len(classes):
        raise ValueError(
            "costs and classes must be equally long and not empty, "
            f"got {len(costs)} and {len(classes)} levels"
        )
    if erosion_radius < 0:
        raise ValueError(f"erosion_radius must not be negative, got {erosion_radius!r}")
    costs = [_array(f"costs[{i}]", level, (np.float32,), 3) for i, level in enumerate(costs)]
    classes = [_array(f"classes[{i}]", level, (np.uint8,), 2) for i, level in enumerate(classes)]
    for i, (level_costs, level_classes) in enumerate(zip(costs, classes, strict=True)):
        if level_costs.shape[0] != N_OFFSETS:
            raise ValueError(
                f"costs[{i}] must have {N_OFFSETS} channels, got {level_costs.shape[0]}"
            )
        _require_pixels(f"costs[{i}]", level_costs)
        _require_finite(f"costs[{i}]", level_costs)
        size = level_costs.shape[1:]
        if level_classes.shape != size:
            raise ValueError(
                f"classes[{i}] must have shape {size} like costs[{i}], got {level_classes.shape}"
            )
        expected = tuple((n + 1) // 2 for n in costs[i - 1].shape[1:])
        if i > 0 and size != expected:
            raise ValueError(
                f"costs[{i}] must be half the size of costs[{i - 1}], {expected}, got {size}"
            )
    result: LabelArray = _core._cascaded_graph_partition(
        [_contiguous(level, np.float32) for level in costs],
        [_contiguous(level, np.uint8) for level in classes],
        erosion_radius,
        joint_finest,
    )
    return result


def greedy_additive(n_nodes: int, uv_ids: NDArray[Any], costs: NDArray[Any]) -> NDArray[np.int64]:
    """Cluster a graph by greedy additive edge contraction, a heuristic for the multicut (Eq. 4-5).

    Again and again the two clusters with the largest positive sum of costs between them are merged,
    sums being compared in float32; of equal sums the one with the earliest edge goes first. In the
    end no two clusters have a positive sum between them.

    uv_ids: (E, 2) integers in [0, n_nodes), no loops; parallel edges are summed.
    costs: (E,) float32 or float64 within the range of float32; positive attracts.
    Returns (n_nodes,) int64: labels 0, 1, 2, ... in the order of each cluster's first node.
    """
    if not 0 <= n_nodes <= _MAX_NODES:
        raise ValueError(f"n_nodes must be in [0, {_MAX_NODES}], got {n_nodes!r}")
    uv_ids, costs = _edges(uv_ids, costs, n_nodes)
    if np.any(loops := uv_ids[:, 0] == uv_ids[:, 1]):
        raise ValueError(f"uv_ids must join different nodes, got {uv_ids[loops][0].tolist()}")
    result: NDArray[np.int64] = _core._greedy_additive(n_nodes, uv_ids, costs)
    return result


def multicut_objective(uv_ids: NDArray[Any], costs: NDArray[Any], labels: NDArray[Any]) -> float:
    """The multicut cost of a labelling (Eq. 4): the sum of the costs of the edges that it cuts.

    uv_ids: (E, 2) integers in [0, n); costs: (E,) float32 or float64; labels: (n,) integers.
    """
    labels = _integers("labels", labels, 1)
    uv_ids, costs = _edges(uv_ids, costs, len(labels))
    objective: float = _core._multicut_objective(uv_ids, costs, labels)
    return objective


def upsample_labels(labels: LabelArray, size: tuple[int, int], scale: float) -> LabelArray:
    """The label map at image resolution, with smooth outlines.

    Each output pixel takes the label with the largest sum of bilinear weights among the four cells
    around it (on ties that of the nearest cell); background is a label like any other.

    labels: (h, w) int32.
    size: (H, W) of the result.
    scale: label cells per output pixel; the centre of output pixel (y, x) lies at
        ((y + 0.5) * scale, (x + 0.5) * scale). Beyond the label map its outermost cells continue.
    Returns (H, W) int32.
    """
    labels = _array("labels", labels, (np.int32,), 2)
    _require_pixels("labels", labels)
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"size must be a positive height and width, got {size!r}")
    if not (scale > 0 and np.isfinite(scale)):
        raise ValueError(f"scale must be positive and finite, got {scale!r}")
    result: LabelArray = _core._upsample_labels(_contiguous(labels, np.int32), *size, scale)
    return result


def _array(name: str, value: NDArray[Any], dtypes: Sequence[type], ndim: int) -> NDArray[Any]:
    """`value`, once it is known to be an array of one of the dtypes with `ndim` dimensions."""
    expected = " or ".join(np.dtype(dtype).name for dtype in dtypes)
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{name} must be a {expected} array, got {type(value).__name__}")
    if value.dtype not in dtypes:
        raise ValueError(f"{name} must be {expected}, got {value.dtype}")
    if value.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimensions, got shape {value.shape}")
    return value


def _integers(name: str, value: NDArray[Any], ndim: int) -> NDArray[np.int64]:
    value = np.asarray(value)
    if not np.issubdtype(value.dtype, np.integer) or value.ndim != ndim:
        raise ValueError(
            f"{name} must be integers in {ndim} dimensions, got {value.dtype} {value.shape}"
        )
    return _contiguous(value, np.int64)


def _edges(
    uv_ids: NDArray[Any], costs: NDArray[Any], n_nodes: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    uv_ids = _integers("uv_ids", uv_ids, 2)
    if uv_ids.shape[1] != 2:
        raise ValueError(f"uv_ids must have shape (E, 2), got {uv_ids.shape}")
    costs = _array("costs", costs, (np.float32, np.float64), 1)
    if len(costs) != len(uv_ids):
        raise ValueError(f"costs must have shape ({len(uv_ids)},) like uv_ids, got {costs.shape}")
    _require_finite("costs", costs)
    if np.any(too_large := np.abs(costs) > np.finfo(np.float32).max):
        raise ValueError(f"costs must be within the range of float32, got {costs[too_large][0]:g}")
    if uv_ids.size and not (uv_ids.min() >= 0 and uv_ids.max() < n_nodes):
        raise ValueError(
            f"uv_ids must be in [0, {n_nodes}), got values in [{uv_ids.min()}, {uv_ids.max()}]"
        )
    return uv_ids, _contiguous(costs, np.float64)


def _require_pixels(name: str, value: NDArray[Any]) -> None:
    if 0 in value.shape[-2:]:
        raise ValueError(f"{name} must have at least one pixel, got shape {value.shape}")


def _require_finite(name: str, value: NDArray[Any]) -> None:
    if not np.isfinite(value).all():
        raise ValueError(f"{name} must be finite, got {_first_not_finite(value)}")


def _first_not_finite(value: NDArray[Any]) -> str:
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(value))[0])
    return f"{value[index]} at {index}"


def _contiguous(value: NDArray[Any], dtype: type) -> NDArray[Any]:
    return np.ascontiguousarray(value, dtype=dtype)
