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

"""Learning from other networks: their mean opinion on each crop is a target beside its labels.

Hinton et al., Distilling the Knowledge in a Neural Network, 2015. The mean of several networks is
better than each of them, and that of a picture and its mirror image better again; one network that
learns from it keeps much of that at its own cost. Their opinion also covers what nobody has
labelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssap_ros.errors import InputError
from ssap_ros.network.checkpoint import load_network
from ssap_ros.training.datasets import normalised
from ssap_ros.training.losses import LossConfig

Logits = tuple[list[Tensor], list[Tensor]]


@dataclass(frozen=True)
class DistillationConfig:
    """The networks to learn from.

    Attributes:
        networks: Checkpoints of `ssap train` with the same classes, under data.root or absolute;
            none = learn from labels alone.
        affinity_biases: One number per network, added to its affinity logits of all levels (`ssap
            calibrate` finds it); none = 0 for each.
        semantic_weight, affinity_weight: Of these losses against those of the labels.
    """

    networks: tuple[str, ...] = ()
    affinity_biases: tuple[float, ...] = ()
    semantic_weight: float = 1.0
    affinity_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.affinity_biases and len(self.affinity_biases) != len(self.networks):
            raise ValueError(
                f"distillation: expected {len(self.networks)} affinity_biases, one per network, "
                f"got {len(self.affinity_biases)}"
            )


class Ensemble(nn.Module):
    """Mean logits of several networks, (semantic, affinities) per level, finest first.

    Each network sees the crops or, by lot, their mirror images: over many iterations the mean is
    that of both views, at the cost of one.

    Raises:
        InputError: A network cannot be read or has other classes.
    """

    def __init__(self, config: DistillationConfig, root: Path, classes: Sequence[str]) -> None:
        super().__init__()
        biases = config.affinity_biases or (0.0,) * len(config.networks)
        self.members = nn.ModuleList(
            _Member(root / name, bias, classes)
            for name, bias in zip(config.networks, biases, strict=True)
        )
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, image: Tensor) -> Logits:
        """image: uint8 (B, 3, H, W)."""
        mirror = torch.rand(len(self.members)) < 0.5
        opinions = [
            member(image, mirrored)
            for member, mirrored in zip(self.members, mirror.tolist(), strict=True)
        ]
        semantics, pyramids = zip(*opinions, strict=True)
        return _means(semantics), _means(pyramids)


class _Member(nn.Module):
    """One network of an ensemble, with its own normalisation and affinity bias."""

    mean: Tensor
    std: Tensor

    def __init__(self, checkpoint: Path, bias: float, classes: Sequence[str]) -> None:
        super().__init__()
        self.network, config = load_network(checkpoint)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.bias = bias
        if list(config["classes"]) != list(classes):
            raise InputError(
                f"{checkpoint}: expected a network of the classes {list(classes)}, got "
                f"{list(config['classes'])}"
            )
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(config[name]).view(3, 1, 1))

    def forward(self, image: Tensor, mirrored: bool) -> Logits:
        """Of the image; mirrored: of its mirror image, turned back."""
        seen = image.flip(-1) if mirrored else image
        semantic, affinities = self.network(normalised(seen, self.mean, self.std))
        affinities = [a.float() + self.bias for a in affinities]
        if not mirrored:
            return semantic, affinities
        return [s.flip(-1) for s in semantic], [_mirror_affinities(a) for a in affinities]


def distillation_loss(
    student: Logits,
    teacher: Logits,
    strides: Sequence[int],
    loss: LossConfig,
    config: DistillationConfig,
) -> dict[str, Tensor]:
    """Compute the loss of a student against its teacher.

    Semantics: divergence of the student's classes from the teacher's, mean over pixels. Affinities:
    the same of each pair, mean over a pixel's pairs, sum over pixels; a pixel weighs
    `background_pair_weight`, and `object_weight` more the likelier it is of an object.

    Returns:
        Scalars by name, weighted over the levels as those of `ssap_loss`.
    """
    terms: dict[str, Tensor] = {}
    levels = zip(strides, *student, *teacher, loss.lambdas, strict=True)
    for stride, semantic, affinity, taught_semantic, taught_affinity, level_weight in levels:
        expected = torch.softmax(taught_semantic.float(), dim=1)
        log_p = torch.log_softmax(semantic.float(), dim=1)
        divergence = F.kl_div(log_p, expected, reduction="none").sum(dim=1)
        weight = config.semantic_weight * loss.semantic_weight
        terms[f"taught_semantic_{stride}"] = weight * divergence.mean()
        joined = torch.sigmoid(taught_affinity)
        error = F.binary_cross_entropy_with_logits(affinity.float(), joined, reduction="none")
        least = F.binary_cross_entropy_with_logits(taught_affinity, joined, reduction="none")
        of_objects = loss.background_pair_weight + loss.object_weight * (1 - expected[:, 0])
        per_crop = ((error - least).mean(dim=1) * of_objects).sum() / len(of_objects)
        weight = config.affinity_weight * loss.alpha * level_weight
        terms[f"taught_affinity_{stride}"] = weight * per_crop
    return terms


def _mirror_affinities(affinities: Tensor) -> Tensor:
    """Mirror (B, r*r, H, W), channels row-major over (dy, dx), left to right."""
    window = round(affinities.shape[1] ** 0.5)
    by_offset = affinities.unflatten(1, (window, window))
    return by_offset.flip(2, 4).flatten(1, 2)


def _means(opinions: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    return [
        torch.stack([t.float() for t in level]).mean(dim=0) for level in zip(*opinions, strict=True)
    ]
