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

"""What every backbone is, and how public weights with folded batch norms get into one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn


class Backbone(nn.Module):
    """Maps an image (B, 3, H, W) to features at strides 4, 8, 16, 32 and, of some, 64.

    Attributes:
        channels: Of each feature.
    """

    channels: tuple[int, ...]

    def blocks(self) -> list[nn.Module]:
        """The parts in the order that the image passes them."""
        raise NotImplementedError

    def folded_name(self, convolution: str) -> str:
        """What files of folded weights call the convolution of that module name."""
        return convolution


class SameConv2d(nn.Conv2d):
    """Stride-2 convolution of an odd kernel k, padded as TensorFlow's SAME does on even sizes:
    by k // 2 right and below, by one less on the left and top.
    """

    def forward(self, x: Tensor) -> Tensor:
        after = self.kernel_size[0] // 2
        return super().forward(nn.functional.pad(x, (after - 1, after, after - 1, after)))


def load_folded_weights(backbone: Backbone, path: Path) -> None:
    """Load an .npz whose batch norms are folded into one weight and one bias per convolution.

    Each convolution takes its weight, the batch norm that follows becomes a plain shift by the
    bias: scale 1, mean 0, variance 1 - eps. Such batch norms have no statistics of their own and
    must stay in evaluation mode while training (`is_folded`), or be unfolded first
    (`unfold_batch_norms`).

    Raises:
        ValueError: A layer is missing or of another shape.
    """
    arrays = np.load(path)
    modules = dict(backbone.named_modules())
    for name, convolution in modules.items():
        if not isinstance(convolution, nn.Conv2d):
            continue
        stem, _, index = name.rpartition(".")
        norm = modules[f"{stem}.{int(index) + 1}"]  # a convolution's batch norm is the next module
        assert isinstance(norm, nn.BatchNorm2d)
        stored = backbone.folded_name(name)
        if f"{stored}.weight" not in arrays:
            raise ValueError(f"{path}: no weights for the convolution {stored}")
        weight, bias = arrays[f"{stored}.weight"], arrays[f"{stored}.bias"]
        if weight.shape != tuple(convolution.weight.shape):
            raise ValueError(
                f"{path}: {name} must have shape {tuple(convolution.weight.shape)}, "
                f"got {weight.shape}"
            )
        with torch.no_grad():
            convolution.weight.copy_(torch.from_numpy(weight))
        fold(norm, torch.from_numpy(bias))


def fold(norm: nn.BatchNorm2d, bias: Tensor) -> None:
    """Make a batch norm a plain shift by `bias`, (C,): the convolution before it does the rest."""
    state = {
        "weight": torch.ones_like(bias),
        "bias": bias,
        "running_mean": torch.zeros_like(bias),
        "running_var": torch.full_like(bias, 1.0 - norm.eps),
    }
    norm.load_state_dict(state, strict=False)  # num_batches_tracked stays


def is_folded(norm: nn.BatchNorm2d) -> bool:
    """Whether a batch norm has the statistics that `fold` leaves.

    In training mode it would divide by a deviation that it was not made with.

    Returns:
        True for no statistics of its own.
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    identity = torch.full_like(norm.running_var, 1.0 - norm.eps)
    return not norm.running_mean.any() and torch.equal(norm.running_var, identity)


@torch.no_grad()
def unfold_batch_norms(backbone: Backbone, images: Tensor) -> None:
    """Give folded batch norms the statistics of some images, without changing what is computed.

    In evaluation mode the backbone computes the same as before; in training mode its batch norms
    now normalise, which lets it learn at a usual rate.

    Args:
        backbone: with weights of `load_folded_weights`.
        images: normalised, float (B, 3, H, W).
    """
    training = backbone.training
    backbone.eval()

    def unfold(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        variance, mean = torch.var_mean(inputs[0].float(), dim=(0, 2, 3))
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        shift = norm.bias - gain * norm.running_mean
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_(gain * torch.sqrt(variance + norm.eps))
        norm.bias.copy_(shift + gain * mean)

    hooks = [
        module.register_forward_pre_hook(unfold)
        for module in backbone.modules()
        if isinstance(module, nn.BatchNorm2d)
    ]
    backbone(images)
    for hook in hooks:
        hook.remove()
    backbone.train(training)
