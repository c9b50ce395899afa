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

"""What to write of which pictures: the formats, their files, and who writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ssap_ros.common.outputs import claim_folder
from ssap_ros.data.labels import (
    ANNOTATIONS,
    DATA,
    IMAGES,
    LABELS,
    CocoLabels,
    Masks,
    Writer,
    YoloLabels,
)
from ssap_ros.prediction.mask_files import INSTANCES, OVERLAYS, PREDICTIONS, MaskFiles
from ssap_ros.types import FrameResult

Format = Literal["masks", "coco", "yolo"]

_IMAGE_FILES = ("*.png", "*.jpg", "*.jpeg", "*.bmp")
_FILES: dict[Format, tuple[str, ...]] = {
    "masks": (PREDICTIONS, "*.mp4", *_IMAGE_FILES),
    "coco": (ANNOTATIONS, *_IMAGE_FILES),
    "yolo": (DATA, "*.txt", *_IMAGE_FILES),
}
_FOLDERS: dict[Format, tuple[str, ...]] = {
    "masks": (OVERLAYS, INSTANCES),
    "coco": (IMAGES,),
    "yolo": (IMAGES, LABELS),
}


@dataclass(frozen=True)
class OutputOptions:
    """What to write, and of which pictures.

    Attributes:
        format: "masks" to look at; "coco" or "yolo", a data set to train on.
        masks: How COCO files hold them.
        every: Of every source the first picture and then every so many.
        uncertain: Only pictures that have an instance with a score below; 0 = all.
    """

    format: Format = "masks"
    masks: Masks = "rle"
    every: int = 1
    uncertain: float = 0.0

    @property
    def files(self) -> tuple[str, ...]:
        """Patterns of the names of all files."""
        return _FILES[self.format]

    def wants(self, result: FrameResult) -> bool:
        """Whether a picture with these instances is written."""
        lowest = min((instance.score for instance in result.instances), default=1.0)
        return not self.uncertain or lowest < self.uncertain

    def claim(self, folder: Path, inputs: Sequence[Path]) -> None:
        """Make sure, before the work, that the files can go to `folder`.

        Raises:
            InputError: `folder` cannot be written to, or holds files of the user.
        """
        for place in (folder, *(folder / name for name in _FOLDERS[self.format])):
            claim_folder(place, self.files, inputs)

    def writer(self, folder: Path, classes: Mapping[int, str]) -> Writer:
        """What writes the files. classes: the thing classes, name by class id."""
        if self.format == "coco":
            return CocoLabels(folder, classes, self.masks)
        if self.format == "yolo":
            return YoloLabels(folder, classes)
        return MaskFiles(folder, classes, self.masks)
