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

"""Encoded images <-> pixels: the only decoder of the product, for messages and files alike."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ssap_ros.errors import InputError, MessageError, one_line
from ssap_ros.types import ImageArray

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_JPEG_END, _PNG_END = b"\xff\xd9", b"IEND"
MAX_PIXELS = 1 << 26
_MAX_PIXELS_PER_BYTE = 1 << 11  # a black jpeg or png has half as many
_START_OF_SCAN = 0xDA


def decode_image(data: bytes, *, upright: bool = False) -> NDArray[Any]:
    """The stored pixels of a jpeg or png, whatever orientation it declares.

    A camera's stamp, calibration and masks belong to the stored pixels. For pictures that people
    look at, `upright` turns them as the file says.

    Returns:
        uint8 or uint16, grey (H, W), BGR (H, W, 3) or BGRA (H, W, 4).

    Raises:
        MessageError: The data are neither, are incomplete, or declare more pixels than 2^26 or than
            they can hold.
    """
    width, height = _size(data)
    if not 0 < width * height <= MAX_PIXELS:
        raise MessageError(f"image must have 1 to {MAX_PIXELS} pixels, got {width} x {height}")
    if width * height > _MAX_PIXELS_PER_BYTE * len(data):
        raise MessageError(f"{width} x {height} pixels cannot be in {len(data)} bytes")
    try:
        turned = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
        flags = turned if upright else cv2.IMREAD_UNCHANGED
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise MessageError(f"image data cannot be decoded: {error.err}") from error
    if pixels is None:
        raise MessageError(f"image data of {len(data)} bytes cannot be decoded")
    return np.asarray(pixels)


def to_rgb8(pixels: NDArray[Any], significant_bits: int = 0) -> ImageArray:
    """Decoded pixels as RGB uint8 (H, W, 3), of 16 bits see `to_8_bits`."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    code = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}[channels]
    return to_8_bits(cv2.cvtColor(pixels, code), significant_bits)


def to_8_bits(pixels: NDArray[Any], significant_bits: int = 0) -> ImageArray:
    """uint8 as it is; uint16 scaled by 255 / (2^significant_bits - 1), rounded, clipped; 0 = 16."""
    alpha = 255 / (2 ** (significant_bits or 16) - 1)
    scaled = pixels if pixels.itemsize == 1 else cv2.convertScaleAbs(pixels, alpha=alpha)
    return np.asarray(scaled, np.uint8)


def image_files(folder: Path, pattern: str = "*") -> list[Path]:
    """The picture files of a folder, known by their suffix, in the order of their names."""
    return sorted(file for file in folder.glob(pattern) if file.suffix.lower() in IMAGE_SUFFIXES)


def read_image(
    path: Path, size: tuple[int, int] | None = None, *, upright: bool = False
) -> ImageArray:
    """Read an image file: the stored pixels, on which annotations are drawn.

    With `upright` the picture is turned as the file says (EXIF), which a folder of photographs is.
    jpeg and png are decoded like those of a camera; of other formats OpenCV reads what it can.

    Returns:
        RGB, uint8 (H, W, 3).

    Raises:
        InputError: There is no readable, complete image, or it is not of the `size` (H, W).
    """
    image = _read(path, upright)
    if size is not None and image.shape[:2] != size:
        raise InputError(
            f"image {path} must be {size[1]} x {size[0]}, got {image.shape[1]} x {image.shape[0]}"
        )
    return image


def require_files(paths: Iterable[Path]) -> None:
    """Make sure, before the work, that files are there.

    Raises:
        InputError: Some are missing.
    """
    every = list(paths)
    if missing := [path for path in every if not os.path.isfile(path)]:
        raise InputError(f"{len(missing)} of {len(every)} images are missing, such as {missing[0]}")


def write_image(path: Path, pixels: NDArray[Any]) -> Path:
    """Write RGB, uint8 (H, W, 3), or one channel (H, W) as the suffix says.

    Returns:
        `path`.

    Raises:
        OSError: The file cannot be written.
    """
    stored = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    _, data = cv2.imencode(path.suffix, stored)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data.tobytes())
    return path


def _read(path: Path, upright: bool) -> ImageArray:
    try:
        data = path.read_bytes()
        if data.startswith((JPEG, PNG)):
            return to_rgb8(decode_image(data, upright=upright))
    except OSError as error:
        raise InputError(f"cannot read the image {path}: {error.strerror}") from error
    except MessageError as error:
        raise InputError(f"cannot read the image {path}: {one_line(error)}") from error
    flags = cv2.IMREAD_COLOR | (0 if upright else cv2.IMREAD_IGNORE_ORIENTATION)
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if bgr is None:
        raise InputError(f"cannot read the image {path}: no format that OpenCV knows")
    return to_rgb8(np.asarray(bgr))


def _size(data: bytes) -> tuple[int, int]:
    """Width and height by the file's own header, once the file is known to be complete."""
    if data.startswith(PNG):
        return _png_size(data)
    if data.startswith(JPEG):
        return _jpeg_size(data)
    start = data[:4].hex(" ") or "nothing"
    raise MessageError(f"data must be jpeg or png, got the bytes {start}")


def _png_size(data: bytes) -> tuple[int, int]:
    """Read the size in the first chunk; all chunks must be there, as OpenCV takes memory first.

    What follows the end of the image is of no account.

    Returns:
        Width and height in pixels.

    Raises:
        MessageError: It is no complete PNG.
    """
    at, kind = len(PNG), b""
    while kind != _PNG_END and at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length
    if kind != _PNG_END or at > len(data):
        raise MessageError(f"png must end with IEND, got {len(data)} bytes without it")
    if data[12:16] != b"IHDR":
        raise MessageError(f"png must begin with IHDR, got {data[12:16]!r}")
    width, height = struct.unpack_from(">II", data, 16)
    return int(width), int(height)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Read the size in the frame header, the first segment of the kinds SOF0 to SOF15.

    What follows the end of the image (a camera's buffer, padding) is of no account.

    Returns:
        Width and height in pixels.

    Raises:
        MessageError: It is no complete JPEG.
    """
    at, size = 2, None
    while at + 9 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if kind == _START_OF_SCAN:
            break
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = int(width), int(height)
        at += 1 if kind == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    if size is None:
        raise MessageError("jpeg must have a frame header before its data")
    if data.find(_JPEG_END, at) < 0:
        raise MessageError(f"jpeg must end with EOI, got {len(data)} bytes without it")
    return size
