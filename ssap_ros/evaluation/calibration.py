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

"""Fits what a trained network leaves open: a bias per affinity level and class, and the scores.

A bias on the affinity logits decides how readily segments join, one on the class logits how much
becomes of a class. Both are fitted by coordinate descent on the average precision of the four
views. The network runs once per view: its logits are kept.
"""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize

from ssap_ros.backends import load_backend
from ssap_ros.backends.base import AnyBackend, CpuPyramids
from ssap_ros.errors import InputError
from ssap_ros.evaluation.evaluators import ImageSet, open_evaluator
from ssap_ros.evaluation.metrics.average_precision import CocoAveragePrecision
from ssap_ros.evaluation.predict import PredictionSettings, Predictor
from ssap_ros.evaluation.scoring import Scores, merged
from ssap_ros.evaluation.views import four_views
from ssap_ros.types import FloatArray, ImageArray, NetworkOutput

_LOG = logging.getLogger(__name__)

AFFINITY_STEPS = (-0.6, 0.6, -0.3, 0.3)
CLASS_STEPS = (-0.4, 0.4)
_LEAST_GAIN = 5e-4  # of the objective, for a step to be taken


@dataclass(frozen=True)
class Calibration:
    """What was fitted.

    Attributes:
        affinity_biases: By stride, added to the affinity logits of that level.
        class_biases: By class name, added to the semantic logits of all levels.
        score_logistic: Slope and offset of the logistic that turns the logit of a score into the
            probability that the instance overlaps an object of its class with IoU .5. The score is
            the one without a calibration, whether or not the model has one already.
        objective: Mean over views of the mean AP of the classes, each weighted by the root of the
            number of its objects, before and after.
    """

    affinity_biases: dict[int, float]
    class_biases: dict[str, float]
    score_logistic: tuple[float, float]
    objective: tuple[float, float]


class BiasedBackend(CpuPyramids):
    """A CPU backend whose logits are kept, and returned with biases added.

    Attributes:
        affinity_biases: By stride.
        class_biases: One per class. Both may be changed between calls.
    """

    max_batch = 1

    def __init__(self, backend: AnyBackend) -> None:
        self._backend, self.name, self.info = backend, backend.name, backend.info
        self.affinity_biases: dict[int, float] = dict.fromkeys(backend.info.levels, 0.0)
        self.class_biases = np.zeros(len(backend.info.classes), np.float32)
        self._kept: dict[tuple[int, int], tuple[list[Any], list[Any]]] = {}

    def preprocess(self, images: Sequence[ImageArray], long_side: int) -> tuple[Any, float]:
        """See InferenceBackend."""
        return self._backend.preprocess(images, long_side)

    def infer(self, tensor: FloatArray, levels: Sequence[int]) -> list[NetworkOutput]:
        """See InferenceBackend; each input goes through the network once."""
        key = zlib.crc32(tensor.tobytes()), len(levels)
        if key not in self._kept:
            (output,) = self._backend.infer(tensor, levels)
            self._kept[key] = (
                [np.float16(a) for a in output.semantic],
                [np.float16(a) for a in output.affinities],
            )
        semantic, affinities = self._kept[key]
        biases = self.class_biases[:, None, None]
        return [
            NetworkOutput(
                tuple(a.astype(np.float32) + biases for a in semantic),
                tuple(
                    a.astype(np.float32) + np.float32(self.affinity_biases[level])
                    for a, level in zip(affinities, levels, strict=True)
                ),
            )
        ]

    def close(self) -> None:
        """See InferenceBackend."""
        self._backend.close()


