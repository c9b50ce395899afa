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

"""Objects in space against the truth: how many are found, and how far off their centres are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ssap_ros.common.statistics import percentiles
from ssap_ros.data.segments import IntArray
from ssap_ros.evaluation.metrics.records import ImageRecords
from ssap_ros.types import FloatArray

DISTANCES_M = (0.5, 1.0, 2.0, 4.0)


class _Frame(NamedTuple):
    """The record of one frame.

    Attributes:
        distances: Of the matches in metres.
        matched, truth, predicted: Classes of the matches, the truth and the predictions.
    """

    distances: FloatArray
    matched: IntArray
    truth: IntArray
    predicted: IntArray


class CentreDistance(ImageRecords[_Frame]):
    """Matches centres of one class by their distance, nearest first, as nuScenes does.

    Caesar et al., nuScenes: A Multimodal Dataset for Autonomous Driving, CVPR 2020, section 3.1:
    the thresholds are 0.5, 1, 2 and 4 metres. Here the distance is that in space, and nothing is
    ranked: recall is the share of the true objects with a prediction so near.

    Args:
        classes: Name by class id, of the classes that are scored.
    """

    def __init__(self, classes: Mapping[int, str]) -> None:
        super().__init__()
        self.classes = dict(classes)

    def add(
        self,
        predicted: FloatArray,
        predicted_classes: IntArray,
        truth: FloatArray,
        truth_classes: IntArray,
    ) -> list[float]:
        """Count one frame.

        Args:
            predicted: Centres (N, 3) in metres.
            predicted_classes: (N,).
            truth: Centres (M, 3) in metres, in the same frame of reference.
            truth_classes: (M,).

        Returns:
            The distances of its matches in metres.
        """
        gaps = np.linalg.norm(predicted[:, None] - truth[None], axis=2)
        gaps[predicted_classes[:, None] != truth_classes[None]] = np.inf
        distances, matched = [], []
        while gaps.size and (nearest := float(gaps.min())) <= DISTANCES_M[-1]:
            row, column = np.unravel_index(gaps.argmin(), gaps.shape)
            distances.append(nearest)
            matched.append(int(truth_classes[column]))
            gaps[row], gaps[:, column] = np.inf, np.inf
        self.records.append(
            _Frame(
                np.array(distances, np.float32),
                np.array(matched, np.int64),
                truth_classes,
                predicted_classes,
            )
        )
        return distances

    def result(self) -> dict[str, Any]:
        """Sum up the frames so far.

        Returns:
            `frames`, and over all classes as well as per name under `classes`: `truth` and
            `predicted` (how many objects), `recall` by distance, and `centre_error_m`, the
            percentiles of the matches within 4 m; None of nothing.
        """
        joined = [np.concatenate(parts) for parts in zip(*self.records, strict=True)]
        distances, matched, truth, predicted = joined or [np.zeros(0)] * 4
        known = np.isin(truth, list(self.classes)), np.isin(predicted, list(self.classes))
        return {
            "frames": len(self.records),
            **_figures(distances, int(known[0].sum()), int(known[1].sum())),
            "classes": {
                name: _figures(
                    distances[matched == k], int((truth == k).sum()), int((predicted == k).sum())
                )
                for k, name in self.classes.items()
            },
        }


def _figures(distances: FloatArray, n_truth: int, n_predicted: int) -> dict[str, Any]:
    recall = {
        f"{limit:g} m": round(float((distances <= limit).sum()) / n_truth, 4) if n_truth else None
        for limit in DISTANCES_M
    }
    return {
        "truth": n_truth,
        "predicted": n_predicted,
        "recall": recall,
        "centre_error_m": percentiles(distances.tolist(), digits=3),
    }
