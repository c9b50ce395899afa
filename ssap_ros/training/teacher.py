"""Pseudo-labels: a DeepLabv3 network, trained on the VOC classes, fills in missing annotations."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from ssap_ros.data.image_files import read_image
from ssap_ros.errors import InputError
from ssap_ros.network.backbones import MobileNetV2, load_folded_weights
from ssap_ros.network.ssap import ImageContext
from ssap_ros.training.samples import UNLABELLED, unknown_instance

VOC_CLASSES = {"bicycle": 2, "bus": 6, "car": 7, "motorcycle": 14, "person": 15, "train": 19}
VOC_COUNT = 21


def pseudo_labels(
    pictures: Sequence[tuple[int, Path]], weights: Path, class_names: Sequence[str], folder: Path
) -> dict[int, np.ndarray]:
    """What the teacher says of each picture, by its id: made once, then read from `folder`.

    The file's name holds a hash of all that the labels depend on.
    """
    if not weights.is_file():
        raise InputError(f"expected the teacher's weights, found none at {weights}")
    known = hashlib.sha256(weights.read_bytes())
    known.update(repr((VocTeacher.SURE, VocTeacher.ABSENT, list(class_names))).encode())
    for number, path in pictures:
        known.update(f"{number} {path.name}".encode())
    cache = folder / f"teacher_{known.hexdigest()[:16]}.npz"
    if not cache.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        teacher = VocTeacher(weights, class_names)
        labels: dict[str, Any] = {}
        for done, (number, path) in enumerate(pictures, start=1):
            labels[str(number)] = teacher(read_image(path))
            if done % 100 == 0 or done == len(pictures):
                print(f"teacher: {done}/{len(pictures)} pictures", file=sys.stderr, flush=True)
        partial = cache.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez_compressed(file, **labels)
        partial.replace(cache)
    with np.load(cache) as stored:
        return {int(number): stored[number] for number in stored.files}


class VocTeacher:
    """DeepLabv3 with MobileNetV2 at output stride 16, read from an .npz with folded batch norms."""

    SURE = 0.9  # least probability of a pseudo-labelled class
    ABSENT = 0.03  # most probability of all classes together where background is sure

    def __init__(self, weights: Path, class_names: Sequence[str]) -> None:
        self.backbone = MobileNetV2().eval()
        load_folded_weights(self.backbone, weights)
        self._dilate()
        self.head = ImageContext(self.backbone.channels[-1])
        self.head.load_deeplab(weights)
        arrays = np.load(weights)
        self.classifier = nn.Conv2d(ImageContext.width, VOC_COUNT, 1)
        self.classifier.load_state_dict(
            {k: torch.from_numpy(arrays[f"head.3.{k}"]) for k in ("weight", "bias")}
        )
        self.voc_of = {
            class_names.index(name): voc for name, voc in VOC_CLASSES.items() if name in class_names
        }

    @torch.no_grad()
    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Labels of `samples` for an unannotated picture: uint8 (H, W, 3) RGB to int8 (H, W).

        0 = surely background, `unknown_instance(class)` = surely that class, else UNLABELLED.
        """
        height, width = image.shape[:2]
        padded = cv2.copyMakeBorder(
            image, 0, -height % 32, 0, -width % 32, cv2.BORDER_CONSTANT, value=(127, 127, 127)
        )
        x = torch.from_numpy(padded.transpose(2, 0, 1).astype(np.float32))[None] / 127.5 - 1
        logits = self.classifier(self.head(self.backbone(x)[-1]))
        logits = nn.functional.interpolate(
            logits, padded.shape[:2], mode="bilinear", align_corners=False
        )
        p = torch.softmax(logits, dim=1)[0, :, :height, :width].numpy()
        labels = np.full((height, width), UNLABELLED, np.int8)
        labels[sum(p[voc] for voc in self.voc_of.values()) < self.ABSENT] = 0
        for class_id, voc in self.voc_of.items():
            labels[p[voc] > self.SURE] = unknown_instance(class_id)
        return labels

    def _dilate(self) -> None:
        """Output stride 16: the last stage samples densely with dilated depthwise convolutions."""
        for index, (stride, dilation) in {14: (1, 1), 15: (1, 2), 16: (1, 2), 17: (1, 2)}.items():
            depthwise = self.backbone.get_submodule(f"features.{index}.conv.1.0")
            assert isinstance(depthwise, nn.Conv2d)
            depthwise.stride = (stride, stride)
            depthwise.dilation = depthwise.padding = (dilation, dilation)
