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

"""Instance masks and an aligned depth image -> objects in space. Knows no ROS.

Camera coordinates are those of an optical frame: x right, y down, z forward, in metres. All here is
of the visible surface: what an object is like on its far side, no depth image tells.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ssap_ros.errors import InputError
from ssap_ros.stages.masks import class_mask
from ssap_ros.types import FloatArray

CAMERA_UP = (0.0, -1.0, 0.0)
"""Upwards in the optical frame of a camera that is held level."""

MIN_POINTS = 20  # an object with fewer depths is not placed
_MAX_SAMPLES = 4096  # of an object; more do not make it more exact
_OUTLIER_DEVIATIONS = 3.5  # in standard deviations, estimated from the median deviation
_SURE_M = 0.5  # what is not farther than this from the median depth is no outlier
_STANDARD = 1.4826  # standard deviations per median absolute deviation, of normal noise
_HEADING_SAMPLES = 128  # points that a heading is found from
_CLOSE_M = 0.05  # nearer to a side is not better
_ANGLES = np.radians(np.arange(0, 90, 2, dtype=np.float32))
_COS_SIN = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_MINUS_SIN_COS = np.stack([-np.sin(_ANGLES), np.cos(_ANGLES)], axis=1)
_PINHOLE = ("", "plumb_bob", "rational_polynomial")

Labels = NDArray[np.uint16]
Box = tuple[int, int, int, int]
Depth = NDArray[np.uint16] | NDArray[np.float32]


@dataclass(frozen=True)
class Object3D:
    """An object in space.

    Attributes:
        label: Of its mask; its box is `boxes[label - 1]`.
        depth: Robust distance along the optical axis, in metres.
        centre: Of the box, float64 (3,).
        axes: Of the box, float64 (3, 3), one unit vector per column: length, width, up.
        size: Along the axes, in metres, float64 (3,); length >= width.
        covariance: Scatter of the surface points, float64 (3, 3), in square metres.
        n_points: Depths that these figures come from.
    """

    label: int
    depth: float
    centre: NDArray[np.float64]
    axes: NDArray[np.float64]
    size: NDArray[np.float64]
    covariance: NDArray[np.float64]
    n_points: int

    def moved(self, rotation: NDArray[np.float64], shift: NDArray[np.float64]) -> Object3D:
        """The same in another frame: x becomes rotation @ x + shift; the depth stays."""
        return replace(
            self,
            centre=rotation @ self.centre + shift,
            axes=rotation @ self.axes,
            covariance=rotation @ self.covariance @ rotation.T,
        )


class CameraRays:
    """Where the pixels of a camera look.

    Args:
        intrinsics: The matrix K of camera_info, 9 numbers row by row.
        size: (H, W) of the images.
        distortion: The coefficients D; none or zeros for a rectified image.
        model: `distortion_model` of camera_info.

    Raises:
        InputError: The camera is not calibrated, or distorts in a way that is not known.
    """

    def __init__(
        self,
        intrinsics: Sequence[float],
        size: tuple[int, int],
        distortion: Sequence[float] = (),
        model: str = "",
    ) -> None:
        k = np.array(intrinsics, np.float64)
        if k.shape != (9,) or not np.isfinite(k).all() or k[0] <= 0 or k[4] <= 0:
            raise InputError(f"camera_info must have focal lengths above 0 in K, got {k.tolist()}")
        self.size = size
        y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
        if not np.any(distortion):
            self._x = np.asarray((x - k[2]) / k[0], np.float32)
            self._y = np.asarray((y - k[5]) / k[4], np.float32)
            return
        pixels = np.stack([x.ravel(), y.ravel()], axis=1)[:, None]
        matrix, coefficients = k.reshape(3, 3), np.array(distortion, np.float64)
        if model in _PINHOLE and len(coefficients) in (4, 5, 8, 12, 14):
            rays = cv2.undistortPoints(pixels, matrix, coefficients)
        elif model in ("equidistant", "fisheye") and len(coefficients) == 4:
            rays = cv2.fisheye.undistortPoints(pixels, matrix, coefficients)
        else:
            raise InputError(
                "distortion_model must be plumb_bob, rational_polynomial or equidistant with its "
                f"coefficients, got {model!r} with {len(coefficients)}"
            )
        self._x, self._y = np.asarray(rays, np.float32).reshape(*size, 2).transpose(2, 0, 1)

    def points(self, pixels: NDArray[np.intp], depth: FloatArray) -> FloatArray:
        """Points, float32 (3, N): x, y, z of pixels, numbered row by row, with depths in metres."""
        return np.stack([self._x.take(pixels) * depth, self._y.take(pixels) * depth, depth])


def depth_in_metres(depth: Depth) -> FloatArray:
    """Convert a depth image.

    Args:
        depth: uint16 in millimetres (16UC1), or float32 in metres (32FC1).

    Returns:
        Metres, float32 (H, W), 0 where there is none.

    Raises:
        InputError: It is another image.
    """
    if depth.ndim != 2 or depth.dtype not in (np.uint16, np.float32):
        raise InputError(
            f"depth must be 16UC1 or 32FC1, got {depth.dtype} of {depth.ndim} dimensions"
        )
    if depth.dtype == np.uint16:
        return np.multiply(depth, np.float32(1e-3), dtype=np.float32)
    return np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(0))


def locate(
    labels: Labels,
    boxes: Sequence[Box],
    depth: FloatArray,
    rays: CameraRays,
    *,
    erosion: int = 2,
    up: Sequence[float] = CAMERA_UP,
) -> list[Object3D]:
    """Place the objects in space.

    The depth of an object is the median over its mask, eroded since depth bleeds over edges; what
    lies farther from it than 3.5 standard deviations, by the median deviation, is left out. The box
    stands upright, around the rest.

    Args:
        labels: uint16 (H, W), k = the instance of `boxes[k - 1]`.
        boxes: (x, y, width, height) of the instances in pixels.
        depth: Of `depth_in_metres`, aligned to the labels.
        rays: Of the camera.
        erosion: Pixels at the rim of a mask that are not trusted.
        up: Upwards in camera coordinates, a unit vector.

    Returns:
        Those objects that have depth.

    Raises:
        InputError: The images are not of one size, or a box is not inside of them.
    """
    check_sizes(labels, depth, rays)
    frame = _upright_frame(up)
    objects = []
    for k, box in enumerate(boxes, start=1):
        _check_box(k, box, labels.shape)
        pixels = _samples(labels, k, box, erosion)
        z = depth.take(pixels)
        pixels, z = pixels[z > 0], z[z > 0]
        if len(z) < MIN_POINTS:
            continue
        deviation = np.abs(z - _median(z))
        spread = _STANDARD * _median(deviation)
        kept = deviation <= max(_OUTLIER_DEVIATIONS * spread, _SURE_M)
        points = rays.points(pixels[kept], z[kept])
        if points.shape[1] >= MIN_POINTS:
            objects.append(_object(k, points, frame))
    return objects


def without_classes(
    depth: Depth, labels: Labels, class_ids: Sequence[int], hidden: Collection[int], dilation: int
) -> Depth:
    """Clear the instances of some classes from a depth image.

    Args:
        depth: uint16 or float32 (H, W).
        labels: uint16 (H, W), k = the instance of `class_ids[k - 1]`.
        class_ids: Of the instances.
        hidden: Ids of the classes to leave out.
        dilation: How far around them, in pixels.

    Returns:
        A copy, 0 there, which is "no depth".

    Raises:
        InputError: The images are not of one size.
    """
    _check_same(labels, depth)
    shown = cv2.compare(class_mask(labels, class_ids, hidden, dilation), 0, cv2.CMP_EQ)
    static = np.zeros_like(depth)
    cv2.copyTo(depth, shown, static)
    return static


def surface_points(
    labels: Labels, depth: FloatArray, rays: CameraRays
) -> tuple[FloatArray, NDArray[np.intp]]:
    """All points of instances that have a depth.

    Returns:
        Points, float32 (3, N), and their pixels (N,), numbered row by row.

    Raises:
        InputError: The images are not of one size.
    """
    check_sizes(labels, depth, rays)
    pixels = np.flatnonzero(np.minimum(labels, depth) > 0)
    return rays.points(pixels, depth.take(pixels)), pixels


def check_sizes(labels: Labels, depth: Depth, rays: CameraRays) -> None:
    """Raise InputError unless the three are of one size: the depth image must be aligned."""
    _check_same(labels, depth)
    if rays.size != depth.shape:
        raise InputError(
            f"camera_info must be of {_text(depth.shape)} like the depth image, "
            f"got {_text(rays.size)}"
        )


def _check_same(labels: Labels, depth: Depth) -> None:
    if labels.shape != depth.shape:
        raise InputError(
            f"depth must be aligned to the masks, {_text(labels.shape)}, got {_text(depth.shape)}"
        )


def _check_box(label: int, box: Box, shape: tuple[int, ...]) -> None:
    x, y, width, height = box
    inside = x >= 0 and y >= 0 and x + width <= shape[1] and y + height <= shape[0]
    if not inside or width < 1 or height < 1:
        raise InputError(f"box {label} must lie in the image of {_text(shape)}, got {box}")


def _text(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"


def _samples(labels: Labels, label: int, box: Box, erosion: int) -> NDArray[np.intp]:
    """Pixels well inside the mask, numbered row by row, evenly spread if there are many."""
    x, y, width, height = box
    mask = cv2.compare(labels[y : y + height, x : x + width], label, cv2.CMP_EQ)
    if erosion:
        kernel = np.ones((2 * erosion + 1,) * 2, np.uint8)
        mask = cv2.erode(mask, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    step = max(1, math.ceil(math.sqrt(cv2.countNonZero(mask) / _MAX_SAMPLES)))
    start = step // 2
    rows, columns = np.nonzero(mask[start::step, start::step])
    return (y + start + step * rows) * labels.shape[1] + x + start + step * columns


def _median(values: FloatArray) -> float:
    """The upper one of an even number."""
    middle = len(values) // 2
    return float(np.sort(values)[middle])  # vectorised, and faster than a partition


def _object(label: int, points: FloatArray, frame: FloatArray) -> Object3D:
    """The box around points (3, N) that stands upright in the `frame`."""
    angle = _heading(frame[:, :2].T @ points)
    cos, sin = math.cos(angle), math.sin(angle)
    axes = frame @ np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], np.float32)
    inside = axes.T @ points
    low, high = inside.min(axis=1), inside.max(axis=1)
    if high[0] - low[0] < high[1] - low[1]:  # the first axis is the longer one
        axes = np.stack([axes[:, 1], -axes[:, 0], axes[:, 2]], axis=1)
        low, high = np.array([[low[1], -high[0], low[2]], [high[1], -low[0], high[2]]])
    scatter = points - points.mean(axis=1, keepdims=True)
    return Object3D(
        label=label,
        depth=_median(points[2]),
        centre=np.asarray(axes @ ((low + high) / 2), np.float64),
        axes=np.asarray(axes, np.float64),
        size=np.asarray(high - low, np.float64),
        covariance=np.asarray(scatter @ scatter.T / (points.shape[1] - 1), np.float64),
        n_points=points.shape[1],
    )


def _upright_frame(up: Sequence[float]) -> FloatArray:
    """Two axes of the ground and upwards, a right-handed frame in columns, float32 (3, 3)."""
    vertical = np.array(up, np.float64)
    first = np.cross(vertical, np.eye(3)[np.abs(vertical).argmin()])
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(vertical, first), vertical], axis=1).astype(np.float32)


def _heading(ground: FloatArray) -> float:
    """Find the turn of the box whose sides the points (2, N) are closest to.

    The closeness criterion of Zhang et al., Efficient L-Shape Fitting for Vehicle Detection Using
    Laser Scanners, IEEE Intelligent Vehicles 2017: of a corner that is in view, the box of least
    area would lie along the diagonal as well as along the sides.

    Returns:
        The angle in radians, 0 to pi / 2.
    """
    sample = ground[:, :: math.ceil(ground.shape[1] / _HEADING_SAMPLES)]
    distances = []
    for axis in (_COS_SIN, _MINUS_SIN_COS):
        along = axis @ sample  # (angles, points)
        low, high = along.min(axis=1, keepdims=True), along.max(axis=1, keepdims=True)
        distances.append(np.minimum(along - low, high - along))
    closeness = (1 / np.maximum(np.minimum(*distances), _CLOSE_M)).sum(axis=1)
    return float(_ANGLES[closeness.argmax()])
