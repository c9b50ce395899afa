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

from ssap_ros.config import NodeConfig, SsapConfig
from ssap_ros.data.segments import Segments
from ssap_ros.replay.summary import ReplaySummary
from ssap_ros.stages.class_choice import score_thresholds
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
        config = SsapConfig(
            score_threshold=score_threshold(parameters),
            class_score_thresholds=tuple(parameters.get("class_score_thresholds", ())),
        )
        self._thresholds = score_thresholds(config, names)

    @classmethod
    def of(cls, summary: ReplaySummary) -> ShownInstances:
        """Those of a replay that is over; it needs one for each of its cameras.

        Returns:
            Tells it for a camera from its first frame on.
        """
        names = {int(k): name for k, name in summary.model_card["classes"].items()}
        return cls(names, summary.parameters, all_scores=summary.scores is not None)

    def __call__(self, prediction: Segments, stamp: int) -> NDArray[np.bool_]:
        """Decide about the next frame.

        Args:
            prediction: What the node published for it.
            stamp: In nanoseconds.

        Returns:
            Which of the instances are shown, bool (N,).
        """
        class_ids, scores = prediction.class_ids, prediction.scores
        if not self._all_scores:
            return np.ones(len(class_ids), bool)
        labels = np.asarray(prediction.ids, np.uint16)
        return self._hysteresis(
            labels, class_ids, scores, self._thresholds, self._margin, 1e-9 * stamp
        )
