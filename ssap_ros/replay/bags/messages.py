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

"""The messages of a bag, without ROS: definitions, what makes them of arrays, what reads them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
DETECTIONS = "vision_msgs/msg/Detection2DArray"
LABEL_INFO = "vision_msgs/msg/LabelInfo"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
DETECTIONS_3D = "vision_msgs/msg/Detection3DArray"
ANNOTATIONS = "foxglove_msgs/msg/ImageAnnotations"

# The wire contract of vision_msgs 4 and of the image annotations of foxglove_msgs 3.
_VISION_MSGS = {
    "Point2D": "float64 x\nfloat64 y",
    "Pose2D": "vision_msgs/Point2D position\nfloat64 theta",
    "BoundingBox2D": "vision_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y",
    "ObjectHypothesis": "string class_id\nfloat64 score",
    "ObjectHypothesisWithPose": (
        "vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose"
    ),
    "Detection2D": (
        "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n"
        "vision_msgs/BoundingBox2D bbox\nstring id"
    ),
    "Detection2DArray": "std_msgs/Header header\nvision_msgs/Detection2D[] detections",
    "BoundingBox3D": "geometry_msgs/Pose center\ngeometry_msgs/Vector3 size",
    "Detection3D": (
        "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n"
        "vision_msgs/BoundingBox3D bbox\nstring id"
    ),
    "Detection3DArray": "std_msgs/Header header\nvision_msgs/Detection3D[] detections",
    "VisionClass": "uint16 class_id\nstring class_name",
    "LabelInfo": ("std_msgs/Header header\nvision_msgs/VisionClass[] class_map\nfloat32 threshold"),
}
_FOXGLOVE_MSGS = {
    "Point2": "float64 x\nfloat64 y",
    "Color": "float64 r\nfloat64 g\nfloat64 b\nfloat64 a",
    "CircleAnnotation": (
        "builtin_interfaces/Time timestamp\nfoxglove_msgs/Point2 position\nfloat64 diameter\n"
        "float64 thickness\nfoxglove_msgs/Color fill_color\nfoxglove_msgs/Color outline_color"
    ),
    "PointsAnnotation": (
        "builtin_interfaces/Time timestamp\nuint8 UNKNOWN=0\nuint8 POINTS=1\nuint8 LINE_LOOP=2\n"
        "uint8 LINE_STRIP=3\nuint8 LINE_LIST=4\nuint8 type\nfoxglove_msgs/Point2[] points\n"
        "foxglove_msgs/Color outline_color\nfoxglove_msgs/Color[] outline_colors\n"
        "foxglove_msgs/Color fill_color\nfloat64 thickness"
    ),
    "TextAnnotation": (
        "builtin_interfaces/Time timestamp\nfoxglove_msgs/Point2 position\nstring text\n"
        "float64 font_size\nfoxglove_msgs/Color text_color\nfoxglove_msgs/Color background_color"
    ),
    "ImageAnnotations": (
        "foxglove_msgs/CircleAnnotation[] circles\nfoxglove_msgs/PointsAnnotation[] points\n"
        "foxglove_msgs/TextAnnotation[] texts"
    ),
}


class Detection(NamedTuple):
    """One entry of a Detection2DArray.

    Attributes:
        bbox: (x, y, width, height) in pixels.
        track: Its `id`.
    """

    class_id: str
    score: float
    bbox: tuple[float, float, float, float]
    track: str = ""


@cache
def standard_types() -> Typestore:
    """The messages of ROS 2, of vision_msgs 4 and the image annotations of foxglove_msgs 3."""
    store = get_typestore(Stores.LATEST)
    types: dict[str, Any] = {}
    for package, definitions in (("vision_msgs", _VISION_MSGS), ("foxglove_msgs", _FOXGLOVE_MSGS)):
        for name, text in definitions.items():
            types.update(get_types_from_msg(text, f"{package}/msg/{name}"))
    store.register({name: fields for name, fields in types.items() if name not in store.fielddefs})
    return store


def encode(msg: Any) -> bytes:
    """A message of the standard types in CDR."""
    return bytes(standard_types().serialize_cdr(msg, msg.__msgtype__))


def decode(raw: bytes, msgtype: str) -> Any:
    """Decode a message of the standard types from CDR.

    Returns:
        An object with the fields of the message.

    Raises:
        ValueError: The bytes are no such message.
    """
    try:
        return standard_types().deserialize_cdr(raw, msgtype)
    except Exception as error:  # what damaged bytes make the deserialiser do is not documented
        raise ValueError(f"not a {msgtype}: {error}") from error


def new(name: str, **fields: Any) -> Any:
    """A message of the standard types, with these fields."""
    return standard_types().types[name](**fields)


def header(stamp: int, frame_id: str) -> Any:
    """std_msgs/Header; stamp in nanoseconds."""
    sec, nanosec = divmod(stamp, 1_000_000_000)
    time = new("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)
    return new("std_msgs/msg/Header", stamp=time, frame_id=frame_id)


def image(head: Any, encoding: str, pixels: NDArray[Any]) -> Any:
    """sensor_msgs/Image of uint8 or uint16 (H, W[, C])."""
    pixels = np.ascontiguousarray(pixels)
    return new(
        IMAGE,
        header=head,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(sys.byteorder == "big"),
        step=pixels[:1].nbytes,
        data=pixels.reshape(-1).view(np.uint8),
    )


def compressed_image(head: Any, kind: str, data: NDArray[np.uint8]) -> Any:
    """sensor_msgs/CompressedImage of an encoded picture; kind: "jpeg" or "png"."""
    return new(COMPRESSED_IMAGE, header=head, format=kind, data=data.reshape(-1))


def detections(head: Any, entries: Sequence[Detection]) -> Any:
    """vision_msgs/Detection2DArray."""
    return new(DETECTIONS, header=head, detections=[_detection(head, entry) for entry in entries])


def label_info(head: Any, classes: Mapping[int, str], threshold: float = 0.0) -> Any:
    """vision_msgs/LabelInfo of class names by class id."""
    class_map = [
        new("vision_msgs/msg/VisionClass", class_id=class_id, class_name=name)
        for class_id, name in classes.items()
    ]
    return new(LABEL_INFO, header=head, class_map=class_map, threshold=threshold)


def read_labels(msg: Any) -> NDArray[np.uint16]:
    """Read the label image in a mono16 Image.

    Returns:
        uint16 (H, W).

    Raises:
        ValueError: The message is another image.
    """
    if msg.encoding not in ("mono16", "16UC1"):
        raise ValueError(f"labels must be mono16, got {msg.encoding!r}")
    if msg.step < 2 * msg.width or len(msg.data) < msg.step * msg.height:
        raise ValueError(
            f"labels of {msg.width} x {msg.height} need {2 * msg.width * msg.height} bytes, "
            f"got {len(msg.data)} in steps of {msg.step}"
        )
    rows = np.frombuffer(msg.data, np.uint8, msg.step * msg.height).reshape(msg.height, msg.step)
    pixels = np.ascontiguousarray(rows[:, : 2 * msg.width])
    return pixels.view(">u2" if msg.is_bigendian else "<u2").astype(np.uint16, copy=False)


def read_detections(msg: Any) -> list[Detection]:
    """Read a Detection2DArray.

    Returns:
        Its entries.

    Raises:
        ValueError: An entry has no hypothesis.
    """
    entries = []
    for detection in msg.detections:
        if len(detection.results) == 0:
            raise ValueError("a detection must have a hypothesis, got none")
        best, box = detection.results[0].hypothesis, detection.bbox
        x = box.center.position.x - box.size_x / 2
        y = box.center.position.y - box.size_y / 2
        entries.append(
            Detection(best.class_id, best.score, (x, y, box.size_x, box.size_y), detection.id)
        )
    return entries


def read_label_info(msg: Any) -> dict[int, str]:
    """Class name by class id."""
    return {entry.class_id: entry.class_name for entry in msg.class_map}


def stamp_of(msg: Any) -> int:
    """The header's stamp in nanoseconds."""
    return int(msg.header.stamp.sec) * 1_000_000_000 + int(msg.header.stamp.nanosec)


