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

"""Types of the compiled core, see csrc/bindings/; stages.core and core_space alone call it."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ssap_ros.types import ClassArray, FloatArray, FloatOrHalfArray, ImageArray, LabelArray

_Value = TypeVar("_Value", np.uint8, np.uint16)

class LevelReport:
    n_nodes: int
    costs_ms: float
    graph_ms: float
    solve_ms: float
    labels_ms: float

class CascadeReport:
    is_valid: bool
    is_complete: bool
    levels: list[LevelReport]
    bytes: int

class PlacedObject:
    label: int
    n_points: int
    depth: float
    angle: float
    low: list[float]
    high: list[float]
    covariance: list[float]

class LabelRuns:
    def extents(self, n_labels: int) -> NDArray[np.int64]: ...
    def paint(self, new_label: NDArray[np.uint16]) -> NDArray[np.uint16]: ...

def edge_costs(
    affinities: NDArray[Any], logits: bool, eps: float, scores: FloatArray | None
) -> FloatArray: ...
def cascaded_graph_partition(
    affinities: Sequence[NDArray[Any]],
    classes: Sequence[ClassArray],
    long_range: Sequence[NDArray[Any]],
    scores: FloatArray | None,
    eps: float,
    erosion_radius: int,
    joint_finest: bool,
    linkage: str,
    max_ms: float,
) -> tuple[LabelArray, CascadeReport]: ...
def is_valid(n_nodes: int, uv_ids: NDArray[np.int64], costs: NDArray[np.float64]) -> bool: ...
def contract(
    n_nodes: int, uv_ids: NDArray[np.int64], costs: NDArray[np.float64], linkage: str
) -> NDArray[np.int64]: ...
def kernighan_lin(
    uv_ids: NDArray[np.int64],
    costs: NDArray[np.float64],
    labels: NDArray[np.int64],
    max_ms: float,
    max_moves: int,
) -> NDArray[np.int64]: ...
def multicut_objective(
    uv_ids: NDArray[np.int64], costs: NDArray[np.float64], labels: NDArray[np.int64]
) -> float: ...
def upsample_labels(labels: LabelArray, height: int, width: int, scale: float) -> LabelArray: ...
def upsampled_runs(labels: LabelArray, height: int, width: int, scale: float) -> LabelRuns: ...
def look_up(labels: NDArray[np.uint16], value: NDArray[_Value]) -> NDArray[_Value]: ...
def best_class(maps: FloatArray, name: Sequence[int]) -> ClassArray: ...
def softmax(maps: FloatArray, chosen: Sequence[int]) -> FloatArray: ...
def count_votes(
    labels: LabelArray,
    classes: ClassArray,
    probabilities: FloatOrHalfArray,
    thing_ids: Sequence[int],
    n: int,
) -> NDArray[np.float64]: ...
def area_resize(
    image: ImageArray,
    height: int,
    width: int,
    factor: Sequence[float],
    offset: Sequence[float],
    tensor: FloatArray,
) -> None: ...
def surface_rows(
    labels: NDArray[np.uint16],
    depth: FloatArray,
    ray_x: FloatArray,
    ray_y: FloatArray,
    pose: FloatArray,
    table: NDArray[np.uint8],
) -> NDArray[np.uint8]: ...
def place_objects(
    labels: NDArray[np.uint16],
    boxes: Sequence[tuple[int, int, int, int]],
    depth: FloatArray,
    ray_x: FloatArray,
    ray_y: FloatArray,
    frame: FloatArray,
    erosion: int,
    max_samples: int,
    min_points: int,
    outlier_deviations: float,
    sure: float,
) -> list[PlacedObject]: ...
