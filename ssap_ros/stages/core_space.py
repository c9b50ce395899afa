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

"""The door to the compiled core for objects in space; see `core` for what both hold to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssap_ros import _core
from ssap_ros.errors import InputError
from ssap_ros.stages import arguments
from ssap_ros.types import FloatArray

PlacedObject = _core.PlacedObject


def surface_rows(
    labels: NDArray[np.uint16],
    depth: FloatArray,
    ray_x: FloatArray,
    ray_y: FloatArray,
    pose: FloatArray,
    table: NDArray[np.void],
) -> NDArray[np.void]:
    """See `ssap_ros.stages.depth.surface_rows`; the rays are float32 (H, W) like the depth."""
    labels = arguments.grid("labels", labels, (np.uint16,), 2)
    depth, ray_x, ray_y = _depth_view(labels, depth, ray_x, ray_y)
    pose = arguments.matrix("pose", pose, (3, 4))
    table = arguments.point_rows("table", table)
    arguments.require_at_most("labels", labels, len(table) - 1)
    rows = table.view(np.uint8).reshape(len(table), table.itemsize)
    cloud = _core.surface_rows(arguments.dense(labels), depth, ray_x, ray_y, pose, rows)
    return cloud.reshape(-1).view(table.dtype)


def place_objects(
    labels: NDArray[np.uint16],
    boxes: Sequence[tuple[int, int, int, int]],
    depth: FloatArray,
    ray_x: FloatArray,
    ray_y: FloatArray,
    frame: FloatArray,
    *,
    erosion: int,
    max_samples: int,
    min_points: int,
    outlier_deviations: float,
    sure_m: float,
) -> list[PlacedObject]:
    """Place the objects of a label image in space; see `ssap_ros.stages.depth.locate`.

    Args:
        labels: uint16 (H, W), k = the instance of `boxes[k - 1]`.
        boxes: (x, y, width, height) of the instances in pixels.
        depth: float32 (H, W) in metres, 0 = none.
        ray_x: float32 (H, W), x of the point at depth 1 that a pixel shows.
        ray_y: The same of y.
        frame: float32 (3, 3), two axes of the ground and upwards, one unit vector per column.
        erosion: Pixels at the rim of a mask that are not trusted.
        max_samples: About so many pixels of an object are looked at.
        min_points: An object with fewer depths is not placed; at least 2.
        outlier_deviations: How far from the median depth an outlier is, in standard deviations,
            estimated by the median deviation.
        sure_m: Not farther from the median depth than this is no outlier, in metres.

    Returns:
        Those that have depth, in the order of their labels.

    Raises:
        InputError: An argument is not like that.
    """
    labels = arguments.grid("labels", labels, (np.uint16,), 2)
    depth, ray_x, ray_y = _depth_view(labels, depth, ray_x, ray_y)
    arguments.require_boxes(boxes, labels)
    frame = arguments.matrix("frame", frame, (3, 3))
    if erosion < 0 or max_samples < 1 or min_points < 2:
        raise InputError(
            "erosion, max_samples and min_points must be at least 0, 1 and 2, "
            f"got {erosion}, {max_samples} and {min_points}"
        )
    return _core.place_objects(
        arguments.dense(labels),
        boxes,
        depth,
        ray_x,
        ray_y,
        frame,
        min(erosion, max(labels.shape)),
        max_samples,
        min_points,
        outlier_deviations,
        sure_m,
    )


def _depth_view(like: NDArray[Any], *images: FloatArray) -> list[FloatArray]:
    """Depth and rays, as large as the image `like`."""
    checked = []
    for name, image in zip(("depth", "ray_x", "ray_y"), images, strict=True):
        image = arguments.checked_array(name, image, (np.float32,), 2)
        arguments.require_same_size(name, image, "the image", like)
        checked.append(arguments.dense(image))
    return checked
