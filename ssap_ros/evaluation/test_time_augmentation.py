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

"""Test-time augmentation: each image also mirrored and at several sizes (SSAP Table 7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log2

import cv2
import numpy as np

from ssap_ros.backends.base import AnyBackend, CpuPyramids
from ssap_ros.errors import ModelError
from ssap_ros.stages.affinity import softmax
from ssap_ros.types import FloatArray, ImageArray, NetworkOutput

SCALES = (0.5, 1.0, 2.0)
_EPS = 1e-6


class TestTimeBackend(CpuPyramids):
    """A backend that returns the mean prediction over several views of the image.

    A view at twice the size has at stride 8 what the image has at stride 4: its levels are shifted
    by log2(scale), so that every affinity keeps its displacement exactly. Class and affinity
    probabilities are averaged level by level over the views that have the level; where a smaller
    view lacks the finest levels, its classes, enlarged, count all the same.

    Args:
        backend: What runs on the views; its logits are arrays of this machine (ONNX Runtime).
        flip: Also mirrored left to right.
        scales: Powers of two, 1 among them.

    Raises:
        ValueError: Other scales.
        ModelError: The model has a fixed input size and so one scale.
    """

    __test__ = False  # for the test runner: a name, not a test
    max_batch = 1

    def __init__(self, backend: AnyBackend, flip: bool, scales: Sequence[float] = (1.0,)) -> None:
        if 1.0 not in scales or any(s <= 0 or log2(s) % 1 for s in scales):
            raise ValueError(f"scales must be powers of two with 1 among them, got {scales}")
        if backend.info.input_size and len(scales) > 1:
            raise ModelError("a model of fixed input size takes images at one scale")
        self._backend, self._flip, self._scales = backend, flip, tuple(scales)
        self.name, self.info = f"{backend.name} with test-time augmentation", backend.info

    def preprocess(
        self, images: Sequence[ImageArray], long_side: int
    ) -> tuple[list[FloatArray], float]:
        """See InferenceBackend; one network input per scale."""
        views = [self._backend.preprocess(images, round(long_side * s)) for s in self._scales]
        return [tensor for tensor, _ in views], views[self._scales.index(1.0)][1]

    def infer(self, tensor: list[FloatArray], levels: Sequence[int]) -> list[NetworkOutput]:
        """See InferenceBackend."""
        height, width = tensor[self._scales.index(1.0)].shape[2:]
        semantic, affinities = [], []
        views = [
            (int(log2(scale)), output)
            for scale, view in zip(self._scales, tensor, strict=True)
            for output in self._see(
                view, self.info.levels[: len(levels) + max(0, int(log2(scale)))]
            )
        ]
        for i, level in enumerate(levels):
            size = height // level, width // level
            classes, pairs = [], []
            for shift, output in views:
                if 0 <= i + shift < len(output.semantic):
                    classes.append(_fit(softmax(output.semantic[i + shift]), size))
                    pairs.append(_fit(_sigmoid(output.affinities[i + shift]), size))
                elif i + shift < 0:
                    enlarged = _enlarge(softmax(output.semantic[0]), 2 ** -(i + shift))
                    classes.append(_fit(enlarged, size))
            p, q = (np.clip(np.mean(maps, axis=0), _EPS, 1 - _EPS) for maps in (classes, pairs))
            semantic.append(np.log(p))
            affinities.append(np.log(q / (1 - q)))
        return [NetworkOutput(tuple(semantic), tuple(affinities))]

    def close(self) -> None:
        """See InferenceBackend."""
        self._backend.close()

    def _see(self, tensor: FloatArray, levels: Sequence[int]) -> Iterator[NetworkOutput]:
        """What the backend says of a view and, with flip, of its mirror image, mirrored back."""
        yield self._backend.infer(tensor, levels)[0]
        if self._flip:
            mirrored = self._backend.infer(np.ascontiguousarray(tensor[..., ::-1]), levels)[0]
            yield NetworkOutput(
                tuple(s[..., ::-1] for s in mirrored.semantic),
                tuple(mirror_affinities(a) for a in mirrored.affinities),
            )


def mirror_affinities(affinities: FloatArray) -> FloatArray:
    """Affinities (r * r, h, w) of the mirror image: pixels and displacements, left and right."""
    n, height, width = affinities.shape
    window = round(n**0.5)
    windows = affinities.reshape(window, window, height, width)
    return windows[:, ::-1, :, ::-1].reshape(n, height, width)


def _fit(maps: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Crop maps (C, h, w) to `size`, or continue them; only padding of the views differs."""
    maps = maps[:, : size[0], : size[1]]
    short = [(0, 0), *((0, full - n) for full, n in zip(size, maps.shape[1:], strict=True))]
    return np.pad(maps, short, mode="edge")


def _enlarge(maps: FloatArray, factor: int) -> FloatArray:
    height, width = maps.shape[1:]
    size = (width * factor, height * factor)
    return np.stack([cv2.resize(m, size, interpolation=cv2.INTER_LINEAR) for m in maps])


def _sigmoid(logits: FloatArray) -> FloatArray:
    return np.asarray(0.5 * np.tanh(0.5 * logits) + 0.5, np.float32)
