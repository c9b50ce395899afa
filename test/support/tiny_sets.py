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

"""Small sets of painted pictures in the official formats; the toy model segments them right."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from support.toy_model import paint

SIZE = (192, 256)
PERSON, CAR = 1, 3  # class ids of the toy model
# label ids of Cityscapes
ROAD, PERSONS, CARS, CARAVANS, UNLABELLED = 7, 24, 26, 29, 0
CITYSCAPES_LABEL = {PERSON: PERSONS, CAR: CARS}


def write_image(path: Path, rgb_or_map: NDArray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = rgb_or_map if rgb_or_map.ndim == 2 else cv2.cvtColor(rgb_or_map, cv2.COLOR_RGB2BGR)
    assert cv2.imwrite(str(path), image)


def objects(boxes: list[tuple[int, int, int, int]]) -> NDArray[np.int32]:
    """Boxes (x, y, width, height) as instances 1, 2, ..."""
    instances = np.zeros(SIZE, np.int32)
    for number, (x, y, width, height) in enumerate(boxes, start=1):
        instances[y : y + height, x : x + width] = number
    return instances


def write_cityscapes(
    root: Path,
    name: str,
    instances: NDArray[np.int32],
    class_ids: list[int],
    raw: NDArray[np.uint16] | None = None,
    metres: NDArray[np.float64] | None = None,
    city: str = "town",
) -> None:
    """One picture of split `val`. raw: its instanceIds, the instances on a road if left out.

    metres: depth (H, W), nan = unknown; makes disparity and camera.
    """
    if raw is None:
        labels = [CITYSCAPES_LABEL[c] * 1000 + k for k, c in enumerate(class_ids)]
        raw = np.array([ROAD, *labels], np.uint16)[instances]
    stem = f"val/{city}/{city}_{name}_000019"
    write_image(root / f"leftImg8bit/{stem}_leftImg8bit.png", paint(instances, class_ids))
    write_image(root / f"gtFine/{stem}_gtFine_instanceIds.png", raw)
    if metres is not None:
        camera = {"extrinsic": {"baseline": 0.25}, "intrinsic": {"fx": 2000.0}}
        disparity = np.nan_to_num(500 / metres) * 256 + np.isfinite(metres)
        write_image(root / f"disparity/{stem}_disparity.png", disparity.round().astype(np.uint16))
        path = root / f"camera/{stem}_camera.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(camera))


class PanopticFile:
    """A COCO panoptic annotation file `panoptic.json` with its folders of PNGs and of pictures."""

    CATEGORIES = ((1, "person", 1), (3, "car", 1), (100, "road", 0), (184, "tree", 0))

    def __init__(self, folder: Path) -> None:
        self.annotations, self.images = folder / "panoptic.json", folder / "images"
        self.data: dict = {
            "categories": [
                {"id": i, "name": name, "isthing": thing} for i, name, thing in self.CATEGORIES
            ],
            "images": [],
            "annotations": [],
        }

    def add(
        self,
        instances: NDArray[np.int32],
        class_ids: list[int],
        ids: NDArray[np.int32],
        segments: list[dict],
    ) -> None:
        """A picture of the instances; its truth: stored ids (H, W) and their entries."""
        image_id = len(self.data["images"]) + 1
        write_image(self.images / f"{image_id}.png", paint(instances, class_ids))
        colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1)
        write_image(self.annotations.with_suffix("") / f"{image_id}.png", colours.astype(np.uint8))
        self.data["images"].append({"id": image_id, "file_name": f"{image_id}.png"})
        self.data["annotations"].append(
            {"image_id": image_id, "file_name": f"{image_id}.png", "segments_info": segments}
        )
        self.annotations.write_text(json.dumps(self.data))
