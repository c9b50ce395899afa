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

"""The training set, which mixes sources of labelled pictures and augments what they give.

A training item depends on the seed and its index alone, so a resumed run sees the same data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ssap_ros.training.augment import (
    Cutout,
    flip,
    jitter_colours,
    paste_beside,
    paste_group,
    random_crop,
)
from ssap_ros.training.samples import Sample
from ssap_ros.training.sources import Source


class Batch(NamedTuple):
    """Crops, or with one dimension less one of them.

    Attributes:
        image: uint8 (B, 3, H, W) RGB.
        classes, certainty: uint8 (B, H, W), see `Sample.semantic_target` and `Sample.certainty`.
        ids: int16 (B, H, W), labels of `samples`.
        possible: bool (B, C), the classes that a pixel of PARTIAL_CLASS may be of.
    """

    image: Tensor
    classes: Tensor
    certainty: Tensor
    ids: Tensor
    possible: Tensor

    def to(self, device: torch.device) -> Batch:
        """On that device."""
        return Batch(*(t.to(device, non_blocking=True) for t in self))


def normalised(image: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Network input, float32 (B, 3, H, W), of uint8 images; mean and std are (3, 1, 1)."""
    return ((image - mean) / std).contiguous(memory_format=torch.channels_last)


class TrainingSet(Dataset[Batch]):
    """Augmented crops from several sources, (H, W) = crop.

    Args:
        sources: (source, share of the items) pairs.
        cutouts: Pasted by class, each class as likely as its entry in `paste_weights`.
        long_side: Pictures are first scaled to this longer side, 0 = they stay; then by `scales`.
    """

    def __init__(
        self,
        sources: Sequence[tuple[Source, float]],
        cutouts: Sequence[Cutout],
        paste_weights: dict[int, float],
        paste_rate: float,
        beside_rate: float,
        crop: tuple[int, int],
        long_side: int,
        scales: tuple[float, float],
        n_classes: int,
        seed: int,
        length: int,
    ) -> None:
        self.sources = [source for source, _ in sources]
        shares = np.array([share for _, share in sources], float)
        self.shares = shares / shares.sum()
        self.weights = [s.weights / s.weights.sum() for s in self.sources]
        self.pools = {c: [x for x in cutouts if x.class_id == c] for c in paste_weights}
        self.pools = {c: pool for c, pool in self.pools.items() if pool}
        self.paste_classes = list(self.pools)
        paste = np.array([paste_weights[c] for c in self.paste_classes], float)
        self.paste_shares = paste / paste.sum() if self.paste_classes else paste
        self.paste_rate = paste_rate if self.paste_classes else 0.0
        self.beside_rate = beside_rate
        self.crop, self.long_side, self.scales = crop, long_side, scales
        self.n_classes, self.seed, self.length = n_classes, seed, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Batch:
        rng = np.random.default_rng((self.seed, index))
        sample = self._draw(rng)
        possible = np.ones(self.n_classes, bool)
        possible[list(sample.annotated or ())] = False
        return Batch(
            torch.from_numpy(np.ascontiguousarray(sample.image.transpose(2, 0, 1))),
            torch.from_numpy(sample.semantic_target()),
            torch.from_numpy(sample.certainty()),
            torch.from_numpy(sample.instances.astype(np.int16)),
            torch.from_numpy(possible),
        )

    def _draw(self, rng: np.random.Generator) -> Sample:
        which = rng.choice(len(self.sources), p=self.shares)
        source, weights = self.sources[which], self.weights[which]
        sample = source.sample(int(rng.choice(weights.size, p=weights)), rng)
        base = self.long_side / max(sample.instances.shape) if self.long_side else 1.0
        low, high = self.scales
        sample = random_crop(sample, self.crop, (base * low, base * high), rng)
        if rng.random() < 0.5:
            sample = flip(sample)
        while rng.random() < self.beside_rate:
            sample = paste_beside(sample, self.pools, rng)
        while rng.random() < self.paste_rate:
            pool = self.pools[self.paste_classes[rng.choice(len(self.pools), p=self.paste_shares)]]
            sample = paste_group(sample, pool, int(rng.integers(1, 5)), rng)
        return dataclasses.replace(sample, image=jitter_colours(sample.image, rng))
