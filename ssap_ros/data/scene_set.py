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

"""Procedural street scenes as an annotated set: exact truth, as many as wanted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ssap_ros.data.annotated import AnnotatedImage
from ssap_ros.data.scenes.street import CLASSES, street_scene
from ssap_ros.data.segments import Segments


class SceneSet:
    """`count` scenes from seed `first` on, size (H, W); the background is their one stuff class."""

    classes = CLASSES
    thing_ids = tuple(range(1, len(CLASSES)))
    distances = False

    def __init__(self, first: int, count: int, size: tuple[int, int] = (480, 640)) -> None:
        self._first, self._count, self._size = first, count, size

    def __len__(self) -> int:
        return self._count

    def name(self, index: int) -> str:
        return f"scene{self._first + index}"

    def files(self, _index: int) -> tuple[Path, ...]:
        return ()

    def read(self, index: int) -> AnnotatedImage:
        scene = street_scene(self._first + index, self._size)
        segments = Segments(scene.instances, scene.class_ids.astype(np.int64))
        return AnnotatedImage(scene.image, segments.with_background())
