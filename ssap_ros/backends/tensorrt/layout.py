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

"""Where the kernels put what they make of one image: everything in one block of bytes, a frame.

All costs come first, then the class distribution, both in half precision, then the class maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssap_ros.stages.affinity import AffinityPyramid, EdgeCosts
from ssap_ros.stages.partition import N_OFFSETS

BLOCK_WIDTH, BLOCK_HEIGHT = 32, 8  # of the kernels
_ALIGNMENT = 64

# struct Level of csrc/kernels.cu
LEVEL = np.dtype(
    [
        ("semantic", np.uint64),
        ("affinities", np.uint64),
        ("costs", np.int64),
        ("classes", np.int64),
        ("rows", np.int32),
        ("columns", np.int32),
        ("width", np.int32),
        ("area", np.int32),
        ("first_block", np.int32),
        ("blocks_across", np.int32),
    ]
)


class FrameLayout:
    """The layout for images that fill `cells`, rows and columns per level, finest first.

    Attributes:
        costs, classes: Offsets in bytes per level.
        probabilities: Offset in bytes.
        nbytes: Size of a frame.
        n_blocks: Blocks of a kernel that works on all cells.
    """

    def __init__(self, cells: Sequence[tuple[int, int]], n_classes: int) -> None:
        self.cells = tuple(cells)
        self._n_classes = n_classes
        self.nbytes = 0
        areas = [rows * columns for rows, columns in cells]
        self.costs = [self._add(2 * N_OFFSETS * area) for area in areas]
        self.probabilities = self._add(2 * n_classes * areas[0])
        self.classes = [self._add(area) for area in areas]
        blocks = [-(-r // BLOCK_HEIGHT) * -(-c // BLOCK_WIDTH) for r, c in cells]
        self._first_blocks = [sum(blocks[:i]) for i in range(len(blocks))]
        self.n_blocks = sum(blocks)

    def levels(
        self, size: tuple[int, int], strides: Sequence[int], maps: Sequence[tuple[int, int]]
    ) -> NDArray[np.void]:
        """Describe the levels for the kernels.

        Args:
            size: (height, width) of the network input.
            strides: Of the levels in pixels of the input.
            maps: Addresses of the semantic and of the affinity logits per level.

        Returns:
            (n_levels,) of the record LEVEL.
        """
        levels = np.zeros(len(self.cells), LEVEL)
        for i, ((rows, columns), stride) in enumerate(zip(self.cells, strides, strict=True)):
            height, width = size[0] // stride, size[1] // stride
            levels[i] = (
                *maps[i],
                self.costs[i],
                self.classes[i],
                rows,
                columns,
                width,
                height * width,
                self._first_blocks[i],
                -(-columns // BLOCK_WIDTH),
            )
        return levels

    def pyramid(self, frame: NDArray[np.uint8]) -> AffinityPyramid:
        """What is in a frame, (nbytes,), as views of it."""

        def view(offset: int, kind: type, *shape: int) -> NDArray[Any]:
            n_bytes = int(np.prod(shape)) * np.dtype(kind).itemsize
            return frame[offset : offset + n_bytes].view(kind).reshape(shape)

        costs = zip(self.costs, self.cells, strict=True)
        classes = zip(self.classes, self.cells, strict=True)
        return AffinityPyramid(
            EdgeCosts(tuple(view(at, np.float16, N_OFFSETS, *size) for at, size in costs)),
            classes=tuple(view(at, np.uint8, *size) for at, size in classes),
            probabilities=view(self.probabilities, np.float16, self._n_classes, *self.cells[0]),
        )

    def _add(self, n_bytes: int) -> int:
        offset = self.nbytes
        self.nbytes += -(-n_bytes // _ALIGNMENT) * _ALIGNMENT
        return offset
