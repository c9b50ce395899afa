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

"""EfficientNet-Lite0: inverted residuals without squeeze-excite, with ReLU6, made for int8.

Source: Tan and Le, ICML 2019 (EfficientNet); the Lite variant is of the authors' public code.
"""

from __future__ import annotations

from torch import Tensor, nn

from ssap_ros.network.backbone import Backbone, SameConv2d


class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0 up to its last block of 320 channels.

    The public weights pad stride-2 convolutions as TensorFlow's SAME does: on even sizes one pixel
    less on the left and top.
    """

    # expansion, width, repeats, stride, kernel of each stage
    STAGES = (
        (1, 16, 1, 1, 3),
        (6, 24, 2, 2, 3),
        (6, 40, 2, 2, 5),
        (6, 80, 3, 2, 3),
        (6, 112, 3, 1, 5),
        (6, 192, 4, 2, 5),
        (6, 320, 1, 1, 3),
    )
    TAPS = (2, 4, 10, 15)  # the last block at strides 4, 8, 16 and 32
    channels = (24, 40, 112, 320)

    def __init__(self) -> None:
        super().__init__()
        self.stem = _conv_bn(3, 32, 3, stride=2, relu=True)
        blocks = []
        width = 32
        for expansion, out, repeats, stride, kernel in self.STAGES:
            for i in range(repeats):
                blocks.append(_Block(width, out, expansion, kernel, stride if i == 0 else 1))
                width = out
        self.stages = nn.Sequential(*blocks)

    def blocks(self) -> list[nn.Module]:
        return [self.stem, *self.stages]

    def forward(self, image: Tensor) -> list[Tensor]:
        x, features = self.stem(image), []
        for i, block in enumerate(self.stages):
            x = block(x)
            if i in self.TAPS:
                features.append(x)
        return features

    def folded_name(self, convolution: str) -> str:
        # stages.3.depthwise.0 -> blocks.3.depthwise; stem.0 -> stem
        return convolution.rpartition(".")[0].replace("stages.", "blocks.")


class _Block(nn.Module):
    """1x1 expansion, depthwise, linear 1x1 projection, around a shortcut where sizes allow."""

    def __init__(self, width: int, out: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        hidden = width * expansion
        self.expand = _conv_bn(width, hidden, 1, relu=True) if expansion != 1 else nn.Identity()
        self.depthwise = _conv_bn(hidden, hidden, kernel, stride, groups=hidden, relu=True)
        self.project = _conv_bn(hidden, out, 1, relu=False)
        self.residual = stride == 1 and width == out

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


def _conv_bn(
    width: int, out: int, kernel: int, stride: int = 1, groups: int = 1, *, relu: bool
) -> nn.Sequential:
    kind = SameConv2d if stride == 2 else nn.Conv2d
    padding = 0 if stride == 2 else kernel // 2
    conv = kind(width, out, kernel, stride=stride, padding=padding, groups=groups, bias=False)
    layers: list[nn.Module] = [conv, nn.BatchNorm2d(out)]
    return nn.Sequential(*layers, *([nn.ReLU6(inplace=True)] if relu else []))
