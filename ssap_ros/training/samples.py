"""A labelled picture and what is known about each of its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssap_ros.types import ClassArray, ImageArray, LabelArray

VOID = -1  # nothing is known: no loss
UNLABELLED = -2  # not an instance of an annotated class; nothing else is known
_UNKNOWN_INSTANCE = -3  # minus the class id: the class is known, the instance is not

IGNORE_CLASS = 255  # semantic target of VOID
PARTIAL_CLASS = 254  # semantic target of UNLABELLED


def unknown_instance(class_id: int) -> int:
    """Label of a pixel whose class is known but whose instance is not."""
    return _UNKNOWN_INSTANCE - class_id


@dataclass(frozen=True)
class Sample:
    """A picture and its labels.

    image: uint8 (H, W, 3) RGB.
    instances: int32 (H, W); 0 = background, k > 0 = instance k, else VOID, UNLABELLED or
        `unknown_instance(class)`.
    class_ids: uint8 (N + 1,), class of each instance id; class_ids[0] = 0.
    """

    image: ImageArray
    instances: LabelArray
    class_ids: ClassArray

    def semantic_target(self) -> ClassArray:
        """Class per pixel, uint8 (H, W), with IGNORE_CLASS and PARTIAL_CLASS."""
        # negative labels index from the end: VOID, UNLABELLED, then the classes in order
        known = np.arange(PARTIAL_CLASS)[::-1]
        lut = np.concatenate([self.class_ids, known, [PARTIAL_CLASS, IGNORE_CLASS]])
        return lut.astype(np.uint8)[self.instances]
