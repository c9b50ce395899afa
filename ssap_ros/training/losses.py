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

"""The losses of SSAP: focal loss and affinity L2 loss, summed over the levels (Eq. 1, 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ssap_ros.training.affinity_targets import (
    affinity_targets,
    both_objects,
    sample_level,
)
from ssap_ros.training.datasets import Batch
from ssap_ros.training.parallel import mean_over_processes
from ssap_ros.training.samples import CERTAIN, IGNORE_CLASS, PARTIAL_CLASS


@dataclass(frozen=True)
class LossConfig:
    """Weights of Eq. 10 and the sampling of the affinity loss.

    Attributes:
        semantic_weight: Weight of the semantic losses; 0 = the affinities are learned alone (Table
            3).
        alpha: Weight of the affinity losses against the semantic ones; 0 = semantics alone.
        lambdas: Weight of the affinity loss per level, finest first.
        focal_gamma: Focusing exponent of the semantic loss.
        affinity_error: "l2", the squared error of the probability (Eq. 1), or "cross_entropy",
            which also moves pairs that are surely wrong.
        background_pair_weight: Weight of pairs that are not both on objects. The partition never
            asks for them: below 1, the network learns what counts, whether two object cells are one
            object.
        drop_rate: Share of pixels dropped among those whose whole window is one segment (Table 6,
            BD).
        object_weight: Factor of the affinity loss on pixels of object instances (Table 6, OL).
        contact_weight: Further factor where the window of such a pixel holds another instance. Most
            borders are against the background, which the classes alone tell; these are the others.
        small_side: Root of the area, in pixels, below which an object is small.
        small_weight: Largest factor of both losses on a small object and right beside it; the
            smaller it is the larger, `small_side` by the root of its area. Small objects have few
            pixels: with 1, the network does better to hedge on them.
    """

    semantic_weight: float = 1.0
    alpha: float = 0.003
    lambdas: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0)
    focal_gamma: float = 2.0
    affinity_error: Literal["l2", "cross_entropy"] = "l2"
    background_pair_weight: float = 1.0
    drop_rate: float = 0.8
    object_weight: float = 3.0
    contact_weight: float = 1.0
    small_side: float = 64.0
    small_weight: float = 1.0


def size_weight(ids: Tensor, config: LossConfig) -> Tensor:
    """Weight of the pixels by the size of their object: `small_side` and `small_weight`.

    Args:
        ids: Segment ids, integer (B, H, W), instances positive.
        config: Says what is small.

    Returns:
        float32 (B, H, W); 1 where there is no small object.
    """
    objects = ids.long().clamp(min=0).flatten(1)
    area = torch.zeros(len(ids), int(objects.max()) + 1, device=ids.device)
    area.scatter_add_(1, objects, torch.ones_like(objects, dtype=area.dtype))
    weight = (config.small_side / area.clamp(min=1).sqrt()).clamp(1, config.small_weight)
    weight[:, 0] = 1
    return weight.gather(1, objects).view(ids.shape)


def semantic_loss(
    logits: Tensor,
    target: Tensor,
    certainty: Tensor,
    possible: Tensor,
    gamma: float,
    of_size: Tensor | None = None,
) -> Tensor:
    """Multi-class focal loss (Lin et al., ICCV 2017), mean over the pixels of known class.

    The mean is over the batch of all processes: the mean of their losses is that of the whole.

    Args:
        logits: (B, C, H, W).
        target: Integer (B, H, W). IGNORE_CLASS pixels do not count. Of a PARTIAL_CLASS pixel only
            that it is of a possible class is known: its probability is the sum over those.
        certainty: uint8 (B, H, W), probability of the target class, 255 = 1; the rest is class 0.
        possible: bool (B, C).
        gamma: Focusing exponent.
        of_size: Weight of the pixels, (B, H, W); none = 1.

    Returns:
        A scalar.
    """
    log_p = torch.log_softmax(logits.float(), dim=1)
    target = target.long()
    partial = target == PARTIAL_CLASS
    counts = target != IGNORE_CLASS
    known = target.masked_fill(partial | ~counts, 0)
    of_possible = log_p.masked_fill(~possible[:, :, None, None], -torch.inf).logsumexp(dim=1)
    log_pt = torch.where(partial, of_possible, log_p.gather(1, known[:, None])[:, 0])
    p = certainty.float() / CERTAIN
    loss = p * _focal(log_pt, gamma) + (1 - p) * _focal(log_p[:, 0], gamma)
    if of_size is not None:
        loss = loss * of_size
    return (loss * counts).sum() / mean_over_processes(counts.sum()).clamp(min=1)


def _focal(log_p: Tensor, gamma: float) -> Tensor:
    return -((1 - log_p.exp()).clamp(min=0) ** gamma) * log_p


def affinity_loss(
    logits: Tensor, ids: Tensor, config: LossConfig, of_size: Tensor | None = None
) -> Tensor:
    """`affinity_error` on the sigmoid (Eq. 1), mean over a pixel's valid pairs, sum over pixels.

    Pixels whose whole window is one segment are dropped at random; pixels of instances, and among
    them those near another instance, weigh more.

    Args:
        logits: (B, r*r, H, W).
        ids: Segment ids, integer (B, H, W), instances positive.
        config: Weights of the pixels.
        of_size: Further weight of the pixels, (B, H, W); none = 1.

    Returns:
        The mean over the batch, a scalar.
    """
    window = round(logits.shape[1] ** 0.5)
    same, valid = affinity_targets(ids, window)
    if config.affinity_error == "l2":
        error = (torch.sigmoid(logits.float()) - same.float()) ** 2
    else:
        error = F.binary_cross_entropy_with_logits(logits.float(), same.float(), reduction="none")
    of_objects = both_objects(ids, window)
    pair_weight = torch.where(of_objects, 1.0, config.background_pair_weight) * valid
    per_pixel = (error * pair_weight).sum(dim=1) / valid.sum(dim=1).clamp(min=1)
    weight = torch.where(ids > 0, config.object_weight, 1.0)
    touches_another = (of_objects & ~same).any(dim=1)
    weight = torch.where(touches_another, weight * config.contact_weight, weight)
    if of_size is not None:
        weight = weight * of_size
    if config.drop_rate > 0:
        trivial = (same | ~valid).all(dim=1)
        dropped = trivial & (torch.rand(ids.shape, device=ids.device) < config.drop_rate)
        weight = weight * ~dropped
    return (per_pixel * weight).sum() / ids.shape[0]


def ssap_loss(
    semantic: Sequence[Tensor],
    affinities: Sequence[Tensor],
    batch: Batch,
    strides: Sequence[int],
    config: LossConfig,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute the loss of Eq. 10: the sum over levels of L_s + alpha * lambda * L_a.

    Args:
        semantic: Logits (B, C, h, w) per level, finest first.
        affinities: Logits (B, r*r, h, w) per level; none for a network without them.
        batch: The truth.
        strides: Of the levels.
        config: The weights.

    Returns:
        The sum, and each weighted term by name.
    """
    terms: dict[str, Tensor] = {}
    sizes: dict[int, Tensor | None] = dict.fromkeys(strides)
    if config.small_weight > 1:
        of_pixel = size_weight(batch.ids, config)
        for stride in strides:
            sizes[stride] = F.max_pool2d(sample_level(of_pixel, stride), 3, 1, 1)  # beside it, too
    for logits, stride in zip(semantic, strides, strict=True):
        target, certainty = (sample_level(t, stride) for t in (batch.classes, batch.certainty))
        loss = semantic_loss(
            logits, target, certainty, batch.possible, config.focal_gamma, sizes[stride]
        )
        terms[f"semantic_{stride}"] = config.semantic_weight * loss
    if affinities:
        for logits, stride, weight in zip(affinities, strides, config.lambdas, strict=True):
            loss = affinity_loss(logits, sample_level(batch.ids, stride), config, sizes[stride])
            terms[f"affinity_{stride}"] = config.alpha * weight * loss
    total = torch.stack(list(terms.values())).sum()
    return total, {name: term.detach() for name, term in terms.items()}
