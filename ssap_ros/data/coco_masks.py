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

"""Masks of COCO, polygons and run-length codes, painted as the COCO API paints them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle

from ssap_ros.data.image_files import MAX_PIXELS
from ssap_ros.errors import InputError


def encode_polygons(polygons: Sequence[Sequence[float]], size: tuple[int, int]) -> dict[str, Any]:
    """The run-length code of valid polygons (x, y, x, y, ...) in an image of `size`, (H, W)."""
    code: dict[str, Any] = rle.merge(rle.frPyObjects(polygons, *size))
    return code


def paint(labels: NDArray[Any], shape: Any, value: int) -> None:
    """Give the pixels of an object a value.

    Args:
        labels: (H, W), painted in place.
        shape: Valid polygons, or a valid run-length code of the same size.
        value: Of the pixels.

    Raises:
        InputError: The code has another size.
    """
    if not isinstance(shape, list):
        mask = decode_mask(shape)
        if mask.shape != labels.shape:
            raise InputError(f"expected a mask of shape {labels.shape}, got {mask.shape}")
        labels[mask] = value
        return
    # decoding the window around the polygons instead of the image takes a sixth of the time
    corners = [np.reshape(polygon, (-1, 2)) for polygon in shape]
    every = np.concatenate(corners)
    left, top = np.maximum(np.floor(every.min(axis=0)), 0).astype(int).tolist()
    right, bottom = (np.ceil(every.max(axis=0)) + 1).astype(int).tolist()
    window = labels[top : max(bottom, 0), left : max(right, 0)]
    if window.size:
        shifted = [(points - (left, top)).ravel().tolist() for points in corners]
        window[decode_mask(encode_polygons(shifted, window.shape))] = value


def decode_mask(code: dict[str, Any]) -> NDArray[np.bool_]:
    """The pixels of a valid run-length code, compressed or not, bool (H, W)."""
    return np.asarray(rle.decode(compressed(code)), bool)


def compressed(code: dict[str, Any]) -> dict[str, Any]:
    """The same valid run-length code with text for its counts, as pycocotools wants it."""
    if isinstance(code["counts"], list):
        compressed: dict[str, Any] = rle.frPyObjects(code, *code["size"])
        return compressed
    return code


def checked_code(code: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
    """Check a run-length code as it stands in a file.

    Args:
        code: With `size` and `counts`, compressed or not.
        image: Its entry, with `height` and `width` where they are known.

    Returns:
        The code.

    Raises:
        KeyError: A part of it is missing.
        TypeError: Its counts are neither text nor whole numbers.
        ValueError: It has another size than the image, or does not cover it.
    """
    size, counts = code["size"], code["counts"]
    if not isinstance(size, list) or len(size) != 2 or not all(type(v) is int for v in size):
        raise ValueError(f"the size of a run-length code must be two numbers, got {size!r}"[:100])
    expected = [image.get("height", size[0]), image.get("width", size[1])]
    if size != expected:
        raise ValueError(f"the size of its run-length code is {size}, that of its image {expected}")
    if not 0 <= size[0] * size[1] <= MAX_PIXELS or min(size) < 1:
        raise ValueError(f"the size of a run-length code must be 1 to {MAX_PIXELS} pixels")
    if isinstance(counts, str):
        runs = decompressed(counts)
    elif isinstance(counts, list) and all(type(v) is int and abs(v) < 1 << 40 for v in counts):
        runs = np.array(counts, np.int64)
    else:
        raise TypeError("the counts of a run-length code must be text or whole numbers")
    if (runs < 0).any() or runs.sum() != size[0] * size[1]:
        raise ValueError(f"its run-length code must cover {size[0] * size[1]} pixels")
    return {"size": size, "counts": counts}


def decompressed(counts: str) -> NDArray[np.int64]:
    """Read a compressed code: 5 bits a character, then differences to the run before last.

    The format is that of `rleFrString` in maskApi.c of the COCO API.

    Returns:
        The lengths of the runs in pixels.

    Raises:
        ValueError: It has other characters, or ends within a number.
    """
    data = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    if not len(data) or data.min() < 0 or data.max() > 63 or data[-1] & 32:
        raise ValueError("its run-length code is cut off or has characters that it cannot have")
    last = np.flatnonzero(data & 32 == 0)
    first = np.append(0, last[:-1] + 1)
    lengths = last - first + 1
    if lengths.max() > 7:
        raise ValueError("its run-length code has a number of more than 32 bits")
    place = np.arange(len(data)) - np.repeat(first, lengths)
    values = np.add.reduceat((data & 31) << (5 * place), first)
    values -= (data[last] & 16 != 0) * (np.int64(1) << (5 * lengths))
    runs = values.copy()
    for start in (1, 2):
        runs[start::2] = np.cumsum(values[start::2])
    return runs
