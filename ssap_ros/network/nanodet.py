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

"""The body of the detector NanoDet-Plus-m-1.5x: ShuffleNetV2 and a path aggregation network.

Sources: Ma et al., ECCV 2018 (ShuffleNetV2); Liu et al., CVPR 2018 (PANet); Han et al., CVPR 2020
(GhostNet); NanoDet-Plus is known by its public code and its weights, trained on the boxes of COCO.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssap_ros.network.backbone import Backbone, fold


class NanoDet(Backbone):
    """NanoDet-Plus-m-1.5x up to its head: five features, at strides 4 to 64.

    The modules are in the order in which files of weights for ncnn list them.
    """

    WIDTH = 128
    STAGES = ((176, 4), (352, 8), (704, 4))  # channels and units at strides 8, 16 and 32
    channels = (24, WIDTH, WIDTH, WIDTH, WIDTH)

    def __init__(self) -> None:
        super().__init__()
        self.stem = _conv_bn(3, 24, 3, stride=2)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        inputs = [24] + [channels for channels, _ in self.STAGES]
        self.stages = nn.ModuleList(
            _Stage(width, *stage) for width, stage in zip(inputs, self.STAGES, strict=False)
        )
        self.aggregation = _PathAggregation(inputs[1:], self.WIDTH)

    def blocks(self) -> list[nn.Module]:
        return [self.stem, *self.stages, self.aggregation]

    def forward(self, image: Tensor) -> list[Tensor]:
        features = [self.pool(self.stem(image))]
        for stage in self.stages:
            features.append(stage(features[-1]))
        return [features[0], *self.aggregation(*features[1:])]

    @torch.no_grad()
    def unshuffle(self) -> None:
        """Make weights that expect shuffled channels fit the channels as `_Stage` leaves them."""
        path, order = self.aggregation, list(range(self.channels[0]))
        reductions = (path.reduce8, path.reduce16, path.reduce32)
        for stage, reduction in zip(self.stages, reductions, strict=True):
            assert isinstance(stage, _Stage)
            order = stage.unshuffle(order)
            _reorder_inputs(reduction, order)


def load_ncnn_weights(backbone: NanoDet, path: Path) -> None:
    """Load a file of weights (.bin, float32) for ncnn, whose batch norms are folded.

    Such a file lists for each convolution a tag of four bytes, the weights and the biases. What
    follows the backbone in it, the detector's head, is not read. Its image is BGR, ours is RGB.

    Raises:
        ValueError: The file is too short or not of float32.
    """
    values, start = np.fromfile(path, np.float32), 0
    for convolution, norm in itertools.pairwise(backbone.modules()):
        if not isinstance(convolution, nn.Conv2d):
            continue
        assert isinstance(norm, nn.BatchNorm2d)  # a convolution's batch norm is the next module
        shape, out = convolution.weight.shape, convolution.out_channels
        middle = start + 1 + convolution.weight.numel()
        if middle + out > len(values) or values[start] != 0:
            raise ValueError(
                f"{path}: expected {tuple(shape)} float32 weights at byte {4 * start}, tagged 0, "
                f"and {out} biases, got a file of {4 * len(values)} bytes or another tag"
            )
        weight = torch.from_numpy(values[start + 1 : middle].reshape(shape).copy())
        with torch.no_grad():
            convolution.weight.copy_(weight.flip(1) if shape[1] == 3 else weight)
        fold(norm, torch.from_numpy(values[middle : middle + out].copy()))
        start = middle + out
    backbone.unshuffle()


class _Stage(nn.Module):
    """The units of one stride, without ShuffleNetV2's shuffles.

    A unit of ShuffleNetV2 keeps the first half of the channels and replaces the second by what it
    makes of them; then the channels of both halves are interleaved, which costs a pass through
    memory. But which channels a unit takes is known beforehand. So here every half that is made is
    cut into pieces, and each unit takes the last piece that is left of every half; the stage gives
    the first ones.
    """

    def __init__(self, width: int, channels: int, n_units: int) -> None:
        super().__init__()
        self.first = _FirstUnit(width, channels // 2)
        self.units = nn.ModuleList(_Unit(channels // 2) for _ in range(n_units - 1))
        self._cuts, self._orders = _pieces(channels // 2, n_units)

    def forward(self, x: Tensor) -> Tensor:
        cuts = iter(self._cuts)
        pieces = [list(half.split(next(cuts), dim=1)) for half in self.first(x)]
        for unit in self.units:
            half = unit(torch.cat([left.pop() for left in pieces], dim=1))
            pieces.append(list(half.split(next(cuts), dim=1)))
        return torch.cat([left.pop() for left in pieces], dim=1)

    def unshuffle(self, order: Sequence[int]) -> list[int]:
        """See `NanoDet.unshuffle`; from the order of the inputs that of the output."""
        *orders, out = self._orders
        self.first.reorder_inputs(order)
        for unit, own in zip(self.units, orders, strict=True):
            _reorder_inputs(unit.get_submodule("expand"), own)
        return out


def _pieces(half: int, n_units: int) -> tuple[list[list[int]], list[list[int]]]:
    """Follow the channels through the shuffles of a stage.

    Returns:
        The sizes of the pieces of each half that is made, two by the first unit and one by every
        other. And of the input of every unit after the first, and of the output, where each of its
        channels is in ShuffleNetV2's order.
    """
    halves = [[(i, channel) for channel in range(half)] for i in range(n_units + 1)]
    order = _interleaved(halves[0], halves[1])
    inputs = []
    for new in halves[2:]:
        inputs.append(order[half:])
        order = _interleaved(order[:half], new)
    inputs.append(order)
    cuts: list[list[int]] = [[] for _ in halves]
    orders = []
    for channels in inputs:
        for i in {i for i, _ in channels}:
            cuts[i].insert(0, sum(j == i for j, _ in channels))
        orders.append([channels.index(channel) for channel in sorted(channels)])
    return cuts, orders


def _interleaved(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [channel for pair in zip(a, b, strict=True) for channel in pair]


class _FirstUnit(nn.Module):
    """Halves the resolution in two ways, which make one half of the channels each."""

    def __init__(self, width: int, half: int) -> None:
        super().__init__()
        self.side_depthwise = _conv_bn(width, width, 3, stride=2, groups=width, relu=False)
        self.expand = _conv_bn(width, half)
        self.depthwise = _conv_bn(half, half, 3, stride=2, groups=half, relu=False)
        self.side = _conv_bn(width, half)
        self.project = _conv_bn(half, half)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.side(self.side_depthwise(x)), self.project(self.depthwise(self.expand(x)))

    def reorder_inputs(self, order: Sequence[int]) -> None:
        for tensor in self.side_depthwise.state_dict().values():
            if tensor.ndim:  # all but the count of batches
                tensor.copy_(tensor[order].clone())
        _reorder_inputs(self.side, order)
        _reorder_inputs(self.expand, order)


class _Unit(nn.Sequential):
    def __init__(self, half: int) -> None:
        super().__init__()
        self.expand = _conv_bn(half, half)
        self.depthwise = _conv_bn(half, half, 3, groups=half, relu=False)
        self.project = _conv_bn(half, half)


class _PathAggregation(nn.Module):
    """Mixes the features of strides 8, 16 and 32 from coarse to fine and back; adds stride 64."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.reduce32 = _conv_bn(channels[2], width)
        self.reduce16 = _conv_bn(channels[1], width)
        self.finer16 = _GhostBlock(2 * width, width)
        self.reduce8 = _conv_bn(channels[0], width)
        self.finer8 = _GhostBlock(2 * width, width)
        self.to16 = _half_size(width)
        self.coarser16 = _GhostBlock(2 * width, width)
        self.to32 = _half_size(width)
        self.coarser32 = _GhostBlock(2 * width, width)
        self.reduced_to64 = _half_size(width)
        self.to64 = _half_size(width)

    def forward(self, x8: Tensor, x16: Tensor, x32: Tensor) -> list[Tensor]:
        reduced = self.reduce32(x32)
        finer = self.finer16(torch.cat((_double_size(reduced), self.reduce16(x16)), dim=1))
        y8 = self.finer8(torch.cat((_double_size(finer), self.reduce8(x8)), dim=1))
        y16 = self.coarser16(torch.cat((self.to16(y8), finer), dim=1))
        y32 = self.coarser32(torch.cat((self.to32(y16), reduced), dim=1))
        return [y8, y16, y32, self.reduced_to64(reduced) + self.to64(y32)]


