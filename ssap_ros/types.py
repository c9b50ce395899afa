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

"""The values that travel along the pipeline; plain numpy, immutable by convention."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
HalfArray = NDArray[np.float16]
FloatOrHalfArray = FloatArray | HalfArray
LabelArray = NDArray[np.int32]
ClassArray = NDArray[np.uint8]
ImageArray = NDArray[np.uint8]


@dataclass(frozen=True)
class ModelInfo:
    """What a network file says about itself (stored as ONNX metadata).

    Attributes:
        classes: Names of the semantic channels; the channel index is the class id.
        thing_ids: Ids of the thing classes, those that have instances.
        levels: Output strides, finest first, e.g. (4, 8, 16, 32, 64).
        window: Affinity window r; each affinity map has r * r channels, row-major over (dy, dx).
        mean, std: RGB normalisation on the 0-255 scale, (x - mean) / std.
        input_size: (height, width) in pixels of a fixed input, or None if any multiple of the
            coarsest stride is accepted.
        long_side: Longer image side in pixels that the network was trained for.
        score_logistic: Slope and offset; the score of an instance is
            sigmoid(slope * logit(mean class probability) + offset). (1, 0) leaves it as it is.
    """

    classes: tuple[str, ...]
    thing_ids: tuple[int, ...]
    levels: tuple[int, ...]
    window: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    input_size: tuple[int, int] | None
    long_side: int
    score_logistic: tuple[float, float] = (1.0, 0.0)

    def levels_from(self, initial_level: int) -> tuple[int, ...]:
        """Strides of the levels of a cascade that begins at `initial_level`, finest first."""
        return tuple(level for level in self.levels if level <= initial_level)


@dataclass(frozen=True)
class NetworkOutput:
    """Raw network output of one image, one entry per level, finest first.

    Attributes:
        semantic: Logits, float32 (n_classes, h, w).
        affinities: Logits, float32 (window**2, h, w), channels row-major over the window.
    """

    semantic: tuple[FloatArray, ...]
    affinities: tuple[FloatArray, ...]


@dataclass(frozen=True)
class Instance:
    """One object.

    Attributes:
        class_id: Semantic channel.
        score: In [0, 1].
        bbox: (x, y, width, height) in source pixels.
        area: In source pixels.
    """

    class_id: int
    score: float
    bbox: tuple[int, int, int, int]
    area: int


@dataclass(frozen=True)
class FrameResult:
    """The instances of one image, in descending score.

    Attributes:
        labels: uint16 (H, W) at source resolution; 0 = no instance, k = instances[k - 1].
        instances: One per label.
        stage_ms: Wall time per pipeline stage in milliseconds.
        partition_complete: False if the partition ran out of its time budget and its labels are
            those of a coarser level.
    """

    labels: NDArray[np.uint16]
    instances: tuple[Instance, ...]
    stage_ms: dict[str, float]
    partition_complete: bool = True
