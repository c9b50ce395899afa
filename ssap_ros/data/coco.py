"""COCO instance annotations: objects as polygons or run-length codes, which may overlap."""

from __future__ import annotations

import contextlib
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle
from pycocotools.coco import COCO

from ssap_ros.errors import InputError

Annotation = dict[str, Any]
_KEYS = {
    "images": ("id", "file_name", "height", "width"),
    "annotations": ("id", "image_id", "category_id"),
    "categories": ("id", "name"),
}


class CocoAnnotations:
    """The annotation file `path`, indexed.

    Attributes:
        images: Entries with `file_name`, `height` and `width` by image id, in the order of the
            file.
        categories: Name by category id.

    Raises:
        InputError: The file cannot be read, or is no COCO annotation file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            dataset = json.loads(path.read_bytes())
            for part, keys in _KEYS.items():
                for entry in dataset[part]:
                    if missing := [key for key in keys if key not in entry]:
                        raise KeyError(f"{part} without {', '.join(missing)}")
            self._coco = COCO()
            self._coco.dataset = dataset
            with contextlib.redirect_stdout(io.StringIO()):
                self._coco.createIndex()
        except OSError as error:
            raise InputError(f"cannot read the annotations {path}: {error.strerror}") from error
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path} is not a COCO annotation file: {error!r}") from error
        self.images: dict[int, dict[str, Any]] = {e["id"]: e for e in dataset["images"]}
        self.categories: dict[int, str] = {c["id"]: c["name"] for c in dataset["categories"]}

    def objects(self, image_id: int) -> list[Annotation]:
        """The annotations of an image, crowds among them, in the order of the file."""
        return list(self._coco.imgToAnns.get(image_id, []))

    def encode(self, annotation: Annotation) -> dict[str, Any]:
        """The run-length code of an object. Raises InputError, naming the annotation."""
        number, image = annotation["id"], self.images.get(annotation["image_id"])
        if image is None:
            raise self._error(number, f"there is no image {annotation['image_id']}")
        shape = annotation.get("segmentation")
        if isinstance(shape, list):
            limit = 2 * max(image["height"], image["width"])  # beyond, a polygon eats all memory
            for polygon in shape:
                if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
                    raise self._error(number, "a polygon must have three or more corners")
                if not all(math.isfinite(v) and abs(v) <= limit for v in polygon):
                    raise self._error(number, "the corners of a polygon must be in the image")
        if not shape or not isinstance(shape, (list, dict)):
            raise self._error(number, "it must have polygons or a run-length code")
        try:
            code: dict[str, Any] = self._coco.annToRLE(annotation)
        except (ValueError, TypeError, KeyError) as error:
            raise self._error(number, f"segmentation cannot be read, {error!r}") from error
        return code

    def mask(self, annotation: Annotation) -> NDArray[np.bool_]:
        """The pixels of an object, bool (H, W). Raises InputError like `encode`."""
        return np.asarray(rle.decode(self.encode(annotation)), bool)

    def _error(self, number: int, reason: str) -> InputError:
        return InputError(f"annotation {number} of {self._path}: {reason}")


def decode_mask(code: dict[str, Any]) -> NDArray[np.bool_]:
    """The pixels of a valid run-length code, compressed or not, bool (H, W)."""
    return np.asarray(rle.decode(_compressed(code)), bool)


def _compressed(code: dict[str, Any]) -> dict[str, Any]:
    if isinstance(code["counts"], list):
        compressed: dict[str, Any] = rle.frPyObjects(code, *code["size"])
        return compressed
    return code
