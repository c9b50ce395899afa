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

"""Pinhole camera, object poses and an antialiased canvas that keeps an exact label map.

Camera frame of the scenes: x right, y up from the ground, z forward, all in metres. The camera
looks along z at `height` above the ground; moving the horizon tilts it, as a shift lens does.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ssap_ros.types import ImageArray, LabelArray

Points = NDArray[np.float64]
Colour = tuple[float, float, float]

_NEAR = 0.4  # metres; nothing closer is drawn
_SHIFT = 4  # fractional bits of the drawing coordinates
_ANGLES = np.linspace(0, 2 * np.pi, 20, endpoint=False)
CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_CAP = CIRCLE[[15, 17, 18, 0, 2, 3, 5]]  # half circle around +x


@dataclass(frozen=True)
class PinholeCamera:
    """focal, centre (pixels), horizon (pixel row), height (metres above the ground)."""

    focal: float
    centre: float
    horizon: float
    height: float

    def project(self, points: Points) -> Points:
        """(n, 3) camera-frame metres -> (n, 2) pixels (x, y)."""
        scale = self.focal / np.maximum(points[:, 2], _NEAR)
        pixels = np.empty((len(points), 2))
        np.multiply(points[:, 0], scale, out=pixels[:, 0])
        np.multiply(self.height - points[:, 1], scale, out=pixels[:, 1])
        pixels += (self.centre, self.horizon)
        return pixels


@dataclass(frozen=True)
class Pose:
    """An object on the ground at (x, z); heading 0 looks away from the camera, pi/2 to the right.

    Object frame: s forward, t left, y up.
    """

    x: float
    z: float
    heading: float

    def points(self, s: Points | float, t: Points | float, y: Points | float) -> Points:
        """Object-frame coordinates, (n,) or numbers, at least one (n,) -> (n, 3) camera frame."""
        sin, cos = math.sin(self.heading), math.cos(self.heading)
        points = np.empty((np.size(s + t + y), 3))
        points[:, 0] = self.x + s * sin - t * cos
        points[:, 1] = y
        points[:, 2] = self.z + s * cos + t * sin
        return points

    def viewer(self) -> tuple[float, float]:
        """Ground position (s, t) of the camera in the object frame."""
        sin, cos = math.sin(self.heading), math.cos(self.heading)
        return float(-self.x * sin - self.z * cos), float(self.x * cos - self.z * sin)


def clip_near(points: Points) -> Points:
    """The part of a planar polygon (n, 3) in front of the near plane; (0, 3) if there is none."""
    kept: list[Points] = []
    for here, following in zip(points, np.roll(points, -1, axis=0), strict=True):
        if here[2] >= _NEAR:
            kept.append(here)
        if (here[2] >= _NEAR) != (following[2] >= _NEAR):
            share = (_NEAR - here[2]) / (following[2] - here[2])
            kept.append(here + share * (following - here))
    return np.array(kept).reshape(-1, 3)


def shade(colour: Colour, factor: float) -> Colour:
    """The colour times a brightness factor, clipped to 0-255."""
    red, green, blue = (min(max(channel * factor, 0.0), 255.0) for channel in colour)
    return red, green, blue


@cache
def _noise_tile(height: int, width: int) -> NDArray[np.float32]:
    noise = np.random.default_rng(20).standard_normal((height, width), dtype=np.float32)
    noise.setflags(write=False)
    return noise


def noise_patch(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """(height, width) unit Gaussian noise, read-only, cut out of one tile at a random place."""
    tile = _noise_tile(512 * (height // 512 + 2), 512 * (width // 512 + 2))
    y, x = rng.integers(0, 512, 2)
    return tile[y : y + height, x : x + width]


def _fixed(pixels: Points) -> NDArray[np.int32]:
    """Pixel coordinates as OpenCV's fixed-point integers."""
    scaled = pixels * (1 << _SHIFT)
    np.minimum(scaled, 8000 << _SHIFT, out=scaled)
    np.maximum(scaled, -(8000 << _SHIFT), out=scaled)
    return np.rint(scaled, out=scaled).astype(np.int32)


