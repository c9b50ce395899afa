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

"""Image -> normalised network input, with the geometry that leads back."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ssap_ros.stages import core
from ssap_ros.types import FloatArray, ImageArray, ModelInfo


def preprocess(image: ImageArray, info: ModelInfo, long_side: int) -> tuple[FloatArray, float]:
    """Fit `image` into the network input, top left, and normalise it.

    Args:
        image: uint8 (H, W, 3) RGB.
        info: What the model says about its input.
        long_side: Longer side in network pixels that the image is scaled to. A model of fixed input
            size ignores it: there the image takes as much of that size as its aspect ratio allows.

    Returns:
        The network input, float32 (1, 3, h, w), h and w multiples of the coarsest level and padded
        right and below with the mean colour; and the scale, network pixels per source pixel.

    Raises:
        ValueError: `image` is not such an array or is empty.
    """
    fitted = fit_input(image, info, long_side)
    rows, columns = fitted.content
    tensor = np.empty((1, 3, *fitted.size), np.float32)
    tensor[..., rows:, :] = tensor[..., :rows, columns:] = 0  # the mean colour
    if fitted.scale > 1:
        image = np.asarray(cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR))
    factor = tuple(1 / std for std in info.std)
    offset = tuple(mean / std for mean, std in zip(info.mean, info.std, strict=True))
    core.area_resize(image, fitted.content, factor, offset, tensor)
    return tensor, fitted.scale


class Fit(NamedTuple):
    """How an image lies in the network input.

    Attributes:
        scale: Network pixels per source pixel.
        content: (height, width) that the image takes there.
        size: (height, width) of the network input.
    """

    scale: float
    content: tuple[int, int]
    size: tuple[int, int]


def fit_input(image: ImageArray, info: ModelInfo, long_side: int) -> Fit:
    """Where `preprocess` puts the image; arguments and errors as there."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"image must be uint8 (H, W, 3), got {image.dtype} {image.shape}")
    height, width = image.shape[:2]
    if info.input_size:
        scale = min(info.input_size[0] / height, info.input_size[1] / width)
    else:
        scale = long_side / max(height, width)
    rows, columns = content_size((height, width), scale)
    stride = info.levels[-1]
    padded = (-(-rows // stride) * stride, -(-columns // stride) * stride)
    return Fit(scale, (rows, columns), info.input_size or padded)


def content_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """The (height, width) in network pixels that an image of `size` covers, at least 1 x 1."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
