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

    annotations: JSON with `images`, `annotations` and `categories`; categories and classes of the
        model are matched by name, and what only one side knows is left out.
    images: the folder that the `file_name`s are relative to.

    Raises InputError for files that are missing or incompatible, and if no class is known to both.
    """

    def __init__(self, annotations: Path, images: Path, info: ModelInfo) -> None:
        self._truth, self._folder = CocoAnnotations(annotations), images
        names = {name: number for number, name in self._truth.categories.items()}
        self._class_of = {names[name]: k for k, name in enumerate(info.classes) if name in names}
        if not self._class_of:
            raise InputError(
                f"no category is a class of the model: {sorted(names)} against {list(info.classes)}"
            )
        self._classes = {k: info.classes[k] for k in self._class_of.values()}
        self._ids = sorted(self._truth.images)
        for image_id in self._ids:
            for annotation in self._truth.objects(image_id):
                self._truth.encode(annotation)  # errors are reported before the work

    def __len__(self) -> int:
        return len(self._ids)

    def name(self, index: int) -> str:
        return Path(self._truth.images[self._ids[index]]["file_name"]).stem

    def image(self, index: int) -> ImageArray:
        entry = self._truth.images[self._ids[index]]
        path = self._folder / entry["file_name"]
        image = read_image(path)
        if image.shape[:2] != (entry["height"], entry["width"]):
            raise InputError(
                f"image {path} must be {entry['width']} x {entry['height']}, "
                f"got {image.shape[1]} x {image.shape[0]}"
            )
        return image

    def things(self, index: int) -> Segments:
        """The true objects, as masks of the model's classes."""
        objects = self._objects(index)
        entry = self._truth.images[self._ids[index]]
        masks = np.zeros((len(objects), entry["height"], entry["width"]), bool)
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
                "iscrowd": annotation.get("iscrowd", 0),
                "segmentation": self._truth.encode(annotation),
            }
            for annotation in self._truth.objects(self._ids[index])
            if annotation["category_id"] in self._class_of
        ]