@dataclass
class Canvas:
    """Painter's-order drawing of labelled objects.

    Solid shapes between `begin` and `finish` form the silhouette of one object; `finish` gives its
    pixels (coverage of at least one half) the label. Other shapes only colour the image.

    Attributes:
        image: uint8 (H, W, 3) RGB.
        labels: int32 (H, W).
    """

    image: ImageArray
    camera: PinholeCamera
    labels: LabelArray = field(init=False)
    _mask: ImageArray = field(init=False)
    _box: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.labels = np.zeros(self.image.shape[:2], np.int32)
        self._mask = np.zeros(self.image.shape[:2], np.uint8)

    def begin(self) -> None:
        self._box = [np.inf, np.inf, -np.inf, -np.inf]

    def polygon(self, points: Points, colour: Colour, solid: bool = False) -> None:
        """Fill a polygon given in the camera frame, (n, 3)."""
        self.fill(self.camera.project(points), colour, solid)

    def fill(self, pixels: Points, colour: Colour, solid: bool = False) -> None:
        """Fill a polygon given in pixels, (n, 2)."""
        fixed = _fixed(pixels)
        cv2.fillPoly(self.image, [fixed], colour, cv2.LINE_AA, _SHIFT)
        if solid:
            self._cover(fixed)

    def cover(self, pixels: Points) -> None:
        """Add a polygon in pixels to the silhouette without colouring it."""
        self._cover(_fixed(pixels))

    def _cover(self, fixed: NDArray[np.int32]) -> None:
        cv2.fillPoly(self._mask, [fixed], (255,), cv2.LINE_AA, _SHIFT)
        x, y, width, height = cv2.boundingRect(fixed)
        box = self._box
        box[0], box[1] = min(box[0], x), min(box[1], y)
        box[2], box[3] = max(box[2], x + width), max(box[3], y + height)

    def polygons(self, shapes: Sequence[Points], colour: Colour) -> None:
        """Fill many pixel polygons, each (n, 2), with one colour."""
        fixed = [_fixed(shape) for shape in shapes]
        if fixed:
            cv2.fillPoly(self.image, fixed, colour, cv2.LINE_AA, _SHIFT)

    def ring(self, outer: Points, inner: Points, colour: Colour, solid: bool = False) -> None:
        """Fill between two closed pixel outlines, each (n, 2)."""
        fixed = [_fixed(outer), _fixed(inner)]
        cv2.fillPoly(self.image, fixed, colour, cv2.LINE_AA, _SHIFT)
        if solid:
            self._cover(fixed[0])

    def capsule(
        self,
        start: Points,
        end: Points,
        radius: tuple[float, float],
        colour: Colour,
        solid: bool = False,
    ) -> None:
        """A rounded, tapered limb between two pixel points (2,); radius at both ends in pixels."""
        dx, dy = float(end[0] - start[0]), float(end[1] - start[1])
        length = math.hypot(dx, dy) or 1.0
        cap = _CAP @ np.array([[dx, dy], [-dy, dx]]) / length
        outline = np.empty((2 * len(cap), 2))
        outline[: len(cap)] = end + radius[1] * cap
        outline[len(cap) :] = start - radius[0] * cap
        self.fill(outline, colour, solid)

    def line(self, pixels: Points, colour: Colour, width: float, solid: bool = False) -> None:
        """An open polyline (n, 2) of the given width, both in pixels."""
        for start, end in itertools.pairwise(pixels):
            self.capsule(start, end, (width / 2, width / 2), colour, solid)

    def finish(
        self, label: int, rng: np.random.Generator, haze: float, haze_colour: Colour
    ) -> None:
        """Label the silhouette drawn since `begin`; shade and texture it, and mix in the haze."""
        height, width = self.labels.shape
        if not np.isfinite(self._box[0]):
            return
        low, high = (int(self._box[0]) >> _SHIFT, int(self._box[1]) >> _SHIFT), self._box[2:]
        x0, y0 = max(low[0] - 1, 0), max(low[1] - 1, 0)
        x1, y1 = (
            min((int(v) >> _SHIFT) + 2, end) for v, end in zip(high, (width, height), strict=True)
        )
        if x0 >= x1 or y0 >= y1:
            self._mask[:] = 0
            return
        mask = self._mask[y0:y1, x0:x1]
        coarse = rng.uniform(0.8, 1.15, (4, 4)).astype(np.float32)
        coarse += np.linspace(0.1, -0.12, 4, dtype=np.float32)[:, None]
        light = cv2.resize(coarse, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
        light += rng.uniform(0.0, 0.05) * noise_patch(rng, y1 - y0, x1 - x0)
        target = self.image[y0:y1, x0:x1]
        light *= 1 - haze
        lit = cv2.multiply(target, cv2.merge([light] * 3), dtype=cv2.CV_8U)
        lit = cv2.add(lit, tuple(haze * channel for channel in haze_colour) + (0.0,))
        np.copyto(target, lit, where=(mask > 60)[..., None])
        self.labels[y0:y1, x0:x1][mask > 127] = label
        mask[:] = 0
