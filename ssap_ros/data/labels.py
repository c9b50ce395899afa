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

"""Labels to train on, written of predicted instances: COCO and YOLO data sets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import yaml
from numpy.typing import NDArray
from pycocotools import mask as rle

from ssap_ros.data.image_files import write_image
from ssap_ros.data.polygons import joined, mask_polygons
from ssap_ros.types import FrameResult, ImageArray

ANNOTATIONS, IMAGES, LABELS, DATA = "annotations.json", "images", "labels", "data.yaml"

Masks = Literal["rle", "polygons"]


@dataclass(frozen=True)
class Clip:
    """A video that pictures are frames of.

    Attributes:
        name: Of the files written of it, without suffix; no two clips have the same.
        fps: Pictures per second, of those that are segmented.
    """

    name: str
    fps: float


@dataclass(frozen=True)
class Picture:
    """A picture to segment.

    Attributes:
        name: Of the files written of it, without suffix; no two pictures have the same.
        image: RGB, uint8 (H, W, 3).
        file: Where it was read from; None for a frame of a video.
        clip: The video, if it is a frame of one.
        index: Its number in the clip.
    """

    name: str
    image: ImageArray
    file: Path | None = None
    clip: Clip | None = None
    index: int = 0


class Writer(Protocol):
    """Writes what was found in pictures, then once what all have in common.

    Writers are made with the folder and the thing classes, name by class id.
    """

    def add(self, picture: Picture, result: FrameResult) -> None: ...

    def close(self) -> None: ...


class CocoLabels:
    """A COCO data set to train on: `images/` and annotations.json."""

    def __init__(self, folder: Path, classes: Mapping[int, str], masks: Masks) -> None:
        self._folder = folder
        self._coco = CocoFile(folder / ANNOTATIONS, classes, masks)

    def add(self, picture: Picture, result: FrameResult) -> None:
        self._coco.add(_write_picture(self._folder / IMAGES, picture).name, result)

    def close(self) -> None:
        self._coco.close()


class YoloLabels:
    """A YOLO segmentation data set: `images/`, `labels/` and data.yaml.

    A line of a label file is the class, counted from 0 over the thing classes, and one polygon in
    fractions of width and height.
    """

    def __init__(self, folder: Path, classes: Mapping[int, str]) -> None:
        self._folder, self._classes = folder, classes
        self._number = {class_id: k for k, class_id in enumerate(classes)}

    def add(self, picture: Picture, result: FrameResult) -> None:
        _write_picture(self._folder / IMAGES, picture)
        height, width = result.labels.shape
        lines = []
        for mask, instance in zip(_masks(result), result.instances, strict=True):
            corners = joined(mask_polygons(mask)) / (width, height)
            numbers = " ".join(f"{value:.6f}" for value in corners.ravel())
            lines.append(f"{self._number[instance.class_id]} {numbers}\n")
        path = self._folder / LABELS / f"{picture.name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(lines))

    def close(self) -> None:
        names = dict(enumerate(self._classes.values()))
        data = {"path": ".", "train": IMAGES, "val": IMAGES, "names": names}
        (self._folder / DATA).write_text(yaml.safe_dump(data, sort_keys=False))


class CocoFile:
    """A COCO annotation file of predicted instances.

    A category has the id of its class in the model.
    """

    def __init__(self, path: Path, classes: Mapping[int, str], masks: Masks) -> None:
        self._path, self._masks = path, masks
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._categories = [{"id": k, "name": name} for k, name in classes.items()]

    def add(self, file_name: str, result: FrameResult) -> None:
        """Add an image with its instances."""
        number = len(self._images) + 1
        height, width = result.labels.shape
        self._images.append(
            {"id": number, "file_name": file_name, "height": height, "width": width}
        )
        for mask, instance in zip(_masks(result), result.instances, strict=True):
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": number,
                    "category_id": instance.class_id,
                    "iscrowd": 0,
                    "bbox": list(instance.bbox),
                    "area": instance.area,
                    "segmentation": self._segmentation(mask),
                    "score": round(instance.score, 4),
                }
            )

    def close(self) -> None:
        """Write the file."""
        dataset = {
            "images": self._images,
            "annotations": self._annotations,
            "categories": self._categories,
        }
        self._path.write_text(json.dumps(dataset) + "\n")

    def _segmentation(self, mask: NDArray[np.bool_]) -> Any:
        if self._masks == "polygons":
            return [polygon.ravel().tolist() for polygon in mask_polygons(mask)]
        code = rle.encode(np.asfortranarray(mask, np.uint8))
        return {"size": code["size"], "counts": code["counts"].decode()}


def _masks(result: FrameResult) -> list[NDArray[np.bool_]]:
    return [np.equal(result.labels, k) for k in range(1, len(result.instances) + 1)]


def _write_picture(folder: Path, picture: Picture) -> Path:
    """The picture's file as it is, or the frame of a video without loss."""
    if picture.file is None:
        return write_image(folder / f"{picture.name}.png", picture.image)
    folder.mkdir(exist_ok=True)
    path = folder / f"{picture.name}{picture.file.suffix}"
    path.write_bytes(picture.file.read_bytes())
    return path
