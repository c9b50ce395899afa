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

"""Checkpoint -> ONNX: logits outputs with fixed names, and the model's description as metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from ssap_ros.backends.model_info import METADATA_KEY, model_info_to_json
from ssap_ros.common.outputs import output
from ssap_ros.errors import InputError
from ssap_ros.network.checkpoint import load_network
from ssap_ros.network.ssap import LEVELS, SsapNetwork
from ssap_ros.types import ModelInfo

OPSET = 17
PARTITION_WINDOW = 5


def export_onnx(
    checkpoint: Path,
    out: Path,
    half: bool = False,
    long_side: int | None = None,
    affinity_bias: Sequence[float] = (0.0,) * len(LEVELS),
    class_bias: Mapping[str, float] | None = None,
    semantic_from: Path | None = None,
    average_with: Sequence[Path] = (),
) -> ModelInfo:
    """Write the averaged weights of a training checkpoint as an ONNX file.

    Input `image`, float32 (1, 3, H, W), normalised, sides multiples of 64; outputs `semantic_<s>`
    and `affinity_<s>` for each stride s, logits, float32. The partition works on 5x5 windows: of
    wider ones the middle is kept; in a narrower one the missing pairs get the logit 0, which
    neither joins nor separates.

    Args:
        checkpoint: Of the training.
        out: The ONNX file.
        half: All weights and layers are float16, only the input and the outputs float32.
        long_side: The side in pixels that the model asks its input to be scaled to, if not that of
            the training.
        affinity_bias: One number per level, finest first, added to the affinity logits: below 0 it
            separates, above 0 it joins.
        class_bias: By class name, added to the semantic logits of all levels: above 0 more pixels
            become of that class.
        semantic_from: Another checkpoint, whose semantics are taken while the affinities are of the
            first (Table 3, learned separately).
        average_with: Further checkpoints, of runs that began with the same weights; the mean of all
            is taken.

    Returns:
        What the model says about itself.

    Raises:
        InputError: A class is unknown, or a checkpoint cannot be read.
    """
    if len(affinity_bias) != len(LEVELS):
        raise InputError(f"expected {len(LEVELS)} affinity biases, got {len(affinity_bias)}")
    network, config = load_network(checkpoint, *average_with)
    for head, bias in zip(network.affinity_heads, affinity_bias, strict=False):
        head.get_parameter("3.bias").data += bias
    whole: SsapNetwork | _Separate = network
    if semantic_from is not None:
        semantic, other = load_network(semantic_from)
        if other["classes"] != config["classes"]:
            raise InputError(f"{semantic_from} has other classes than {checkpoint}")
        whole = _Separate(semantic, network)
    else:
        semantic = network
    for name, bias in (class_bias or {}).items():
        if name not in config["classes"]:
            raise InputError(f"expected a class of the model, {config['classes']}, got {name!r}")
        for head in semantic.semantic_heads:
            head.get_parameter("3.bias").data[config["classes"].index(name)] += bias
    info = ModelInfo(
        classes=tuple(config["classes"]),
        thing_ids=tuple(config["thing_ids"]),
        levels=LEVELS,
        window=PARTITION_WINDOW,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        input_size=None,
        long_side=long_side or config["long_side"],
    )
    write_onnx(whole, info, out, half)
    return info


def write_onnx(
    network: SsapNetwork | _Separate, info: ModelInfo, out: Path, half: bool = False
) -> None:
    """Write `network` in evaluation mode to `out`, with `info` in the metadata."""
    network.eval()
    wrapped = _Flat(network.half() if half else network, half).eval()
    names = [f"{kind}_{stride}" for kind in ("semantic", "affinity") for stride in info.levels]
    image = torch.zeros(1, 3, 2 * info.levels[-1], 2 * info.levels[-1])
    with output(out) as part:
        torch.onnx.export(
            wrapped,
            (image,),
            str(part),
            dynamo=False,
            opset_version=OPSET,
            input_names=["image"],
            output_names=names,
            dynamic_axes={
                "image": {2: "height", 3: "width"},
                **{
                    name: {2: f"height_{name.split('_')[1]}", 3: f"width_{name.split('_')[1]}"}
                    for name in names
                },
            },
        )
        model = onnx.load(str(part))
        onnx.helper.set_model_props(model, {METADATA_KEY: model_info_to_json(info)})
        onnx.save(model, str(part))


def partition_window(affinities: Tensor, window: int) -> Tensor:
    """Affinity logits (B, window**2, H, W) in the window of the partition, 0 where it is wider."""
    margin = window // 2 - PARTITION_WINDOW // 2
    unknown = torch.zeros_like(affinities[:, :1])
    rows = [
        (dy + margin, dx + margin)
        for dy in range(PARTITION_WINDOW)
        for dx in range(PARTITION_WINDOW)
    ]
    return torch.cat(
        [
            affinities[:, y * window + x : y * window + x + 1]
            if 0 <= y < window and 0 <= x < window
            else unknown
            for y, x in rows
        ],
        dim=1,
    )


class _Separate(nn.Module):
    """The semantics of one network and the affinities of another."""

    def __init__(self, semantic: SsapNetwork, affinity: SsapNetwork) -> None:
        super().__init__()
        self.semantic, self.affinity, self.config = semantic, affinity, affinity.config

    def forward(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        return self.semantic(image)[0], self.affinity(image)[1]


class _Flat(nn.Module):
    """The network with one flat tuple of float32 outputs, cast at its borders if it is in half."""

    def __init__(self, network: SsapNetwork | _Separate, half: bool) -> None:
        super().__init__()
        self.network, self.half_precision = network, half
        self.window = network.config.window

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        semantic, affinities = self.network(image.half() if self.half_precision else image)
        if self.window == 0:
            affinities = [
                torch.zeros_like(s[:, :1]).expand(-1, PARTITION_WINDOW**2, -1, -1) for s in semantic
            ]
        elif self.window != PARTITION_WINDOW:
            affinities = [partition_window(a, self.window) for a in affinities]
        return tuple(x.float() for x in (*semantic, *affinities))
