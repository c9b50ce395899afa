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

"""Vehicles are extruded side profiles, so one model serves side, end and three-quarter views."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ssap_ros.data.scenes.canvas import CIRCLE, Canvas, Colour, Points, Pose, shade

_GLASS: Colour = (38, 44, 50)
_RUBBER: Colour = (24, 24, 26)
_PAINTS: tuple[Colour, ...] = (
    (236, 236, 234), (236, 236, 234), (18, 18, 20), (34, 35, 38), (150, 153, 158), (190, 193, 196),
    (96, 99, 104), (168, 24, 28), (26, 50, 110), (48, 96, 160), (30, 72, 52), (214, 178, 40),
    (196, 186, 160), (92, 40, 32), (230, 110, 30), (120, 140, 150),
)  # fmt: skip


@dataclass(frozen=True)
class Brush:
    """Draws on the faces of one vehicle; `view` is the camera's (s, t, y) in the vehicle frame."""

    canvas: Canvas
    pose: Pose
    view: tuple[float, float, float]
    light: float

    @property
    def fine(self) -> bool:
        """Whether details of a few centimetres can be seen."""
        return self.canvas.camera.focal > 30 * self.pose.z

    def prism(self, profile: Points, half_width: Points, colour: Colour) -> None:
        """Extrude a side outline (n, 2) with half widths (n,); the part that is seen."""
        following = np.roll(profile, -1, axis=0)
        normals = (following - profile) @ np.array([[0.0, 1.0], [-1.0, 0.0]])
        outward = (normals * (profile + following - 2 * profile.mean(axis=0))).sum(axis=1)
        normals *= np.sign(outward)[:, None]
        view = np.array([self.view[0], self.view[2]])
        (seen,) = np.nonzero((normals * (view - profile)).sum(axis=1) > 0)
        ends = np.stack([seen, seen, (seen + 1) % len(profile), (seen + 1) % len(profile)], axis=1)
        t = half_width[ends] * [1, -1, -1, 1]
        corners = self.pose.points(profile[ends, 0].ravel(), t.ravel(), profile[ends, 1].ravel())
        pixels = self.canvas.camera.project(corners).reshape(-1, 4, 2)
        upward = normals[seen, 1] / (np.hypot(*normals[seen].T) + 1e-9)
        for strip, up in zip(pixels, upward.tolist(), strict=True):
            self.canvas.fill(strip, shade(colour, 0.88 + 0.25 * up), True)
        side = self.side()
        if side:
            points = self.pose.points(profile[:, 0], side * half_width, profile[:, 1])
            self.canvas.polygon(points, shade(colour, 0.92 + 0.12 * side * self.light), True)

    def side(self, half_width: float = 0.9) -> int:
        """1 if the left side can be seen, -1 for the right one, 0 for none."""
        return int(np.sign(self.view[1])) if abs(self.view[1]) > half_width else 0

    def on_side(self, outline: Points, half_width: Points | float, colour: Colour) -> None:
        """A decal (n, 2) in (s, y) on the visible side."""
        side = self.side()
        if side:
            points = self.pose.points(outline[:, 0], side * half_width, outline[:, 1])
            self.canvas.polygon(points, colour)

    def on_end(self, s: float | Points, outline: Points, colour: Colour) -> None:
        """A decal (n, 2) in (t, y) on the front or rear at position s."""
        self.canvas.polygon(self.pose.points(s, outline[:, 0], outline[:, 1]), colour)

    def wheel(self, s: float, t: float, radius: float, rim: Colour, spokes: int) -> None:
        """A wheel whose outer face is at t; the tyre reaches 0.2 m inwards."""
        rows = np.concatenate([np.full(20, t), np.full(20, t - 0.2 * np.sign(t))])
        circle = radius * np.concatenate([CIRCLE, CIRCLE])
        points = self.pose.points(s + circle[:, 0], rows, radius + circle[:, 1])
        pixels = self.canvas.camera.project(points)
        hull = cv2.convexHull(pixels.astype(np.float32))[:, 0].astype(np.float64)
        self.canvas.fill(hull, shade(_RUBBER, 0.75), True)
        if self.side() != np.sign(t):
            return
        outer = pixels[:20]
        hub = outer.mean(axis=0)
        self.canvas.fill(outer, _RUBBER)
        if not self.fine:
            self.canvas.fill(hub + 0.64 * (outer - hub), shade(rim, 0.75))
            return
        for share, colour in ((0.68, rim), (0.6, shade(rim, 0.6)), (0.17, rim)):
            self.canvas.fill(hub + share * (outer - hub), colour)
        angles = np.arange(spokes) * (2 * np.pi / max(spokes, 1)) + s
        along = 0.64 * radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        across = 0.11 * along[:, ::-1] * [-1, 1]
        outlines = np.stack([across, along + across, along - across, -across], axis=1)
        flat = outlines.reshape(-1, 2)
        points = self.pose.points(s + flat[:, 0], t, radius + flat[:, 1])
        self.canvas.polygons(list(self.canvas.camera.project(points).reshape(-1, 4, 2)), rim)


