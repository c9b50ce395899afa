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

"""Instances that stay: where one was shown, a lower score is enough than for a new one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ssap_ros.stages import core
from ssap_ros.types import FrameResult

_MIN_IOU = 0.25
_MAX_GAP_S = 1.0  # without a frame for longer, or backwards in time, nothing counts as shown
_MAX_CELLS = 1 << 17  # masks are compared on a grid of at most so many samples


class ScoreHysteresis:
    """Decides which instances of one camera are shown, by their scores and by the frame before.

    A score that wavers about its threshold would let an object come and go. So the instance that
    fits a shown one best stays although it scores a margin less: of all of its class the one with
    the largest intersection over union (IoU) of the masks, which must be at least .25. A high
    threshold to begin with and a low one to go on are those of Canny's edges (PAMI 8(6), 1986).
    """

    def __init__(self) -> None:
        self._grid = np.zeros((0, 0), np.uint16)
        self._class_ids = np.zeros(0, np.int64)
        self._thresholds = np.zeros(0)
        self._size = (0, 0)
        self._time_s = 0.0

    def __call__(
        self,
        labels: NDArray[np.uint16],
        class_ids: NDArray[np.int64],
        scores: NDArray[np.float64],
        thresholds: NDArray[np.float64],
        margin: float,
        time_s: float,
    ) -> NDArray[np.bool_]:
        """Decide about the next frame.

        Args:
            labels: uint16 (H, W), 0 = no instance, k = the instance of `class_ids[k - 1]`.
            class_ids: Of the instances, int64 (N,).
            scores: Of the instances, float64 (N,).
            thresholds: By class id the score that is enough to be new, float64 (n_classes,). Once
                they have changed, nothing counts as shown.
            margin: How much less is enough to stay.
            time_s: When the image was taken, in seconds.

        Returns:
            Which are shown, bool (N,).
        """
        stride = max(1, int(np.ceil(np.sqrt(labels.size / _MAX_CELLS))))
        grid = labels[stride // 2 :: stride, stride // 2 :: stride]
        least = thresholds[class_ids]
        shown = scores >= least
        if (
            not shown.all()
            and labels.shape == self._size
            and 0 <= time_s - self._time_s <= _MAX_GAP_S
            and np.array_equal(thresholds, self._thresholds)
        ):
            shown |= self._fits_best(grid, class_ids, scores >= least - margin)
        self._grid, self._class_ids = _new_label(shown)[grid], class_ids[shown]
        self._thresholds, self._size, self._time_s = thresholds, labels.shape, time_s
        return shown

    def _fits_best(
        self, grid: NDArray[np.uint16], class_ids: NDArray[np.int64], possible: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Which of the possible instances are the best fit for one that was shown."""
        n_before = len(self._class_ids)
        both = (grid > 0) & (self._grid > 0)
        pairs = grid[both].astype(np.int64) * (n_before + 1) + self._grid[both]
        pairs, shared = np.unique(pairs, return_counts=True)
        now, before = np.divmod(pairs, n_before + 1)
        area = np.bincount(grid.ravel(), minlength=len(class_ids) + 1)
        area_before = np.bincount(self._grid.ravel(), minlength=n_before + 1)
        iou = shared / (area[now] + area_before[before] - shared)
        same_class = class_ids[now - 1] == self._class_ids[before - 1]
        fits = np.flatnonzero((iou >= _MIN_IOU) & same_class & possible[now - 1])
        rising = fits[np.argsort(iou[fits], kind="stable")]
        best = np.zeros(n_before + 1, np.int64)
        best[before[rising]] = now[rising]  # the last one stays, that with the largest IoU
        result = np.zeros(len(class_ids) + 1, bool)
        result[best] = True
        return result[1:]


def shown_result(found: FrameResult, shown: NDArray[np.bool_]) -> FrameResult:
    """The instances where `shown`, bool (N,), is set, with labels 1..n in their order."""
    if shown.all():
        return found
    labels = core.look_up(found.labels, _new_label(shown))
    instances = tuple(found.instances[k] for k in np.flatnonzero(shown))
    return replace(found, labels=labels, instances=instances)


def _new_label(shown: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """By label: 1..n in their order for those shown, 0 for the others; uint16 (N + 1,)."""
    new_label = np.zeros(len(shown) + 1, np.uint16)
    new_label[1:][shown] = np.arange(1, shown.sum() + 1)
    return new_label