class _GhostBlock(nn.Module):
    """Two ghost modules around a depthwise shortcut."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.first = _Ghost(width, out, relu=True)
        self.second = _Ghost(out, out, relu=False)
        self.shortcut = nn.Sequential(
            _conv_bn(width, width, 5, groups=width, relu=False), _conv_bn(width, out, relu=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x)) + self.shortcut(x)


class _Ghost(nn.Module):
    """Half of the channels by a 1x1 convolution, the other half depthwise from these."""

    def __init__(self, width: int, out: int, *, relu: bool) -> None:
        super().__init__()
        half = out // 2
        self.primary = _conv_bn(width, half, relu=relu)
        self.cheap = _conv_bn(half, half, 3, groups=half, relu=relu)

    def forward(self, x: Tensor) -> Tensor:
        x = self.primary(x)
        return torch.cat((x, self.cheap(x)), dim=1)


def _half_size(width: int) -> nn.Sequential:
    return nn.Sequential(_conv_bn(width, width, 5, stride=2, groups=width), _conv_bn(width, width))


def _double_size(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def _reorder_inputs(layers: nn.Module, order: Sequence[int]) -> None:
    weight = layers.get_submodule("0").get_parameter("weight")
    weight.copy_(weight[:, order].clone())


def _conv_bn(
    width: int, out: int, kernel: int = 1, stride: int = 1, groups: int = 1, *, relu: bool = True
) -> nn.Sequential:
    padding = kernel // 2
    convolution = nn.Conv2d(width, out, kernel, stride, padding, groups=groups, bias=False)
    layers: list[nn.Module] = [convolution, nn.BatchNorm2d(out)]
    return nn.Sequential(*layers, *([nn.LeakyReLU(0.1, inplace=True)] if relu else []))
