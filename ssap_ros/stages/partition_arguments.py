"""What the partition expects of its arguments: each check returns them ready for the core.

Errors are ValueErrors that say what was expected and what came.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ssap_ros.types import FloatArray

N_OFFSETS = 12


def checked_array(
    name: str, value: NDArray[Any], dtypes: Sequence[type], ndim: int
) -> NDArray[Any]:
    """`value`, once it is known to be an array of one of the dtypes with `ndim` dimensions."""
    expected = " or ".join(np.dtype(dtype).name for dtype in dtypes)
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{name} must be a {expected} array, got {type(value).__name__}")
    if value.dtype not in dtypes:
        raise ValueError(f"{name} must be {expected}, got {value.dtype}")
    if value.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimensions, got shape {value.shape}")
    return value


def integers(name: str, value: NDArray[Any], ndim: int) -> NDArray[np.int64]:
    """A contiguous int64 copy, or `value` itself, of integers in `ndim` dimensions."""
    value = np.asarray(value)
    if not np.issubdtype(value.dtype, np.integer) or value.ndim != ndim:
        raise ValueError(
            f"{name} must be integers in {ndim} dimensions, got {value.dtype} {value.shape}"
        )
    return np.ascontiguousarray(value, dtype=np.int64)


def edge_list(
    uv_ids: NDArray[Any], costs: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """uv_ids, (E, 2) integers, as int64 and costs, (E,) floats, as float64, both contiguous."""
    uv_ids = integers("uv_ids", uv_ids, 2)
    if uv_ids.shape[1] != 2:
        raise ValueError(f"uv_ids must have shape (E, 2), got {uv_ids.shape}")
    costs = checked_array("costs", costs, (np.float32, np.float64), 1)
    if len(costs) != len(uv_ids):
        raise ValueError(f"costs must have shape ({len(uv_ids)},) like uv_ids, got {costs.shape}")
    return uv_ids, np.ascontiguousarray(costs, dtype=np.float64)


def name_bad_edge(uv_ids: NDArray[np.int64], costs: NDArray[np.float64], n_nodes: int) -> NoReturn:
    """Says which edge the core refuses, and why."""
    require_finite("costs", costs)
    if np.any(too_large := np.abs(costs) > np.finfo(np.float32).max):
        raise ValueError(f"costs must be within the range of float32, got {costs[too_large][0]:g}")
    if not (uv_ids.min() >= 0 and uv_ids.max() < n_nodes):
        raise ValueError(
            f"uv_ids must be in [0, {n_nodes}), got values in [{uv_ids.min()}, {uv_ids.max()}]"
        )
    loops = uv_ids[:, 0] == uv_ids[:, 1]
    raise ValueError(f"uv_ids must join different nodes, got {uv_ids[loops][0].tolist()}")


def level_array(name: str, value: NDArray[Any]) -> NDArray[Any]:
    """Costs or logits of one level, (12, 24 or 25, H, W) floats, contiguous."""
    value = checked_array(name, value, (np.float32, np.float16), 3)
    if value.shape[0] not in (N_OFFSETS, 24, 25):
        raise ValueError(
            f"{name} must have {N_OFFSETS} channels (costs), or 24 or 25 (logits), "
            f"got {value.shape[0]}"
        )
    require_pixels(name, value)
    return np.ascontiguousarray(value)


def require_halving(levels: Sequence[tuple[str, NDArray[Any]]]) -> None:
    """Names and arrays (n, H, W), finest first: each has half the size of the one before."""
    for (finer, fine), (coarser, coarse) in pairwise(levels):
        expected = tuple((n + 1) // 2 for n in fine.shape[1:])
        if coarse.shape[1:] != expected:
            raise ValueError(
                f"{coarser} must be half the size of {finer}, {expected}, got {coarse.shape[1:]}"
            )


def class_scores(scores: NDArray[Any] | None, name: str, like: NDArray[Any]) -> FloatArray | None:
    """Scores of any number of classes, (C, H, W), as contiguous float32; `like`: (n, H, W)."""
    if scores is None:
        return None
    scores = checked_array("scores", scores, (np.float32, np.float16), 3)
    if scores.shape[0] == 0 or scores.shape[1:] != like.shape[1:]:
        raise ValueError(
            f"scores must have shape (C >= 1, {like.shape[1]}, {like.shape[2]}) like {name}, "
            f"got {scores.shape}"
        )
    return np.ascontiguousarray(scores, dtype=np.float32)


def require_distributions(scores: FloatArray) -> None:
    """Every score is finite and not negative."""
    require_finite("scores", scores)
    if scores.min() < 0:
        raise ValueError(f"scores must not be negative, got {scores.min():g}")


def require_eps(eps: float) -> None:
    """A limit that keeps log-odds finite in single precision."""
    if not 1e-6 <= eps < 0.5:
        raise ValueError(f"eps must be in [1e-6, 0.5), got {eps!r}")


def milliseconds(max_ms: float | None) -> float:
    """A time limit as the core takes it, infinite for None."""
    if max_ms is None:
        return float("inf")
    if not max_ms > 0:
        raise ValueError(f"max_ms must be positive, got {max_ms!r}")
    return max_ms


def require_pixels(name: str, value: NDArray[Any]) -> None:
    """Neither the height nor the width is 0; they come last in the shape."""
    if 0 in value.shape[-2:]:
        raise ValueError(f"{name} must have at least one pixel, got shape {value.shape}")


def require_finite(name: str, value: NDArray[Any]) -> None:
    """Every value is finite; the first one that is not is named."""
    if not np.isfinite(value).all():
        raise ValueError(f"{name} must be finite, got {_first_not_finite(value)}")


def _first_not_finite(value: NDArray[Any]) -> str:
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(value))[0])
    return f"{value[index]} at {index}"
