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

"""COCO instance annotations as tools export them: read, repaired where there is one meaning.

The file is checked as a whole. What has one meaning in spite of a fault is taken for that, and
counted in `repairs`; what has none is refused with the number of the entry. So whoever reads the
masks later meets no surprise: pycocotools takes numbers as they come, and ends the process or eats
all memory on some.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle

from ssap_ros.data.coco_fields import entries_of, file_name, is_crowd, whole_number
from ssap_ros.data.coco_masks import checked_code, compressed, decode_mask, encode_polygons
from ssap_ros.data.image_files import MAX_PIXELS
from ssap_ros.errors import InputError, one_line

Annotation = dict[str, Any]
_MAX_OUTLINE = 1_000_000  # pixels; pycocotools takes some 100 bytes for each
_MAX_SIDE = 1 << 16  # of an image whose entry does not tell its size
_AS_TEXT = "numbers written as text or with a point"
_PARTS = {"categories": "category", "images": "image", "annotations": "annotation"}


class CocoAnnotations:
    """The annotation file `path`, checked.

    Attributes:
        images: Entries by image id in the order of the file, with `file_name`, and `height` and
            `width` where the file has them.
        categories: Name by category id. Two ids may have one name, and are one class then.
        repairs: How often what was put right, in words; see `describe_repairs`.

    Raises:
        InputError: The file cannot be read, is no COCO annotation file, or has an entry without
            meaning, which is named.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.repairs: Counter[str] = Counter()
        try:
            dataset = json.loads(path.read_bytes())
            entries = {part: entries_of(dataset, part) for part in _PARTS}
        except OSError as error:
            raise InputError(f"cannot read the annotations {path}: {error.strerror}") from error
        except (ValueError, TypeError, RecursionError) as error:
            reason = one_line(error)[:200]
            raise InputError(f"{path} is not a COCO annotation file: {reason}") from error
        self.categories: dict[int, str] = {}
        self.images: dict[int, dict[str, Any]] = {}
        self._reach = 0.0  # of the polygons, in pixels
        self._objects: dict[int, list[Annotation]] = defaultdict(list)
        for part, add in (
            ("categories", self._add_category),
            ("images", self._add_image),
            ("annotations", self._add_annotation),
        ):
            for position, entry in enumerate(entries[part]):
                try:
                    add(entry)
                except (ValueError, TypeError, KeyError, OverflowError) as error:
                    number = entry.get("id", f"at position {position}")
                    missing = isinstance(error, KeyError)
                    reason = f"it has no {error.args[0]}" if missing else one_line(error)
                    raise InputError(f"{_PARTS[part]} {number} of {path}: {reason}") from error
        if 0 < self._reach <= 1:
            raise InputError(f"the polygons of {path} must be in pixels, got none beyond 1")
        if entries["annotations"] and self.categories and not self._objects:
            raise InputError(f"no annotation of {path} can be used: {self.describe_repairs()}")

    def describe_repairs(self) -> str:
        """What was put right in one line; empty if nothing was."""
        return ", ".join(f"{count} {what}" for what, count in self.repairs.items() if count)

    def objects(self, image_id: int) -> list[Annotation]:
        """Look up the annotations of an image, crowds among them.

        Returns:
            In the order of the file; each has `category_id`, `iscrowd` (0 or 1), `bbox` (x, y,
            width, height) and a valid `segmentation`: a list of polygons or a run-length code.
        """
        return list(self._objects.get(image_id, ()))

    def size(self, image_id: int) -> tuple[int, int]:
        """Look up the size of an image.

        Returns:
            (height, width) in pixels.

        Raises:
            InputError: The file does not tell.
        """
        image = self.images[image_id]
        if "height" not in image or "width" not in image:
            raise InputError(f"image {image_id} of {self._path}: it has no height and width")
        return image["height"], image["width"]

    def encode(self, annotation: Annotation) -> dict[str, Any]:
        """Encode the pixels of an object.

        Returns:
            Its run-length code, with `size` and `counts`.

        Raises:
            InputError: The file does not tell the size of the image.
        """
        height, width = self.size(annotation["image_id"])
        shape = annotation["segmentation"]
        if isinstance(shape, list):
            return encode_polygons(shape, (height, width))
        return compressed(shape)

    def mask(self, annotation: Annotation) -> NDArray[np.bool_]:
        """Paint an object.

        Returns:
            Its pixels, bool (H, W).

        Raises:
            InputError: The file does not tell the size of the image.
        """
        return decode_mask(self.encode(annotation))

    def _add_category(self, entry: dict[str, Any]) -> None:
        number, name = self._number(entry["id"]), entry["name"]
        if not isinstance(name, str):
            raise TypeError(f"its name must be text, got {name!r}")
        if self.categories.setdefault(number, name) != name:
            raise ValueError(f"it is {self.categories[number]!r} and {name!r}")

    def _add_image(self, entry: dict[str, Any]) -> None:
        number, name = self._number(entry["id"]), file_name(entry)
        self.repairs["paths with backslashes"] += name != entry["file_name"]
        image = {**entry, "id": number, "file_name": name}
        for side in ("height", "width"):
            if image.get(side) is None:
                image.pop(side, None)
            else:
                image[side] = self._number(image[side])
        if not 0 < image.get("height", 1) * image.get("width", 1) <= MAX_PIXELS:
            raise ValueError(f"it must have 1 to {MAX_PIXELS} pixels")
        if min(image.get("height", 1), image.get("width", 1)) < 1:
            raise ValueError("its height and width must be above 0")
        if self.images.setdefault(number, image) != image:
            raise ValueError("there are two images of this id")

    def _add_annotation(self, entry: Annotation) -> None:
        image_id, category_id = (self._number(entry[k]) for k in ("image_id", "category_id"))
        if image_id not in self.images:
            self.repairs["annotations of images that are not listed left out"] += 1
            return
        if category_id not in self.categories:
            self.repairs["annotations of categories that are not listed left out"] += 1
            return
        crowd = is_crowd(entry)
        self.repairs[_AS_TEXT] += isinstance(entry.get("iscrowd"), (str, float))
        box = _box(entry.get("bbox"))
        shape = self._segmentation(entry.get("segmentation"), self.images[image_id])
        if not shape and crowd and box:
            x, y, width, height = box
            shape = [[x, y, x + width, y, x + width, y + height, x, y + height]]
            shape = self._polygons(shape, self.images[image_id])
        if not shape:
            self.repairs["annotations without a mask left out"] += 1
            return
        self._objects[image_id].append(
            {
                **entry,
                "image_id": image_id,
                "category_id": category_id,
                "iscrowd": crowd,
                "bbox": box or _box_around(shape),
                "segmentation": shape,
            }
        )

    def _number(self, value: Any) -> int:
        number = whole_number(value)
        self.repairs[_AS_TEXT] += not isinstance(value, int)
        return number

    def _segmentation(self, shape: Any, image: dict[str, Any]) -> Any:
        """Polygons or a run-length code; empty if there is nothing of either."""
        if shape is None or shape in ([], {}, ""):
            return []
        if isinstance(shape, dict):
            return checked_code(shape, image)
        if not isinstance(shape, list):
            raise TypeError(f"expected polygons or a run-length code, got {shape!r}"[:100])
        return self._polygons(shape, image)

    def _polygons(self, polygons: list[Any], image: dict[str, Any]) -> list[list[float]]:
        if all(isinstance(value, (int, float)) for value in polygons):
            self.repairs["polygons that were not in a list"] += 1
            polygons = [polygons]
        limit = 2 * max(image.get("height", _MAX_SIDE), image.get("width", _MAX_SIDE))
        kept, outline = [], 0.0
        for polygon in polygons:
            if not isinstance(polygon, list):
                raise TypeError(f"a polygon must be a list of numbers, got {polygon!r}"[:100])
            if polygon and all(isinstance(p, list) and len(p) == 2 for p in polygon):
                polygon = [value for point in polygon for value in point]
            if any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in polygon):
                raise TypeError(f"a polygon must be a list of numbers, got {polygon!r}"[:100])
            if len(polygon) % 2:
                raise ValueError(f"a polygon must have pairs of numbers, got {len(polygon)}")
            if not all(math.isfinite(v) and abs(v) <= limit for v in polygon):
                raise ValueError("the corners of a polygon must be in the image")
            if len(polygon) < 6:
                self.repairs["polygons of less than three corners left out"] += len(polygon) > 0
                continue
            corners = np.reshape(np.array(polygon, float), (-1, 2))
            self._reach = max(self._reach, float(corners.max()))
            outline += float(np.abs(np.diff(corners, axis=0, append=corners[:1])).sum())
            if not _has_pixels(corners, image):
                self.repairs["polygons without area in the image left out"] += 1
                continue
            kept.append([float(v) for v in polygon])
        if outline > _MAX_OUTLINE:
            raise ValueError(f"the outline must be at most {_MAX_OUTLINE} pixels long")
        return kept


def _has_pixels(corners: NDArray[np.float64], image: dict[str, Any]) -> bool:
    """Whether a polygon with corners (N, 2) encloses anything, and is in the image at all."""
    x, y = corners.T
    area = np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))
    low, high = corners.min(axis=0), corners.max(axis=0)
    size = image.get("width", _MAX_SIDE), image.get("height", _MAX_SIDE)
    return bool(area != 0 and (high > 0).all() and (low < size).all())


def _box(box: Any) -> list[float]:
    """Four finite numbers, or nothing."""
    numbers = isinstance(box, list) and len(box) == 4
    if not numbers or not all(isinstance(v, (int, float)) and abs(v) < 1e6 for v in box):
        return []
    return [float(v) for v in box] if box[2] > 0 and box[3] > 0 else []


def _box_around(shape: Any) -> list[float]:
    if isinstance(shape, list):
        corners = np.concatenate([np.reshape(polygon, (-1, 2)) for polygon in shape])
        low, high = corners.min(axis=0), corners.max(axis=0)
        return [*low.tolist(), *(high - low).tolist()]
    return [float(v) for v in rle.toBbox(compressed(shape))]
