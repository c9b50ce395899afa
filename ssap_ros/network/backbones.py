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

"""Backbones with torchvision's parameter names, so that public weight files load as they are.

Sources: He et al., CVPR 2016 (ResNet); Sandler et al., CVPR 2018 (MobileNetV2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from ssap_ros.network.backbone import Backbone, SameConv2d
from ssap_ros.network.efficientnet_lite import EfficientNetLite0
from ssap_ros.network.nanodet import NanoDet


class ResNet(Backbone):
    """ResNet without pooling and classifier; the stride sits in the 3x3 convolution ("v1.5")."""

    def __init__(self, block: type[BasicBlock] | type[Bottleneck], depths: Sequence[int]) -> None:
        super().__init__()
        e = block.expansion
        self.channels = (64 * e, 128 * e, 256 * e, 512 * e)
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        width = 64
        for stage, depth in enumerate(depths):
            planes = 64 << stage
            blocks = []
            for i in range(depth):
                blocks.append(block(width, planes, stride=2 if stage > 0 and i == 0 else 1))
                width = planes * block.expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))

    def blocks(self) -> list[nn.Module]:
        stages = [self.get_submodule(f"layer{i}") for i in (1, 2, 3, 4)]
        return [self.conv1, self.bn1, *stages]

    def forward(self, image: Tensor) -> list[Tensor]:
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        features = []
        for i in (1, 2, 3, 4):
            x = self.get_submodule(f"layer{i}")(x)
            features.append(x)
        return features


def _shortcut(width: int, out: int, stride: int) -> nn.Module | None:
    if stride == 1 and width == out:
        return None
    return nn.Sequential(nn.Conv2d(width, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (ResNet-18, -34)."""

    expansion = 1

    def __init__(self, width: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, planes, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = _shortcut(width, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions around a shortcut (ResNet-50, -101)."""

    expansion = 4

    def __init__(self, width: int, planes: int, stride: int) -> None:
        super().__init__()
        out = planes * self.expansion
        self.conv1 = nn.Conv2d(width, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(width, out, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class MobileNetV2(Backbone):
    """MobileNetV2 1.0 up to features.17.

    The public TensorFlow weights pad stride-2 convolutions right and bottom only ("SAME");
    `same_padding` reproduces that up to features.13. features.14 pads symmetrically: with stride 2
    it then samples the dilated (output stride 16) variant of the DeepLab weights exactly.
    """

    # expansion, width, repeats, stride of each stage
    STAGES = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    TAPS = (3, 6, 13, 17)  # the last block at strides 4, 8, 16 and 32
    channels = (24, 32, 96, 320)

    def __init__(self, same_padding: bool = True) -> None:
        super().__init__()
        blocks: list[nn.Module] = [_conv_bn_relu6(3, 32, 3, stride=2, same=same_padding)]
        width = 32
        for expansion, out, repeats, stride in self.STAGES:
            for i in range(repeats):
                same = same_padding and len(blocks) < 14
                blocks.append(
                    InvertedResidual(width, out, stride if i == 0 else 1, expansion, same)
                )
                width = out
        self.features = nn.Sequential(*blocks)

    def blocks(self) -> list[nn.Module]:
        return list(self.features)

    def forward(self, image: Tensor) -> list[Tensor]:
        x, features = image, []
        for i, block in enumerate(self.features):
            x = block(x)
            if i in self.TAPS:
                features.append(x)
        return features


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, linear 1x1 projection, around a shortcut where sizes allow."""

    def __init__(self, width: int, out: int, stride: int, expansion: int, same: bool) -> None:
        super().__init__()
        hidden = width * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(_conv_bn_relu6(width, hidden, 1))
        layers += [
            _conv_bn_relu6(hidden, hidden, 3, stride=stride, groups=hidden, same=same),
            nn.Conv2d(hidden, out, 1, bias=False),
            nn.BatchNorm2d(out),
        ]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and width == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


def _conv_bn_relu6(
    width: int, out: int, kernel: int, stride: int = 1, groups: int = 1, same: bool = False
) -> nn.Sequential:
    pad_same = same and stride == 2
    conv = (SameConv2d if pad_same else nn.Conv2d)(
        width,
        out,
        kernel,
        stride=stride,
        padding=0 if pad_same else kernel // 2,
        groups=groups,
        bias=False,
    )
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU6(inplace=True))


BACKBONES: dict[str, Callable[[], Backbone]] = {
    "efficientnet_lite0": EfficientNetLite0,
    "mobilenet_v2": MobileNetV2,
    "nanodet": NanoDet,
    "resnet18": lambda: ResNet(BasicBlock, (2, 2, 2, 2)),
    "resnet34": lambda: ResNet(BasicBlock, (3, 4, 6, 3)),
    "resnet50": lambda: ResNet(Bottleneck, (3, 4, 6, 3)),
    "resnet101": lambda: ResNet(Bottleneck, (3, 4, 23, 3)),
}


def build_backbone(name: str) -> Backbone:
    """Backbone by name; raises ValueError for an unknown one."""
    if name not in BACKBONES:
        raise ValueError(f"backbone must be one of {sorted(BACKBONES)}, got {name!r}")
    return BACKBONES[name]()
