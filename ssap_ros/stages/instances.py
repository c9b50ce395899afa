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

"""Partition labels + semantics -> classes, scores and full-resolution masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ssap_ros.stages import core
from ssap_ros.types import ClassArray, FloatOrHalfArray, Instance, LabelArray

USUAL_CELLS = 100
SIZE_EXPONENT = 0.1
_MAX_INSTANCES = int(np.iinfo(np.uint16).max)


def extract_instances(
    labels: LabelArray,
    classes: ClassArray,
    probabilities: FloatOrHalfArray,
    thing_ids: tuple[int, ...],
    size: tuple[int, int],
    cells_per_pixel: float,
    *,
    score_threshold: float | NDArray[np.float64],
    min_area: int,
    score_logistic: tuple[float, float] = (1.0, 0.0),
) -> tuple[NDArray[np.uint16], tuple[Instance, ...]]:
    """Make the ranked instances of one image, with their masks.

    Args:
        labels: Partition of the finest level, int32 (h, w), 0 = background, 1..N.
        classes: Its class map, uint8 (h, w), k = thing_ids[k - 1].
        probabilities: Its class distribution, float32 (n_classes, h, w), indexed by class id.
        thing_ids: Ids of the thing classes.
        size: (H, W) of the source image.
        cells_per_pixel: Cells of the finest level per source pixel.
        score_threshold: Instances of a lower score are dropped; one for all, or one per class id.
        min_area: Instances smaller than this many source pixels are dropped.
        score_logistic: See `ModelInfo.score_logistic`.

    Returns:
        The label image, uint16 (H, W), in which k is the mask of instances[k - 1], and the
        instances in descending score. The masks do not depend on which other instances were
        dropped.
    """
    class_ids, scores = vote(labels, classes, probabilities, thing_ids)
    scores = calibrated(scores, score_logistic)
    segments = core.UpsampledSegments(labels, size, cells_per_pixel)
    areas, left, top, right, bottom = segments.extents()[1:].T
    boxes = np.stack([left, top, right - left, bottom - top], axis=1)

    thresholds = np.broadcast_to(score_threshold, len(probabilities))[class_ids]
    keep = (areas >= max(1, min_area)) & (scores >= thresholds)
    ranked = np.flatnonzero(keep)
    ranked = ranked[np.argsort(-scores[ranked], kind="stable")][:_MAX_INSTANCES]
    new_label = np.zeros(len(scores) + 1, np.uint16)
    new_label[1 + ranked] = np.arange(1, len(ranked) + 1)
    instances = tuple(
        Instance(int(class_ids[i]), float(scores[i]), tuple(boxes[i].tolist()), int(areas[i]))
        for i in ranked
    )
    return segments.paint(new_label), instances


def calibrated(scores: NDArray[np.float64], logistic: tuple[float, float]) -> NDArray[np.float64]:
    """Scores (N,) in [0, 1] as `ModelInfo.score_logistic` says; the order stays."""
    slope, offset = logistic
    if logistic == (1.0, 0.0):
        return scores
    odds = np.exp(offset) * _odds(scores) ** slope
    return np.asarray(odds / (1 + odds))


def vote(
    labels: LabelArray,
    classes: ClassArray,
    probabilities: FloatOrHalfArray,
    thing_ids: tuple[int, ...],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give every instance a class and a score; arguments as in `extract_instances`.

    The class is the one that most cells of the instance have; the larger mean probability decides a
    tie. The score is the mean probability of that class over the instance, in which cells at its
    edge, unsure by nature, weigh a tenth; the more cells it is read from, the surer it is: ten
    times as many add .23 to its logit. On images that nothing was fitted on, this ranks instances
    better than the plain mean does.

    Returns:
        Class ids and scores, two arrays (N,).
    """
    table = core.count_votes(labels, classes, probabilities, thing_ids)
    n, n_things = len(table), len(thing_ids)
    cells, weight, votes = table[:, 0], table[:, 1], table[:, 2 : 2 + n_things]
    means = table[:, 2 + n_things :] / weight[:, None]
    most = votes == votes.max(axis=1, keepdims=True)
    winner = np.argmax(np.where(most, means, -1), axis=1)
    odds = _odds(means[np.arange(n), winner]) * (cells / USUAL_CELLS) ** SIZE_EXPONENT
    return np.asarray(thing_ids)[winner], odds / (1 + odds)


def _odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    p = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(p / (1 - p))
