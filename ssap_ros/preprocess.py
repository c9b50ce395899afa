"""Image -> normalised network input, with the geometry that leads back."""

from __future__ import annotations

import cv2
import numpy as np

from ssap_ros.types import FloatArray, ImageArray, ModelInfo


def preprocess(image: ImageArray, info: ModelInfo, long_side: int) -> tuple[FloatArray, float]:
    """Fit `image` into the network input, top left, and normalise it.

    image: uint8 (H, W, 3) RGB.
    long_side: longer side in network pixels that the image is scaled to. A model of fixed input
        size ignores it: there the image takes as much of that size as its aspect ratio allows.

    Returns the network input, float32 (1, 3, h, w), h and w multiples of the coarsest level and
    padded right and below with the mean colour; and the scale, network pixels per source pixel.
    Raises ValueError if `image` is not such an array or is empty.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"image must be uint8 (H, W, 3), got {image.dtype} {image.shape}")
    height, width = image.shape[:2]
    if info.input_size:
        scale = min(info.input_size[0] / height, info.input_size[1] / width)
    else:
        scale = long_side / max(height, width)
    rows, columns = content_size((height, width), scale)
    stride = info.levels[-1]
    padded = info.input_size or (-(-rows // stride) * stride, -(-columns // stride) * stride)

    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(image, (columns, rows), interpolation=method)
    tensor = np.zeros((1, 3, *padded), np.float32)  # the mean colour is zero
    content = tensor[0, :, :rows, :columns]
    for channel, mean, std in zip(range(3), info.mean, info.std, strict=True):
        np.multiply(resized[..., channel], np.float32(1 / std), out=content[channel])
        content[channel] -= np.float32(mean / std)
    return tensor, scale


def content_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """The (height, width) in network pixels that an image of `size` covers, at least 1 x 1."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
