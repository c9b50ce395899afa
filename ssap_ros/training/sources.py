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

"""Sources of labelled pictures: COCO instances, whole annotated sets, procedural scenes."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ssap_ros.data.annotated import AnnotatedSet
from ssap_ros.data.coco import CocoAnnotations
from ssap_ros.data.coco_masks import paint
from ssap_ros.data.image_files import read_image, require_files
from ssap_ros.data.scenes.street import street_scene
from ssap_ros.errors import InputError
from ssap_ros.training.augment import Cutout, cut_out
from ssap_ros.training.samples import UNLABELLED, VOID, Sample, sample_of, soft_label
from ssap_ros.training.teacher import NOT_KNOWN, Box, read_soft_labels
from ssap_ros.types import ImageArray, LabelArray

_LOG = logging.getLogger(__name__)
_SURELY_NONE = 2  # level of a teacher's label from which on down it is class 0


class Source(Protocol):
    """A set of samples with a sampling weight for each."""

    weights: np.ndarray

    def sample(self, index: int, rng: np.random.Generator) -> Sample: ...


class CocoSource:
    """COCO instance annotations (polygons); crowds are void.

    An image entry with `"complete": false` has only some classes annotated, those whose categories
    its `"labelled"` lists: its background is UNLABELLED, or what the teacher says. Pictures weigh
    more the more objects they show, and the rarer these are.

    Args:
        complete_for: By class name the ids of further images in which all objects of it are
            annotated.

    Raises:
        InputError: The annotation file or the image folder is missing or incompatible.
    """

    def __init__(
        self,
        annotations: Path,
        images: Path,
        class_names: Sequence[str],
        complete_for: Mapping[str, Set[int]] | None = None,
    ) -> None:
        if not images.is_dir():
            raise InputError(f"expected a folder of images, found none at {images}")
        self.folder = images
        self.teacher: Teacher | None = None
        self.decoded: dict[int, ImageArray] = {}
        coco = CocoAnnotations(annotations)
        if repairs := coco.describe_repairs():
            _LOG.warning("%s: %s", annotations, repairs)
        self.class_of = {
            category: class_names.index(name)
            for category, name in coco.categories.items()
            if name in class_names
        }
        self.images: list[dict[str, Any]] = list(coco.images.values())
        require_files(images / entry["file_name"] for entry in self.images)
        self.objects = {
            number: [a for a in coco.objects(number) if a["category_id"] in self.class_of]
            for number in coco.images
        }
        if not any(self.objects.values()):
            raise InputError(f"{annotations} has no object of the classes {list(class_names)}")
        self.weights = self._weights()
        self.annotated = {
            entry["id"]: self._annotated(entry, class_names, complete_for or {})
            for entry in self.images
            if not entry.get("complete", True)
        }

    def _annotated(
        self,
        entry: dict[str, Any],
        class_names: Sequence[str],
        complete_for: Mapping[str, Set[int]],
    ) -> frozenset[int]:
        listed = {self.class_of[c] for c in entry.get("labelled", ()) if c in self.class_of}
        also = {class_names.index(c) for c, ids in complete_for.items() if entry["id"] in ids}
        return frozenset(listed | also)

    def _weights(self) -> np.ndarray:
        frequency: dict[int, int] = defaultdict(int)
        for objects in self.objects.values():
            for annotation in objects:
                frequency[annotation["category_id"]] += 1
        commonest = max(frequency.values())
        return np.array(
            [
                1.0
                + sum(
                    min(4.0, (commonest / frequency[a["category_id"]]) ** 0.5)
                    for a in self.objects[image["id"]][:12]
                )
                for image in self.images
            ]
        )

    def incomplete(self) -> list[tuple[int, Path]]:
        """Id and file of the images with `"complete": false`."""
        return [(e["id"], self._path(e)) for e in self.images if e["id"] in self.annotated]

    def _path(self, entry: dict[str, Any]) -> Path:
        return self.folder / str(entry["file_name"])

    def decode(self) -> None:
        """Keep all pictures in memory, decoded."""
        with ThreadPoolExecutor() as pool:
            pictures = pool.map(read_image, [self._path(e) for e in self.images])
            self.decoded = {e["id"]: p for e, p in zip(self.images, pictures, strict=True)}

    def _image(self, entry: dict[str, Any]) -> ImageArray:
        decoded = self.decoded.get(entry["id"])
        return read_image(self._path(entry)) if decoded is None else decoded

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        entry = self.images[index]
        image = self._image(entry)
        annotated = self.annotated.get(entry["id"])
        if annotated is None:
            instances = np.zeros(image.shape[:2], np.int32)
        elif self.teacher is None:
            instances = np.full(image.shape[:2], UNLABELLED, np.int32)
        else:
            instances = self.teacher.labels(entry["id"], image.shape[:2], annotated)
        class_ids = [0]
        # small objects last: they are mostly in front
        for annotation in sorted(self.objects[entry["id"]], key=lambda a: -_box_area(a)):
            if annotation["iscrowd"]:
                x, y, w, h = (round(v) for v in annotation["bbox"])
                region = instances[y : y + h, x : x + w]
                region[region <= 0] = VOID
                continue
            paint(instances, annotation["segmentation"], len(class_ids))
            class_ids.append(self.class_of[annotation["category_id"]])
        return Sample(image, instances, np.array(class_ids, np.uint8), annotated)

    def cutouts(self, min_area: float) -> list[Cutout]:
        """All objects of at least `min_area` square pixels, cut out of their pictures."""
        pool = []
        for entry in self.images:
            objects = [
                a
                for a in self.objects[entry["id"]]
                if not a["iscrowd"] and _box_area(a) >= min_area
            ]
            if not objects:
                continue
            image = self._image(entry)
            for annotation in objects:
                mask = np.zeros(image.shape[:2], np.uint8)
                paint(mask, annotation["segmentation"], 255)
                if not mask.any():
                    continue
                cutout = cut_out(image, mask, self.class_of[annotation["category_id"]])
                if min(cutout.mask.shape) > 1:
                    pool.append(cutout)
        return pool


class Teacher:
    """Soft labels of pictures, by id.

    Args:
        files: Of `teacher.soft_labels`.
        boxes: Of detected objects.
    """

    def __init__(self, files: Mapping[int, Path], boxes: Mapping[int, Sequence[Box]]) -> None:
        self.files, self.boxes = files, boxes

    def labels(
        self, number: int, shape: tuple[int, int], annotated: frozenset[int] = frozenset()
    ) -> LabelArray:
        """Label a picture by what the teacher predicts.

        A pixel that the teacher takes for an annotated class, yet no annotation covers, is
        UNLABELLED: one of the two is wrong.

        Returns:
            Labels as of `samples`, int32 `shape`.
        """
        boxes = [box for box in self.boxes.get(number, ()) if box[0] not in annotated]
        soft = read_soft_labels(self.files[number], shape, boxes)
        class_id, level = soft >> 8, (soft & 0xFF).astype(np.int32)
        level[level <= _SURELY_NONE] = 0
        labels = soft_label(class_id, level)
        disputed = np.isin(class_id, list(annotated)) & (level > 0)
        labels[disputed | (soft == NOT_KNOWN)] = UNLABELLED
        return labels


class FolderSource:
    """Pictures without any annotation, labelled by a teacher; the numbers are their places."""

    def __init__(self, pictures: Sequence[Path], teacher: Teacher) -> None:
        self.pictures, self.teacher = pictures, teacher
        self.weights = np.ones(len(pictures))

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        image = read_image(self.pictures[index])
        labels = self.teacher.labels(index, image.shape[:2])
        return Sample(image, labels, np.zeros(1, np.uint8), frozenset())


class SceneSource:
    """Procedural street scenes with exact labels; every index is a scene of its own."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self.weights = np.ones(1)

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        scene = street_scene(int(rng.integers(2**31)), self.size)
        class_ids = np.concatenate([[0], scene.class_ids]).astype(np.uint8)
        return Sample(scene.image, scene.instances, class_ids)


class SetSource:
    """A set whose every pixel is annotated (Cityscapes, COCO panoptic); all pictures alike."""

    def __init__(self, images: AnnotatedSet) -> None:
        self.images = images
        self.weights = np.ones(len(images))

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        image, truth = self.images.read(index)
        return sample_of(image, truth, self.images.thing_ids)


def _box_area(annotation: dict[str, Any]) -> float:
    return float(annotation["bbox"][2] * annotation["bbox"][3])
