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

"""Mean intersection over union of class maps (SSAP Table 2, 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssap_ros.data.segments import OTHER_CLASS, IntArray
from ssap_ros.evaluation.metrics.records import ImageRecords


class MeanIou(ImageRecords[IntArray]):
    """IoU of each class over all pixels of all images, and their mean.

    Args:
        classes: Name of each class id that is evaluated. A record is the pixels of each class in
            the intersection, in the truth and in the prediction, (n_classes, 3).
    """

    def __init__(self, classes: Mapping[int, str]) -> None:
        super().__init__()
        self.classes = dict(classes)

    def add(self, prediction: NDArray[np.uint8], truth: NDArray[np.uint8]) -> None:
        """Count one image; two uint8 (H, W) of class ids.

        Truth pixels of a class that is not evaluated, OTHER_CLASS for one, do not count; predicted
        ones are wrong.

        Raises:
            ValueError: The arrays are others.
        """
        for name, classes in (("prediction", prediction), ("truth", truth)):
            if classes.dtype != np.uint8 or classes.ndim != 2 or classes.shape != truth.shape:
                raise ValueError(
                    f"{name} must be uint8 of shape {truth.shape}, "
                    f"got {classes.dtype} {classes.shape}"
                )
        pairs = np.bincount(
            (truth.astype(np.int64) * (OTHER_CLASS + 1) + prediction).ravel(),
            minlength=(OTHER_CLASS + 1) ** 2,
        ).reshape(OTHER_CLASS + 1, -1)
        known = list(self.classes)
        pairs = pairs[known]
        record = (pairs[range(len(known)), known], pairs.sum(axis=1), pairs.sum(axis=0)[known])
        self.records.append(np.stack(record, axis=1))

    def result(self) -> dict[str, Any]:
        """`mIoU`, over the classes that occur, and under `classes` the IoU per class name."""
        total = np.sum([np.zeros((len(self.classes), 3), np.int64), *self.records], axis=0)
        shared, truth, predicted = total.T
        union = truth + predicted - shared
        iou = shared / np.maximum(union, 1)
        return {
            "mIoU": float(iou[union > 0].mean()) if union.any() else None,
            "classes": {
                name: float(value) if there else None
                for name, value, there in zip(self.classes.values(), iou, union, strict=True)
            },
        }
