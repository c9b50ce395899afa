"""Types of the compiled core, see csrc/bindings.cpp; call it through ssap_ros.partition."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ssap_ros.types import ClassArray, FloatArray, LabelArray

def _edge_costs(
    affinities: FloatArray, logits: bool, eps: float, scores: FloatArray | None
) -> FloatArray: ...
def _cascaded_graph_partition(
    costs: Sequence[FloatArray],
    classes: Sequence[ClassArray],
    erosion_radius: int,
    joint_finest: bool,
) -> LabelArray: ...
def _greedy_additive(
    n_nodes: int, uv_ids: NDArray[np.int64], costs: NDArray[np.float64]
) -> NDArray[np.int64]: ...
def _multicut_objective(
    uv_ids: NDArray[np.int64], costs: NDArray[np.float64], labels: NDArray[np.int64]
) -> float: ...
def _upsample_labels(labels: LabelArray, height: int, width: int, scale: float) -> LabelArray: ...