def stamp_of_raw(raw: bytes | memoryview) -> int:
    """Read the stamp of a message in CDR that begins with a header.

    Returns:
        Nanoseconds.

    Raises:
        ValueError: It is too short for one.
    """
    if len(raw) < 12:
        raise ValueError(f"a message with a header has at least 12 bytes, got {len(raw)}")
    order = "little" if raw[1] & 1 else "big"
    sec = int.from_bytes(raw[4:8], order, signed=True)  # type: ignore[arg-type]
    return sec * 1_000_000_000 + int.from_bytes(raw[8:12], order)  # type: ignore[arg-type]


def _detection(head: Any, entry: Detection) -> Any:
    x, y, width, height = entry.bbox
    point = new("vision_msgs/msg/Point2D", x=x + width / 2, y=y + height / 2)
    centre = new("vision_msgs/msg/Pose2D", position=point, theta=0.0)
    bbox = new("vision_msgs/msg/BoundingBox2D", center=centre, size_x=width, size_y=height)
    best = new("vision_msgs/msg/ObjectHypothesis", class_id=entry.class_id, score=entry.score)
    result = new("vision_msgs/msg/ObjectHypothesisWithPose", hypothesis=best, pose=_no_pose())
    return new(
        "vision_msgs/msg/Detection2D", header=head, results=[result], bbox=bbox, id=entry.track
    )


@cache
def _no_pose() -> Any:
    point = new("geometry_msgs/msg/Point", x=0.0, y=0.0, z=0.0)
    turn = new("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0)
    pose = new("geometry_msgs/msg/Pose", position=point, orientation=turn)
    return new("geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=np.zeros(36))
