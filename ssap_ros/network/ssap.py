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

"""The SSAP network: a U-shaped decoder with a semantic and an affinity head on each of five levels.

Gao et al., ICCV 2019, section 3.1 and Fig. 3 (a). The decoder is of the FPN kind: 1x1 lateral
convolution, doubled coarser feature, sum, then a 3x3 convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssap_ros.network.backbones import build_backbone

LEVELS = (4, 8, 16, 32, 64)
WINDOWS = (0, 3, 5, 7, 9)
FEATURES = ("hierarchical", "single", "dilated")


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the network.

    Attributes:
        backbone: A key of `backbones.BACKBONES`.
        decoder_width: Channels of every decoder feature (256 in FPN; the small model uses less).
        window: Affinity window r, 3, 5, 7 or 9, with window**2 channels per affinity head; 0 = no
            affinities at all (Table 2).
        affinity_features: What the affinities of a level are learned from (Table 3): "hierarchical"
            = the decoder feature of the level, "single" = the finest decoder feature, with a
            stride, "dilated" = the same with convolutions as wide as the stride.
        head_kernel: Kernel size of the first convolution of each head (Table 6: 3 or 5).
        separable: Build fuse and heads of depthwise convolutions of head_kernel and 1x1
            convolutions: a third of the cost.
        context: Add image-level pooling to the stride-32 feature (as the DeepLab weights do).
    """

    backbone: str = "resnet50"
    decoder_width: int = 256
    window: int = 5
    affinity_features: str = "hierarchical"
    head_kernel: int = 5
    separable: bool = False
    context: bool = False

    def __post_init__(self) -> None:
        for name, choices in (("window", WINDOWS), ("affinity_features", FEATURES)):
            if (value := getattr(self, name)) not in choices:
                raise ValueError(f"{name} must be one of {choices}, got {value!r}")


class SsapNetwork(nn.Module):
    """Image (B, 3, H, W), sides multiples of 64, to logits per level, finest first.

    Returns (semantic, affinities): lists of (B, n_classes, H/s, W/s) and (B, window**2, H/s, W/s)
    for s in LEVELS; with window 0 the second is empty. Affinity channel
    (dy + r//2) * r + (dx + r//2) at pixel u rates the pair (u, u + (dy, dx)).
    """

    def __init__(self, config: NetworkConfig, n_classes: int) -> None:
        super().__init__()
        self.config = config
        width, kernel = config.decoder_width, config.head_kernel
        self.backbone = build_backbone(config.backbone)
        channels = list(self.backbone.channels)
        self.context = ImageContext(channels[-1]) if config.context else None
        if self.context is not None:
            channels[-1] = self.context.width
        self.extra = None
        if len(channels) < len(LEVELS):
            self.extra = _conv_bn_relu(channels[-1], width, 3, stride=2)  # stride 64
            channels.append(width)
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        fuse_kernel = kernel if config.separable else 3
        mix = _separable if config.separable else _conv_bn_relu
        self.fuse = nn.ModuleList(mix(width, width, fuse_kernel) for _ in LEVELS)
        # start from what is most common: the first class, and pairs within one segment
        classes = torch.tensor([2.0] + [0.0] * (n_classes - 1))
        pairs = torch.ones(config.window**2)
        self.semantic_heads = nn.ModuleList(
            _head(mix(width, width, kernel), classes) for _ in LEVELS
        )
        self.affinity_heads = nn.ModuleList()
        for level in LEVELS if config.window else ():
            stride = 1 if config.affinity_features == "hierarchical" else level // LEVELS[0]
            dilation = stride if config.affinity_features == "dilated" else 1
            first = mix(width, width, kernel, stride, dilation)
            if stride > 1:
                first[0] = nn.Sequential(_FromCentre(stride), first[0])
            self.affinity_heads.append(_head(first, pairs))

    def forward(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        features = self.backbone(image)
        if self.context is not None:
            features[-1] = self.context(features[-1])
        if self.extra is not None:
            features.append(self.extra(features[-1]))

        decoded: list[Tensor] = []  # coarsest first
        for i in range(len(LEVELS) - 1, -1, -1):
            x = self.lateral[i](features[i])
            if decoded:
                x = x + F.interpolate(decoded[-1], scale_factor=2.0, mode="nearest")
            decoded.append(self.fuse[i](x))
        decoded.reverse()

        semantic = [head(x) for head, x in zip(self.semantic_heads, decoded, strict=True)]
        if self.config.affinity_features != "hierarchical":
            decoded = [decoded[0]] * len(LEVELS)
        affinities = [head(x) for head, x in zip(self.affinity_heads, decoded, strict=False)]
        return semantic, affinities


class ImageContext(nn.Module):
    """DeepLabv3's light head: a 1x1 branch beside global average pooling, fused to 256 channels."""

    width = 256

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pixel = nn.Conv2d(channels, self.width, 1)
        self.image = nn.Conv2d(channels, self.width, 1)
        self.fuse = nn.Conv2d(2 * self.width, self.width, 1)

    def forward(self, x: Tensor) -> Tensor:
        image = F.relu(self.image(x.mean(dim=(2, 3), keepdim=True)))
        pixel = F.relu(self.pixel(x))
        return F.relu(self.fuse(torch.cat((image.expand_as(pixel), pixel), dim=1)))

    def load_deeplab(self, path: Path) -> None:
        """Take head.0 (pixels), head.1 (image) and head.2 (fusion) of a folded DeepLabv3 .npz."""
        arrays = np.load(path)
        for name, conv in (("head.0", self.pixel), ("head.1", self.image), ("head.2", self.fuse)):
            weight, bias = arrays[f"{name}.weight"], arrays[f"{name}.bias"]
            if weight.shape != tuple(conv.weight.shape):
                raise ValueError(
                    f"{path}: {name} must have shape {tuple(conv.weight.shape)}, got {weight.shape}"
                )
            conv.load_state_dict(
                {"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)}
            )


def _conv_bn_relu(
    width: int, out: int, kernel: int, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    padding = kernel // 2 * dilation
    conv = nn.Conv2d(
        width, out, kernel, stride=stride, padding=padding, dilation=dilation, bias=False
    )
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU(inplace=True))


def _separable(
    width: int, out: int, kernel: int, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    """A depthwise convolution, then a 1x1 convolution; three layers like `_conv_bn_relu`."""
    padding = kernel // 2 * dilation
    depthwise = nn.Conv2d(width, width, kernel, stride, padding, dilation, groups=width, bias=False)
    pair = nn.Sequential(depthwise, nn.BatchNorm2d(width), nn.Conv2d(width, out, 1, bias=False))
    return nn.Sequential(pair, nn.BatchNorm2d(out), nn.ReLU(inplace=True))


def _head(first: nn.Sequential, bias: Tensor) -> nn.Sequential:
    """The layers of `first`, then a prediction of len(bias) channels whose bias starts as given."""
    norm = first[1]
    assert isinstance(norm, nn.BatchNorm2d)
    width = norm.num_features
    last = nn.Conv2d(width, len(bias), 1)
    with torch.no_grad():
        last.bias.copy_(bias)  # type: ignore[union-attr]
    return nn.Sequential(*first, last)


class _FromCentre(nn.Module):
    """Cuts off rows and columns so that a stride samples the centres of the coarser cells."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.offset = stride // 2

    def forward(self, x: Tensor) -> Tensor:
        return x[..., self.offset :, self.offset :]
