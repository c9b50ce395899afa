"""Types of the compiled core, see csrc/bindings.cpp; call it through ssap_ros.partition."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssap_ros.types import ClassArray, FloatArray, ImageArray, LabelArray

class _LevelReport:
    n_nodes: int
    costs_ms: float
    graph_ms: float
    solve_ms: float
    labels_ms: float

class _CascadeReport:
    is_finite: bool
    is_complete: bool
    levels: list[_LevelReport]
    bytes: int

def _simd_paths() -> list[str]: ...
def _edge_costs(
    affinities: NDArray[Any], logits: bool, eps: float, scores: FloatArray | None, simd: str
) -> tuple[FloatArray, bool]: ...
def _cascaded_graph_partition(
    affinities: Sequence[NDArray[Any]],
    classes: Sequence[ClassArray],
    long_range: Sequence[NDArray[Any]],
    scores: FloatArray | None,
    eps: float,
    erosion_radius: int,
    joint_finest: bool,
    linkage: str,
    max_ms: float,
) -> tuple[LabelArray, _CascadeReport]: ...
def _is_valid(n_nodes: int, uv_ids: NDArray[np.int64], costs: NDArray[np.float64]) -> bool: ...
def _contract(
    n_nodes: int, uv_ids: NDArray[np.int64], costs: NDArray[np.float64], linkage: str
) -> NDArray[np.int64]: ...
def _kernighan_lin(
    uv_ids: NDArray[np.int64],
    costs: NDArray[np.float64],
    labels: NDArray[np.int64],
    max_ms: float,
    max_moves: int,
) -> NDArray[np.int64]: ...
def _multicut_objective(
    uv_ids: NDArray[np.int64], costs: NDArray[np.float64], labels: NDArray[np.int64]
) -> float: ...
def _upsample_labels(labels: LabelArray, height: int, width: int, scale: float) -> LabelArray: ...
def _label_extents(labels: LabelArray, n_labels: int) -> NDArray[np.int64]: ...
def _relabel(labels: LabelArray, new_label: NDArray[np.uint16]) -> NDArray[np.uint16]: ...
def _area_resize(
    image: ImageArray,
    height: int,
    width: int,
    factor: tuple[float, ...],
    offset: tuple[float, ...],
    tensor: FloatArray,
) -> None: ...
