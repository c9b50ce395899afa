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

"""What the node made of a frame: from its two messages to arrays, and back to their frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssap_ros.data.segments import Segments
from ssap_ros.replay.bags import messages as bag_messages
from ssap_ros.replay.bags.ground_truth import ANY_CLASS, GroundTruth
from ssap_ros.replay.bags.messages import Detection
from ssap_ros.replay.bags.reader import BagMessage, BagReader

LabelImage = NDArray[np.uint16]


class NodeOutput(NamedTuple):
    """labels and detections, and the messages that hold them."""

    labels: LabelImage
    detections: list[Detection]
    masks_msg: Any
    boxes_msg: Any


def read_output(masks: bytes, boxes: bytes) -> NodeOutput:
    """Read an output from its two messages in CDR.

    Returns:
        Labels and detections.

    Raises:
        ValueError: The two are incompatible.
    """
    masks_msg = bag_messages.decode(masks, bag_messages.IMAGE)
    boxes_msg = bag_messages.decode(boxes, bag_messages.DETECTIONS)
    labels = bag_messages.read_labels(masks_msg)
    return NodeOutput(labels, bag_messages.read_detections(boxes_msg), masks_msg, boxes_msg)


def prediction_of(
    labels: LabelImage, detections: Sequence[Detection], size: tuple[int, int]
) -> Segments:
    """Take the instances of an output for a frame of this (height, width).

    Returns:
        All of them, whatever their score.

    Raises:
        ValueError: Masks, detections and frame do not fit each other.
    """
    if labels.shape != size:
        raise ValueError(f"masks must be {size}, got {labels.shape}")
    return Segments(
        labels,
        np.array([int(entry.class_id) for entry in detections], np.int64),
        np.array([entry.score for entry in detections]),
    )


def scored_as(prediction: Segments, truth: GroundTruth) -> Segments:
    """The prediction in the classes of the truth."""
    if not truth.class_agnostic:
        return prediction
    class_ids = np.full_like(prediction.class_ids, ANY_CLASS)
    return Segments(prediction.ids, class_ids, prediction.scores)


class OutputsByIndex:
    """The messages of one topic of the raw outputs, asked for by rising frame index."""

    def __init__(self, reader: BagReader, topic: str) -> None:
        self._messages: Iterator[BagMessage] = reader.messages([topic])
        self._next = next(self._messages, None)

    def take(self, index: int) -> bytes | None:
        """The message that belongs to the frame, None if none did."""
        while self._next is not None and self._next.logged < index:
            self._next = next(self._messages, None)
        found = self._next
        return found.raw if found is not None and found.logged == index else None
