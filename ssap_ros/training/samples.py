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

"""A labelled picture and what is known about each of its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ssap_ros.data.segments import OTHER_CLASS, Segments
from ssap_ros.types import ClassArray, ImageArray, LabelArray

VOID = -1  # nothing is known: no loss
UNLABELLED = -2  # not an instance of an annotated class; nothing else is known
_UNKNOWN_INSTANCE = -3  # minus the class id: the class is known, the instance is not

_MAX_CLASSES = 254
_STUFF = _UNKNOWN_INSTANCE - _MAX_CLASSES  # minus the class id: the one segment of a stuff class

SOFT_LEVELS = 32  # of the probability of a soft label
_SOFT = _STUFF - _MAX_CLASSES  # minus SOFT_LEVELS * class + level

IGNORE_CLASS = 255  # semantic target of VOID
PARTIAL_CLASS = 254  # semantic target of UNLABELLED
CERTAIN = 255  # of a target that is not soft


def unknown_instance(class_id: int) -> int:
    """Label of a pixel whose class is known but whose instance is not."""
    return _UNKNOWN_INSTANCE - class_id


def stuff_segment(class_id: int) -> int:
    """Label the pixels of a class that has no instances: all of them are one segment.

    Returns:
        The label; that of class 0 is 0, like a background.
    """
    return _STUFF - class_id if class_id else 0


def soft_label(class_id: NDArray[Any], level: NDArray[Any]) -> LabelArray:
    """Label pixels of no annotated object that are of a class with a probability, else of class 0.

    Args:
        class_id: Integers of any shape.
        level: Of the probability, 0 to SOFT_LEVELS - 1 for 0 to 1, of the same shape.

    Returns:
        The labels, int32 of that shape.
    """
    return (_SOFT - SOFT_LEVELS * class_id.astype(np.int32) - level).astype(np.int32)


def is_unlabelled(ids: Tensor) -> Tensor:
    """Where pixels are of no annotated object, and of which other object is not known."""
    return (ids == UNLABELLED) | (ids <= _SOFT)


def is_unknown(ids: Tensor) -> Tensor:
    """Where it is not known whether pixels of this one label belong together."""
    return (ids < 0) & (ids > _STUFF)


def _negative_labels() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Class and certainty of the labels below 0, the lowest first, to be indexed from the end."""
    known = np.arange(_MAX_CLASSES)[::-1]
    soft_class, soft_level = np.divmod(np.arange(_MAX_CLASSES * SOFT_LEVELS)[::-1], SOFT_LEVELS)
    classes = np.concatenate([soft_class, known, known, [PARTIAL_CLASS, IGNORE_CLASS]])
    certainty = np.full(classes.size, CERTAIN)
    certainty[: soft_level.size] = np.round(soft_level * (CERTAIN / (SOFT_LEVELS - 1)))
    return classes.astype(np.uint8), certainty.astype(np.uint8)


_NEGATIVE_CLASSES, _NEGATIVE_CERTAINTY = _negative_labels()


@dataclass(frozen=True)
class Sample:
    """A picture and its labels.

    Attributes:
        image: uint8 (H, W, 3) RGB.
        instances: int32 (H, W); k > 0 = object k, 0 = the segment of class 0, else
            `stuff_segment(class)`, VOID, UNLABELLED, `unknown_instance(class)` or
            `soft_label(...)`.
        class_ids: uint8 (N + 1,), class of each object; class_ids[0] = 0.
        annotated: Classes of which every object of the picture is annotated: an UNLABELLED pixel is
            of none of them. All, if None.
    """

    image: ImageArray
    instances: LabelArray
    class_ids: ClassArray
    annotated: frozenset[int] | None = None

    def semantic_target(self) -> ClassArray:
        """Class per pixel, uint8 (H, W), with IGNORE_CLASS and PARTIAL_CLASS."""
        return np.concatenate([self.class_ids, _NEGATIVE_CLASSES])[self.instances]

    def certainty(self) -> ClassArray:
        """Probability of the target class per pixel, uint8 (H, W), 255 = 1; the rest is class 0."""
        certain = np.full(self.class_ids.size, CERTAIN, np.uint8)
        return np.concatenate([certain, _NEGATIVE_CERTAINTY])[self.instances]


def sample_of(image: ImageArray, truth: Segments, thing_ids: Sequence[int]) -> Sample:
    """Make a sample of an annotated picture.

    Crowds keep their class, their instances are unknown; void and classes that are not evaluated
    are VOID.

    Returns:
        The sample.
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
