"""Sources of labelled pictures: COCO instances, whole annotated sets, procedural scenes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from ssap_ros.data.annotated import AnnotatedSet
from ssap_ros.data.image_files import read_image
from ssap_ros.data.scenes.street import street_scene
from ssap_ros.errors import InputError
from ssap_ros.training.augment import Cutout, cut_out
from ssap_ros.training.samples import UNLABELLED, VOID, Sample, sample_of


class Source(Protocol):
    """A set of samples with a sampling weight for each."""

    weights: np.ndarray

    def sample(self, index: int, rng: np.random.Generator) -> Sample: ...


class CocoSource:
    """COCO instance annotations (polygons); crowds are void.

    An image entry with `"complete": false` has only some classes annotated: its background is
    UNLABELLED, or what `backgrounds` says. Pictures weigh more the more objects they show, and the
    rarer these are. Raises InputError when the annotation file or the image folder is missing or
    not what it should be.

    backgrounds: by image id, labels of `samples` (H, W) where there is no annotated object.
    """

    def __init__(self, annotations: Path, images: Path, class_names: Sequence[str]) -> None:
        if not annotations.is_file():
            raise InputError(f"expected a COCO annotation file, found none at {annotations}")
        if not images.is_dir():
            raise InputError(f"expected a folder of images, found none at {images}")
        self.folder = images
        self.backgrounds: Mapping[int, np.ndarray] = {}
        self.objects: dict[int, list[dict[str, Any]]] = defaultdict(list)
        try:
            data = json.loads(annotations.read_text())
            names = {c["id"]: c["name"] for c in data["categories"]}
            self.class_of = {
                category: class_names.index(name)
                for category, name in names.items()
                if name in class_names
            }
            self.images: list[dict[str, Any]] = data["images"]
            for annotation in data["annotations"]:
                if annotation["category_id"] in self.class_of:
                    self.objects[annotation["image_id"]].append(annotation)
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{annotations} is not a COCO annotation file: {error!r}") from error
        if not self.objects:
            raise InputError(f"{annotations} has no object of the classes {list(class_names)}")
        self.weights = self._weights()

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
        return [
            (entry["id"], self.folder / entry["file_name"])
            for entry in self.images
            if not entry.get("complete", True)
        ]

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        entry = self.images[index]
        image = read_image(self.folder / entry["file_name"])
        if entry["id"] in self.backgrounds:
            instances = self.backgrounds[entry["id"]].astype(np.int32)
        else:
            background = 0 if entry.get("complete", True) else UNLABELLED
            instances = np.full(image.shape[:2], background, np.int32)
        class_ids = [0]
        # small objects last: they are mostly in front
        for annotation in sorted(self.objects[entry["id"]], key=lambda a: -_box_area(a)):
            if annotation["iscrowd"]:
                x, y, w, h = (round(v) for v in annotation["bbox"])
                region = instances[y : y + h, x : x + w]
                region[region <= 0] = VOID
                continue
            _fill(instances, annotation["segmentation"], len(class_ids))
            class_ids.append(self.class_of[annotation["category_id"]])
        return Sample(image, instances, np.array(class_ids, np.uint8))

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
            image = read_image(self.folder / entry["file_name"])
            for annotation in objects:
                mask = np.zeros(image.shape[:2], np.uint8)
                _fill(mask, annotation["segmentation"], 255)
                cutout = cut_out(image, mask, self.class_of[annotation["category_id"]])
                if min(cutout.mask.shape) > 1:
                    pool.append(cutout)
        return pool


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


def _fill(labels: np.ndarray, polygons: list[list[float]], value: int) -> None:
    for polygon in polygons:
        corners = np.reshape(polygon, (-1, 2)) - 0.5  # from pixel edges to pixel centres
        cv2.fillPoly(labels, [np.round(corners * 16).astype(np.int32)], value, shift=4)


def _box_area(annotation: dict[str, Any]) -> float:
    return float(annotation["bbox"][2] * annotation["bbox"][3])
