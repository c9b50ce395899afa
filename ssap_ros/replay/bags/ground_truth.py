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

"""Ground truth in a bag: the same two topics that the node publishes, joined in the same way.

Instances: mono16 Image; 0 = background, k = detections[k - 1], NOT_ANNOTATED = a pixel that no
score counts. Detections: one per instance with its class id as text; a score of 0 marks a crowd, a
group of its class whose members are not told apart; an `id` stays with its object over time. The
stamps are those of the images. A LabelInfo beside them names the classes; without one the class ids
are the model's.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssap_ros.data.segments import OTHER_CLASS, Segments
from ssap_ros.errors import InputError
from ssap_ros.replay.bags.messages import (
    DETECTIONS,
    IMAGE,
    LABEL_INFO,
    Detection,
    read_detections,
    read_label_info,
    read_labels,
    stamp_of_raw,
)
from ssap_ros.replay.bags.reader import BagMessage, BagReader

NOT_ANNOTATED = 65535
ANY_CLASS = 1  # the class of everything where the truth has no classes
ANY_CLASS_NAME = "object"


@dataclass(frozen=True)
class Truth:
    """Truth of one frame.

    Attributes:
        segments: The instances; 0 = background or void.
        void: bool (H, W), what no score counts.
    """

    segments: Segments
    void: NDArray[np.bool_]


class GroundTruth:
    """The truth of one camera, asked frame by frame in the order of the bag. A context.

    Attributes:
        classes: Name by class id of the model, of all classes that are scored: those that truth and
            model share.
        class_agnostic: The truth has no detections; all is of ANY_CLASS then.

    Raises:
        InputError: A topic is missing or is no truth.
    """

    def __init__(
        self,
        bag: Path,
        instances: str,
        detections: str | None,
        model_classes: Mapping[int, str],
    ) -> None:
        with BagReader(bag) as reader:
            reader.require(instances, IMAGE)
            beside = instances.rsplit("/", 1)[0]
            if detections is None and f"{beside}/detections" in reader.topics_of(DETECTIONS):
                detections = f"{beside}/detections"
            names = {} if detections is None else _class_names(reader, f"{beside}/label_info")
        self.class_agnostic = detections is None
        ids = {name: class_id for class_id, name in model_classes.items()}
        self._class_ids = {k: ids.get(name, OTHER_CLASS) for k, name in names.items()} or None
        if self.class_agnostic:
            self.classes = {ANY_CLASS: ANY_CLASS_NAME}
        elif self._class_ids is None:
            self.classes = {k: name for k, name in model_classes.items() if k > 0}
        else:
            shared = set(self._class_ids.values()) - {0, OTHER_CLASS}
            self.classes = {k: model_classes[k] for k in sorted(shared)}
            if not shared:
                raise InputError(
                    f"no class of the truth is a class of the model: {sorted(names.values())} "
                    f"against {list(model_classes.values())}"
                )
        self._instances = ByStamp(bag, instances)
        self._detections = ByStamp(bag, detections) if detections else None

    def __enter__(self) -> GroundTruth:
        return self

    def __exit__(self, *_: object) -> None:
        self._instances.__exit__()
        if self._detections:
            self._detections.__exit__()

    @property
    def damage(self) -> list[str]:
        """What is wrong with the topics as far as they were read."""
        readers = [self._instances.reader, *([self._detections.reader] if self._detections else [])]
        return [line for reader in readers for line in reader.damage]

    def at(self, stamp: int) -> Truth | None:
        """Find the truth of the frame with this stamp, in nanoseconds.

        Returns:
            The truth; None if the frame has none.

        Raises:
            InputError: The two topics do not belong together.
        """
        message = self._instances.take(stamp)
        if message is None:
            return None
        try:
            labels = read_labels(self._instances.reader.decode(message))
            entries = self._entries(stamp, labels)
            void = labels == NOT_ANNOTATED
            ids = np.where(void, 0, labels)
            class_ids = [self._class_id(entry) for entry in entries]
            crowd = [entry.score == 0 for entry in entries]
            return Truth(Segments(ids, np.array(class_ids, np.int64), crowd=np.array(crowd)), void)
        except InputError:
            raise
        except ValueError as error:
            raise InputError(f"the truth at {stamp * 1e-9:.3f} s is invalid: {error}") from error

    def _entries(self, stamp: int, labels: NDArray[np.uint16]) -> list[Detection]:
        if self._detections is None:
            highest = int(labels[labels != NOT_ANNOTATED].max(initial=0))
            return [Detection(str(ANY_CLASS), 1.0, (0.0, 0.0, 0.0, 0.0))] * highest
        message = self._detections.take(stamp)
        if message is None:
            raise ValueError("instances without detections")
        return read_detections(self._detections.reader.decode(message))

    def _class_id(self, entry: Detection) -> int:
        class_id = int(entry.class_id)
        if self._class_ids is None:
            return class_id if class_id in self.classes else OTHER_CLASS
        return self._class_ids.get(class_id, OTHER_CLASS)


class ByStamp:
    """Messages of a topic by the stamps of their headers, asked about in the order of the bag.

    A message that nobody asks for is kept until the end; equal stamps are given out in order. A
    context.
    """

    def __init__(self, bag: Path, topic: str) -> None:
        with BagReader(bag) as reader:
            self._left = Counter(_stamps(reader, topic))
        self.reader = BagReader(bag)
        self._messages: Iterator[BagMessage] = self.reader.messages([topic])
        self._passed: dict[int, deque[BagMessage]] = {}

    def take(self, stamp: int) -> BagMessage | None:
        """The next message of this stamp, None if there is no more."""
        if self._left[stamp] == 0:
            return None
        self._left[stamp] -= 1
        while not (waiting := self._passed.get(stamp)):
            message = next(self._messages)
            if len(message.raw) >= 12:
                own = stamp_of_raw(message.raw) or message.logged
                self._passed.setdefault(own, deque()).append(message)
        message = waiting.popleft()
        if not waiting:
            del self._passed[stamp]
        return message

    def __enter__(self) -> ByStamp:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.__exit__()


def _stamps(reader: BagReader, topic: str) -> Iterator[int]:
    for message in reader.messages([topic]):
        if len(message.raw) >= 12:
            yield stamp_of_raw(message.raw) or message.logged


def _class_names(reader: BagReader, topic: str) -> dict[int, str]:
    if topic not in reader.topics_of(LABEL_INFO):
        return {}
    message = next(reader.messages([topic]), None)
    try:
        return read_label_info(reader.decode(message)) if message else {}
    except ValueError as error:
        raise InputError(f"{topic} in {reader.path} cannot be read: {error}") from error
