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

"""Soft labels of pictures without labels: a semantic network names classes, a detector's boxes say
where it may have missed an object.

Both are given by path: the semantic network as an ONNX file, the boxes as COCO results (JSON) of
any detector. The labels are cached on disk, one small PNG per picture.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ssap_ros.common.files import write_atomically
from ssap_ros.data.image_files import read_image
from ssap_ros.errors import InputError
from ssap_ros.training.samples import SOFT_LEVELS
from ssap_ros.types import ImageArray

_LOG = logging.getLogger(__name__)

NOT_KNOWN = 0xFFFF
_STRIDE = 2  # pixels per pixel of the cached labels

SoftLabels = NDArray[np.uint16]


@dataclass(frozen=True)
class TeacherConfig:
    """Where soft labels come from.

    Attributes:
        semantic: ONNX model, (1, 3, H, W) normalised RGB -> logits (1, C, H, W), H and W fixed; the
            picture is scaled to fit and padded right and below. Empty = no teacher.
        channels: Output channel of each class by name; all others together are class 0.
        mean, std: Normalisation of RGB in 0..255.
        boxes: COCO results of a detector (image_id, category_id, bbox, score); the categories are
            those of the source's annotation file. Empty = none.
        box_score: Least score of a box that counts.
        cache: Folder for the labels, under data.root; empty = the `out` of the run.
    """

    semantic: str = ""
    channels: dict[str, int] = field(default_factory=dict)
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    boxes: str = ""
    box_score: float = 0.3
    cache: str = ""


Box = tuple[int, float, float, float, float]
"""Class id, then left, top, width and height in pixels."""


def soft_labels(
    pictures: Sequence[tuple[int, Path]],
    config: TeacherConfig,
    root: Path,
    class_names: Sequence[str],
    cache: Path,
) -> dict[int, Path]:
    """Ask the teacher about each picture once; later calls read what is cached.

    The cache goes by the names of the model and of the pictures.

    Args:
        pictures: id and file of each.
        config: the teacher; its paths are under `root`.
        root: folder of the data.
        class_names: of the network that is trained, class 0 the background.
        cache: folder for the labels.

    Returns:
        By picture id the PNG that `read_soft_labels` takes.

    Raises:
        InputError: the model is missing or not as `TeacherConfig` says, or a picture unreadable.
    """
    model = root / config.semantic
    about = repr((model.name, sorted(config.channels.items()), config.mean, config.std))
    key = hashlib.sha256(f"{about} {list(class_names)}".encode()).hexdigest()
    folder = cache / f"teacher_{key[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    files = {number: folder / f"{number}_{path.stem}.png" for number, path in pictures}
    missing = [(number, path) for number, path in pictures if not files[number].is_file()]
    if missing:
        if not model.is_file():
            raise InputError(
                f"expected the teacher's model at {model}: {len(missing)} pictures have no labels"
            )
        teacher = SemanticTeacher(model, config, class_names)
        for done, (number, path) in enumerate(missing, start=1):
            labels = cv2.imencode(".png", teacher(read_image(path)))[1]
            write_atomically(files[number], labels.tobytes())
            if done % 100 == 0 or done == len(missing):
                _LOG.info("teacher: %d/%d pictures", done, len(missing))
    return files


def read_soft_labels(path: Path, shape: tuple[int, int], boxes: Sequence[Box] = ()) -> SoftLabels:
    """Cached labels of a picture.

    Args:
        path: PNG written by `soft_labels`.
        shape: (H, W) of the picture.
        boxes: of objects that a detector found. Where the labels hardly show one, they are doubted.

    Returns:
        uint16 (H, W): class << 8 | level, or NOT_KNOWN. The level, 0 to SOFT_LEVELS - 1, is the
        probability of that class; the rest is class 0.

    Raises:
        InputError: the file cannot be read.
    """
    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if labels is None or labels.dtype != np.uint16:
        raise InputError(f"cannot read the teacher's labels {path}; delete the file")
    _doubt(labels, boxes)
    full = cv2.resize(labels, shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(full, np.uint16)


def read_boxes(path: Path, class_of: Mapping[int, int], least_score: float) -> dict[int, list[Box]]:
    """Read the boxes of a detector from COCO results.

    Args:
        path: JSON list of {image_id, category_id, bbox, score}.
        class_of: Class id by category id; other categories are skipped.
        least_score: Of a box that counts.

    Returns:
        The boxes by picture id.

    Raises:
        InputError: The file is missing or not such a list.
    """
    boxes: dict[int, list[Box]] = defaultdict(list)
    try:
        for entry in json.loads(path.read_bytes()):
            if entry["score"] >= least_score and entry["category_id"] in class_of:
                x, y, w, h = (float(v) for v in entry["bbox"])
                boxes[entry["image_id"]].append((class_of[entry["category_id"]], x, y, w, h))
    except OSError as error:
        raise InputError(f"cannot read the boxes {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is not a list of COCO results: {error!r}") from error
    return dict(boxes)


class SemanticTeacher:
    """An ONNX model, asked about the picture and its mirror image.

    Raises:
        InputError: The model is not as `TeacherConfig` says.
    """

    def __init__(self, model: Path, config: TeacherConfig, class_names: Sequence[str]) -> None:
        try:
            self._session = onnxruntime.InferenceSession(
                str(model), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions share no base class
            raise InputError(f"cannot load the teacher {model}: {error}") from error
        entry = self._session.get_inputs()[0]
        if len(entry.shape) != 4 or not all(isinstance(n, int) for n in entry.shape[1:]):
            raise InputError(f"{model}: expected an input (1, 3, H, W), got {entry.shape}")
        self._name, self._size = entry.name, (entry.shape[2], entry.shape[3])
        if unknown := sorted(set(config.channels) - set(class_names)):
            raise InputError(f"teacher.channels: {unknown[0]!r} is none of the classes")
        self._class_ids = [class_names.index(name) for name in config.channels]
        self._channels = list(config.channels.values())
        self._mean, self._std = (np.array(v, np.float32) for v in (config.mean, config.std))

    def __call__(self, image: ImageArray) -> SoftLabels:
        """Labels of uint8 (H, W, 3) RGB as `read_soft_labels` tells, at half its size."""
        height, width = image.shape[:2]
        scale = min(self._size[0] / height, self._size[1] / width)
        content = round(height * scale), round(width * scale)
        x = np.zeros((*self._size, 3), np.float32)
        scaled = cv2.resize(image, content[::-1], interpolation=cv2.INTER_LINEAR)
        x[: content[0], : content[1]] = (scaled - self._mean) / self._std
        p = self._probabilities(x) + self._probabilities(x[:, ::-1])[:, ::-1]
        p = p[: content[0], : content[1]] / 2
        half = -(-width // _STRIDE), -(-height // _STRIDE)
        p = np.stack(
            [cv2.resize(c, half, interpolation=cv2.INTER_AREA) for c in np.moveaxis(p, 2, 0)], 2
        )
        best = p.argmax(axis=2)
        level = np.round(p.max(axis=2) * (SOFT_LEVELS - 1)).astype(np.uint16)
        return np.asarray(np.asarray(self._class_ids, np.uint16)[best] << 8 | level, np.uint16)

    def _probabilities(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of the taught classes, (H, W, classes)."""
        tensor = np.ascontiguousarray(x.transpose(2, 0, 1))[None]
        logits = self._session.run(None, {self._name: tensor})[0][0]
        p = np.exp(logits - logits.max(axis=0))
        return np.asarray((p[self._channels] / p.sum(axis=0)).transpose(1, 2, 0), np.float32)


def _doubt(labels: SoftLabels, boxes: Sequence[Box]) -> None:
    """In place: a box of a class that the semantics hardly show makes what it holds NOT_KNOWN."""
    for class_id, *box in boxes:
        x, y, w, h = (v / _STRIDE for v in box)
        region = labels[max(0, int(y)) : int(y + h) + 1, max(0, int(x)) : int(x + w) + 1]
        shown = (region >> 8 == class_id) & (region & 0xFF >= SOFT_LEVELS // 2)
        if region.size and shown.mean() < 0.25:
            region[~shown] = NOT_KNOWN
