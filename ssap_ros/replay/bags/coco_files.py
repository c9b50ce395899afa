"""COCO instance annotations: read, and written for frames with truth."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle
from pycocotools.coco import COCO

from ssap_ros.errors import InputError
from ssap_ros.replay.bags.messages import Detection
from ssap_ros.types import ImageArray

_KEYS = {
    "images": ("id", "file_name", "height", "width"),
    "annotations": ("id", "image_id", "category_id", "segmentation"),
    "categories": ("id", "name"),
}


def read_coco(path: Path) -> COCO:
    """An annotation file, indexed. Raises InputError if it is none."""
    try:
        dataset = json.loads(path.read_bytes())
        for part, keys in _KEYS.items():
            for entry in dataset[part]:
                if missing := [key for key in keys if key not in entry]:
                    raise KeyError(f"{part} without {', '.join(missing)}")
        coco = COCO()
        coco.dataset = dataset
        with contextlib.redirect_stdout(io.StringIO()):
            coco.createIndex()
    except OSError as error:
        raise InputError(f"cannot read the annotations {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is not a COCO annotation file: {error!r}") from error
    return coco


class CocoExport:
    """Writes `images/*.png` and `annotations.json` into a folder.

    classes: name by class id, 0 = background left out. Raises InputError if it cannot be written.
    """

    def __init__(self, folder: Path, classes: Mapping[int, str]) -> None:
        self._folder = folder
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._categories = [{"id": k, "name": name} for k, name in classes.items() if k > 0]
        try:
            (folder / "images").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write to {folder}: {error.strerror}") from error

    def add(
        self, image: ImageArray, labels: NDArray[np.uint16], entries: Sequence[Detection]
    ) -> None:
        """Write a frame; labels and entries as in ground_truth.py."""
        number = len(self._images) + 1
        name = f"{number:06}.png"
        path = self._folder / "images" / name
        if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
            raise InputError(f"cannot write the picture {path}")
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
        (self._folder / "annotations.json").write_text(json.dumps(dataset) + "\n")
