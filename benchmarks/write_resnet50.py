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

"""write_resnet50.py OUT.onnx: an SSAP network with ResNet-50 and a decoder 128 wide, untrained.

Batch normalisation takes its statistics from noise, so that the activations have the size of those
of a trained network; and the residual branches are weak, as training begins them, because in a
random network of full strength every rounding error grows from layer to layer.
"""

import sys
from pathlib import Path

import torch

from ssap_ros.network.backbones import Bottleneck
from ssap_ros.network.export import write_onnx
from ssap_ros.network.ssap import LEVELS, NetworkConfig, SsapNetwork
from ssap_ros.types import ModelInfo

RESIDUAL_GAIN = 0.1
CLASSES = ("background", "person", "bicycle", "car", "motorcycle", "bus", "train", "truck")


def main() -> None:
    """Write the network to the file named on the command line."""
    torch.manual_seed(0)
    config = NetworkConfig(backbone="resnet50", decoder_width=128, head_kernel=3)
    network = SsapNetwork(config, len(CLASSES))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the plain mean of what is seen
        if isinstance(module, Bottleneck):
            torch.nn.init.constant_(module.bn3.weight, RESIDUAL_GAIN)
    network.train()
    with torch.no_grad():
        for _ in range(4):
            network(torch.randn(2, 3, 256, 256))
    info = ModelInfo(
        classes=CLASSES,
        thing_ids=tuple(range(1, len(CLASSES))),
        levels=LEVELS,
        window=5,
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        input_size=None,
        long_side=2048,
    )
    write_onnx(network, info, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
