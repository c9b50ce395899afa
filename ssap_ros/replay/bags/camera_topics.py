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

"""Which image topic of a bag is the camera, by encoding and name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum

from ssap_ros.errors import InputError
from ssap_ros.replay.bags.messages import COMPRESSED_IMAGE, IMAGE
from ssap_ros.replay.bags.reader import BagReader

_KINDS = {"": (IMAGE, COMPRESSED_IMAGE), "raw": (IMAGE,), "compressed": (COMPRESSED_IMAGE,)}
_OURS = re.compile(r"/(instances|semantic|confidence|overlay)(/compressed)?$")
_NO_PICTURE = {
    *("depth", "disparity", "range", "mask", "masks", "label", "labels", "segmentation"),
    *("gt", "groundtruth", "annotation", "annotations", "heatmap", "costmap", "theora"),
}
_COLOUR_WORDS = {"color", "colour", "rgb", "bgr"}
_COLOUR = re.compile(r"rgb|bgr|bayer|yuv|yuyv|uyvy|nv12|nv21|8UC[34]|jpe?g|png")
_UNREADABLE = "cannot be read"
_GREY = re.compile(r"mono8|8UC1")
_WIDE_GREY = re.compile(r"mono16|16UC1")


class _Rank(IntEnum):
    NONE = 0
    WIDE_GREY = 1
    GREY = 2
    COLOUR = 3
    NAMED_COLOUR = 4


def choose_camera(
    reader: BagReader, not_topics: Iterable[str] = (), transport: str = ""
) -> tuple[str, list[str]]:
    """Choose the topic of the camera.

    Depth images, masks, what this node publishes and topics without messages are no camera; colour
    is preferred to grey. Of one camera's topics (beside each other) raw images come first.

    Args:
        reader: The bag.
        not_topics: Topics that are something else.
        transport: "raw" or "compressed": only such topics; empty: both.

    Returns:
        The topic, and the other image topics.

    Raises:
        InputError: There is no image topic, or it cannot be told which one is the camera.
    """
    images = [t for t in reader.topics_of(*_KINDS[transport]) if t not in not_topics]
    if not images:
        kind = f"{transport} images" if transport else "images"
        raise InputError(f"no topic with {kind} in {reader.path}, it holds {reader.contents()}")
    ranks = {topic: _rank(reader, topic) for topic in images}
    best = max(ranks.values())
    if best == _Rank.NONE:
        described = ", ".join(f"{topic} ({_encoding(reader, topic)})" for topic in images)
        raise InputError(
            f"none of the image topics of {reader.path} looks like a camera; choose one by "
            f"--topic: {described}"
        )
    found = [topic for topic in images if ranks[topic] == best]
    if len({_camera_of(topic) for topic in found}) > 1:
        raise InputError(
            f"several topics of {reader.path} may be the camera; choose one, or several, by "
            f"--topic: {', '.join(found)}"
        )
    chosen = min(found, key=lambda t: (reader.topics[t].msgtype != IMAGE, images.index(t)))
    return chosen, [topic for topic in images if topic != chosen]


def _rank(reader: BagReader, topic: str) -> _Rank:
    words = set(re.split(r"[^a-z]+", topic.lower()))
    encoding = _encoding(reader, topic)
    if (
        encoding.startswith(_UNREADABLE)
        or _OURS.search(topic)
        or "compressedDepth" in topic + encoding
    ):
        return _Rank.NONE
    if _WIDE_GREY.search(encoding):  # also "16UC1; png compressed"
        return _Rank.NONE if words & _NO_PICTURE else _Rank.WIDE_GREY
    if words & _NO_PICTURE and not words & _COLOUR_WORDS:
        return _Rank.NONE
    if _GREY.search(encoding):
        return _Rank.GREY
    if _COLOUR.search(encoding):
        return _Rank.NAMED_COLOUR if words & _COLOUR_WORDS else _Rank.COLOUR
    return _Rank.NONE


def _encoding(reader: BagReader, topic: str) -> str:
    """What the first message says of its pixels, or why there is none that can be read."""
    reason = "no messages"
    for message in reader.messages([topic]):
        try:
            msg = reader.decode(message)
            return str(msg.format if hasattr(msg, "format") else msg.encoding)
        except InputError as error:  # of all its messages
            reason = str(error)
            break
        except (ValueError, AttributeError) as error:
            reason = str(error)
    return f"{_UNREADABLE}: {reason}"


def _camera_of(topic: str) -> str:
    """The namespace that a camera's topics share."""
    return re.sub(r"/(compressed|theora)$", "", topic).rpartition("/")[0]
