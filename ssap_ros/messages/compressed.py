"""sensor_msgs/CompressedImage <-> numpy: jpeg and png."""

from __future__ import annotations

import struct
from array import array
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from ssap_ros.errors import MessageError
from ssap_ros.messages.images import to_rgb
from ssap_ros.types import ImageArray

_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xae\x42\x60\x82"
_MAX_PIXELS = 1 << 26
_MAX_PIXELS_PER_BYTE = 1 << 11  # a black jpeg or png has half as many
_PNG_OPTIONS = (
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
)
_NAMELESS = {2: "mono", 3: "bgr", 4: "bgra"}  # what the decoder returns, by dimensions or channels


def compressed_to_rgb(msg: CompressedImage) -> ImageArray:
    """The picture in `msg`, jpeg or png of 8 or 16 bits, as RGB, uint8 (H, W, 3).

    A grey picture whose `format` begins with a Bayer encoding, as image_transport writes it, is
    taken for that mosaic. The data decide between jpeg and png, not the format.

    Raises MessageError for other data, an incomplete file, and more pixels than 2^26 or than the
    data can hold.
    """
    data = bytes(msg.data)
    width, height = _size(data, msg.format)
    if not 0 < width * height <= _MAX_PIXELS:
        raise MessageError(f"image must have 1 to {_MAX_PIXELS} pixels, got {width} x {height}")
    if width * height > _MAX_PIXELS_PER_BYTE * len(data):
        raise MessageError(f"{width} x {height} pixels cannot be in {len(data)} bytes")
    pixels = _decode(data)
    bits = 8 * pixels.itemsize
    written = msg.format.partition(";")[0].strip()
    if pixels.ndim == 2 and written.startswith("bayer_") and written.endswith(f"{bits}"):
        return to_rgb(pixels, written)
    channels = 2 if pixels.ndim == 2 else pixels.shape[2]
    return to_rgb(pixels, f"{_NAMELESS[channels]}{bits}")


def png_label_image(header: Header, labels: NDArray[np.uint16]) -> CompressedImage:
    """`~/instances/compressed`: labels uint16 (H, W) as a 16-bit png, without loss."""
    _, png = cv2.imencode(".png", labels, _PNG_OPTIONS)
    data = array("B")
    data.frombytes(png.data)
    return CompressedImage(header=header, format="mono16; png compressed ", data=data)


def png_labels(msg: CompressedImage) -> NDArray[np.uint16]:
    """The labels (H, W) in a message of `~/instances/compressed`; MessageError if they are not."""
    _size(bytes(msg.data), msg.format)
    labels = _decode(bytes(msg.data))
    if labels.ndim != 2 or labels.dtype != np.uint16:
        raise MessageError(f"label image must be uint16 (H, W), got {labels.dtype} {labels.shape}")
    return labels


def _decode(data: bytes) -> NDArray[Any]:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise MessageError(f"image data cannot be decoded: {error.err}") from error
    if pixels is None:
        raise MessageError(f"image data of {len(data)} bytes cannot be decoded")
    return np.asarray(pixels)


def _size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height by the file's own header, once the file is known to be complete."""
    if data.startswith(_PNG):
        if len(data) < 33 or _PNG_END not in data[-64:]:
            raise MessageError(f"png must end with IEND, got {len(data)} bytes without it")
        width, height = struct.unpack_from(">II", data, 16)
        return int(width), int(height)
    if data.startswith(_JPEG):
        if not data.rstrip(b"\0").endswith(_JPEG_END):
            raise MessageError(f"jpeg must end with EOI, got {len(data)} bytes without it")
        return _jpeg_size(data)
    start = data[:4].hex(" ") or "nothing"
    raise MessageError(f"data must be jpeg or png, got format {name!r} and bytes {start}")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height in the frame header, the first segment of the kinds SOF0 to SOF15."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return int(width), int(height)
        at += 1 if kind == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise MessageError("jpeg must have a frame header before its data")
