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

"""The node with a network that costs nothing, to measure all the rest.

Every picture gets the same output: the affinities of a procedural street scene.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import cv2
import numpy as np
from affinity_scenes import AffinityScene, affinity_scene

from ssap_ros.backends.base import CpuPyramids, OnProgress
from ssap_ros.config import SsapConfig
from ssap_ros.node.node import main
from ssap_ros.stages.preprocess import preprocess
from ssap_ros.types import ClassArray, FloatArray, ImageArray, ModelInfo, NetworkOutput

_LONG_SIDE = 768
_N_THINGS = 8
_SEMANTIC_LOGIT = 4.0


class NullBackend(CpuPyramids):
    """Does all that the ONNX Runtime backend does but run a network."""

    name = "null"
    max_batch = 1

    def __init__(self, long_side: int = _LONG_SIDE) -> None:
        self.info = ModelInfo(
            classes=("background", *(f"thing {k}" for k in range(1, _N_THINGS + 1))),
            thing_ids=tuple(range(1, _N_THINGS + 1)),
            levels=(4, 8, 16, 32, 64),
            window=5,
            mean=(123.675, 116.28, 103.53),
            std=(58.395, 57.12, 57.375),
            input_size=None,
            long_side=long_side,
        )
        self._outputs: dict[tuple[int, ...], NetworkOutput] = {}

    def preprocess(self, images: Sequence[ImageArray], long_side: int) -> tuple[FloatArray, float]:
        """See InferenceBackend."""
        return preprocess(images[0], self.info, long_side)

    def infer(self, tensor: FloatArray, levels: Sequence[int]) -> list[NetworkOutput]:
        """See InferenceBackend; the output for a size is made once."""
        if tensor.shape not in self._outputs:
            height, width = tensor.shape[2:]
            self._outputs[tensor.shape] = _output(
                affinity_scene(1, (height // 4, width // 4), 0.25)
            )
        output, n = self._outputs[tensor.shape], len(levels)
        return [NetworkOutput(output.semantic[:n], output.affinities[:n])]

    def close(self) -> None:
        """See InferenceBackend."""


def _output(scene: AffinityScene) -> NetworkOutput:
    return NetworkOutput(
        tuple(_semantic(classes) for classes in scene.classes),
        tuple(np.asarray(logits, np.float32) for logits in scene.logits),
    )


def _semantic(classes: ClassArray) -> FloatArray:
    """Class logits (9, h, w) that are sure of `classes`, 0 = background."""
    one_hot = classes == np.arange(_N_THINGS + 1)[:, None, None]
    return np.where(one_hot, _SEMANTIC_LOGIT, -_SEMANTIC_LOGIT).astype(np.float32)


def _load(config: SsapConfig, _: OnProgress) -> NullBackend:
    cv2.setNumThreads(1)
    return NullBackend(config.input_long_side or _LONG_SIDE)


if __name__ == "__main__":
    sys.exit(main(load=_load))
