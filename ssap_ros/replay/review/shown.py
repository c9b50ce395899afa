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

"""What the node shows of what it publishes: the same, unless it was told to publish every score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssap_ros.config import NodeConfig, SsapConfig, class_scores
from ssap_ros.replay.review.predictions import NodeOutput
from ssap_ros.replay.summary import ReplaySummary
from ssap_ros.stages.hysteresis import ScoreHysteresis


def score_threshold(parameters: Mapping[str, Any]) -> float:
    """The one that a node with these parameters has."""
    return float(parameters.get("score_threshold", SsapConfig().score_threshold))


class ShownInstances:
    """Tells for one camera of a replay, frame after frame, which instances are shown.

    Args:
        names: Class name by class id.
        parameters: Those of the replay.
        all_scores: Whether the node published instances of every score, see `play`. Those are shown
            that it would have published by its parameters.
    """

    def __init__(
        self, names: Mapping[int, str], parameters: Mapping[str, Any], *, all_scores: bool
    ) -> None:
        self._all_scores = all_scores
        self._hysteresis = ScoreHysteresis()
        self._margin = parameters.get("score_hysteresis", NodeConfig().score_hysteresis)
        threshold = score_threshold(parameters)
        entries = tuple(parameters.get("class_score_thresholds", ()))
        own = class_scores(SsapConfig(class_score_thresholds=entries))
        self._thresholds = np.full(max(names, default=0) + 1, threshold)
        for class_id, name in names.items():
            self._thresholds[class_id] = own.get(name, threshold)

    @classmethod
    def of(cls, summary: ReplaySummary) -> ShownInstances:
        """Those of a replay that is over; it needs one for each of its cameras.

        Returns:
            Tells it for a camera from its first frame on.
        """
        names = {int(k): name for k, name in summary.model_card["classes"].items()}
        return cls(names, summary.parameters, all_scores=summary.scores is not None)

    def __call__(self, output: NodeOutput, stamp: int) -> NDArray[np.bool_]:
        """Decide about the output for the next frame; its stamp is in nanoseconds.

        Returns:
            Which of its detections are shown, bool (N,).
        """
        detections = output.detections
        if not self._all_scores:
            return np.ones(len(detections), bool)
        class_ids = np.array([int(entry.class_id) for entry in detections], np.int64)
        scores = np.array([entry.score for entry in detections])
        return self._hysteresis(
            output.labels, class_ids, scores, self._thresholds, self._margin, 1e-9 * stamp
        )
