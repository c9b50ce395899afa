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

"""Bags without a robot: pictures with their truth as an mcap."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from ssap_ros.errors import InputError
from ssap_ros.replay.bag_sources import BagSource, FrameDepth
from ssap_ros.replay.bags import messages as bag_messages
from ssap_ros.replay.bags.coco_export import CocoExport
from ssap_ros.replay.bags.space import camera_info, detections_3d
from ssap_ros.replay.bags.writer import BagWriter
from ssap_ros.types import ImageArray

IMAGE_TOPIC = "/camera/image"
DEPTH_TOPIC, CAMERA_INFO_TOPIC = "/camera/depth", "/camera/camera_info"
TRUTH = "/camera/gt"
_START_NS = 1_700_000_000_000_000_000  # a fixed date, so that equal sources make equal bags
_FRAME_ID = "camera"
_JPEG_QUALITY = 95


def make_bag(
    source: BagSource,
    out: Path,
    encoding: str = "raw",
    coco: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write the frames of `source` to an mcap.

    The topics are IMAGE_TOPIC (with `/compressed` for an encoding "jpeg" or "png") and, where there
    is truth, `instances`, `detections` and `label_info` under TRUTH, as ground_truth.py reads them;
    with depth also DEPTH_TOPIC (16UC1), CAMERA_INFO_TOPIC, and `detections_3d` under TRUTH.

    Args:
        source: See open_bag_source.
        out: The bag.
        encoding: "raw", "jpeg" or "png".
        coco: Folder for the same frames as PNG with a COCO annotation file, as `ssap evaluate`
            reads.
        progress: Called with the number of frames written.

    Returns:
        The number of frames.

    Raises:
        InputError: The source has no frames, or a file cannot be written.
    """
    topic = IMAGE_TOPIC if encoding == "raw" else f"{IMAGE_TOPIC}/compressed"
    kind = bag_messages.IMAGE if encoding == "raw" else bag_messages.COMPRESSED_IMAGE
    export = CocoExport(coco, source.classes) if coco else None
    count = 0
    with BagWriter(out) as bag:
        bag.add_topic(topic, kind)
        if source.classes:
            bag.add_topic(f"{TRUTH}/instances", bag_messages.IMAGE)
            bag.add_topic(f"{TRUTH}/detections", bag_messages.DETECTIONS)
            bag.add_topic(f"{TRUTH}/label_info", bag_messages.LABEL_INFO, latched=True)
        if source.has_depth:
            bag.add_topic(DEPTH_TOPIC, bag_messages.IMAGE)
            bag.add_topic(CAMERA_INFO_TOPIC, bag_messages.CAMERA_INFO)
            bag.add_topic(f"{TRUTH}/detections_3d", bag_messages.DETECTIONS_3D)
        for frame in source.frames:
            stamp = _START_NS + frame.time
            head = bag_messages.header(stamp, _FRAME_ID)
            if source.classes and count == 0:
                info = bag_messages.label_info(head, source.classes)
                bag.write(f"{TRUTH}/label_info", stamp, info)
            bag.write(topic, stamp, _picture(head, frame.image, encoding))
            if frame.labels is not None:
                bag.write(
                    f"{TRUTH}/instances", stamp, bag_messages.image(head, "mono16", frame.labels)
                )
                bag.write(
                    f"{TRUTH}/detections", stamp, bag_messages.detections(head, frame.entries)
                )
                if export:
                    export.add(frame.image, frame.labels, frame.entries)
            if frame.depth is not None:
                _write_depth(bag, stamp, head, frame.depth)
            count += 1
            if progress:
                progress(count)
        if count == 0:
            raise InputError("the source has no frames")
    if export:
        export.close()
    return count


def _write_depth(bag: BagWriter, stamp: int, head: Any, depth: FrameDepth) -> None:
    info = camera_info(head, depth.k, depth.millimetres.shape[:2])
    bag.write(CAMERA_INFO_TOPIC, stamp, info)
    bag.write(DEPTH_TOPIC, stamp, bag_messages.image(head, "16UC1", depth.millimetres))
    bag.write(f"{TRUTH}/detections_3d", stamp, detections_3d(head, depth.objects))


def _picture(head: Any, image: ImageArray, encoding: str) -> Any:
    if encoding == "raw":
        return bag_messages.image(head, "rgb8", image)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if encoding == "jpeg" else []
    return bag_messages.compressed_image(
        head, encoding, cv2.imencode(f".{encoding}", bgr, quality)[1]
    )
