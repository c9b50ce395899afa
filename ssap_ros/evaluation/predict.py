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

"""The product's prediction for an annotated image, in the form that the metrics take."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np

from ssap_ros.backends import load_backend
from ssap_ros.backends.base import AnyBackend
from ssap_ros.config import SsapConfig
from ssap_ros.data.segments import Segments
from ssap_ros.evaluation.panoptic import (
    MIN_STUFF_AREA,
    full_resolution_classes,
    panoptic_segments,
)
from ssap_ros.evaluation.test_time_augmentation import TestTimeBackend
from ssap_ros.pipeline import Partition, Prediction, SsapPipeline
from ssap_ros.stages.partition import cascaded_graph_partition
from ssap_ros.types import ClassArray, FloatOrHalfArray, ImageArray, LabelArray

Grouping = Literal["affinity", "components"]


@dataclass(frozen=True)
class PredictionSettings:
    """How images are to be segmented.

    Attributes:
        config: Of the pipeline. Average precision is defined on the whole ranked list and ignores
            its score_threshold; the panoptic map shows the instances above it.
        grouping: "affinity" is the product; "components" is the baseline that takes each connected
            region of one class as one instance, everything else being equal.
        flip, scales: The views that test-time augmentation averages.
        mirror: Predict the mirrored image and mirror the result back.
        min_stuff_area: Of the panoptic map, in pixels.
    """

    config: SsapConfig = SsapConfig()
    grouping: Grouping = "affinity"
    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    mirror: bool = False
    min_stuff_area: int = MIN_STUFF_AREA


@dataclass(frozen=True)
class ImagePrediction:
    """What is said of one image.

    Attributes:
        instances: Label map of all instances, whatever their score, in descending score.
        shown_score: The score from which on they are shown.
        partition_ms: How long the partition took.
        classes: Best class of each pixel, uint8 (H, W).
        panoptic: The instances that are shown, and the stuff around them.
    """

    instances: Segments
    shown_score: float
    partition_ms: float
    classes: ClassArray
    panoptic: Segments


class Predictor:
    """A loaded model with the settings of an evaluation."""

    def __init__(
        self,
        settings: PredictionSettings,
        backend: AnyBackend,
        partition: Partition = cascaded_graph_partition,
    ) -> None:
        if settings.flip or settings.scales != (1.0,):
            backend = TestTimeBackend(backend, settings.flip, settings.scales)
        if settings.grouping == "components":
            partition = connected_components
        config = dataclasses.replace(settings.config, score_threshold=0.0)
        self.settings, self.info = settings, backend.info
        self._pipeline = SsapPipeline(backend, config, partition)

    def __call__(self, image: ImageArray) -> ImagePrediction:
        if self.settings.mirror:
            return _mirrored(self._predict(np.ascontiguousarray(image[:, ::-1])))
        return self._predict(image)

    def _predict(self, image: ImageArray) -> ImagePrediction:
        prediction = self._pipeline.predict([image])[0]
        result = self._pipeline.segment(prediction)
        classes = self._classes(prediction)
        instances = Segments(
            result.labels.astype(np.int32),
            np.array([i.class_id for i in result.instances], np.int64),
            np.array([i.score for i in result.instances]),
        )
        threshold = self.settings.config.score_threshold
        panoptic = panoptic_segments(
            instances.keep(instances.scores >= threshold),
            classes,
            self.info.thing_ids,
            self.settings.min_stuff_area,
        )
        return ImagePrediction(
            instances, threshold, result.stage_ms["partition"], classes, panoptic
        )

    def _classes(self, prediction: Prediction) -> ClassArray:
        cells_per_pixel = prediction.scale / self.info.levels[0]
        return full_resolution_classes(
            prediction.pyramid.probabilities, prediction.size, cells_per_pixel
        )


def _mirrored(prediction: ImagePrediction) -> ImagePrediction:
    """The same, left to right."""

    def mirrored(segments: Segments) -> Segments:
        return dataclasses.replace(segments, ids=np.ascontiguousarray(segments.ids[..., ::-1]))

    return dataclasses.replace(
        prediction,
        instances=mirrored(prediction.instances),
        classes=np.ascontiguousarray(prediction.classes[:, ::-1]),
        panoptic=mirrored(prediction.panoptic),
    )


@lru_cache(maxsize=1)
def load_model(config: SsapConfig) -> AnyBackend:
    """Load the model of these settings, once per process.

    Returns:
        The backend.

    Raises:
        ModelError: The model is missing or incompatible.
    """
    return load_backend(config)


def load_predictor(settings: PredictionSettings) -> Predictor:
    """The predictor of these settings; its model is loaded once per process."""
    return Predictor(settings, load_model(settings.config))


def connected_components(
    costs: Sequence[FloatOrHalfArray],  # noqa: ARG001
    classes: Sequence[ClassArray],
    **_options: object,
) -> LabelArray:
    """Group the 8-connected regions of each class of the finest level: the baseline partition.

    Takes what `cascaded_graph_partition` takes; the costs do not matter here.

    Returns:
        Labels of the finest level, int32 (h, w), 0 = background, 1..N.
    """
    labels = np.zeros(classes[0].shape, np.int32)
    n_labels = 0
    for class_index in np.unique(classes[0][classes[0] > 0]):
        mask = (classes[0] == class_index).astype(np.uint8)
        count, regions = cv2.connectedComponents(mask, connectivity=8)
        labels[mask > 0] = regions[mask > 0] + n_labels
        n_labels += count - 1
    return labels
