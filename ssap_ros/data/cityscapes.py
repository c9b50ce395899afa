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

"""Cityscapes (Cordts et al., CVPR 2016) as it is unpacked: 19 classes, 8 of them thing classes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ssap_ros.data.annotated import AnnotatedImage
from ssap_ros.data.image_files import read_image
from ssap_ros.data.segments import OTHER_CLASS, Segments
from ssap_ros.errors import InputError

# the evaluated label ids, in the order of the class ids; persons and what follows have instances
LABELS = {
    7: "road",
    8: "sidewalk",
    11: "building",
    12: "wall",
    13: "fence",
    17: "pole",
    19: "traffic light",
    20: "traffic sign",
    21: "vegetation",
    22: "terrain",
    23: "sky",
    24: "person",
    25: "rider",
    26: "car",
    27: "truck",
    28: "bus",
    31: "train",
    32: "motorcycle",
    33: "bicycle",
}
CLASSES = tuple(LABELS.values())
THING_IDS = tuple(range(CLASSES.index("person"), len(CLASSES)))
_CLASS_OF = {label: class_id for class_id, label in enumerate(LABELS)}
_INSTANCE = 1000  # an instance is stored as 1000 * label + number, anything else as its label
_MIN_KNOWN = 0.5  # share of an object's pixels whose disparity must be known


class CityscapesSet:
    """The pictures of one split, by city and name.

    Truth: groups of objects (persons, cars, ... that are not told apart) are crowds; what the
    evaluation ignores is void, save instances of such classes (caravans, trailers), which are
    segments of OTHER_CLASS.

    Args:
        root: The folder with leftImg8bit/ and gtFine/, both unpacked; if disparity/ and camera/ lie
            there too, the truths hold distances.

    Raises:
        InputError: Files are missing; the message says what was expected.
    """

    classes, thing_ids = CLASSES, THING_IDS

    def __init__(self, root: Path, split: str = "val") -> None:
        self._root, self._split = root, split
        folder = root / "leftImg8bit" / split
        images = sorted(folder.glob("*/*_leftImg8bit.png"))
        if not images:
            raise InputError(
                f"expected Cityscapes images {folder}/CITY/*_leftImg8bit.png, found none "
                "(leftImg8bit_trainvaltest.zip, unpacked)"
            )
        self._stems = [
            f"{path.parent.name}/{path.name.removesuffix('_leftImg8bit.png')}" for path in images
        ]
        self._require("gtFine", "instanceIds.png", "gtFine_trainvaltest.zip")
        self.distances = all((root / kind / split).is_dir() for kind in ("disparity", "camera"))
        if self.distances:
            self._require("disparity", "disparity.png", "disparity_trainvaltest.zip")
            self._require("camera", "camera.json", "camera_trainvaltest.zip")

    def __len__(self) -> int:
        return len(self._stems)

    def name(self, index: int) -> str:
        return self._stems[index].split("/")[1]

    def files(self, index: int) -> tuple[Path, ...]:
        return (self._path(index, "leftImg8bit", "leftImg8bit.png"),)

    def read(self, index: int) -> AnnotatedImage:
        (path,) = self.files(index)
        image = read_image(path)
        raw = self._read_map(self._path(index, "gtFine", "instanceIds.png"))
        if raw.shape != image.shape[:2]:
            raise InputError(
                f"{self._path(index, 'gtFine', 'instanceIds.png')} must be of the size of its "
                f"image, {image.shape[:2]}, got {raw.shape}"
            )
        truth = segments_of(raw, self._depth(index, raw) if self.distances else None)
        return AnnotatedImage(image, truth)

    def _depth(self, index: int, raw: NDArray[np.uint16]) -> NDArray[np.float64]:
        """Metres from the camera, (H, W), nan where the disparity is unknown."""
        path = self._path(index, "camera", "camera.json")
        try:
            camera = json.loads(path.read_bytes())
            length = camera["intrinsic"]["fx"] * camera["extrinsic"]["baseline"]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise InputError(f"{path} is not a Cityscapes camera: {error!r}") from error
        path = self._path(index, "disparity", "disparity.png")
        stored = self._read_map(path).astype(np.float64)
        if stored.shape != raw.shape:
            raise InputError(f"{path} must have shape {raw.shape}, got {stored.shape}")
        disparity = (stored - 1) / 256  # 0 = unknown
        return np.where(disparity > 0, length / np.maximum(disparity, 1e-9), np.nan)

    def _require(self, kind: str, ending: str, archive: str) -> None:
        for index in range(len(self)):
            path = self._path(index, kind, ending)
            if not path.is_file():
                raise InputError(f"expected {path} for its image, found none ({archive}, unpacked)")

    def _path(self, index: int, kind: str, ending: str) -> Path:
        suffix = f"_gtFine_{ending}" if kind == "gtFine" else f"_{ending}"
        return self._root / kind / self._split / f"{self._stems[index]}{suffix}"

    def _read_map(self, path: Path) -> NDArray[np.uint16]:
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if values is None or values.ndim != 2:
            raise InputError(f"cannot read the map {path}")
        return np.asarray(values, np.uint16)


def segments_of(raw: NDArray[np.uint16], depth: NDArray[np.float64] | None = None) -> Segments:
    """Read the segments of an instanceIds map.

    Args:
        raw: Integer (H, W), as in the file.
        depth: (H, W) metres, nan = unknown. The distance of an object is its median; it is unknown
            if less than half of the object's pixels have one. (The public scripts take distances as
            given; the benchmark's way of computing them is not published.).

    Returns:
        The label map with its segments.
    """
    values, dense = np.unique(raw, return_inverse=True)
    ids = np.zeros(len(values), np.int32)
    class_ids: list[int] = []
    crowd: list[bool] = []
    kept: list[int] = []
    for row, value in enumerate(values.tolist()):
        single = value >= _INSTANCE
        class_id = _CLASS_OF.get(value // _INSTANCE if single else value, OTHER_CLASS)
        if class_id == OTHER_CLASS and not single:
            continue
        ids[row] = len(class_ids) + 1
        class_ids.append(class_id)
        crowd.append(not single and class_id in THING_IDS)
        kept.append(row)
    dense = dense.reshape(raw.shape)
    distances = []
    if depth is not None:
        for row in kept:
            known = depth[dense == row]
            sure = np.isfinite(known).mean() >= _MIN_KNOWN
            distances.append(float(np.nanmedian(known)) if sure else np.nan)
    return Segments(
        ids[dense], np.array(class_ids, np.int64), crowd=np.array(crowd, bool),
        distances=np.array(distances),
    )  # fmt: skip
