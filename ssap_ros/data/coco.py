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

from ssap_ros.data.image_files import MAX_PIXELS
from ssap_ros.errors import InputError, one_line

Annotation = dict[str, Any]
_MAX_OUTLINE = 1_000_000  # pixels; pycocotools takes some 100 bytes for each
_MAX_SIDE = 1 << 16  # of an image whose entry does not tell its size


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
        """The annotations of an image, crowds among them, in the order of the file.

        Each has `category_id`, `iscrowd` (0 or 1), `bbox` (x, y, width, height) and a valid
        `segmentation`: a list of polygons or a run-length code.
        """
        return list(self._objects.get(image_id, ()))

    def size(self, image_id: int) -> tuple[int, int]:
        """(height, width) of an image. Raises InputError if the file does not tell."""
        image = self.images[image_id]
        if "height" not in image or "width" not in image:
            raise InputError(f"image {image_id} of {self._path}: it has no height and width")
        return image["height"], image["width"]

    def encode(self, annotation: Annotation) -> dict[str, Any]:
        """The run-length code of an object. Raises InputError like `size`."""
        height, width = self.size(annotation["image_id"])
        shape = annotation["segmentation"]
        if isinstance(shape, list):
            code: dict[str, Any] = rle.merge(rle.frPyObjects(shape, height, width))
            return code
        return _compressed(shape)

    def mask(self, annotation: Annotation) -> NDArray[np.bool_]:
        """The pixels of an object, bool (H, W). Raises InputError like `encode`."""
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
            return _run_length_code(shape, image)
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


def file_name(entry: dict[str, Any]) -> str:
    """The path in an entry, with slashes. Raises TypeError or KeyError if it has none."""
    name = entry["file_name"]
    if not isinstance(name, str) or not name or "\0" in name:
        raise TypeError(f"its file_name must be a path, got {name!r}"[:100])
    return name.replace("\\", "/")


def is_crowd(entry: dict[str, Any]) -> int:
    """0 or 1, also if it is written as a truth value, or left out. Raises ValueError, TypeError."""
    crowd = entry.get("iscrowd") or 0
    crowd = int(crowd) if isinstance(crowd, bool) else whole_number(crowd)
    if crowd not in (0, 1):
        raise ValueError(f"iscrowd must be 0 or 1, got {crowd}")
    return crowd


def whole_number(value: Any) -> int:
    """A whole number, also if it is written as text or with a point.

    Raises:
        ValueError, TypeError: It is none, or has more than 63 bits.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(f"expected a whole number, got {value!r}"[:100])
    try:
        number = int(value)
        if isinstance(value, float) and number != value:
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError(f"expected a whole number, got {value!r}"[:100]) from None
    if abs(number) >= 1 << 62:
        raise ValueError("expected a number of 63 bits")
    return number


_AS_TEXT = "numbers written as text or with a point"
_PARTS = {"categories": "category", "images": "image", "annotations": "annotation"}


def entries_of(dataset: Any, part: str) -> list[dict[str, Any]]:
    """A list of a COCO file. Raises TypeError if it is not there, or is none."""
    if not isinstance(dataset, dict) or part not in dataset:
        raise TypeError(f"it has no list of {part}")
    entries = dataset[part]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise TypeError(f"expected a list of {part}, each with its fields, got {entries!r}"[:150])
    return entries


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
    return [float(v) for v in rle.toBbox(_compressed(shape))]


def decode_mask(code: dict[str, Any]) -> NDArray[np.bool_]:
    """The pixels of a valid run-length code, compressed or not, bool (H, W)."""
    return np.asarray(rle.decode(_compressed(code)), bool)


def _compressed(code: dict[str, Any]) -> dict[str, Any]:
    if isinstance(code["counts"], list):
        compressed: dict[str, Any] = rle.frPyObjects(code, *code["size"])
        return compressed
    return code


def _run_length_code(code: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
    """The code, if it is one of the image's size. Raises ValueError, TypeError or KeyError."""
    size, counts = code["size"], code["counts"]
    if not isinstance(size, list) or len(size) != 2 or not all(type(v) is int for v in size):
        raise ValueError(f"the size of a run-length code must be two numbers, got {size!r}"[:100])
    expected = [image.get("height", size[0]), image.get("width", size[1])]
    if size != expected:
        raise ValueError(f"the size of its run-length code is {size}, that of its image {expected}")
    if not 0 <= size[0] * size[1] <= MAX_PIXELS or min(size) < 1:
        raise ValueError(f"the size of a run-length code must be 1 to {MAX_PIXELS} pixels")
    if isinstance(counts, str):
        runs = _decompressed(counts)
    elif isinstance(counts, list) and all(type(v) is int and abs(v) < 1 << 40 for v in counts):
        runs = np.array(counts, np.int64)
    else:
        raise TypeError("the counts of a run-length code must be text or whole numbers")
    if (runs < 0).any() or runs.sum() != size[0] * size[1]:
        raise ValueError(f"its run-length code must cover {size[0] * size[1]} pixels")
    return {"size": size, "counts": counts}


def _decompressed(counts: str) -> NDArray[np.int64]:
    """The runs of a compressed code: 5 bits a character, then differences to the run before last.

    The format is that of `rleFrString` in maskApi.c of the COCO API.
    """
    data = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    if not len(data) or data.min() < 0 or data.max() > 63 or data[-1] & 32:
        raise ValueError("its run-length code is cut off or has characters that it cannot have")
    last = np.flatnonzero(data & 32 == 0)
    first = np.append(0, last[:-1] + 1)
    lengths = last - first + 1
    if lengths.max() > 7:
        raise ValueError("its run-length code has a number of more than 32 bits")
    place = np.arange(len(data)) - np.repeat(first, lengths)
    values = np.add.reduceat((data & 31) << (5 * place), first)
    values -= (data[last] & 16 != 0) * (np.int64(1) << (5 * lengths))
    runs = values.copy()
    for start in (1, 2):
        runs[start::2] = np.cumsum(values[start::2])
    return runs
