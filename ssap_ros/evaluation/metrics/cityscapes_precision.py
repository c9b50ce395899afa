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

"""Mask average precision as Cityscapes defines it, with its variants for near objects.

What differs from COCO: the truth is a label map with void regions; a prediction matches with an IoU
strictly above the threshold, .50 to .95; truth segments of fewer pixels than a minimum are ignored;
an unmatched prediction is dropped if the share of it that lies on void, on groups and on ignored
segments of its class exceeds the threshold (a small group counts twice); the area under the curve
is integrated in steps over all distinct scores. AP50m and AP100m consider the objects up to that
distance alone and raise the minimum size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssap_ros.data.segments import IntArray, Segments, intersections
from ssap_ros.evaluation.metrics.records import ImageRecords

THRESHOLDS = np.arange(0.5, 1.0, 0.05)
_TRUE, _FALSE, _IGNORED = 1, 0, -1


@dataclass(frozen=True)
class _Range:
    """Which truths are evaluated: at least min_pixels large, at most max_distance metres away."""

    name: str
    min_pixels: int
    max_distance: float

    def contains(self, pixels: IntArray, distances: NDArray[np.float64]) -> NDArray[np.bool_]:
        near = np.isinf(self.max_distance) | (distances <= self.max_distance)  # nan is not near
        return np.asarray((pixels >= self.min_pixels) & near)


RANGES = (_Range("AP", 100, np.inf), _Range("AP100m", 1000, 100.0), _Range("AP50m", 1000, 50.0))


class _Matches(NamedTuple):
    """One class in one image.

    Attributes:
        outcomes: Of the predictions, int8 (ranges, thresholds, N).
        scores: Of the predictions, (N,).
        n_truth: (ranges,).
    """

    outcomes: NDArray[np.int8]
    scores: NDArray[np.float64]
    n_truth: IntArray


class CityscapesAveragePrecision(ImageRecords[list[_Matches]]):
    """AP, AP50, AP100m and AP50m over images, overall and per class.

    Args:
        classes: Name of each class id that is evaluated.
        distances: Count AP100m and AP50m too; the truths then hold distances. A record is the
            matches of each class.
    """

    def __init__(self, classes: Mapping[int, str], distances: bool = False) -> None:
        super().__init__()
        self.classes = dict(classes)
        self.distances = distances

    def add(self, prediction: Segments, truth: Segments) -> None:
        """Match one image.

        Void is what has no segment; segments of other classes just do not match.

        Args:
            prediction: A label map or masks.
            truth: A label map, 0 = void.

        Raises:
            ValueError: The truth is no label map, or the sizes differ.
        """
        if truth.ids.ndim == 3:
            raise ValueError("the truth must be a label map, got masks that may overlap")
        shared = intersections(prediction, truth)
        predicted_pixels = shared[1:].sum(axis=1)
        truth_pixels = np.bincount(truth.ids.ravel(), minlength=len(truth.class_ids) + 1)[1:]
        image = []
        for class_id in self.classes:
            own = np.flatnonzero((prediction.class_ids == class_id) & (predicted_pixels > 0))
            true = np.flatnonzero((truth.class_ids == class_id) & (truth_pixels > 0))
            image.append(
                _match(
                    shared[1 + own][:, 1 + true],
                    shared[1 + own, 0],
                    predicted_pixels[own],
                    prediction.scores[own],
                    truth_pixels[true],
                    truth.crowd[true],
                    truth.distances[true],
                    RANGES if self.distances else RANGES[:1],
                )
            )
        self.records.append(image)

    def result(self) -> dict[str, Any]:
        """Sum up the images so far.

        Returns:
            `AP`, `AP50` and, with distances, `AP100m` and `AP50m`; and per class under `classes`. A
            mean is over the classes that have truth; None if there is none.
        """
        names = [r.name for r in (RANGES if self.distances else RANGES[:1])]
        table = np.array([self._class_precision(k) for k in range(len(self.classes))])
        per_class = [_row(names, values) for values in table]
        return {
            **_row(names, _nanmean(table)),
            "classes": dict(zip(self.classes.values(), per_class, strict=True)),
        }

    def _class_precision(self, k: int) -> NDArray[np.float64]:
        """Average precision (ranges, thresholds) of the k-th class, nan without truth."""
        n_ranges = len(RANGES) if self.distances else 1
        images = [image[k] for image in self.records]
        scores = np.concatenate([np.zeros(0), *(m.scores for m in images)])
        n_truth = np.sum([np.zeros(n_ranges, np.int64), *(m.n_truth for m in images)], axis=0)
        empty = np.zeros((n_ranges, len(THRESHOLDS), 0), np.int8)
        outcomes = np.concatenate([empty, *(m.outcomes for m in images)], axis=2)
        ap = np.full((n_ranges, len(THRESHOLDS)), np.nan)
        for r, t in np.ndindex(ap.shape):
            if n_truth[r]:
                counted = outcomes[r, t] != _IGNORED
                ap[r, t] = _area(outcomes[r, t][counted] == _TRUE, scores[counted], int(n_truth[r]))
        return ap


def _match(
    shared: IntArray,
    void: IntArray,
    predicted_pixels: IntArray,
    scores: NDArray[np.float64],
    truth_pixels: IntArray,
    group: NDArray[np.bool_],
    distances: NDArray[np.float64],
    ranges: tuple[_Range, ...],
) -> _Matches:
    """Outcome of the N predictions of one class against its M truths; shared: (N, M) pixels."""
    iou = shared / np.maximum(predicted_pixels[:, None] + truth_pixels[None] - shared, 1)
    outcomes = np.full((len(ranges), len(THRESHOLDS), len(scores)), _FALSE, np.int8)
    n_truth = np.zeros(len(ranges), np.int64)
    for r, limits in enumerate(ranges):
        inside = limits.contains(truth_pixels, distances)
        evaluated = inside & ~group
        n_truth[r] = evaluated.sum()
        ignore = void + shared @ group.astype(np.int64) + shared @ (~inside).astype(np.int64)
        for t, threshold in enumerate(THRESHOLDS):
            hits = iou > threshold
            share = ignore / predicted_pixels if len(scores) else np.zeros(0)
            outcomes[r, t, hits.any(axis=1) | (share > threshold)] = _IGNORED
            for j in np.flatnonzero(evaluated):
                rivals = np.flatnonzero(hits[:, j])
                outcomes[r, t, rivals] = _FALSE
                if rivals.size:
                    outcomes[r, t, rivals[np.argmax(scores[rivals])]] = _TRUE
    return _Matches(outcomes, scores, n_truth)


def _area(true: NDArray[np.bool_], scores: NDArray[np.float64], n_truth: int) -> float:
    """Area under the precision-recall curve, in steps around each distinct score."""
    order = np.argsort(-scores, kind="stable")
    tp, n = np.cumsum(true[order]), np.arange(1, len(order) + 1)
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # of each distinct score
    if not last.size:
        return 0.0
    precision, recall = tp[last] / n[last], tp[last] / n_truth
    before, after = np.append(0.0, recall[:-1]), np.append(recall[1:], recall[-1])
    return float(precision @ (after - before) / 2 + recall[0] / 2)


def _row(names: list[str], ap: NDArray[np.float64]) -> dict[str, float | None]:
    """Scores by name of an array (ranges, thresholds)."""
    values = {"AP": ap[0].mean(), "AP50": ap[0, 0]}
    values |= {name: ap[r].mean() for r, name in enumerate(names) if r}
    return {name: None if np.isnan(value) else float(value) for name, value in values.items()}


def _nanmean(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the first axis of what is a number; nan where nothing is."""
    known = ~np.isnan(table)
    total = np.where(known, table, 0).sum(axis=0)
    return np.asarray(np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan))
