"""A labelled picture and what is known about each of its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ssap_ros.data.segments import OTHER_CLASS, Segments
from ssap_ros.types import ClassArray, ImageArray, LabelArray

VOID = -1  # nothing is known: no loss
UNLABELLED = -2  # not an instance of an annotated class; nothing else is known
_UNKNOWN_INSTANCE = -3  # minus the class id: the class is known, the instance is not

_MAX_CLASSES = 254
_STUFF = _UNKNOWN_INSTANCE - _MAX_CLASSES  # minus the class id: the one segment of a stuff class

IGNORE_CLASS = 255  # semantic target of VOID
PARTIAL_CLASS = 254  # semantic target of UNLABELLED


def unknown_instance(class_id: int) -> int:
    """Label of a pixel whose class is known but whose instance is not."""
    return _UNKNOWN_INSTANCE - class_id


def stuff_segment(class_id: int) -> int:
    """Label of the pixels of a class that has no instances: all of them are one segment.

    That of class 0 is 0, like a background.
    """
    return _STUFF - class_id if class_id else 0


def is_unknown(ids: Tensor) -> Tensor:
    """Where it is not known whether pixels of this one label belong together."""
    return (ids < 0) & (ids > _STUFF)


@dataclass(frozen=True)
class Sample:
    """A picture and its labels.

    image: uint8 (H, W, 3) RGB.
    instances: int32 (H, W); k > 0 = object k, 0 = the segment of class 0, else
        `stuff_segment(class)`, VOID, UNLABELLED or `unknown_instance(class)`.
    class_ids: uint8 (N + 1,), class of each object; class_ids[0] = 0.
    """

    image: ImageArray
    instances: LabelArray
    class_ids: ClassArray

    def semantic_target(self) -> ClassArray:
        """Class per pixel, uint8 (H, W), with IGNORE_CLASS and PARTIAL_CLASS."""
        # negative labels index from the end: VOID, UNLABELLED, then twice the classes in order
        known = np.arange(_MAX_CLASSES)[::-1]
        lut = np.concatenate([self.class_ids, known, known, [PARTIAL_CLASS, IGNORE_CLASS]])
        return lut.astype(np.uint8)[self.instances]


def sample_of(image: ImageArray, truth: Segments, thing_ids: Sequence[int]) -> Sample:
    """An annotated picture as a sample.

    Crowds keep their class, their instances are unknown; void and classes that are not evaluated
    are VOID.
    """
    label = np.full(len(truth.class_ids) + 1, VOID, np.int32)
    class_ids = [0]
    for k, class_id in enumerate(truth.class_ids.tolist(), start=1):
        if class_id == OTHER_CLASS:
            continue
        if class_id not in thing_ids:
            label[k] = stuff_segment(class_id)
        elif truth.crowd[k - 1]:
            label[k] = unknown_instance(class_id)
        else:
            label[k] = len(class_ids)
            class_ids.append(class_id)
    return Sample(image, label[truth.ids], np.array(class_ids, np.uint8))
