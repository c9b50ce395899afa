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

"""Objects and points in space -> their ROS messages."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from geometry_msgs.msg import Point, Pose, PoseWithCovariance, Quaternion, Vector3
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header
from vision_msgs.msg import (
    BoundingBox3D,
    Detection2D,
    Detection3D,
    Detection3DArray,
    ObjectHypothesisWithPose,
)
from visualization_msgs.msg import Marker, MarkerArray

from ssap_ros.stages.depth import Object3D
from ssap_ros.types import FloatArray
from ssap_ros.visualization.overlay import identity_colour

_POINT = np.dtype(
    [
        *((axis, "<f4") for axis in "xyz"),
        ("rgb", "<u4"),
        ("label", "<u2"),
        ("class_id", "<u2"),
        ("id", "<i4"),
    ]
)
_FIELD_TYPES = {"u2": PointField.UINT16, "i4": PointField.INT32, "f4": PointField.FLOAT32}
_FLAT_M = 0.02  # what a box has at least where it is drawn
_TEXT_M = 0.3
_OPACITY = 0.45


class Labelled(NamedTuple):
    """What the detections of a frame say, by label; entry k - 1 belongs to label k.

    Attributes:
        boxes: (x, y, width, height) in pixels.
        ids: Of the tracker, 0 without one.
    """

    detections: Sequence[Detection2D]
    boxes: list[tuple[int, int, int, int]]
    class_ids: list[int]
    ids: list[int]

    @classmethod
    def of(cls, detections: Sequence[Detection2D]) -> Labelled:
        """Read what the detections of a frame say.

        Returns:
            Arrays by label.

        Raises:
            ValueError: An entry has no class, or one that is no number.
        """
        boxes, class_ids, ids = [], [], []
        for entry in detections:
            if not entry.results:
                raise ValueError("every detection must have a hypothesis, got one without")
            box, centre = entry.bbox, entry.bbox.center.position
            left, top = centre.x - box.size_x / 2, centre.y - box.size_y / 2
            boxes.append((round(left), round(top), round(box.size_x), round(box.size_y)))
            class_ids.append(int(entry.results[0].hypothesis.class_id))
            ids.append(int(entry.id or 0))
        return cls(detections, boxes, class_ids, ids)

    def identities(self) -> list[int]:
        """What colours go by: the track, or without tracks the label."""
        return [number or k for k, number in enumerate(self.ids, start=1)]


def detections_3d(
    header: Header, objects: Sequence[Object3D], labelled: Labelled
) -> Detection3DArray:
    """Fill `~/detections_3d`: the objects with their class, score and id of `~/detections`.

    The hypothesis has the pose of the box; the upper left block of its covariance is the scatter of
    the visible surface in square metres, the rest is 0.

    Returns:
        The message.
    """
    entries = []
    for item, pose in zip(objects, _poses(objects), strict=True):
        found = labelled.detections[item.label - 1]
        covariance = np.zeros((6, 6))
        covariance[:3, :3] = item.covariance
        result = ObjectHypothesisWithPose(hypothesis=found.results[0].hypothesis)
        result.pose = PoseWithCovariance(pose=pose, covariance=covariance.ravel())
        length, width, height = item.size.tolist()
        size = Vector3(x=length, y=width, z=height)
        entry = Detection3D(header=header, results=[result], id=found.id)
        entry.bbox = BoundingBox3D(center=pose, size=size)
        entries.append(entry)
    return Detection3DArray(header=header, detections=entries)


def markers(
    header: Header, objects: Sequence[Object3D], labelled: Labelled, texts: Sequence[str]
) -> MarkerArray:
    """Fill `~/markers`: a box and a text per object, in place of all that were shown before.

    Args:
        header: Of all markers.
        objects: In metres, in the frame of the header.
        labelled: The detections.
        texts: By label, as `labelled`.

    Returns:
        The message.
    """
    shown = [Marker(header=header, action=Marker.DELETEALL)]
    identities = labelled.identities()
    for item, pose in zip(objects, _poses(objects), strict=True):
        red, green, blue = (c / 255 for c in identity_colour(identities[item.label - 1]))
        box = Marker(header=header, ns="boxes", id=item.label, type=Marker.CUBE, pose=pose)
        x, y, z = np.maximum(item.size, _FLAT_M).tolist()
        box.scale = Vector3(x=x, y=y, z=z)
        box.color = ColorRGBA(r=red, g=green, b=blue, a=_OPACITY)
        text = Marker(header=header, ns="texts", id=item.label, type=Marker.TEXT_VIEW_FACING)
        above = item.centre + item.axes[:, 2] * (item.size[2] / 2 + _TEXT_M)
        text.pose.position = _point(above)
        text.scale.z = _TEXT_M
        text.color = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)
        text.text = f"{texts[item.label - 1]} {item.depth:.1f} m"
        shown += [box, text]
    return MarkerArray(markers=shown)


def point_cloud(
    header: Header, points: FloatArray, labels: NDArray[np.uint16], labelled: Labelled
) -> PointCloud2:
    """Fill `~/points`: x, y, z, rgb (the colour of the instance), label, class_id and id.

    Args:
        header: Of the cloud.
        points: float32 (3, N) in metres.
        labels: (N,), the instance of every point, k = detections[k - 1].
        labelled: The detections.

    Returns:
        The message.
    """
    colours = [(r << 16) | (g << 8) | b for r, g, b in map(identity_colour, labelled.identities())]
    table = np.zeros(len(labelled.ids) + 1, _POINT)  # what all points of a label share
    table["rgb"][1:], table["id"][1:] = colours, labelled.ids
    table["class_id"][1:], table["label"] = labelled.class_ids, np.arange(len(table))
    data = array("B", bytes(len(labels) * _POINT.itemsize))
    rows = np.frombuffer(data, _POINT)
    table.take(labels, out=rows, mode="clip")  # clip: without a copy of its own
    rows["x"], rows["y"], rows["z"] = points
    return PointCloud2(
        header=header,
        height=1,
        width=len(rows),
        fields=_FIELDS,
        is_bigendian=False,
        point_step=_POINT.itemsize,
        row_step=_POINT.itemsize * len(rows),
        data=data,
        is_dense=True,
    )


def _fields() -> list[PointField]:
    """Rgb is declared as float32, whose bits are the colour: what RViz and PCL expect."""
    fields = []
    for name, (dtype, offset, *_) in dict(_POINT.fields or {}).items():
        datatype = PointField.FLOAT32 if name == "rgb" else _FIELD_TYPES[dtype.str[1:]]
        fields.append(PointField(name=name, offset=offset, datatype=datatype, count=1))
    return fields


_FIELDS = _fields()


def _poses(objects: Sequence[Object3D]) -> list[Pose]:
    """Of the boxes."""
    if not objects:
        return []
    turns = Rotation.from_matrix(np.stack([item.axes for item in objects])).as_quat().tolist()
    return [
        Pose(position=_point(item.centre), orientation=Quaternion(x=x, y=y, z=z, w=w))
        for item, (x, y, z, w) in zip(objects, turns, strict=True)
    ]


def _point(position: NDArray[np.float64]) -> Point:
    x, y, z = position.tolist()
    return Point(x=x, y=y, z=z)
