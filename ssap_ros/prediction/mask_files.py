"""Masks to look at and to work with: overlays, label images, one file of annotations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ssap_ros.data.image_files import write_image
from ssap_ros.data.labels import CocoFile, Masks, Picture
from ssap_ros.types import FrameResult
from ssap_ros.visualization.overlay import OverlayRenderer

OVERLAYS, INSTANCES, PREDICTIONS = "overlays", "instances", "predictions.json"


class MaskFiles:
    """`overlays/NAME.jpg` to look at and `instances/NAME.png`, mono16 as `~/instances`.

    The outlines and labels of the overlay have one colour per instance. predictions.json holds the
    same masks as COCO annotations, with their scores.
    """

    def __init__(self, folder: Path, classes: Mapping[int, str], masks: Masks) -> None:
        self._folder = folder
        self._names = [classes.get(k, str(k)) for k in range(max(classes) + 1)]
        self._coco = CocoFile(folder / PREDICTIONS, classes, masks)

    def add(self, picture: Picture, result: FrameResult) -> None:
        ids = range(1, len(result.instances) + 1)
        overlay = OverlayRenderer(self._names).draw(picture.image, result, ids)
        write_image(self._folder / OVERLAYS / f"{picture.name}.jpg", overlay)
        write_image(self._folder / INSTANCES / f"{picture.name}.png", result.labels)
        self._coco.add(picture.file.name if picture.file else picture.name, result)

    def close(self) -> None:
        self._coco.close()
