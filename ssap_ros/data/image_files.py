"""Annotated image files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ssap_ros.errors import InputError
from ssap_ros.types import ImageArray


def read_annotated_image(path: Path) -> ImageArray:
    """The stored pixels as RGB, uint8 (H, W, 3), whatever orientation the file declares.

    Annotations are drawn on the stored pixels. Raises InputError if there is no readable image.
    """
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if bgr is None:
        raise InputError(f"cannot read the image {path}")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
