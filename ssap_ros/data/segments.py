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

"""The segments of one image as plain arrays: what every metric compares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

OTHER_CLASS = 255
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Segments:
    """Segments with their classes, predicted or true.

    Attributes:
        ids: integer (H, W), 0 = none (in a truth: void), k = segment k; or bool (N, H, W), one mask
            per segment, which may overlap.
        class_ids: integer (N,), class of segment k at k - 1. OTHER_CLASS: a class that is not
            evaluated though it is no void either (caravans of Cityscapes).
        scores: float (N,), of predictions; ones if left out.
        crowd: bool (N,), of truths: a group whose members are not told apart; none if left out.
        distances: float (N,), of truths: metres from the camera, nan where unknown; all unknown if
            left out.

    Raises:
        ValueError: The arrays do not fit each other.
    """

    ids: NDArray[np.integer] | NDArray[np.bool_]
    class_ids: IntArray
    scores: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    crowd: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    distances: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        ids, class_ids = np.asarray(self.ids), np.asarray(self.class_ids, np.int64).reshape(-1)
        n = len(class_ids)
        if ids.ndim == 3:
            fits = ids.dtype == np.bool_ and len(ids) == n
        else:
            fits = ids.ndim == 2 and np.issubdtype(ids.dtype, np.integer)
        if not fits:
            raise ValueError(
                f"ids must be integer (H, W) or bool ({n}, H, W), got {ids.dtype} {ids.shape}"
            )
        if ids.ndim == 2 and ids.size and not 0 <= ids.min() <= ids.max() <= n:
            raise ValueError(f"ids must be in [0, {n}], got [{ids.min()}, {ids.max()}]")
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "class_ids", class_ids)
        for name, dtype, default in (
            ("scores", np.float64, 1.0),
            ("crowd", np.bool_, False),
            ("distances", np.float64, np.nan),
        ):
            values = np.asarray(getattr(self, name), dtype).reshape(-1)
            if values.size == 0:
                values = np.full(n, default, dtype)
            if len(values) != n:
                raise ValueError(f"{name} must have shape ({n},), got ({len(values)},)")
            object.__setattr__(self, name, values)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.ids.shape[-2], self.ids.shape[-1]

    def class_map(self, none: int = OTHER_CLASS) -> NDArray[np.uint8]:
        """Class of each pixel, uint8 (H, W); `none` where there is no segment."""
        if self.ids.ndim == 3:
            raise ValueError("overlapping masks have no class map")
        return np.concatenate([[none], self.class_ids]).astype(np.uint8)[self.ids]

    def masks(self) -> list[NDArray[np.bool_]]:
        """One mask (H, W) per segment."""
        if self.ids.ndim == 3:
            return list(self.ids.astype(bool, copy=False))
        return [self.ids == k for k in range(1, len(self.class_ids) + 1)]

    def keep(self, kept: NDArray[np.bool_]) -> Segments:
        """The segments where `kept`, bool (N,), is set, renumbered in their order."""
        if self.ids.ndim == 3:
            ids: NDArray[Any] = self.ids[kept]
        else:
            number = np.zeros(len(kept) + 1, np.int64)
            number[1:][kept] = np.arange(1, kept.sum() + 1)
            ids = number[self.ids]
        return Segments(
            ids, self.class_ids[kept], self.scores[kept], self.crowd[kept], self.distances[kept]
        )

    def with_background(self, class_id: int = 0) -> Segments:
        """The same with all pixels of no segment as one more segment, of `class_id`."""
        if self.ids.ndim == 3:
            raise ValueError("the background of overlapping masks is not one segment")
        n = len(self.class_ids)
        return Segments(
            np.where(self.ids == 0, n + 1, self.ids),
            np.append(self.class_ids, class_id),
            np.append(self.scores, 1.0),
            np.append(self.crowd, False),
            np.append(self.distances, np.nan),
        )


def bounding_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """(x, y, width, height) around the set pixels of a mask (H, W); all 0 if there are none."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return x, y, width, height


def intersections(a: Segments, b: Segments) -> IntArray:
    """Count the pixels that segment i of `a` and segment j of `b` share.

    Row and column 0 are there for label maps alone, zero for masks.

    Returns:
        (N_a + 1, N_b + 1) pixels; 0 = no segment.

    Raises:
        ValueError: The sizes differ, or both have masks that may overlap.
    """
    if a.size != b.size:
        raise ValueError(f"segments of one image must have one size, got {a.size} and {b.size}")
    if b.ids.ndim == 3:
        if a.ids.ndim == 3:
            raise ValueError("one of the two must be a label map")
        return intersections(b, a).T
    n_a, n_b = len(a.class_ids), len(b.class_ids)
    if a.ids.ndim == 2:
        pairs = a.ids.astype(np.int64) * (n_b + 1) + b.ids
        return np.bincount(pairs.ravel(), minlength=(n_a + 1) * (n_b + 1)).reshape(n_a + 1, -1)
    rows = [np.zeros(n_b + 1, np.int64)]
    rows += [np.bincount(b.ids[mask], minlength=n_b + 1) for mask in a.masks()]
    return np.stack(rows)
