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
