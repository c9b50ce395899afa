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

"""Geometry and normalisation of the network input."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from ssap_ros.stages.preprocess import content_size, preprocess
from support.toy_model import toy_info

INFO = dataclasses.replace(toy_info(), mean=(100.0, 50.0, 25.0), std=(10.0, 20.0, 50.0))


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "size", [(1, 1), (2, 3), (63, 65), (131, 257), (720, 1280), (1, 3000), (900, 40)]
)
@pytest.mark.parametrize("long_side", [200, 512])
def test_size_and_scale(size: tuple[int, int], long_side: int) -> None:
    tensor, scale = preprocess(picture(*size), INFO, long_side)
    rows, columns = content_size(size, scale)
    assert scale == long_side / max(size)
    assert max(rows, columns) == long_side
    for padded, content in zip(tensor.shape[2:], (rows, columns), strict=True):
        assert padded == 64 * -(-content // 64)
    assert (tensor.shape[:2], tensor.dtype) == ((1, 3), np.float32)
    assert tensor.flags.c_contiguous


def test_values_at_scale_one() -> None:
    image = picture(100, 128)
    tensor, scale = preprocess(image, INFO, 128)
    expected = (image.astype(np.float64) - INFO.mean) / INFO.std
    assert scale == 1
    np.testing.assert_allclose(tensor[0, :, :100], expected.transpose(2, 0, 1), atol=1e-5)
    assert not tensor[0, :, 100:].any()


def test_shrinking_averages() -> None:
    image = picture(128, 256)
    tensor, _ = preprocess(image, INFO, 64)
    means = image.reshape(32, 4, 64, 4, 3).mean(axis=(1, 3))
    rgb = tensor[0, :, :32].transpose(1, 2, 0) * INFO.std + INFO.mean
    np.testing.assert_allclose(rgb, means, atol=0.51)  # the mean is rounded to 8 bits


def test_mean_colour_becomes_zero_everywhere() -> None:
    image = np.full((45, 77, 3), INFO.mean, np.uint8)
    assert np.abs(preprocess(image, INFO, 300)[0]).max() < 1e-6


@pytest.mark.parametrize("size", [(100, 300), (300, 100), (64, 128), (1, 1), (1080, 1920)])
def test_fixed_input_size(size: tuple[int, int]) -> None:
    info = dataclasses.replace(INFO, input_size=(128, 256))
    tensor, scale = preprocess(picture(*size), info, 9999)
    rows, columns = content_size(size, scale)
    assert tensor.shape == (1, 3, 128, 256)
    assert min(128 - rows, 256 - columns) == 0
    assert not tensor[0, :, rows:].any()
    assert not tensor[0, :, :, columns:].any()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"image must be uint8 \(H, W, 3\), got"):
        preprocess(image, INFO, 64)


@pytest.mark.parametrize(
    "size", [(240, 320), (77, 333), (128, 256), (300, 129), (1, 1000), (3, 130), (602, 799)]
)
def test_shrunk_pixels_are_the_rounded_means_of_the_areas_they_cover(
    size: tuple[int, int],
) -> None:
    image = picture(*size)
    tensor, scale = preprocess(image, INFO, 128)
    rows, columns = content_size(size, scale)
    area = cv2.resize(image.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    mean, std = (np.float32(values)[:, None, None] for values in (INFO.mean, INFO.std))
    levels = tensor[0, :, :rows, :columns] * std + mean
    assert np.abs(levels - area.reshape(rows, columns, 3).transpose(2, 0, 1)).max() <= 0.501
    assert np.abs(levels - np.rint(levels)).max() < 1e-3
    assert not tensor[0, :, rows:].any()
    assert not tensor[0, :, :, columns:].any()
