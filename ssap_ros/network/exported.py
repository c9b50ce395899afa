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

"""The weights of an exported model, back in a network that is to be trained further."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from ssap_ros.errors import InputError
from ssap_ros.network.backbone import fold
from ssap_ros.network.ssap import SsapNetwork

_SIDE = 128  # of the picture that shows the order of the layers


def load_exported(network: SsapNetwork, path: Path) -> list[str]:
    """Give a network the weights of an ONNX model of the same structure.

    The export has folded batch norms into the convolutions before them: the norms become identities
    with a bias. Convolutions are matched by the order in which they run.

    Args:
        network: It is changed in place, in evaluation mode afterwards.
        path: A model of `ssap export`, in float32.

    Returns:
        Names of the layers that keep their own weights, since theirs have another shape: the last
        ones of heads for other classes.

    Raises:
        InputError: The file cannot be read, or is a model of another structure.
    """
    try:
        graph = onnx.load(path).graph
    except Exception as error:  # what the parser raises is not documented
        raise InputError(f"{path} is not an ONNX model") from error
    values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    stored = [node.input for node in graph.node if node.op_type == "Conv"]
    layers = _in_order(network)
    if len(stored) != len(layers) or any(name not in values for i in stored for name in i[1:]):
        raise InputError(
            f"{path} must be a float32 model with the {len(layers)} convolutions of the network "
            f"of the configuration, got {len(stored)}"
        )
    kept = []
    with torch.no_grad():
        for (name, convolution, norm), inputs in zip(layers, stored, strict=True):
            weight = _tensor(values[inputs[1]])
            if weight.shape != convolution.weight.shape:
                kept.append(name)
                continue
            bias = _tensor(values[inputs[2]]) if len(inputs) > 2 else torch.zeros(len(weight))
            convolution.weight.copy_(weight)
            if norm is not None:
                fold(norm, bias)
            elif convolution.bias is not None:
                convolution.bias.copy_(bias)
    return kept


def _in_order(network: SsapNetwork) -> list[tuple[str, nn.Conv2d, nn.BatchNorm2d | None]]:
    """The convolutions as they run, each with the norm right after it."""
    ran: list[tuple[str, nn.Module]] = []
    hooks = [
        module.register_forward_hook(lambda m, *_, name=name: ran.append((name, m)))
        for name, module in network.named_modules()
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d))
    ]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, _SIDE, _SIDE))
    for hook in hooks:
        hook.remove()
    following = [module for _, module in ran[1:]] + [None]
    return [
        (name, module, after if isinstance(after, nn.BatchNorm2d) else None)
        for (name, module), after in zip(ran, following, strict=True)
        if isinstance(module, nn.Conv2d)
    ]


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(values, np.float32))
