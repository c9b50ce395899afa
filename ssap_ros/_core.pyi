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
    is_valid: bool
    is_complete: bool
    levels: list[_LevelReport]
    bytes: int

class _LabelRuns:
    def extents(self, n_labels: int) -> NDArray[np.int64]: ...
    def paint(self, new_label: NDArray[np.uint16]) -> NDArray[np.uint16]: ...

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
def _upsampled_runs(labels: LabelArray, height: int, width: int, scale: float) -> _LabelRuns: ...
def _best_class(maps: FloatArray, name: Sequence[int]) -> ClassArray: ...
def _softmax(maps: FloatArray, chosen: Sequence[int]) -> FloatArray: ...
def _count_votes(
    labels: LabelArray,
    classes: ClassArray,
    probabilities: FloatArray,
    thing_ids: Sequence[int],
    n: int,
) -> NDArray[np.float64]: ...
def _area_resize(
    image: ImageArray,
    height: int,
    width: int,
    factor: tuple[float, ...],
    offset: tuple[float, ...],
    tensor: FloatArray,
) -> None: ...
