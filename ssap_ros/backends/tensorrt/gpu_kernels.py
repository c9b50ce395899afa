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

"""The kernels of csrc/kernels.cu, compiled by CuPy for one model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cupy
import numpy as np

from ssap_ros.backends.tensorrt.layout import BLOCK_HEIGHT, BLOCK_WIDTH, FrameLayout
from ssap_ros.types import ModelInfo

SOURCE = Path(__file__).resolve().parents[2] / "csrc" / "kernels.cu"
EPS = 1e-4
"""The clamp of Eq. 3, as in `ssap_ros.partition.edge_costs`."""

_BLOCK = (BLOCK_WIDTH, BLOCK_HEIGHT, 1)


def kernel_names(info: ModelInfo) -> tuple[str, str, str, str]:
    """C++ names: preprocess, class scores, costs without and with segmentation refinement."""
    return (
        "preprocess",
        f"class_scores<{len(info.classes)}>",
        "edge_costs<0>",
        f"edge_costs<{len(info.thing_ids)}>",
    )


def partition_classes(info: ModelInfo) -> Any:
    """Per class 1 + its place in `thing_ids`, or 0: uint8 (n_classes,)."""
    table = np.zeros(len(info.classes), np.uint8)
    table[list(info.thing_ids)] = np.arange(1, len(info.thing_ids) + 1)
    return table


class GpuKernels:
    """Launches on one stream; addresses are those of device memory."""

    def __init__(self, info: ModelInfo, stream: Any) -> None:
        self._info = info
        self._stream = stream
        names = kernel_names(info)
        module = cupy.RawModule(
            code=SOURCE.read_text(), options=("-std=c++14",), name_expressions=names
        )
        functions = [module.get_function(name) for name in names]
        self._preprocess, self._class_scores, self._costs, self._refined_costs = functions

    def preprocess(
        self,
        images: int,
        image_shape: tuple[int, int, int, int],
        tensor: int,
        size: tuple[int, int],
        content: tuple[int, int],
        *,
        smaller: bool,
    ) -> None:
        """Scale and normalise images into the network input.

        Args:
            images: Address of uint8 (n, H, W, 3).
            image_shape: (n, H, W, 3).
            tensor: Address of the network input, float32 (n, 3, *size).
            size: (height, width) of the network input.
            content: Rows and columns that the image takes of it.
            smaller: Whether it is scaled down.
        """
        n, height, width, _ = image_shape
        means = zip(self._info.mean, self._info.std, strict=True)
        arguments = (
            *(np.uint64(images), np.int32(height), np.int32(width), np.uint64(tensor)),
            *(np.int32(side) for side in (*size, *content)),
            np.int32(smaller),
            *(np.float32(1 / std) for std in self._info.std),
            *(np.float32(-mean / std) for mean, std in means),
        )
        grid = (-(-size[1] // BLOCK_WIDTH), -(-size[0] // BLOCK_HEIGHT), n)
        with self._stream:
            self._preprocess(grid, _BLOCK, arguments)

    def pyramids(
        self,
        layout: FrameLayout,
        n: int,
        *,
        levels: int,
        partition_classes: int,
        frames: int,
        not_finite: int,
        object_scores: int,
        minus_entropies: int,
        refine: bool,
    ) -> None:
        """Turn the logits of n images into frames of costs and class maps.

        All memory is given by its address.

        Args:
            layout: Of a frame.
            n: Number of images.
            levels: LEVEL descriptions.
            partition_classes: See the function of that name.
            frames: (n, layout.nbytes), written.
            not_finite: int32 (n,), to be 0 before.
            object_scores: float32 scratch memory, n_things values per cell of the finest level and
                image.
            minus_entropies: float32 scratch memory, 1 value per such cell.
            refine: Whether the finest costs are refined by the class distributions.
        """
        n_levels, frame_bytes = np.int32(len(layout.cells)), np.int64(layout.nbytes)
        scores, entropies = (np.uint64(object_scores), np.uint64(minus_entropies))
        if not refine:
            scores = entropies = np.uint64(0)
        output = np.uint64(frames), frame_bytes, np.uint64(not_finite)
        with self._stream:
            self._class_scores(
                (layout.n_blocks, 1, n),
                _BLOCK,
                (
                    *(np.uint64(levels), n_levels, np.uint64(partition_classes)),
                    *(np.int32(len(self._info.thing_ids)), *output),
                    *(np.int64(layout.probabilities), scores, entropies),
                ),
            )
            costs = self._refined_costs if refine else self._costs
            costs(
                (layout.n_blocks, 12, n),
                _BLOCK,
                (
                    *(np.uint64(levels), n_levels, np.int32(self._info.window**2)),
                    *(np.float32(EPS), *output, scores, entropies),
                ),
            )
