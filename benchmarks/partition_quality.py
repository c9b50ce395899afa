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

"""How well a labelling agrees with the truth; 0 is background in both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def panoptic_quality(labels: NDArray[np.int32], truth: NDArray[np.int32]) -> float:
    """PQ over the segments, without classes (Eq. 9): matched where IoU > 0.5; 1 is perfect."""
    overlap = _overlap(labels, truth)
    sizes, true_sizes = overlap.sum(axis=1), overlap.sum(axis=0)
    iou = overlap / np.maximum(sizes[:, None] + true_sizes[None] - overlap, 1)
    matched = iou[1:, 1:][iou[1:, 1:] > 0.5]
    n_segments = np.count_nonzero(sizes[1:]) + np.count_nonzero(true_sizes[1:])
    return float(2 * matched.sum() / n_segments) if n_segments else 1.0


def adapted_rand_error(labels: NDArray[np.int32], truth: NDArray[np.int32]) -> float:
    """Compare pixel pairs, over the pixels of true objects.

    Every background pixel of `labels` counts as a segment of its own.

    Returns:
        1 - F1 of the pixel pairs within one segment; 0 is perfect.
    """
    overlap = _overlap(labels, truth)[:, 1:].astype(np.float64)
    together = float((overlap[1:] ** 2).sum() + overlap[0].sum())
    in_labels = float((overlap[1:].sum(axis=1) ** 2).sum() + overlap[0].sum())
    in_truth = float((overlap.sum(axis=0) ** 2).sum())
    total = in_labels + in_truth
    return 1 - 2 * together / total if total else 0.0


def _overlap(labels: NDArray[np.int32], truth: NDArray[np.int32]) -> NDArray[np.int64]:
    """Pixels in common, (segments of `labels`, segments of `truth`), background first."""
    n = int(labels.max(initial=0)) + 1, int(truth.max(initial=0)) + 1
    pairs = labels.ravel().astype(np.int64) * n[1] + truth.ravel()
    return np.bincount(pairs, minlength=n[0] * n[1]).reshape(n)
