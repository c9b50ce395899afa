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

"""Procedural instance maps, and what a network that errs like a real one would say about them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ssap_ros.types import ClassArray, FloatArray

N_CLASSES = 8
_WINDOW = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)]


@dataclass(frozen=True)
class AffinityScene:
    """Affinities of one image on five levels (strides 1, 2, 4, 8 and 16 of the finest).

    Attributes:
        ids: The truth at the finest level, int32 (h, w); 0 = background, 1..N.
        logits: Per level, float16 (25, h, w), directed, row-major over the 5x5 window.
        classes: Per level, uint8 (h, w); 0 = background.
        scores: Class distribution over the object classes at the finest level, float32 (8, h, w).
    """

    ids: NDArray[np.int32]
    logits: tuple[NDArray[np.float16], ...]
    classes: tuple[ClassArray, ...]
    scores: FloatArray


@dataclass(frozen=True)
class Noise:
    """How a network errs; fractions are of the affected places, lengths are in cells.

    Attributes:
        shift: Amplitude of the smooth displacement of all outlines, drawn again for every level.
        blur: Standard deviation of the uncertainty across a boundary.
        missed, phantom: Share of the image in which boundaries are missed, or found without cause.
        flips: Share of single affinities that say the opposite.
        spread: Standard deviation of the logits' noise, half of it correlated over a few cells.
    """

    shift: float = 0.7
    blur: float = 0.8
    missed: float = 0.05
    phantom: float = 0.04
    flips: float = 0.01
    spread: float = 1.5


EASY = Noise()
HARD = Noise(shift=1.0, blur=1.0, missed=0.08, phantom=0.08, flips=0.03, spread=2.0)


def affinity_scene(
    seed: int, size: tuple[int, int], foreground: float, noise: Noise = EASY
) -> AffinityScene:
    """A scene of `size` cells at the finest level; objects cover the share `foreground` of it."""
    rng = np.random.default_rng(seed)
    ids, class_of_id = instance_map(rng, size, foreground)
    logits, classes = [], []
    for level in range(5):
        step = 2**level
        rows, columns = (np.arange(-(-n // step)) * step + step // 2 for n in size)
        rows, columns = np.minimum(rows, size[0] - 1), np.minimum(columns, size[1] - 1)
        seen = _displaced(rng, ids[np.ix_(rows, columns)], noise.shift)
        classes.append(class_of_id[seen])
        logits.append(_logits(rng, seen, noise).astype(np.float16, order="C"))
    return AffinityScene(ids, tuple(logits), tuple(classes), _scores(rng, classes[0]))


def instance_map(
    rng: np.random.Generator, size: tuple[int, int], foreground: float
) -> tuple[NDArray[np.int32], ClassArray]:
    """Draw overlapping ellipses and boxes, larger towards the bottom.

    Standing ones (people) and lying ones (vehicles), many of them touching, until they cover the
    share `foreground` of the image.

    Returns:
        Ids, int32 (h, w), 0 = background, and the class of each id.
    """
    height, width = size
    ids = np.zeros(size, np.int32)
    classes = [0]
    while np.count_nonzero(ids) < foreground * ids.size:
        depth = rng.random()
        extent = height * (0.05 + 0.3 * depth**2)
        class_id = int(rng.integers(1, N_CLASSES + 1))
        slender = 0.4 if class_id <= 2 else rng.uniform(1.0, 1.9)
        mask = np.zeros(size, np.uint8)
        for _ in range(int(rng.integers(1, 5))):  # some of them side by side
            centre = (int(rng.uniform(0, width)), int(height * (0.35 + 0.5 * depth)))
            half = (max(1, int(extent * slender / 2)), max(1, int(extent / 2)))
            mask[:] = 0
            if class_id <= 2:
                cv2.ellipse(mask, centre, half, float(rng.uniform(-8, 8)), 0, 360, 1, -1)
            else:
                corners = np.subtract(centre, half), np.add(centre, half)
                cv2.rectangle(mask, corners[0].tolist(), corners[1].tolist(), 1, -1)
            if np.count_nonzero((ids > 0) | (mask > 0)) > (foreground + 0.03) * ids.size:
                extent *= 0.7
                continue
            ids[mask > 0] = len(classes)
            classes.append(class_id)
    # ids without a pixel left are dropped, and the others numbered again
    kept, ids_flat = np.unique(ids, return_inverse=True)
    if kept[0] != 0:
        kept, ids_flat = np.concatenate([[0], kept]), ids_flat + 1
    return ids_flat.reshape(size).astype(np.int32), np.asarray(classes, np.uint8)[kept]


def _smooth(rng: np.random.Generator, size: tuple[int, ...], sigma: float) -> FloatArray:
    """Gaussian noise (h, w) or (h, w, n) of unit variance, correlated over `sigma` cells."""
    field = cv2.GaussianBlur(rng.standard_normal(size, dtype=np.float32), (0, 0), sigma)
    return np.asarray(field / max(float(field.std()), 1e-6), np.float32)


def _displaced(
    rng: np.random.Generator, ids: NDArray[np.int32], amplitude: float
) -> NDArray[np.int32]:
    y, x = np.indices(ids.shape, np.float32)
    moved = [grid + amplitude * _smooth(rng, ids.shape, 6.0) for grid in (x, y)]
    return cv2.remap(
        ids.astype(np.float32),
        moved[0],
        moved[1],
        cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.int32)


def _logits(rng: np.random.Generator, ids: NDArray[np.int32], noise: Noise) -> FloatArray:
    """Directed affinity logits (25, h, w) of a displaced id map."""
    size = ids.shape
    missed = _smooth(rng, size, 4.0) > _quantile(noise.missed)
    phantom = _smooth(rng, size, 4.0) > _quantile(noise.phantom)
    halves = np.where(phantom, _smooth(rng, size, 5.0) > 0, 2)  # phantom boundaries split blobs
    seen = np.where(missed & (ids > 0), -1, ids)
    padded_ids, padded_halves = np.pad(seen, 2), np.pad(halves, 2, constant_values=2)
    channels = []
    for dy, dx in _WINDOW:
        there = (slice(2 + dy, 2 + dy + size[0]), slice(2 + dx, 2 + dx + size[1]))
        v, half = padded_ids[there], padded_halves[there]
        same = (v == seen) | ((v == -1) & (ids > 0)) | ((seen == -1) & (v > 0))
        split = (half != halves) & (half != 2) & (halves != 2)
        channels.append(same & ~split)
    alike = np.stack(channels, axis=-1).astype(np.float32)  # (h, w, 25)
    alike = cv2.GaussianBlur(alike, (0, 0), noise.blur)
    # confidence 0.97 far from a boundary, less where the blurred window is undecided
    logits = 7.0 * (alike - 0.5)
    common, own = _smooth(rng, size, 2.5)[..., None], rng.standard_normal(alike.shape)
    logits += noise.spread * (0.5 * common + 0.5 * own)
    logits[rng.random(alike.shape) < noise.flips] *= -1
    return np.moveaxis(logits, -1, 0)


def _quantile(share: float) -> float:
    """The value that a standard normal variable exceeds with the probability `share`."""
    samples = np.random.default_rng(0).standard_normal(100_000)
    return float(np.quantile(samples, 1 - share))


def _scores(rng: np.random.Generator, classes: ClassArray) -> FloatArray:
    """Class distributions (8, h, w) that waver along the outlines and are unsure in places."""
    one_hot = np.stack([classes == k for k in range(1, N_CLASSES + 1)], -1).astype(np.float32)
    logits = 5.0 * cv2.GaussianBlur(one_hot, (0, 0), 1.0)
    logits += 0.7 * _smooth(rng, logits.shape, 3.0)
    scores = np.exp(np.moveaxis(logits, -1, 0))
    return np.asarray(scores / scores.sum(axis=0), np.float32)
