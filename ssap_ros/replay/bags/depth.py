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

"""The depth images of a bag, and the truth in space, asked for by the stamps of the pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssap_ros.data.segments import OTHER_CLASS
from ssap_ros.errors import InputError
from ssap_ros.replay.bags.ground_truth import ByStamp
from ssap_ros.replay.bags.messages import (
    CAMERA_INFO,
    DETECTIONS_3D,
    IMAGE,
    LABEL_INFO,
    header,
    image,
    read_label_info,
)
from ssap_ros.replay.bags.reader import BagMessage, BagReader
from ssap_ros.replay.bags.space import Detection3D, camera_info, read_detections_3d


class DepthImage(NamedTuple):
    """A depth image and the camera_info nearest to it, as the bag has them."""

    image: Any
    camera_info: Any


def no_depth(size: tuple[int, int]) -> DepthImage:
    """An image of this (H, W) without any depth."""
    head = header(0, "")
    level = (1.0, 0.0, size[1] / 2, 0.0, 1.0, size[0] / 2, 0.0, 0.0, 1.0)
    return DepthImage(
        image(head, "16UC1", np.zeros(size, np.uint16)), camera_info(head, level, size)
    )


class DepthImages:
    """The depth images of one topic, in the order of the bag. A context.

    Args:
        info_topic: Of their camera_info; empty means `camera_info` beside the images.

    Raises:
        InputError: A topic is missing or is no such topic.
    """

    def __init__(self, bag: Path, topic: str, info_topic: str = "") -> None:
        info_topic = info_topic or beside(topic, "camera_info")
        with BagReader(bag) as reader:
            reader.require(topic, IMAGE)
            reader.require(info_topic, CAMERA_INFO)
            first = next(reader.messages([info_topic]), None)
            if first is None:
                raise InputError(f"{info_topic} in {bag} holds no messages")
            self._info = _decoded(reader, first)
        self._images, self._infos = ByStamp(bag, topic), ByStamp(bag, info_topic)

    def __enter__(self) -> DepthImages:
        return self

    def __exit__(self, *_: object) -> None:
        self._images.__exit__()
        self._infos.__exit__()

    def at(self, stamp: int) -> DepthImage | None:
        """Find the depth image with this stamp.

        A calibration holds until one with the stamp of a later image.

        Returns:
            The image; None if there is none.
        """
        message, info = self._images.take(stamp), self._infos.take(stamp)
        if info is not None:
            self._info = _decoded(self._infos.reader, info)
        if message is None:
            return None
        return DepthImage(_decoded(self._images.reader, message), self._info)


class ObjectsTruth:
    """The true objects in space of one topic of vision_msgs/Detection3DArray. A context.

    Args:
        classes: The model's name by class id. A label_info beside the topic names the classes of
            the truth; without one they are the model's.

    Raises:
        InputError: The topic is missing or is no such topic.
    """

    def __init__(self, bag: Path, topic: str, classes: Mapping[int, str]) -> None:
        with BagReader(bag) as reader:
            reader.require(topic, DETECTIONS_3D)
            label_info, names = beside(topic, "label_info"), dict(classes)
            if label_info in reader.topics_of(LABEL_INFO):
                first = next(reader.messages([label_info]), None)
                names = read_label_info(_decoded(reader, first)) if first else names
        ids = {name: class_id for class_id, name in classes.items()}
        self._class_ids = {k: ids.get(name, OTHER_CLASS) for k, name in names.items()}
        self._messages = ByStamp(bag, topic)

    def __enter__(self) -> ObjectsTruth:
        return self

    def __exit__(self, *_: object) -> None:
        self._messages.__exit__()

    def at(self, stamp: int) -> tuple[list[Detection3D], list[int]] | None:
        """The objects of the frame with this stamp and their class ids; None if it has none."""
        message = self._messages.take(stamp)
        if message is None:
            return None
        try:
            objects = read_detections_3d(_decoded(self._messages.reader, message))
            ids = [self._class_ids.get(int(item.class_id), OTHER_CLASS) for item in objects]
        except ValueError as error:
            raise InputError(f"the objects at {stamp * 1e-9:.3f} s are invalid: {error}") from error
        return objects, ids


def beside(topic: str, name: str) -> str:
    """The topic of this name in the namespace of another."""
    return f"{topic.rpartition('/')[0]}/{name}"


def centres(objects: list[Detection3D]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(N, 3) in metres."""
    return np.array([item.centre for item in objects], np.float32).reshape(-1, 3)


def _decoded(reader: BagReader, message: BagMessage) -> Any:
    """The message. Raises InputError if it cannot be read."""
    try:
        return reader.decode(message)
    except ValueError as error:
        raise InputError(f"{message.topic} in {reader.path}: {error}") from error
