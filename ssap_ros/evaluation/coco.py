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

"""Average precision on COCO instance annotations, whose objects may overlap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as rle

from ssap_ros.data.coco import CocoAnnotations
from ssap_ros.data.image_files import read_image
from ssap_ros.data.segments import Segments
from ssap_ros.errors import InputError
from ssap_ros.evaluation.metrics.average_precision import CocoAveragePrecision
from ssap_ros.evaluation.predict import ImagePrediction
from ssap_ros.evaluation.scoring import Scores
from ssap_ros.types import ImageArray, ModelInfo


class CocoEvaluator:
    """Average precision on the images of a COCO instance annotation file.

    Args:
        annotations: JSON with `images`, `annotations` and `categories`; categories and classes of
            the model are matched by name, and what only one side knows is left out.
        images: The folder that the `file_name`s are relative to.

    Raises:
        InputError: Files are missing or incompatible, or no class is known to both.
    """

    def __init__(self, annotations: Path, images: Path, info: ModelInfo) -> None:
        self._truth, self._folder = CocoAnnotations(annotations), images
        names = self._truth.categories
        self._class_of = {
            number: info.classes.index(name)
            for number, name in names.items()
            if name in info.classes
        }
        if not self._class_of:
            raise InputError(
                f"no category is a class of the model: {sorted(set(names.values()))} against "
                f"{list(info.classes)}"
            )
        self._classes = {k: info.classes[k] for k in self._class_of.values()}
        self._ids = sorted(self._truth.images)
        for image_id in self._ids:
            self._truth.size(image_id)  # what is wrong is reported before the work
        repairs = self._truth.describe_repairs()
        self.notes = [f"{annotations}: {repairs}"] if repairs else []
        own = {name.lower(): name for name in info.classes}
        for name in set(names.values()) - set(info.classes):
            if alike := own.get(name.strip().lower()):
                self.notes.append(f"{annotations}: {name!r} is left out, the class is {alike!r}")

    def __len__(self) -> int:
        return len(self._ids)

    def name(self, index: int) -> str:
        return Path(self._truth.images[self._ids[index]]["file_name"]).stem

    def files(self, index: int) -> tuple[Path, ...]:
        return (self._folder / self._truth.images[self._ids[index]]["file_name"],)

    def image(self, index: int) -> ImageArray:
        (path,) = self.files(index)
        return read_image(path, self._truth.size(self._ids[index]))

    def thing_segments(self, index: int) -> Segments:
        """The true objects, as masks of the model's classes."""
        objects = self._objects(index)
        masks = np.zeros((len(objects), *self._truth.size(self._ids[index])), bool)
        for mask, annotation in zip(masks, objects, strict=True):
            mask[:] = rle.decode(annotation["segmentation"]) > 0
        return Segments(
            masks,
            np.array([o["category_id"] for o in objects], np.int64),
            crowd=np.array([bool(o["iscrowd"]) for o in objects]),
        )

    def scores(self, index: int, prediction: ImagePrediction) -> Scores:
        metric = CocoAveragePrecision(self._classes)
        instances = prediction.instances
        metric.add_encoded(
            [
                {
                    "category_id": int(class_id),
                    "score": float(score),
                    "segmentation": rle.encode(np.asfortranarray(mask, dtype=np.uint8)),
                }
                for class_id, score, mask in zip(
                    instances.class_ids, instances.scores, instances.masks(), strict=True
                )
                if class_id in self._classes
            ],
            self._objects(index),
        )
        return Scores([metric], [metric.quality(prediction.shown_score)])

    def _objects(self, index: int) -> list[dict[str, Any]]:
        return [
            {
                "category_id": self._class_of[annotation["category_id"]],
                "iscrowd": annotation["iscrowd"],
                "segmentation": self._truth.encode(annotation),
            }
            for annotation in self._truth.objects(self._ids[index])
            if annotation["category_id"] in self._class_of
        ]
