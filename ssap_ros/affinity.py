"""Network logits -> what the cascaded partition needs: edge costs and class maps per level."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from ssap_ros.partition import edge_costs
from ssap_ros.types import ClassArray, FloatArray, ModelInfo, NetworkOutput


@dataclass(frozen=True)
class AffinityPyramid:
    """The grids to be partitioned, finest level first, cut to the cells that lie in the image.

    costs: signed edge weights per level, float32 (12, h, w).
    classes: per level, uint8 (h, w); 0 = not a thing, k = class id thing_ids[k - 1].
    probabilities: class distribution at the finest level, float32 (n_classes, h, w).
    """

    costs: tuple[FloatArray, ...]
    classes: tuple[ClassArray, ...]
    probabilities: FloatArray


def affinity_pyramid(
    output: NetworkOutput,
    info: ModelInfo,
    content: tuple[int, int],
    segmentation_refinement: bool,
) -> AffinityPyramid:
    """Turn the logits of the finest `len(output.semantic)` levels into a pyramid.

    content: (height, width) of the image in network pixels; cells beyond it are cut off.
    segmentation_refinement: weaken the finest affinities between pixels of different class
        distributions (Eq. 6-8); the distributions are over the object classes alone.
    """
    cells = content_cells(content, info.levels[0], len(output.semantic))
    semantic = [s[:, :h, :w] for s, (h, w) in zip(output.semantic, cells, strict=True)]
    affinities = [a[:, :h, :w] for a, (h, w) in zip(output.affinities, cells, strict=True)]
    object_scores = softmax(semantic[0][list(info.thing_ids)]) if segmentation_refinement else None
    finest = edge_costs(affinities[0], logits=True, scores=object_scores)
    coarser = [edge_costs(a, logits=True) for a in affinities[1:]]
    return AffinityPyramid(
        costs=(finest, *coarser),
        classes=tuple(thing_classes(s, info.thing_ids) for s in semantic),
        probabilities=softmax(semantic[0]),
    )


def content_cells(
    content: tuple[int, int], finest_level: int, n_levels: int
) -> list[tuple[int, int]]:
    """Rows and columns of cells per level, finest first, that an image of size `content` fills.

    At the finest level those are the cells whose centre lies in the image, at least one; each level
    then has half the size of the one before, rounded up.
    """
    height, width = (max(1, ceil(side / finest_level - 0.5)) for side in content)
    return [(ceil(height / 2**i), ceil(width / 2**i)) for i in range(n_levels)]


def thing_classes(logits: FloatArray, thing_ids: tuple[int, ...]) -> ClassArray:
    """The best class of each pixel, uint8 (h, w): 1 + its index in `thing_ids`, 0 if it is none.

    logits: (n_classes, h, w); the lower class id wins a tie.
    """
    partition_class = np.zeros(len(logits), np.uint8)
    partition_class[list(thing_ids)] = np.arange(1, len(thing_ids) + 1)
    return np.asarray(partition_class[np.argmax(logits, axis=0)], np.uint8)


def softmax(logits: FloatArray) -> FloatArray:
    """Softmax over the first axis, float32 of the same shape."""
    exponentials = np.exp(logits - logits.max(axis=0))
    return np.asarray(exponentials / exponentials.sum(axis=0), np.float32)
