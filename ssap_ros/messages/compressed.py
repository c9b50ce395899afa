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

"""sensor_msgs/CompressedImage <-> numpy: jpeg and png."""

from __future__ import annotations

from array import array
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from ssap_ros.data.image_files import decode_image, to_rgb8
from ssap_ros.errors import MessageError
from ssap_ros.messages.images import checked_pixels, to_rgb
from ssap_ros.types import ImageArray

_PNG_OPTIONS = (
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
)


def compressed_to_rgb(msg: CompressedImage, significant_bits: int = 0) -> ImageArray:
    """The image in `msg`, jpeg or png of 8 or 16 bits, as RGB.

    A grey picture whose `format` begins with a Bayer encoding, as image_transport writes it, is
    taken for that mosaic. The data decide between jpeg and png, not the format.

    Returns:
        RGB, uint8 (H, W, 3).

    Raises:
        MessageError: Other data, an incomplete file, or more pixels than 2^26 or than the data can
            hold.
    """
    pixels = _decode(msg)
    written = msg.format.partition(";")[0].strip()
    if (
        pixels.ndim == 2
        and written.startswith("bayer_")
        and written.endswith(f"{8 * pixels.itemsize}")
    ):
        return to_rgb(pixels, written, significant_bits)
    return to_rgb8(pixels, significant_bits)


def bits_in_use(*msgs: Image | CompressedImage) -> int:
    """Estimate the significant bits of images of 16 bits.

    Returns:
        10, 12 or 14; else 0.

    Raises:
        MessageError: An image cannot be read.
    """
    pixels = [checked_pixels(m) if isinstance(m, Image) else _decode(m) for m in msgs]
    used = max(int(p.max()) if p.itemsize == 2 else 0 for p in pixels).bit_length()
    return next((bits for bits in (10, 12, 14) if bits - 2 < used <= bits), 0)


def png_label_image(header: Header, labels: NDArray[np.uint16]) -> CompressedImage:
    """`~/instances/compressed`: labels uint16 (H, W) as a 16-bit png, without loss."""
    _, png = cv2.imencode(".png", labels, _PNG_OPTIONS)
    data = array("B")
    data.frombytes(png.data)
    return CompressedImage(header=header, format="mono16; png compressed ", data=data)


def png_labels(msg: CompressedImage) -> NDArray[np.uint16]:
    """The labels (H, W) in a message of `~/instances/compressed`; MessageError if they are not."""
    labels = _decode(msg)
    if labels.ndim != 2 or labels.dtype != np.uint16:
        raise MessageError(f"label image must be uint16 (H, W), got {labels.dtype} {labels.shape}")
    return labels


def _decode(msg: CompressedImage) -> NDArray[Any]:
    try:
        return decode_image(bytes(msg.data))
    except MessageError as error:
        raise MessageError(f"{error} (format {msg.format!r})") from None
