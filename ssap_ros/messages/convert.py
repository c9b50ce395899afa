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

"""Labels, detections, diagnostics <-> their ROS messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import (
    Detection2D,
    Detection2DArray,
    LabelInfo,
    ObjectHypothesisWithPose,
    VisionClass,
)

from ssap_ros.errors import MessageError
from ssap_ros.messages.compressed import png_labels
from ssap_ros.messages.images import plane
from ssap_ros.types import Instance


def instance_masks(
    image: Image | CompressedImage, detections: Detection2DArray
) -> NDArray[np.bool_]:
    """The masks of a frame; for one mask at a time compare `labels_of(image)`.

    Args:
        image: A message of `~/instances` or `~/instances/compressed`.
        detections: The message of `~/detections` with the same header.

    Returns:
        bool (N, H, W); masks[k] belongs to `detections.detections[k]`.

    Raises:
        MessageError: The headers differ, or the image holds a label without a detection.
    """
    if image.header != detections.header:
        raise MessageError(
            f"image and detections must be of one frame, got the headers {image.header} and "
            f"{detections.header}"
        )
    labels, n = labels_of(image), len(detections.detections)
    if labels.max(initial=0) > n:
        raise MessageError(f"labels must be at most {n}, one per detection, got {labels.max()}")
    return labels == np.arange(1, n + 1, dtype=np.uint16)[:, None, None]


def labels_of(image: Image | CompressedImage) -> NDArray[np.uint16]:
    """The label image in a message of `~/instances` or `~/instances/compressed`.

    Returns:
        uint16 (H, W); 0 = no instance, k = `detections[k - 1]`.

    Raises:
        MessageError: It is another image.
    """
    if isinstance(image, CompressedImage):
        return png_labels(image)
    if image.encoding != "mono16" or len(image.data) < image.step * image.height:
        raise MessageError(
            f"label image must be complete and mono16, got {len(image.data)} bytes of "
            f"{image.encoding!r} for {image.width} x {image.height}"
        )
    return plane(image, "u2")


def detections(
    header: Header, instances: Sequence[Instance], ids: Sequence[int] = ()
) -> Detection2DArray:
    """Fill `~/detections`: one entry per instance, in the given order.

    The box (x, y, width, height) covers the pixels x .. x + width - 1, and pixel x reaches from x
    to x + 1, so that the published centre is x + width / 2: half integers for odd widths. The
    corners centre -+ size / 2 are integers again. `class_id` is the class index as a string, `id`
    the number of the track, or empty if there are no `ids`.

    Returns:
        The message.
    """
    names = [str(number) for number in ids] or [""] * len(instances)
    found = [_detection(header, *entry) for entry in zip(instances, names, strict=True)]
    return Detection2DArray(header=header, detections=found)


def _detection(header: Header, instance: Instance, name: str) -> Detection2D:
    x, y, width, height = instance.bbox
    result = ObjectHypothesisWithPose()
    result.hypothesis.class_id = str(instance.class_id)
    result.hypothesis.score = float(instance.score)
    detection = Detection2D(header=header, results=[result], id=name)
    detection.bbox.center.position.x = x + width / 2
    detection.bbox.center.position.y = y + height / 2
    detection.bbox.size_x = float(width)
    detection.bbox.size_y = float(height)
    return detection


def label_info(header: Header, classes: Mapping[int, str], threshold: float) -> LabelInfo:
    """`~/label_info`: names by class id, and the score that a detection at least has."""
    class_map = [VisionClass(class_id=i, class_name=name) for i, name in classes.items()]
    return LabelInfo(header=header, class_map=class_map, threshold=float(threshold))


def diagnostic_status(
    name: str, level: int, message: str, values: Mapping[str, object]
) -> DiagnosticStatus:
    """One entry of `/diagnostics`, `values` as text; level 0 = ok, 1 = warning, 2 = error."""
    status = DiagnosticStatus(name=name, level=bytes([level]), message=message)
    status.values = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    return status


def diagnostic_array(stamp: Time, entries: Iterable[DiagnosticStatus]) -> DiagnosticArray:
    """`/diagnostics`."""
    return DiagnosticArray(header=Header(stamp=stamp), status=list(entries))


def stamp_nanoseconds(stamp: Time) -> int:
    """The stamp as one number, exactly."""
    return int(stamp.sec * 1_000_000_000 + stamp.nanosec)


def stamp_seconds(stamp: Time) -> float:
    """A stamp as one number."""
    return float(stamp.sec + 1e-9 * stamp.nanosec)
