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

"""COCO panoptic annotations: one JSON file and a folder of PNGs whose colours are segment ids."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssap_ros.data.annotated import AnnotatedImage
from ssap_ros.data.coco_fields import entries_of, file_name, is_crowd, whole_number
from ssap_ros.data.image_files import read_image
from ssap_ros.data.segments import OTHER_CLASS, Segments
from ssap_ros.errors import InputError, one_line

BACKGROUND = "background"


class _Segment(NamedTuple):
    id: int
    category: int
    crowd: bool


def _segment(entry: dict[str, Any]) -> _Segment:
    number, category = whole_number(entry["id"]), whole_number(entry["category_id"])
    return _Segment(number, category, bool(is_crowd(entry)))


def _name(category: dict[str, Any]) -> str:
    if not isinstance(category["name"], str):
        raise TypeError(f"the name of a category must be text, got {category['name']!r}"[:100])
    return category["name"]


class CocoPanopticSet:
    """The pictures of one annotation file, by rising id.

    Segments of one stuff class are one segment.

    Args:
        annotations: The JSON file. The PNGs lie in the folder of the same name without .json.
        images: The folder of the pictures.
        classes: Names of the class ids, those of the categories if left out. A category that is not
            among them is part of the class "background" if there is one, else of OTHER_CLASS.

    Raises:
        InputError: Files are missing or incompatible.
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
            data = json.loads(annotations.read_bytes())
            categories = entries_of(data, "categories")
            things = {_name(c): bool(c["isthing"]) for c in categories}
            names = {whole_number(c["id"]): c["name"] for c in categories}
            pictures = {whole_number(i["id"]): file_name(i) for i in entries_of(data, "images")}
            self._entries: list[dict[str, Any]] = sorted(
                entries_of(data, "annotations"), key=lambda entry: whole_number(entry["image_id"])
            )
            numbers = [whole_number(entry["image_id"]) for entry in self._entries]
            self._shapes = [file_name(entry) for entry in self._entries]
            segments = [
                list(map(_segment, entries_of(entry, "segments_info"))) for entry in self._entries
            ]
        except OSError as error:
            raise InputError(f"cannot read {annotations}: {error.strerror}") from error
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            missing = isinstance(error, KeyError)
            reason = f"it has no {error.args[0]}" if missing else one_line(error)[:200]
            raise InputError(
                f"{annotations} is not a COCO panoptic annotation file: {reason}"
            ) from error
        for number, found in zip(numbers, segments, strict=True):
            ids = [segment.id for segment in found]
            if number not in pictures:
                raise InputError(f"{annotations} has segments of image {number}, which it lacks")
            if len(set(ids)) < len(ids) or 0 in ids:
                raise InputError(f"image {number} of {annotations}: its segment ids are not unique")
            for segment in found:
                if segment.category not in names:
                    raise InputError(
                        f"segment {segment.id} of image {number} of {annotations}: there is no "
                        f"category {segment.category}"
                    )
        if len(names) < len(categories):
            raise InputError(f"{annotations} has two categories of one id")
        self._segments = segments
        self._pictures = [pictures[number] for number in numbers]
        own = tuple(dict.fromkeys(names.values()))
        self.classes = tuple(classes) if classes is not None else own
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

    def files(self, index: int) -> tuple[Path, ...]:
        return self._images / self._pictures[index], self._maps / self._shapes[index]

    def read(self, index: int) -> AnnotatedImage:
        picture, path = self.files(index)
        image = read_image(picture)
        red, green, blue = np.moveaxis(read_image(path, image.shape[:2]).astype(np.int32), 2, 0)
        stored = red + 256 * green + 65536 * blue
        values, dense = np.unique(stored, return_inverse=True)
        shown = set(values.tolist())
        numbers: dict[int, int] = {0: 0}
        class_ids: list[int] = []
        crowd: list[bool] = []
        stuff: dict[int, int] = {}  # class -> its segment
        for segment in self._segments[index]:
            if segment.id not in shown:
                continue
            class_id = self._class_of[segment.category]
            if class_id in stuff:
                numbers[segment.id] = stuff[class_id]
                continue
            class_ids.append(class_id)
            crowd.append(segment.crowd)
            numbers[segment.id] = len(class_ids)
            if class_id not in self.thing_ids:
                stuff[class_id] = len(class_ids)
        if unknown := sorted(set(values.tolist()) - numbers.keys()):
            raise InputError(f"{path} has a segment {unknown[0]} that the annotations do not list")
        ids = np.array([numbers[value] for value in values.tolist()], np.int32)
        return AnnotatedImage(
            image,
            Segments(ids[dense.reshape(stored.shape)], np.array(class_ids, np.int64),
                     crowd=np.array(crowd, bool)),
        )  # fmt: skip
