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

"""Scores on several views of the same images: their mean says more than any one of them.

Whether a small object is found hangs on where the grid of cells falls on it. So a model is
evaluated by the mean over the image as it is, mirrored, and a little smaller and larger.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ssap_ros.evaluation.evaluators import ImageSet
from ssap_ros.evaluation.images import evaluate_images
from ssap_ros.evaluation.predict import PredictionSettings
from ssap_ros.evaluation.scoring import Scores
from ssap_ros.evaluation.workers import Workers

_STEP = 32  # pixels of the longer side between the views
_INTERVAL = (2.5, 97.5)  # percentiles


def four_views(settings: PredictionSettings, long_side: int) -> dict[str, PredictionSettings]:
    """Make the settings of the four views of a picture.

    Args:
        settings: Of the plain view.
        long_side: Of the network input in that view, in pixels.

    Returns:
        The settings by the name of the view.
    """

    def scaled(side: int) -> PredictionSettings:
        config = dataclasses.replace(settings.config, input_long_side=side)
        return dataclasses.replace(settings, config=config)

    return {
        "plain": settings,
        "mirrored": dataclasses.replace(settings, mirror=True),
        f"long side {long_side - _STEP}": scaled(long_side - _STEP),
        f"long side {long_side + _STEP}": scaled(long_side + _STEP),
    }


def evaluate_views(
    images: ImageSet,
    views: Mapping[str, PredictionSettings],
    limit: int | None = None,
    workers: Workers = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Scores]:
    """The scores of each view; see `evaluate_images`."""
    scores: dict[str, Scores] = {}
    for place, (name, settings) in enumerate(views.items()):

        def show(done: int, total: int, place: int = place) -> None:
            if progress:
                progress(place * total + done, len(views) * total)

        scores[name] = evaluate_images(images, settings, limit, workers, show)
    return scores


def mean_of_views(views: Mapping[str, Scores], samples: int = 200, seed: int = 0) -> dict[str, Any]:
    """The mean over the views of every score, and how sure it is.

    Args:
        views: scores of the same images, by the name of the view.
        samples: how often the images are drawn again, with repetition, for the intervals.
        seed: of those draws.

    Returns:
        What `Scores.result` returns, as means; `interval`, the 95 % interval of each by bootstrap
        over the images; and `views`, the scores of each.
    """
    results = {name: scores.result() for name, scores in views.items()}
    rng = np.random.default_rng(seed)
    count = len(next(iter(views.values())).quality)
    drawn = []
    for _ in range(samples):
        indices = rng.integers(0, count, count)
        drawn.append(_mean([scores.resampled(indices).result() for scores in views.values()]))
    return {**_mean(list(results.values())), "interval": _interval(drawn), "views": results}


def _mean(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean of each number in nested results; None where one of them is None."""
    mean: dict[str, Any] = {}
    for key, value in results[0].items():
        values = [result[key] for result in results]
        if isinstance(value, Mapping):
            mean[key] = _mean(values)
        else:
            mean[key] = None if any(v is None for v in values) else float(np.mean(values))
    return mean


def _interval(drawn: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The 95 % interval [low, high] of each number, over the draws where it is known."""
    interval: dict[str, Any] = {}
    for key, value in drawn[0].items():
        values = [draw[key] for draw in drawn]
        if isinstance(value, Mapping):
            interval[key] = _interval(values)
        else:
            known = [v for v in values if v is not None and np.isfinite(v)]
            interval[key] = np.percentile(known, _INTERVAL).tolist() if known else None
    return interval
