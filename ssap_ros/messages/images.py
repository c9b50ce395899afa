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

"""sensor_msgs/Image <-> numpy: every encoding that a camera produces."""

from __future__ import annotations

import sys
from array import array
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from ssap_ros.data.image_files import to_8_bits
from ssap_ros.errors import MessageError
from ssap_ros.types import ImageArray

try:
    from cv_bridge import CvBridge, CvBridgeError
except ImportError:
    CvBridge = None


class _Encoding(NamedTuple):
    """How pixels lie in memory, and the OpenCV code that makes RGB of them (None: they are RGB).

    Attributes:
        chroma: (width, height) in pixels that share one colour sample; where the height is 2, the
            samples follow the image as half as many rows again (YUV 4:2:0).
    """

    channels: int
    code: int | None
    bits: int = 8
    chroma: tuple[int, int] = (1, 1)


_DEPTHS = (8, 16)
# ROS names a Bayer pattern by the first two pixels of rows 0 and 1, OpenCV by (1, 1) and (1, 2).
_BAYER = {
    "rggb": cv2.COLOR_BayerBG2RGB,
    "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB,
    "grbg": cv2.COLOR_BayerGB2RGB,
}
_ENCODINGS = {
    **{f"mono{bits}": _Encoding(1, cv2.COLOR_GRAY2RGB, bits) for bits in _DEPTHS},
    **{f"rgb{bits}": _Encoding(3, None, bits) for bits in _DEPTHS},
    **{f"bgr{bits}": _Encoding(3, cv2.COLOR_BGR2RGB, bits) for bits in _DEPTHS},
    **{f"rgba{bits}": _Encoding(4, cv2.COLOR_RGBA2RGB, bits) for bits in _DEPTHS},
    **{f"bgra{bits}": _Encoding(4, cv2.COLOR_BGRA2RGB, bits) for bits in _DEPTHS},
    **{
        f"bayer_{pattern}{bits}": _Encoding(1, code, bits)
        for pattern, code in _BAYER.items()
        for bits in _DEPTHS
    },
    "yuv422": _Encoding(2, cv2.COLOR_YUV2RGB_UYVY, chroma=(2, 1)),
    "yuv422_yuy2": _Encoding(2, cv2.COLOR_YUV2RGB_YUY2, chroma=(2, 1)),
}
CV_BRIDGE_ENCODINGS = frozenset(_ENCODINGS)
"""What cv_bridge converts to rgb8 in every distribution since Humble."""

_ENCODINGS |= {
    "8UC1": _ENCODINGS["mono8"],
    "8UC3": _ENCODINGS["bgr8"],
    "16UC1": _ENCODINGS["mono16"],
    "uyvy": _ENCODINGS["yuv422"],
    "yuyv": _ENCODINGS["yuv422_yuy2"],
    "nv12": _Encoding(1, cv2.COLOR_YUV2RGB_NV12, chroma=(2, 2)),
    "nv21": _Encoding(1, cv2.COLOR_YUV2RGB_NV21, chroma=(2, 2)),
}


def image_to_rgb(msg: Image, significant_bits: int = 0) -> ImageArray:
    """The image in `msg` as RGB; dense `rgb8` is not copied.

    Reads mono, rgb(a), bgr(a) and Bayer of 8 and 16 bits, YUV 4:2:2 and 4:2:0, and of the nameless
    types 8UC1 and 16UC1 as grey, 8UC3 as BGR. 16 bits are scaled by 255 / 65535 and rounded; where
    a camera gives fewer (10, 12 or 14), by its greatest value of `significant_bits`. Rows
    may be padded (`step`), 16 bits may be big endian. cv_bridge converts where it is installed and
    able to: not the nameless types, rows padded by a part of a pixel, or foreign byte order.

    Returns:
        RGB, contiguous uint8 (H, W, 3).

    Raises:
        MessageError: An unknown encoding, an image without pixels, a size that the chroma
            subsampling does not divide, a step shorter than a row, or data shorter than
            step * rows.
    """
    pixels = checked_pixels(msg)
    if CvBridge is not None and not significant_bits and _fits_cv_bridge(msg):
        try:
            return np.ascontiguousarray(CvBridge().imgmsg_to_cv2(msg, "rgb8"))
        except CvBridgeError as error:
            raise MessageError(f"cv_bridge cannot read {msg.encoding}: {error}") from error
    return to_rgb(pixels, msg.encoding, significant_bits)


def to_rgb(pixels: NDArray[Any], encoding: str, significant_bits: int = 0) -> ImageArray:
    """Convert pixels in `encoding`, (rows, W[, C]), to RGB: first the colour, then the depth.

    Returns:
        uint8 (H, W, 3).

    Raises:
        MessageError: The encoding is unknown.
    """
    code = _encoding(encoding).code
    return to_8_bits(pixels if code is None else cv2.cvtColor(pixels, code), significant_bits)


def _encoding(name: str) -> _Encoding:
    if name not in _ENCODINGS:
        raise MessageError(f"encoding {name[:40]!r} is not one of a camera, such as rgb8")
    return _ENCODINGS[name]


