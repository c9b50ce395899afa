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

"""Scores of a set of images: gathered image by image, merged, resampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ssap_ros.data.segments import IntArray


class Metric(Protocol):
    """Scores gathered image by image; see `ImageRecords`."""

    def merge(self, other: Any) -> None: ...

    def resampled(self, indices: IntArray) -> Metric: ...

    def result(self) -> dict[str, Any]: ...


class Scores:
    """Several metrics of the same images, and one number per image that says how good it is.

    Args:
        metrics: Each has counted the same images.
        quality: Per image in [0, 1], 1 = everything found and nothing else; of the thing classes
            alone.
    """

    def __init__(self, metrics: Sequence[Metric], quality: Sequence[float]) -> None:
        self.metrics, self.quality = list(metrics), list(quality)

    def merge(self, other: Scores) -> None:
        """Append the images of `other`, which has the same metrics."""
        for mine, theirs in zip(self.metrics, other.metrics, strict=True):
            mine.merge(theirs)
        self.quality += other.quality

    def resampled(self, indices: IntArray) -> Scores:
        """Of the images with these numbers alone, each as often as it is named."""
        return Scores(
            [metric.resampled(indices) for metric in self.metrics],
            [self.quality[i] for i in indices],
        )

    def result(self) -> dict[str, Any]:
        """All scores by name, and under `classes` by class name and name."""
        result: dict[str, Any] = {}
        classes: dict[str, dict[str, Any]] = {}
        for metric in self.metrics:
            for name, value in metric.result().items():
                if name != "classes":
                    result[name] = value
                    continue
                for class_name, scores in value.items():
                    row = scores if isinstance(scores, dict) else {"IoU": scores}
                    classes.setdefault(class_name, {}).update(row)
        return {**result, "classes": classes}


def merged(parts: Sequence[Scores]) -> Scores:
    """All images, in the order of the parts; there must be one part at least."""
    whole = parts[0].resampled(np.zeros(0, np.int64))
    for part in parts:
        whole.merge(part)
    return whole


def bootstrap(
    scores: Sequence[Scores], names: Sequence[str], samples: int = 500, seed: int = 0
) -> NDArray[np.float64]:
    """Score resampled sets of images.

    They are the same ones for all of `scores`, so that differences can be tested.

    Args:
        scores: Several evaluations of the same images.
        names: Of the scores that are wanted.
        samples: Number of resampled sets.
        seed: Of the resampling.

    Returns:
        float64 (samples, len(scores), len(names)), nan where a sample has no truth.
    """
    rng = np.random.default_rng(seed)
    n = len(scores[0].quality)
    table = np.full((samples, len(scores), len(names)), np.nan)
    for s in range(samples):
        indices = rng.integers(0, n, n)
        for row, evaluation in enumerate(scores):
            result = evaluation.resampled(indices).result()
            for column, name in enumerate(names):
                value = result.get(name)
                table[s, row, column] = np.nan if value is None else value
    return table
