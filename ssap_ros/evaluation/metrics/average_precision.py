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

"""Mask average precision as COCO defines it (IoU .50:.05:.95), counted by pycocotools."""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ssap_ros.data.segments import Segments
from ssap_ros.evaluation.metrics.records import ImageRecords


class CocoAveragePrecision(ImageRecords[list[dict[str, Any] | None]]):
    """AP and AP50 over images, overall and per class, at all areas and 100 detections per image.

    Args:
        classes: Name of each class id that is evaluated. A record is what COCOeval says of each
            class.
    """

    def __init__(self, classes: Mapping[int, str]) -> None:
        super().__init__()
        self.classes = dict(sorted(classes.items()))

    def add(self, prediction: Segments, truth: Segments) -> None:
        """Match the masks of one image; what has no segment is background."""
        self.add_encoded(
            _annotations(prediction) if prediction.class_ids.size else [],
            _annotations(truth) if truth.class_ids.size else [],
        )

    def add_encoded(
        self, prediction: Sequence[dict[str, Any]], truth: Sequence[dict[str, Any]]
    ) -> None:
        """Match the masks of one image, given as COCO annotations.

        Each has `category_id` = class id and `segmentation` in run-length code; predictions have a
        `score`, truths `iscrowd`.
        """
        evaluation = self._evaluation(1, _dataset(truth), _dataset(prediction))
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.evaluate()
        self.records.append(evaluation.evalImgs)

    def quality(self, threshold: float) -> float:
        """Score the last image alone, by its predictions with this score or more.

        Returns:
            F-measure at IoU .50; 1 if there is nothing to find and nothing was found.
        """
        tp = n_predicted = n_true = 0
        for matches in filter(None, self.records[-1]):
            counted = (np.array(matches["dtScores"]) >= threshold) & ~matches["dtIgnore"][0]
            tp += int((matches["dtMatches"][0][counted] > 0).sum())
            n_predicted += int(counted.sum())
            n_true += int((np.array(matches["gtIgnore"]) == 0).sum())
        return 2 * tp / (n_predicted + n_true) if n_predicted + n_true else 1.0

    def result(self) -> dict[str, Any]:
        """`AP` and `AP50`, and the same per class name under `classes`; None without truth."""
        precision = self._precision()
        return {
            "AP": _mean(precision),
            "AP50": _mean(precision[0]),
            "classes": {
                name: {"AP": _mean(precision[:, :, k]), "AP50": _mean(precision[0, :, k])}
                for k, name in enumerate(self.classes.values())
            },
        }

    def _precision(self) -> NDArray[np.float64]:
        """Interpolated precision (IoU thresholds, recalls, classes), -1 without ground truth."""
        evaluation = self._evaluation(len(self.records))
        evaluation.evalImgs = [image[k] for k in range(len(self.classes)) for image in self.records]
        evaluation._paramsEval = copy.deepcopy(evaluation.params)
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.accumulate()
        return np.asarray(evaluation.eval["precision"][:, :, :, 0, 0])

    def _evaluation(self, n_images: int, truth: COCO = None, prediction: COCO = None) -> COCOeval:
        evaluation = COCOeval(truth, prediction, iouType="segm")
        evaluation.params.imgIds = list(range(n_images))
        evaluation.params.catIds = list(self.classes)
        evaluation.params.areaRng = [[0, 1e10]]
        evaluation.params.areaRngLbl = ["all"]
        evaluation.params.maxDets = [100]
        return evaluation


def _annotations(segments: Segments) -> list[dict[str, Any]]:
    return [
        {
            "category_id": class_id,
            "score": score,
            "iscrowd": int(crowd),
            "segmentation": rle.encode(np.asfortranarray(mask, dtype=np.uint8)),
        }
        for class_id, score, crowd, mask in zip(
            segments.class_ids.tolist(),
            segments.scores.tolist(),
            segments.crowd.tolist(),
            segments.masks(),
            strict=True,
        )
    ]


def _dataset(annotations: Sequence[dict[str, Any]]) -> COCO:
    """One image, number 0, with these annotations."""
    coco = COCO()
    coco.dataset = {
        "images": [{"id": 0, "height": 0, "width": 0}],  # the masks know their size
        "categories": [],
        "annotations": [
            {
                "iscrowd": 0,
                **annotation,
                "id": number,
                "image_id": 0,
                "area": float(rle.area(annotation["segmentation"])),
            }
            for number, annotation in enumerate(annotations, start=1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def _mean(precision: NDArray[np.float64]) -> float | None:
    known = precision[precision > -1]
    return float(known.mean()) if known.size else None
