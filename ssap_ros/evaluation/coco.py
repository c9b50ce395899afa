"""COCO instance annotations: objects as polygons or run-length codes, which may overlap."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as rle
from pycocotools.coco import COCO

from ssap_ros.data.image_files import read_image
from ssap_ros.data.segments import Segments
from ssap_ros.errors import InputError
from ssap_ros.evaluation.metrics.average_precision import CocoAveragePrecision
from ssap_ros.evaluation.predict import Prediction
from ssap_ros.evaluation.scoring import Scores
from ssap_ros.types import ImageArray, ModelInfo

_USED_KEYS = {"images": ("file_name", "height", "width"), "categories": ("id", "name")}


class CocoInstances:
    """Average precision on the images of a COCO instance annotation file.

    annotations: JSON with `images`, `annotations` and `categories`; categories and classes of the
        model are matched by name, and what only one side knows is left out.
    images: the folder that the `file_name`s are relative to.

    Raises InputError for files that are missing or unfit, and if no class is known to both.
    """

    def __init__(self, annotations: Path, images: Path, info: ModelInfo) -> None:
        self._truth, self._folder = _load(annotations), images
        names = {c["name"]: c["id"] for c in self._truth.dataset["categories"]}
        self._class_of = {names[name]: k for k, name in enumerate(info.classes) if name in names}
        if not self._class_of:
            raise InputError(
                f"no category is a class of the model: {sorted(names)} against {list(info.classes)}"
            )
        self._classes = {k: info.classes[k] for k in self._class_of.values()}
        self._ids = sorted(self._truth.imgs)

    def __len__(self) -> int:
        return len(self._ids)

    def name(self, index: int) -> str:
        return Path(self._truth.imgs[self._ids[index]]["file_name"]).stem

    def image(self, index: int) -> ImageArray:
        entry = self._truth.imgs[self._ids[index]]
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
        entry = self._truth.imgs[self._ids[index]]
        masks = np.zeros((len(objects), entry["height"], entry["width"]), bool)
        for mask, annotation in zip(masks, objects, strict=True):
            mask[:] = rle.decode(annotation["segmentation"]) > 0
        return Segments(
            masks,
            np.array([o["category_id"] for o in objects], np.int64),
            crowd=np.array([bool(o["iscrowd"]) for o in objects]),
        )

    def scores(self, index: int, prediction: Prediction) -> Scores:
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
                "segmentation": self._truth.annToRLE(annotation),
            }
            for annotation in self._truth.imgToAnns[self._ids[index]]
            if annotation["category_id"] in self._class_of
        ]


def _load(path: Path) -> COCO:
    try:
        truth = COCO()
        truth.dataset = json.loads(path.read_bytes())
        with contextlib.redirect_stdout(io.StringIO()):
            truth.createIndex()
        for annotation in truth.dataset["annotations"]:
            annotation.setdefault("iscrowd", 0)
            truth.annToRLE(annotation)
        for part, keys in _USED_KEYS.items():
            for entry in truth.dataset[part]:
                if missing := [key for key in keys if key not in entry]:
                    raise KeyError(f"{part} without {', '.join(missing)}")
    except OSError as error:
        raise InputError(f"cannot read the annotations {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is not a COCO annotation file: {error!r}") from error
    return truth
