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

"""Frames with truth as a COCO data set: images and their instance annotations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle

from ssap_ros.common.outputs import write_output
from ssap_ros.replay.bags.messages import Detection
from ssap_ros.types import ImageArray

ANNOTATIONS, IMAGES, NUMBERED = "annotations.json", "images", "[0-9]*.png"


class CocoExport:
    """Writes `images/*.png` and `annotations.json` into a folder.

    Args:
        classes: Name by class id, 0 = background left out.

    Raises:
        InputError: It cannot be written.
    """

    def __init__(self, folder: Path, classes: Mapping[int, str]) -> None:
        self._folder = folder
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._categories = [{"id": k, "name": name} for k, name in classes.items() if k > 0]

    def add(
        self, image: ImageArray, labels: NDArray[np.uint16], entries: Sequence[Detection]
    ) -> None:
        """Write a frame; labels and entries as in ground_truth.py."""
        number = len(self._images) + 1
        name = f"{number:06}.png"
        path = self._folder / IMAGES / name
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        write_output(path, cv2.imencode(".png", bgr)[1].tobytes())
        height, width = labels.shape
        self._images.append({"id": number, "file_name": name, "height": height, "width": width})
        for k, entry in enumerate(entries, start=1):
            code = rle.encode(np.asfortranarray(labels == k, np.uint8))
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": number,
                    "category_id": int(entry.class_id),
                    "iscrowd": int(entry.score == 0),
                    "bbox": list(entry.bbox),
                    "area": int(rle.area(code)),
                    "segmentation": {"size": code["size"], "counts": code["counts"].decode()},
                }
            )

    def close(self) -> None:
        """Write the annotation file."""
        dataset = {
            "images": self._images,
            "annotations": self._annotations,
            "categories": self._categories,
        }
        write_output(self._folder / ANNOTATIONS, json.dumps(dataset) + "\n")
