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

"""Network logits -> what the cascaded partition needs: affinities and class maps per level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from ssap_ros.stages import core
from ssap_ros.types import (
    ClassArray,
    FloatArray,
    FloatOrHalfArray,
    HalfArray,
    ModelInfo,
    NetworkOutput,
)


@dataclass(frozen=True)
class AffinityLogits:
    """What the network says of pixel pairs; the partition makes costs of it where it needs them.

    Attributes:
        levels: Directed logits, float32 (window**2, h, w).
        scores: The distribution over the object classes alone with which the partition refines the
            finest level (Eq. 6-8), float32 (n_things, h, w); None if it does not.
    """

    levels: tuple[FloatArray, ...]
    scores: FloatArray | None = None


@dataclass(frozen=True)
class EdgeCosts:
    """Signed costs of undirected pixel pairs (Eq. 2-3), already refined, as a GPU makes them.

    Attributes:
        levels: float16 (12, h, w).
    """

    levels: tuple[HalfArray, ...]
    scores: None = None


@dataclass(frozen=True)
class AffinityPyramid:
    """The grids to be partitioned, finest level first, cut to the cells that lie in the image.

    Attributes:
        edges: Of each level, as logits or as costs.
        classes: Per level, uint8 (h, w); 0 = not a thing, k = class id thing_ids[k - 1].
        probabilities: Class distribution at the finest level, float32 or float16 (n_classes, h, w).
    """

    edges: AffinityLogits | EdgeCosts
    classes: tuple[ClassArray, ...]
    probabilities: FloatOrHalfArray


def affinity_pyramid(
    output: NetworkOutput,
    info: ModelInfo,
    content: tuple[int, int],
    segmentation_refinement: bool,
) -> AffinityPyramid:
    """Turn the logits of the finest `len(output.semantic)` levels into a pyramid of logits.

    Args:
        output: Of the network.
        info: What the model says about itself.
        content: (height, width) of the image in network pixels; cells beyond it are cut off.
        segmentation_refinement: Have the finest affinities weakened between pixels of different
            class distributions.

    Returns:
        The pyramid, finest level first.
    """
    cells = content_cells(content, info.levels[0], len(output.semantic))
    semantic = [s[:, :h, :w] for s, (h, w) in zip(output.semantic, cells, strict=True)]
    affinities = [a[:, :h, :w] for a, (h, w) in zip(output.affinities, cells, strict=True)]
    scores = softmax(semantic[0], info.thing_ids) if segmentation_refinement else None
    return AffinityPyramid(
        AffinityLogits(tuple(affinities), scores),
        classes=tuple(thing_classes(s, info.thing_ids) for s in semantic),
        probabilities=softmax(semantic[0]),
    )


def content_cells(
    content: tuple[int, int], finest_level: int, n_levels: int
) -> list[tuple[int, int]]:
    """Count the cells that an image of size `content`, (height, width) in network pixels, fills.

    At the finest level those are the cells whose centre lies in the image, at least one; each level
    then has half the size of the one before, rounded up.

    Returns:
        (rows, columns) per level, finest first.
    """
    height, width = (max(1, ceil(side / finest_level - 0.5)) for side in content)
    return [(ceil(height / 2**i), ceil(width / 2**i)) for i in range(n_levels)]


def thing_classes(logits: FloatArray, thing_ids: tuple[int, ...]) -> ClassArray:
    """Take the best class of each pixel; the lower class id wins a tie.

    Args:
        logits: (n_classes, h, w).
        thing_ids: Ids of the thing classes.

    Returns:
        uint8 (h, w): 1 + its index in `thing_ids`, 0 if it is none of them.
    """
    return core.thing_classes(logits, thing_ids)


def softmax(logits: FloatArray, class_ids: Sequence[int] | None = None) -> FloatArray:
    """Compute the distribution of each pixel over the classes.

    Args:
        logits: float32 (n_classes, h, w).
        class_ids: Over these alone; None takes all.

    Returns:
        float32 of as many maps as classes were asked for, NaN where a logit of them is not finite.
    """
    return core.softmax(logits, class_ids)
