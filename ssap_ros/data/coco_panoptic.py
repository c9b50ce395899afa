"""COCO panoptic annotations: one JSON file and a folder of PNGs whose colours are segment ids."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ssap_ros.data.annotated import AnnotatedImage
from ssap_ros.data.image_files import read_image
from ssap_ros.data.segments import OTHER_CLASS, Segments
from ssap_ros.errors import InputError

BACKGROUND = "background"


class CocoPanopticSet:
    """The pictures of one annotation file, by rising id.

    annotations: the JSON file. The PNGs lie in the folder of the same name without .json.
    images: the folder of the pictures.
    classes: names of the class ids, those of the categories if left out. A category that is not
        among them is part of the class "background" if there is one, else of OTHER_CLASS.

    Segments of one stuff class are one segment. Raises InputError, naming what was expected, if
    files are missing or incompatible.
    """

    distances = False

    def __init__(
        self, annotations: Path, images: Path, classes: Sequence[str] | None = None
    ) -> None:
        self._images, self._maps = images, annotations.with_suffix("")
        if not annotations.is_file():
            raise InputError(
                f"expected a COCO panoptic annotation file, found none at {annotations}"
            )
        for folder, what in ((images, "the images"), (self._maps, "the PNGs of the segments")):
            if not folder.is_dir():
                raise InputError(f"expected {what} in a folder {folder}, found none")
        try:
            data = json.loads(annotations.read_text())
            things = {c["name"]: bool(c["isthing"]) for c in data["categories"]}
            names = {c["id"]: c["name"] for c in data["categories"]}
            pictures = {i["id"]: i["file_name"] for i in data["images"]}
            self._entries: list[dict[str, Any]] = sorted(
                data["annotations"], key=lambda entry: entry["image_id"]
            )
            self._pictures = [pictures[entry["image_id"]] for entry in self._entries]
            for entry in self._entries:
                for segment in entry["segments_info"]:
                    _ = segment["id"], names[segment["category_id"]]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(
                f"{annotations} is not a COCO panoptic annotation file: {error!r}"
            ) from error
        self.classes = tuple(classes) if classes is not None else tuple(names.values())
        if not set(self.classes) & set(things):
            raise InputError(f"{annotations} has no category of {list(self.classes)}")
        self.thing_ids = tuple(i for i, c in enumerate(self.classes) if things.get(c))
        other = self.classes.index(BACKGROUND) if BACKGROUND in self.classes else OTHER_CLASS
        self._class_of = {
            category: self.classes.index(name) if name in self.classes else other
            for category, name in names.items()
        }

    def __len__(self) -> int:
        return len(self._entries)

    def name(self, index: int) -> str:
        return Path(self._pictures[index]).stem

    def read(self, index: int) -> AnnotatedImage:
        entry = self._entries[index]
        image = read_image(self._images / self._pictures[index])
        path = self._maps / entry["file_name"]
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if bgr is None or bgr.shape != image.shape:
            found = "none that can be read" if bgr is None else f"shape {bgr.shape}"
            raise InputError(f"expected segments of shape {image.shape} in {path}, got {found}")
        stored = bgr[..., 2] + bgr[..., 1] * np.int32(256) + bgr[..., 0] * np.int32(65536)
        numbers: dict[int, int] = {0: 0}
        class_ids: list[int] = []
        crowd: list[bool] = []
        stuff: dict[int, int] = {}  # class -> its segment
        for segment in entry["segments_info"]:
            class_id = self._class_of[segment["category_id"]]
            if class_id in stuff:
                numbers[segment["id"]] = stuff[class_id]
                continue
            class_ids.append(class_id)
            crowd.append(bool(segment.get("iscrowd", 0)))
            numbers[segment["id"]] = len(class_ids)
            if class_id not in self.thing_ids:
                stuff[class_id] = len(class_ids)
        values, dense = np.unique(stored, return_inverse=True)
        if unknown := sorted(set(values.tolist()) - numbers.keys()):
            raise InputError(f"{path} has a segment {unknown[0]} that the annotations do not list")
        ids = np.array([numbers[value] for value in values.tolist()], np.int32)
        return AnnotatedImage(
            image,
            Segments(ids[dense.reshape(stored.shape)], np.array(class_ids, np.int64),
                     crowd=np.array(crowd, bool)),
        )  # fmt: skip
