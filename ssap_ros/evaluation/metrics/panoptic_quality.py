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

"""Panoptic quality (Kirillov et al., CVPR 2019; SSAP Eq. 9), as the official scripts count it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssap_ros.data.segments import OTHER_CLASS, IntArray, Segments, intersections
from ssap_ros.evaluation.metrics.records import ImageRecords


class PanopticQuality(ImageRecords[NDArray[np.float64]]):
    """PQ, SQ and RQ over images, overall, of thing and of stuff classes, and per class.

    A record is the summed IoU, tp, fp and fn of each class, (n_classes, 4).

    A pixel of the truth that has no segment, or one of OTHER_CLASS, is void.

    Args:
        classes: Name of each class id that is evaluated; those of `thing_ids` are thing classes,
            the others stuff.
    """

    def __init__(self, classes: Mapping[int, str], thing_ids: Sequence[int]) -> None:
        super().__init__()
        self.classes = dict(classes)
        self.thing_ids = tuple(thing_ids)

    def add(self, prediction: Segments, truth: Segments) -> None:
        """Count one image.

        Raises:
            ValueError: The sizes differ, or masks overlap.
        """
        if prediction.ids.ndim == 3 or truth.ids.ndim == 3:
            raise ValueError("panoptic quality needs label maps, got masks that may overlap")
        shared = intersections(prediction, truth)
        other = np.append(False, truth.class_ids == OTHER_CLASS)
        shared[:, 0] += shared[:, other].sum(axis=1)
        shared[:, other] = 0

        predicted_pixels, truth_pixels = shared.sum(axis=1), shared.sum(axis=0)
        union = predicted_pixels[:, None] + truth_pixels[None] - shared - shared[:, :1]
        iou = shared / np.maximum(union, 1)
        matched = np.zeros_like(shared, bool)
        matched[1:, 1:] = (
            (iou[1:, 1:] > 0.5)
            & (prediction.class_ids[:, None] == truth.class_ids[None])
            & ~truth.crowd[None]
        )
        ignored = predicted_pixels == 0
        ignored[1:] |= self._ignored(shared, prediction.class_ids, truth)

        record = np.zeros((len(self.classes), 4))
        rows = {class_id: row for row, class_id in enumerate(self.classes)}
        for k, class_id in enumerate(truth.class_ids.tolist(), start=1):
            if class_id not in rows or truth.crowd[k - 1] or truth_pixels[k] == 0:
                continue
            hit = np.flatnonzero(matched[:, k])
            record[rows[class_id]] += (iou[hit[0], k], 1, 0, 0) if hit.size else (0, 0, 0, 1)
        for k, class_id in enumerate(prediction.class_ids.tolist(), start=1):
            if class_id in rows and not matched[k].any() and not ignored[k]:
                record[rows[class_id], 2] += 1
        self.records.append(record)

    def result(self) -> dict[str, Any]:
        """Sum up the images so far.

        Returns:
            PQ, SQ, RQ; the same with _th and _st; and under `classes` per class name. A mean is
            over the classes that occur, in the truth or in a counted prediction; None if there are
            none.
        """
        total = np.sum([np.zeros((len(self.classes), 4)), *self.records], axis=0)
        iou, tp, fp, fn = total.T
        present = tp + fp + fn > 0
        size = np.maximum(tp + fp / 2 + fn / 2, 0.5)
        table = np.stack([iou / size, iou / np.maximum(tp, 1), tp / size], axis=1)
        things = np.isin(list(self.classes), self.thing_ids)
        result: dict[str, Any] = {}
        for suffix, group in (("", things | ~things), ("_th", things), ("_st", ~things)):
            rows = table[group & present]
            for column, name in enumerate(("PQ", "SQ", "RQ")):
                result[name + suffix] = float(rows[:, column].mean()) if len(rows) else None
        result["classes"] = {
            name: dict(zip(("PQ", "SQ", "RQ"), row.tolist(), strict=True)) if there else None
            for name, row, there in zip(self.classes.values(), table, present, strict=True)
        }
        return result

    def _ignored(self, shared: IntArray, class_ids: IntArray, truth: Segments) -> NDArray[np.bool_]:
        """Find predicted segments that lie by more than half on void and the crowd of their class.

        The formats have one crowd segment per class and image; of several the last counts, as in
        the official script.

        Returns:
            bool, one per predicted segment.
        """
        unknown = shared[1:, 0].copy()
        for class_id in np.unique(class_ids):
            crowds = np.flatnonzero(truth.crowd & (truth.class_ids == class_id))
            if crowds.size:
                own = class_ids == class_id
                unknown[own] += shared[1:, crowds[-1] + 1][own]
        return np.asarray(unknown * 2 > shared[1:].sum(axis=1))