def checked_pixels(msg: Image) -> NDArray[Any]:
    """Take the data of an image, without padding and in native byte order.

    Returns:
        uint8 or uint16 (rows, W[, C]).

    Raises:
        MessageError: The image is empty, incomplete or of an unknown encoding, as for
            `image_to_rgb`.
    """
    encoding = _encoding(msg.encoding)
    if msg.width == 0 or msg.height == 0:
        raise MessageError(f"image must have pixels, got {msg.width} x {msg.height}")
    chroma_width, chroma_height = encoding.chroma
    if msg.width % chroma_width or msg.height % chroma_height:
        raise MessageError(
            f"{msg.encoding} needs a width divisible by {chroma_width} and a height divisible by "
            f"{chroma_height}, got {msg.width} x {msg.height}"
        )
    row_bytes = msg.width * encoding.channels * encoding.bits // 8
    if msg.step < row_bytes:
        raise MessageError(
            f"step must be at least {row_bytes} for {msg.width} pixels of {msg.encoding}, "
            f"got {msg.step}"
        )
    rows = msg.height + (msg.height // 2 if chroma_height == 2 else 0)
    if len(msg.data) < msg.step * rows:
        raise MessageError(
            f"data must hold step * rows = {msg.step} * {rows} = {msg.step * rows} bytes, "
            f"got {len(msg.data)}"
        )
    data = np.frombuffer(msg.data, np.uint8, msg.step * rows).reshape(rows, msg.step)[:, :row_bytes]
    if encoding.bits == 16:
        data = data.view(">u2" if msg.is_bigendian else "<u2").astype(np.uint16, copy=False)
    shape = (rows, msg.width, encoding.channels)
    return np.ascontiguousarray(data).reshape(shape if encoding.channels > 1 else shape[:2])


def _fits_cv_bridge(msg: Image) -> bool:
    """Say whether cv_bridge reads `msg` right: whole pixels per step, native byte order.

    Where the order is foreign it uses what NumPy 2 no longer has, even if a pixel has one byte.

    Returns:
        False if it does not.
    """
    if msg.encoding not in CV_BRIDGE_ENCODINGS:
        return False
    encoding = _ENCODINGS[msg.encoding]
    native = bool(msg.is_bigendian) == (sys.byteorder == "big")
    return native and msg.step % (encoding.channels * encoding.bits // 8) == 0


class LabelImageWriter:
    """Makes `~/instances`; the message and its pixels are used again for the next frame."""

    def __init__(self) -> None:
        self._msg = Image()

    def __call__(self, header: Header, labels: NDArray[np.uint16]) -> Image:
        """Fill `~/instances` with labels, uint16 (H, W); 0 = no instance, k = `detections[k - 1]`.

        Returns:
            The message in mono16, which the next call overwrites.
        """
        if (self._msg.height, self._msg.width) != labels.shape:
            self._msg = label_image(header, labels)
        else:
            self._msg.header = header
            pixels = np.frombuffer(self._msg.data, np.uint16).reshape(labels.shape)
            np.copyto(pixels, labels)
        return self._msg


def label_image(header: Header, labels: NDArray[np.uint16]) -> Image:
    """`~/instances`: labels uint16 (H, W) as mono16; 0 = no instance, k = `detections[k - 1]`."""
    return _image(header, "mono16", np.ascontiguousarray(labels, np.uint16))


def mono_image(header: Header, values: NDArray[np.uint8]) -> Image:
    """`~/semantic` and `~/confidence`: uint8 (H, W) as mono8."""
    return _image(header, "mono8", np.ascontiguousarray(values, np.uint8))


def depth_image(header: Header, depth: NDArray[Any]) -> Image:
    """`~/depth/static`: uint16 (H, W) in millimetres as 16UC1, float32 in metres as 32FC1."""
    return _image(header, "16UC1" if depth.dtype == np.uint16 else "32FC1", depth)


def depth_of(msg: Image) -> NDArray[Any]:
    """The depth image in a message of 16UC1 (also called mono16) or 32FC1.

    Returns:
        uint16 (H, W) in millimetres, or float32 (H, W) in metres, as it came.

    Raises:
        MessageError: It is another image, or incomplete.
    """
    kind = {"16UC1": "u2", "mono16": "u2", "32FC1": "f4"}.get(msg.encoding)
    if kind is None:
        raise MessageError(
            "depth must be 16UC1 in millimetres or 32FC1 in metres, got "
            f"{msg.encoding[:40]!r} of {msg.width} x {msg.height}"
        )
    return plane(msg, kind)


def plane(msg: Image, kind: str) -> NDArray[Any]:
    """Read the pixels of an image of one channel.

    Args:
        msg: Rows may be padded.
        kind: "u2" or "f4".

    Returns:
        (H, W) in native byte order.

    Raises:
        MessageError: It has no pixels, or is incomplete.
    """
    dtype = np.dtype(kind)
    row_bytes = msg.width * dtype.itemsize
    if row_bytes == 0 or msg.step < row_bytes or len(msg.data) < msg.step * msg.height:
        raise MessageError(
            f"{msg.encoding} of {msg.width} x {msg.height} needs rows of {row_bytes} bytes, got "
            f"{len(msg.data)} bytes in rows of {msg.step}"
        )
    rows = np.frombuffer(msg.data, np.uint8, msg.step * msg.height).reshape(msg.height, msg.step)
    pixels = np.ascontiguousarray(rows[:, :row_bytes])
    foreign = dtype.newbyteorder(">" if msg.is_bigendian else "<")
    return pixels.view(foreign).astype(dtype, copy=False)


def rgb_image(header: Header, rgb: ImageArray) -> Image:
    """`~/overlay`: RGB uint8 (H, W, 3) as rgb8."""
    return _image(header, "rgb8", np.ascontiguousarray(rgb, np.uint8))


def _image(header: Header, encoding: str, pixels: NDArray[Any]) -> Image:
    data = array("B")  # rclpy takes an array as it is; numpy or bytes it copies element by element
    data.frombytes(pixels.data.cast("B"))
    return Image(
        header=header,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(sys.byteorder == "big"),
        step=pixels[:1].nbytes,
        data=data,
    )
