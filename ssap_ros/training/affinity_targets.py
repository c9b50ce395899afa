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

"""Ground-truth affinities: do two pixels belong to the same segment? (SSAP section 3.1)"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ssap_ros.training.samples import VOID, is_unknown, is_unlabelled


def sample_level(ids: Tensor, stride: int) -> Tensor:
    """Full-resolution labels (B, H, W) at the cell centres of a level, (B, H/stride, W/stride)."""
    return ids[:, stride // 2 :: stride, stride // 2 :: stride]


def affinity_targets(ids: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Affinities of each pixel to its window x window neighbours.

    Args:
        ids: integer (B, H, W); equal ids = same segment, labels as in `samples`.
        window: Side of the window in pixels, odd.

    Returns:
        (same, valid), bool (B, window**2, H, W), channels row-major over (dy, dx). A pair is
        invalid where the truth is unknown: the neighbour lies outside the image, a pixel is void,
        both are of the same class without known instances, or one is unlabelled and the other no
        object.
    """
    neighbours = windows(ids, window)
    centre = ids[:, None]
    same = neighbours == centre
    valid = (neighbours != VOID) & (centre != VOID)
    valid &= ~(same & is_unknown(centre))
    unlabelled = is_unlabelled(neighbours) | is_unlabelled(centre)
    valid &= ~(unlabelled & (torch.maximum(neighbours, centre) <= 0))
    return same, valid


def both_objects(ids: Tensor, window: int) -> Tensor:
    """Pairs of a pixel and its neighbours that both lie on instances, bool (B, window**2, H, W)."""
    return (windows(ids, window) > 0) & (ids > 0)[:, None]


def windows(ids: Tensor, window: int) -> Tensor:
    """Take the window x window neighbours of each pixel of (B, H, W).

    Returns:
        (B, window**2, H, W), row-major; VOID outside the image.
    """
    radius = window // 2
    height, width = ids.shape[1:]
    padded = F.pad(ids, (radius,) * 4, value=VOID)
    return torch.stack(
        [
            padded[:, dy : dy + height, dx : dx + width]
            for dy in range(window)
            for dx in range(window)
        ],
        dim=1,
    )