def calibrate(
    images: ImageSet, settings: PredictionSettings, limit: int | None = None
) -> Calibration:
    """Fit the biases and the scores of a model on annotated images.

    Args:
        images: COCO instances; others are not told apart by class in the same way.
        settings: Of the plain view; its model is calibrated.
        limit: The first images only.

    Returns:
        The biases and the scores.

    Raises:
        InputError: The images are not in the COCO format, or there are none.
    """
    if images.format != "coco":
        raise InputError(f"expected images in the format coco, got {images.format}")
    config = replace(settings.config, backend="onnxruntime")
    backend = BiasedBackend(load_backend(config))
    evaluator = open_evaluator(images, backend.info)
    count = min(len(evaluator), limit or len(evaluator))
    if count == 0:
        raise InputError("there are no images to calibrate on")
    counts = _objects_per_class(evaluator, count, backend.info.classes)
    predictors = [
        Predictor(view, backend) for view in four_views(settings, backend.info.long_side).values()
    ]

    def scores() -> list[Scores]:
        return [
            merged([evaluator.scores(i, predict(evaluator.image(i))) for i in range(count)])
            for predict in predictors
        ]

    def objective() -> float:
        return float(np.mean([_weighted_precision(s.result(), counts) for s in scores()]))

    best = before = objective()
    _LOG.info("as it is: %.4f", before)

    def descend(
        name: str, get: Callable[[], float], put: Callable[[float], None], steps: Any
    ) -> None:
        nonlocal best
        for step in steps:
            while True:
                old = get()
                put(round(old + step, 3))
                value = objective()
                if value < best + _LEAST_GAIN:
                    put(old)
                    break
                best = value
                _LOG.info("%s %+.2f: %.4f", name, get(), value)

    biases = backend.affinity_biases
    used = backend.info.levels_from(config.initial_level)

    def put_all(value: float) -> None:
        biases.update(dict.fromkeys(used, value))

    descend("all affinities", lambda: biases[used[0]], put_all, AFFINITY_STEPS)
    for level in used:
        descend(
            f"affinity_{level}",
            lambda level=level: biases[level],  # type: ignore[misc]
            lambda value, level=level: biases.update({level: value}),  # type: ignore[misc]
            AFFINITY_STEPS[2:],
        )
    for class_id, name in enumerate(backend.info.classes):
        if counts.get(name):
            descend(
                name,
                lambda c=class_id: float(backend.class_biases[c]),  # type: ignore[misc]
                lambda value, c=class_id: backend.class_biases.__setitem__(c, value),  # type: ignore[misc]
                CLASS_STEPS,
            )
    logistic = composed(backend.info.score_logistic, fit_logistic(*_matched(scores())))
    _LOG.info("score: slope %.2f, offset %+.2f", *logistic)
    return Calibration(
        dict(biases),
        {n: float(b) for n, b in zip(backend.info.classes, backend.class_biases, strict=True) if b},
        logistic,
        (before, best),
    )


def fit_logistic(scores: FloatArray, right: Any) -> tuple[float, float]:
    """Fit sigmoid(slope * logit(score) + offset) to the outcomes by maximum likelihood.

    Source: Platt, Advances in Large Margin Classifiers, 1999.

    Args:
        scores: float (N,) in [0, 1].
        right: bool (N,), whether each is right.

    Returns:
        Slope and offset.
    """
    p = np.clip(np.asarray(scores, np.float64), 1e-4, 1 - 1e-4)
    x, y = np.log(p / (1 - p)), np.asarray(right, np.float64)
    if len(set(y.tolist())) < 2:
        return 1.0, 0.0

    def loss(w: Any) -> float:
        z = w[0] * x + w[1]
        return float(np.mean(np.logaddexp(0, z) - y * z) + 1e-4 * (w[0] - 1) ** 2)

    slope, offset = minimize(loss, (1.0, 0.0), bounds=((0.05, 20.0), (-20.0, 20.0))).x
    return round(float(slope), 4), round(float(offset), 4)


def composed(first: tuple[float, float], then: tuple[float, float]) -> tuple[float, float]:
    """The one logistic (slope, offset) that does what two do, one on the scores of the other."""
    return round(then[0] * first[0], 4), round(then[0] * first[1] + then[1], 4)


def _objects_per_class(evaluator: Any, count: int, classes: Sequence[str]) -> dict[str, int]:
    found = dict.fromkeys(classes, 0)
    for index in range(count):
        things = evaluator.thing_segments(index)
        for class_id in things.class_ids[~things.crowd].tolist():
            found[classes[class_id]] += 1
    return found


def _weighted_precision(result: dict[str, Any], counts: dict[str, int]) -> float:
    rows = [
        (math.sqrt(counts[name]), row["AP"])
        for name, row in result["classes"].items()
        if row["AP"] is not None
    ]
    return sum(w * ap for w, ap in rows) / sum(w for w, _ in rows) if rows else 0.0


def _matched(views: Sequence[Scores]) -> tuple[FloatArray, Any]:
    """Score of every counted prediction, and whether it matched an object at IoU .5."""
    scores, right = [], []
    for view in views:
        (metric,) = view.metrics
        assert isinstance(metric, CocoAveragePrecision)
        for record in metric.records:
            for matches in filter(None, record):
                counted = ~np.asarray(matches["dtIgnore"][0], bool)
                scores.append(np.asarray(matches["dtScores"])[counted])
                right.append(np.asarray(matches["dtMatches"][0])[counted] > 0)
    if not scores:
        return np.zeros(0, np.float32), np.zeros(0, bool)
    return np.concatenate(scores).astype(np.float32), np.concatenate(right)
