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

"""Boxes on a ground plane before a wall, cast ray by ray: exact masks and exact depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssap_ros.types import Instance

SIZE = (240, 320)
K = (300.0, 0.0, 160.0, 0.0, 300.0, 120.0, 0.0, 0.0, 1.0)
GROUND, WALL = 1.5, 30.0  # metres below the camera, and before it


@dataclass(frozen=True)
class Box:
    """Standing upright. centre: x, y, z in the camera frame; size: length, height, width."""

    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float = 0.0
    class_id: int = 1


@dataclass(frozen=True)
class DepthScene:
    labels: NDArray[np.uint16]
    depth: NDArray[np.float32]
    instances: tuple[Instance, ...]

    @property
    def boxes(self) -> list[tuple[int, int, int, int]]:
        return [instance.bbox for instance in self.instances]


def render(boxes: list[Box], size: tuple[int, int] = SIZE, k: tuple[float, ...] = K) -> DepthScene:
    """What a camera sees of boxes before it; instances are in the order of the boxes, all seen."""
    y, x = np.mgrid[: size[0], : size[1]]
    rays = np.stack([(x - k[2]) / k[0], (y - k[5]) / k[4], np.ones(size)], axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.minimum(np.where(rays[..., 1] > 0, GROUND / rays[..., 1], np.inf), WALL)
        labels = np.zeros(size, np.uint16)
        for number, box in enumerate(boxes, start=1):
            cos, sin = np.cos(box.yaw), np.sin(box.yaw)
            into = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])  # camera -> box
            half = np.array(box.size) / 2
            corners = (half * np.array(list(np.ndindex(2, 2, 2))) * 2 - half) @ into + box.centre
            pixels = corners[:, :2] / corners[:, 2:] * (k[0], k[4]) + (k[2], k[5])
            (left, top), (right, bottom) = (
                pixels.min(axis=0).clip(0).astype(int),
                pixels.max(axis=0).clip(0).astype(int) + 2,
            )
            window = np.s_[top:bottom, left:right]
            direction, origin = rays[window] @ into.T, -(into @ np.array(box.centre))
            ends = np.stack([(-half - origin) / direction, (half - origin) / direction])
            near, far = ends.min(axis=0).max(axis=-1), ends.max(axis=0).min(axis=-1)
            hit = (near < far) & (near > 0) & (near < depth[window])
            depth[window][hit] = near[hit]
            labels[window][hit] = number
    instances = []
    for number, box in enumerate(boxes, start=1):
        ys, xs = np.nonzero(labels == number)
        left, top = int(xs.min()), int(ys.min())
        bbox = (left, top, int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1)
        instances.append(Instance(box.class_id, 0.9, bbox, len(ys)))
    return DepthScene(labels, depth.astype(np.float32), tuple(instances))
