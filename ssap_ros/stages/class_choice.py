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

"""Which thing classes are wanted, and from which score on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssap_ros.config import SsapConfig, class_scores
from ssap_ros.errors import InputError
from ssap_ros.types import ModelInfo


@dataclass(frozen=True)
class ClassChoice:
    """The thing classes of a model that are wanted.

    Attributes:
        names: All classes of the model, by class id.
        hidden: Ids of the thing classes that are not wanted.
        thresholds: By class id the least score of an instance, float64 (n_classes,); inf for those
            that are hidden.
    """

    names: tuple[str, ...]
    hidden: frozenset[int]
    thresholds: NDArray[np.float64]

    @classmethod
    def of(cls, config: SsapConfig, info: ModelInfo) -> ClassChoice:
        """Read the choice of classes from the settings.

        Returns:
            The choice.

        Raises:
            InputError: A name is no thing class of the model.
        """
        things = {info.classes[k]: k for k in info.thing_ids}
        wanted, scores = set(filter(None, config.classes)), class_scores(config)
        for setting, names in (("classes", wanted), ("class_score_thresholds", set(scores))):
            if unknown := names - set(things):
                known = ", ".join(things)
                raise InputError(f"{setting} must be of {known}, got {min(unknown)!r}")
        hidden = frozenset(k for name, k in things.items() if wanted and name not in wanted)
        thresholds = score_thresholds(config, dict(enumerate(info.classes)))
        thresholds[list(hidden)] = np.inf
        return cls(info.classes, hidden, thresholds)

    @property
    def shown(self) -> dict[int, str]:
        """Name by class id of the classes that are not hidden, stuff and background among them."""
        return {k: name for k, name in enumerate(self.names) if k not in self.hidden}

    @property
    def lowest_score(self) -> float:
        """None that is new has a lower one."""
        return float(self.thresholds.min())


def score_thresholds(config: SsapConfig, names: Mapping[int, str]) -> NDArray[np.float64]:
    """The least score of an instance by class id, float64 (n_classes,); `names` by class id."""
    own = class_scores(config)
    thresholds = np.full(max(names, default=0) + 1, float(config.score_threshold))
    for class_id, name in names.items():
        thresholds[class_id] = own.get(name, config.score_threshold)
    return thresholds
