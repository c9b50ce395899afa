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

"""One evaluator per annotation format: the truth of an image, and the scores of a prediction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from ssap_ros.data.annotated import AnnotatedImage, AnnotatedSet
from ssap_ros.data.cityscapes import CityscapesSet
from ssap_ros.data.coco_panoptic import CocoPanopticSet
from ssap_ros.data.scene_set import SceneSet
from ssap_ros.data.segments import OTHER_CLASS, Segments
from ssap_ros.errors import InputError
from ssap_ros.evaluation.coco import CocoEvaluator
from ssap_ros.evaluation.metrics.average_precision import CocoAveragePrecision
from ssap_ros.evaluation.metrics.cityscapes_precision import CityscapesAveragePrecision
from ssap_ros.evaluation.metrics.mean_iou import MeanIou
from ssap_ros.evaluation.metrics.panoptic_quality import PanopticQuality
from ssap_ros.evaluation.predict import ImagePrediction
from ssap_ros.evaluation.scoring import Scores
from ssap_ros.types import ImageArray, ModelInfo

Format = Literal["coco", "coco_panoptic", "cityscapes", "scenes"]


@dataclass(frozen=True)
class ImageSet:
    """Where the annotated images are.

    Attributes:
        annotations, images: File and folder of the COCO formats.
        root, split: Of Cityscapes.
        first_seed, count: Of the procedural scenes.
    """

    format: Format
    annotations: Path = Path()
    images: Path = Path()
    root: Path = Path()
    split: str = "val"
    first_seed: int = 0
    count: int = 0


class Evaluator(Protocol):
    """Knows the truth of a set of images."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str: ...

    def files(self, index: int) -> tuple[Path, ...]:
        """Where the image is; empty if it is made."""
        ...

    def image(self, index: int) -> ImageArray: ...

    def thing_segments(self, index: int) -> Segments:
        """The true objects, with the class ids of the model."""
        ...

    def scores(self, index: int, prediction: ImagePrediction) -> Scores: ...


@lru_cache(maxsize=1)
def open_evaluator(images: ImageSet, info: ModelInfo) -> Evaluator:
    """Open the evaluator of a set of images for a model's classes, once per process.

    Classes of the set and of the model are matched by name, and what only one side knows is left
    out.

    Returns:
        The evaluator.

    Raises:
        InputError: Files are missing or incompatible, or no class is known to both.
    """
    if images.format == "coco":
        return CocoEvaluator(images.annotations, images.images, info)
    if images.format == "coco_panoptic":
        return PanopticEvaluator(CocoPanopticSet(images.annotations, images.images), info)
    if images.format == "cityscapes":
        return PanopticEvaluator(CityscapesSet(images.root, images.split), info, cityscapes=True)
    return PanopticEvaluator(SceneSet(images.first_seed, images.count), info)


class PanopticEvaluator:
    """Average precision, panoptic quality and mean IoU on a set whose every pixel is annotated.

    Args:
        cityscapes: Average precision as Cityscapes defines it, with AP50m and AP100m where the set
            holds distances; else as COCO does.
    """

    def __init__(self, images: AnnotatedSet, info: ModelInfo, cityscapes: bool = False) -> None:
        known = {name: k for k, name in enumerate(images.classes) if name in info.classes}
        if not known:
            raise InputError(
                f"no class of the images is one of the model: {list(images.classes)} "
                f"against {list(info.classes)}"
            )
        self._images, self._cityscapes = images, cityscapes
        self._last: tuple[int, AnnotatedImage] | None = None
        self._classes = {k: name for name, k in known.items()}
        self._things = {k: n for k, n in self._classes.items() if k in images.thing_ids}
        # class id of the model -> of the set
        self._class_of = np.full(OTHER_CLASS + 1, OTHER_CLASS, np.int64)
        for class_id, name in enumerate(info.classes):
            self._class_of[class_id] = known.get(name, OTHER_CLASS)

    def __len__(self) -> int:
        return len(self._images)

    def name(self, index: int) -> str:
        return self._images.name(index)

    def files(self, index: int) -> tuple[Path, ...]:
        return self._images.files(index)

    def image(self, index: int) -> ImageArray:
        return self._read(index).image

    def thing_segments(self, index: int) -> Segments:
        truth = self._read(index).truth
        class_of = {own: model for model, own in enumerate(self._class_of.tolist())}
        kept = np.flatnonzero(np.isin(truth.class_ids, list(self._things)))
        number = np.zeros(len(truth.class_ids) + 1, np.int64)
        number[1 + kept] = 1 + np.arange(len(kept))
        return Segments(
            number[truth.ids],
            np.array([class_of[c] for c in truth.class_ids[kept].tolist()], np.int64),
            crowd=truth.crowd[kept],
        )

    def scores(self, index: int, prediction: ImagePrediction) -> Scores:
        truth = self._read(index).truth
        precision = (
            CityscapesAveragePrecision(self._things, self._images.distances)
            if self._cityscapes
            else CocoAveragePrecision(self._things)
        )
        quality = PanopticQuality(self._classes, list(self._things))
        iou = MeanIou(self._classes)
        precision.add(self._translated(prediction.instances), truth)
        quality.add(self._translated(prediction.panoptic), truth)
        iou.add(self._class_of[prediction.classes].astype(np.uint8), truth.class_map())
        things = quality.records[0][[k in self._things for k in self._classes]]
        summed, tp, fp, fn = things.sum(axis=0)
        size = tp + fp / 2 + fn / 2
        return Scores([precision, quality, iou], [summed / size if size else 1.0])

    def _read(self, index: int) -> AnnotatedImage:
        """One picture; the last one is kept, since picture and truth are asked for in turn."""
        if self._last is None or self._last[0] != index:
            self._last = (index, self._images.read(index))
        return self._last[1]

    def _translated(self, segments: Segments) -> Segments:
        return Segments(segments.ids, self._class_of[segments.class_ids], segments.scores)
