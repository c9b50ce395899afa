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

"""What the pipeline asks of an inference engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from ssap_ros.errors import DeviceError as DeviceError
from ssap_ros.errors import ModelError as ModelError
from ssap_ros.stages.affinity import AffinityPyramid, affinity_pyramid
from ssap_ros.types import ImageArray, ModelInfo, NetworkOutput

PARTITION_WINDOW = 5
"""The affinity window that a model must have."""

Tensor = TypeVar("Tensor")
Logits = TypeVar("Logits")

OnProgress = Callable[[str], None]
"""Gets what goes on while a backend is being loaded, such as "building engine, 41 s".

Called from the thread that called `load_backend`, and about once a second while an engine is being
built; that is done by another process, so this one's threads run freely. What it raises ends the
build and comes out of `load_backend`.
"""


class InferenceBackend(Protocol[Tensor, Logits]):
    """A loaded network with the stages that lead to and from it, wherever it keeps their arrays.

    The three stages are called in this order, by one thread at a time. What one returns goes to the
    next and is valid until the first is called again; the pyramids stay valid. Tensor and Logits
    are what the backend keeps the network's input and output in.

    Attributes:
        name: What runs the network, for reports.
        info: What the model file says about itself; an engine built for one input size says that.
        max_batch: Most images that one pass takes.
    """

    name: str
    info: ModelInfo
    max_batch: int

    def preprocess(self, images: Sequence[ImageArray], long_side: int) -> tuple[Tensor, float]:
        """Fit images of one size into the network input; see `stages.preprocess.preprocess`.

        Args:
            images: uint8 (H, W, 3) RGB each, 1 to `max_batch` of them.
            long_side: Longer side of the images in network pixels.

        Returns:
            The network input (n, 3, h, w) and the scale, network pixels per source pixel.
        """
        ...

    def infer(self, tensor: Tensor, levels: Sequence[int]) -> Logits:
        """Run the network on the input that `preprocess` made.

        Returns the logits of `levels`, the finest ones of `info.levels`.
        """
        ...

    def affinity_pyramids(
        self, logits: Logits, content: tuple[int, int], segmentation_refinement: bool
    ) -> list[AffinityPyramid]:
        """Turn the logits into one pyramid per image; see `stages.affinity.affinity_pyramid`."""
        ...

    def close(self) -> None:
        """Release what the backend holds; it cannot be used any more. May be called twice."""
        ...


AnyBackend = InferenceBackend[Any, Any]
"""A backend whose arrays concern nobody but itself."""


class CpuPyramids:
    """The last stage of the backends whose logits are arrays of this machine."""

    info: ModelInfo

    def affinity_pyramids(
        self,
        logits: Sequence[NetworkOutput],
        content: tuple[int, int],
        segmentation_refinement: bool,
    ) -> list[AffinityPyramid]:
        """See InferenceBackend."""
        return [affinity_pyramid(o, self.info, content, segmentation_refinement) for o in logits]
