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

"""What a depth camera sees of a street scene: the ground, and an upright box for every object.

The silhouettes are drawn, so an object's depth is that of a box of its class's usual size where
the object stands. Coordinates here are those of an optical frame: x right, y down, z forward, in
metres.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssap_ros.data.scenes.canvas import PinholeCamera
from ssap_ros.data.scenes.layout import (
    BICYCLE,
    BUS,
    CAR,
    LENGTHS,
    MOTORCYCLE,
    PERSON,
    TRAIN,
    TRUCK,
    SceneObject,
)
from ssap_ros.data.scenes.street import Scene
from ssap_ros.types import FloatArray

MAX_DEPTH_M = 60.0  # farther away there is no depth; 16 bits of millimetres end at 65
_WIDTH_HEIGHT = {
    PERSON: (0.5, 1.72),
    BICYCLE: (0.5, 1.05),
    CAR: (1.8, 1.5),
    MOTORCYCLE: (0.7, 1.15),
    BUS: (2.55, 3.1),
    TRAIN: (2.7, 3.6),
    TRUCK: (2.4, 3.0),
}
_SEATED = (0.55, 0.85)  # how far a person reaches below and above the seat


class SceneBox(NamedTuple):
    """An upright box.

    Attributes:
        yaw: Of its length from the x axis towards z, in radians.
    """

    centre: tuple[float, float, float]
    size: tuple[float, float, float]  # length, width, height
    yaw: float


def intrinsics(camera: PinholeCamera) -> tuple[float, ...]:
    """The matrix K of the camera, 9 numbers row by row."""
    focal = camera.focal
    return (focal, 0.0, camera.centre, 0.0, focal, camera.horizon, 0.0, 0.0, 1.0)


def scene_box(camera: PinholeCamera, thing: SceneObject) -> SceneBox:
    """The box that stands for an object of a class."""
    width, height = _WIDTH_HEIGHT[thing.class_id]
    low = 0.0
    if thing.lift:
        low, height = max(thing.lift - _SEATED[0], 0.0), min(thing.lift, _SEATED[0]) + _SEATED[1]
    centre = (thing.pose.x, camera.height - low - height / 2, thing.pose.z)
    size = (LENGTHS[thing.class_id], width, height)
    return SceneBox(centre, size, math.pi / 2 - thing.pose.heading)


def scene_depth(scene: Scene) -> FloatArray:
    """Depth along the optical axis in metres, float32 (H, W); 0 = farther than MAX_DEPTH_M."""
    camera, (height, width) = scene.camera, scene.instances.shape
    y, x = np.mgrid[:height, :width]
    right, down = (x - camera.centre) / camera.focal, (y - camera.horizon) / camera.focal
    with np.errstate(divide="ignore"):
        depth = np.where(down > 0, camera.height / down, np.inf)
    for label, thing in enumerate(scene.objects, start=1):
        seen = scene.instances == label
        if seen.any():
            box = scene_box(camera, thing)
            depth[seen] = _box_depth(box, right[seen], down[seen])
    return np.where(depth <= MAX_DEPTH_M, depth, 0.0).astype(np.float32)


def _box_depth(
    box: SceneBox, right: NDArray[np.float64], down: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where rays (right, down, 1) enter the box; a ray beside it gets the depth of its centre."""
    cos, sin = math.cos(box.yaw), math.sin(box.yaw)
    into = np.array([[cos, 0, sin], [-sin, 0, cos], [0, -1, 0]])  # camera -> length, width, up
    half, origin = np.array(box.size) / 2, -into @ np.array(box.centre)
    direction = np.stack([right, down, np.ones_like(right)], axis=-1) @ into.T
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack([(-half - origin) / direction, (half - origin) / direction])
    near, far = ends.min(axis=0).max(axis=-1), ends.max(axis=0).min(axis=-1)
    return np.where((near < far) & (near > 0), near, box.centre[2])
