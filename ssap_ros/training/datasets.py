"""Sources of labelled pictures and the training set that mixes them.

A training item depends on the seed and its index alone, so a resumed run sees the same data.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ssap_ros.errors import InputError
from ssap_ros.image_files import read_annotated_image
from ssap_ros.scenes import street_scene
from ssap_ros.training.augment import Cutout, flip, jitter_colours, paste_group, random_crop
from ssap_ros.training.samples import UNLABELLED, VOID, Sample


class Source(Protocol):
    """A set of samples with a sampling weight for each."""

    weights: np.ndarray

    def sample(self, index: int, rng: np.random.Generator) -> Sample: ...


class CocoSource:
    """COCO instance annotations (polygons); crowds are void.

    An image entry with `"complete": false` has only some classes annotated: its background is
    UNLABELLED, or what the optional `teacher` says. Pictures weigh more the more objects they
    show, and the rarer these are. Raises InputError when the annotation file or the image folder
    is missing.
    """

    def __init__(
        self,
        annotations: Path,
        images: Path,
        class_names: Sequence[str],
        teacher: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        if not annotations.is_file():
            raise InputError(f"expected a COCO annotation file, found none at {annotations}")
        if not images.is_dir():
            raise InputError(f"expected a folder of images, found none at {images}")
        data = json.loads(annotations.read_text())
        self.folder = images
        names = {c["id"]: c["name"] for c in data["categories"]}
        self.class_of = {
            category: class_names.index(name)
            for category, name in names.items()
            if name in class_names
        }
        self.images: list[dict[str, Any]] = data["images"]
        self.objects: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for annotation in data["annotations"]:
            if annotation["category_id"] in self.class_of:
                self.objects[annotation["image_id"]].append(annotation)
        self.unlabelled: dict[int, np.ndarray] = {}
        if teacher is not None:
            for entry in self.images:
                if not entry.get("complete", True):
                    image = read_annotated_image(self.folder / entry["file_name"])
                    self.unlabelled[entry["id"]] = teacher(image)
        frequency: dict[int, int] = defaultdict(int)
        for objects in self.objects.values():
            for annotation in objects:
                frequency[annotation["category_id"]] += 1
        commonest = max(frequency.values())
        self.weights = np.array(
            [
                1.0
                + sum(
                    min(4.0, (commonest / frequency[a["category_id"]]) ** 0.5) / 2
                    for a in self.objects[image["id"]][:6]
                )
                for image in self.images
            ]
        )

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        entry = self.images[index]
        image = read_annotated_image(self.folder / entry["file_name"])
        if entry["id"] in self.unlabelled:
            instances = self.unlabelled[entry["id"]].astype(np.int32)
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
            image = read_annotated_image(self.folder / entry["file_name"])
            for annotation in objects:
                mask = np.zeros(image.shape[:2], np.uint8)
                _fill(mask, annotation["segmentation"], 255)
                x, y, w, h = cv2.boundingRect(mask)
                if w > 1 and h > 1:
                    box = np.s_[y : y + h, x : x + w]
                    class_id = self.class_of[annotation["category_id"]]
                    pool.append(Cutout(image[box].copy(), mask[box].copy(), class_id))
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


class TrainingSet(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Augmented crops from several sources.

    Item i: (image uint8 (3, size, size), classes int64 (size, size), ids int64 (size, size)).

    sources: (source, share of the items) pairs. cutouts: pasted by class, each class as likely as
    its entry in `paste_weights`.
    """

    def __init__(
        self,
        sources: Sequence[tuple[Source, float]],
        cutouts: Sequence[Cutout],
        paste_weights: dict[int, float],
        paste_rate: float,
        crop: int,
        scales: tuple[float, float],
        seed: int,
        length: int,
    ) -> None:
        self.sources = [source for source, _ in sources]
        shares = np.array([share for _, share in sources], float)
        self.shares = shares / shares.sum()
        self.weights = [s.weights / s.weights.sum() for s in self.sources]
        self.pools = {c: [x for x in cutouts if x.class_id == c] for c in paste_weights}
        self.pools = {c: pool for c, pool in self.pools.items() if pool}
        self.paste_classes = list(self.pools)
        paste = np.array([paste_weights[c] for c in self.paste_classes], float)
        self.paste_shares = paste / paste.sum() if self.paste_classes else paste
        self.paste_rate = paste_rate if self.paste_classes else 0.0
        self.crop, self.scales = crop, scales
        self.seed, self.length = seed, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng((self.seed, index))
        sample = self._draw(rng)
        image = np.ascontiguousarray(sample.image.transpose(2, 0, 1))
        classes = sample.semantic_target().astype(np.int64)
        ids = sample.instances.astype(np.int64)
        return torch.from_numpy(image), torch.from_numpy(classes), torch.from_numpy(ids)

    def _draw(self, rng: np.random.Generator) -> Sample:
        which = rng.choice(len(self.sources), p=self.shares)
        source, weights = self.sources[which], self.weights[which]
        sample = source.sample(int(rng.choice(weights.size, p=weights)), rng)
        sample = random_crop(sample, self.crop, self.scales, rng)
        if rng.random() < 0.5:
            sample = flip(sample)
        while rng.random() < self.paste_rate:
            pool = self.pools[self.paste_classes[rng.choice(len(self.pools), p=self.paste_shares)]]
            sample = paste_group(sample, pool, int(rng.integers(1, 5)), rng)
        return Sample(jitter_colours(sample.image, rng), sample.instances, sample.class_ids)


def _fill(labels: np.ndarray, polygons: list[list[float]], value: int) -> None:
    for polygon in polygons:
        corners = np.reshape(polygon, (-1, 2)) - 0.5  # from pixel edges to pixel centres
        cv2.fillPoly(labels, [np.round(corners * 16).astype(np.int32)], value, shift=4)


def _box_area(annotation: dict[str, Any]) -> float:
    return float(annotation["bbox"][2] * annotation["bbox"][3])
