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

"""The scores of a replay against ground truth, gathered frame by frame and merged over bags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssap_ros.data.segments import OTHER_CLASS, Segments
from ssap_ros.evaluation.metrics.average_precision import CocoAveragePrecision
from ssap_ros.evaluation.metrics.mean_iou import MeanIou
from ssap_ros.evaluation.metrics.panoptic_quality import PanopticQuality
from ssap_ros.replay.bags.ground_truth import Truth

_BACKGROUND = 0


class ReplayScores:
    """AP over the whole ranked list; PQ and mIoU of the instances that are shown.

    Args:
        classes: Name of each class id that is scored. PQ is of these, the thing classes; mIoU of
            these and of the background, from the classes of the instances.
    """

    def __init__(self, classes: Mapping[int, str]) -> None:
        self.classes = dict(classes)
        self.n_frames = 0
        self._precision = CocoAveragePrecision(classes)
        self._quality = PanopticQuality(classes, list(classes))
        self._iou = MeanIou({_BACKGROUND: "background", **classes})

    def add(
        self, prediction: Segments, is_shown: NDArray[np.bool_], truth: Truth
    ) -> dict[str, float]:
        """Count one frame.

        Args:
            prediction: Its instances, whatever their score.
            is_shown: Which of them are shown, bool (N,).
            truth: Of the frame.

        Returns:
            Its own `tp`, `fp`, `fn`, summed `iou`, and `quality`: the sum of IoU over tp + fp/2 +
            fn/2 of all classes together; 1 for a frame that is rightly empty.

        Raises:
            ValueError: The sizes differ.
        """
        self.n_frames += 1
        self._precision.add(prediction, _with_ignored(truth, list(self.classes)))
        shown = prediction.keep(is_shown)
        background = _with_background(truth)
        self._quality.add(shown, background)
        classes = truth.segments.class_map(_BACKGROUND)
        self._iou.add(shown.class_map(_BACKGROUND), np.where(truth.void, OTHER_CLASS, classes))
        iou, tp, fp, fn = self._quality.records[-1].sum(axis=0).tolist()
        size = tp + fp / 2 + fn / 2
        return {"tp": tp, "fp": fp, "fn": fn, "iou": iou, "quality": iou / size if size else 1.0}

    def merge(self, other: ReplayScores) -> None:
        """Append the frames of `other`, which scores the same classes."""
        self.n_frames += other.n_frames
        self._precision.merge(other._precision)
        self._quality.merge(other._quality)
        self._iou.merge(other._iou)

    def result(self) -> dict[str, Any]:
        """`frames`, AP, AP50, PQ, SQ, RQ, mIoU; and the same per class name under `classes`."""
        precision, quality = self._precision.result(), self._quality.result()
        iou = self._iou.result()
        return {
            "frames": self.n_frames,
            **{name: precision[name] for name in ("AP", "AP50")},
            **{name: quality[name] for name in ("PQ", "SQ", "RQ")},
            "mIoU": iou["mIoU"],
            "classes": {
                name: {
                    **precision["classes"][name],
                    **(quality["classes"][name] or dict.fromkeys(("PQ", "SQ", "RQ"))),
                    "IoU": iou["classes"][name],
                }
                for name in self.classes.values()
            },
        }

    def curves(self) -> dict[str, Any]:
        """Per class name, the interpolated precision at IoU .50 over 101 recalls, None unknown."""
        precision = self._precision._precision()[0]  # (recalls, classes)
        return {
            name: precision[:, k].round(4).tolist() if precision[0, k] > -1 else None
            for k, name in enumerate(self.classes.values())
        }


def _with_ignored(truth: Truth, class_ids: list[int]) -> Segments:
    """The truth with the void as a crowd of every class, as COCO wants what is not to count."""
    segments = truth.segments
    if not truth.void.any():
        return segments
    masks = [*segments.masks(), *[truth.void] * len(class_ids)]
    crowd = np.append(segments.crowd, np.ones(len(class_ids), bool))
    stack: NDArray[np.bool_] = np.array(masks, bool).reshape(-1, *truth.void.shape)
    return Segments(stack, np.append(segments.class_ids, class_ids), crowd=crowd)


def _with_background(truth: Truth) -> Segments:
    """The truth with the background as a segment, so that only the void belongs to none."""
    segments = truth.segments
    background = (segments.ids == 0) & ~truth.void
    return Segments(
        np.where(background, len(segments.class_ids) + 1, segments.ids),
        np.append(segments.class_ids, _BACKGROUND),
        crowd=np.append(segments.crowd, False),
    )