def box(s0: float, y0: float, s1: float, y1: float) -> Points:
    """A rectangle as an outline (4, 2)."""
    return np.array([[s0, y0], [s1, y0], [s1, y1], [s0, y1]])


def make_brush(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> Brush:
    """A brush for the vehicle at the pose, lit from a random side."""
    return Brush(canvas, pose, (*pose.viewer(), canvas.camera.height), float(rng.uniform(-1, 1)))


def random_paint(rng: np.random.Generator) -> Colour:
    """A colour that vehicles have, mostly white, black or grey."""
    base = np.array(_PAINTS[rng.integers(len(_PAINTS))]) + rng.uniform(-14, 14, 3)
    return tuple(np.clip(base, 4, 250).tolist())


def random_glass(rng: np.random.Generator) -> Colour:
    """Window glass, from black to bluish grey."""
    return shade(_GLASS, rng.uniform(0.5, 2.2))


def draw_ends(
    brush: Brush,
    length: float,
    width: float,
    y: tuple[float, float, float],
    plate: Colour,
) -> None:
    """Lights, grille, bumper and licence plate; y: lamp, bumper and plate heights in metres."""
    half = width / 2
    lamp, bumper, plate_y = y
    front, rear = brush.view[0] > length / 2, brush.view[0] < -length / 2
    if not (front or rear):
        return
    s = length / 2 + 0.01 if front else -length / 2 - 0.01
    brush.on_end(s, box(-half * 0.94, bumper - 0.12, half * 0.94, bumper + 0.1), (44, 45, 48))
    for sign in (-1, 1):
        lamps = box(sign * half * 0.96, lamp - 0.09, sign * half * 0.6, lamp + 0.09)
        lamps[2, 1] -= 0.03
        brush.on_end(s, lamps, (226, 228, 222) if front else (176, 20, 22))
        core = box(sign * half * 0.88, lamp - 0.05, sign * half * 0.72, lamp + 0.05)
        brush.on_end(s, core, (252, 252, 250) if front else (228, 62, 48))
    if front:
        brush.on_end(s, box(-half * 0.55, lamp - 0.1, half * 0.55, lamp + 0.06), (26, 27, 30))
        brush.on_end(s, box(-half * 0.5, lamp - 0.035, half * 0.5, lamp - 0.005), (120, 122, 126))
    brush.on_end(s, box(-0.26, plate_y - 0.055, 0.26, plate_y + 0.055), plate)
    for i in range(-3, 4) if brush.fine else ():
        letter = box(i * 0.065 - 0.02, plate_y - 0.03, i * 0.065 + 0.02, plate_y + 0.03)
        brush.on_end(s, letter, (40, 42, 60))
