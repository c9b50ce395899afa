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

"""What of a scene is no instance: sky, buildings, ground and shadows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ssap_ros.data.scenes.canvas import (
    Canvas,
    Colour,
    PinholeCamera,
    Points,
    Pose,
    clip_near,
    noise_patch,
    shade,
)
from ssap_ros.types import ImageArray

_FACADES: tuple[Colour, ...] = (
    (168, 150, 128), (150, 92, 72), (190, 184, 172), (120, 116, 112), (206, 190, 150), (96, 88, 84),
    (176, 120, 96), (140, 150, 158), (214, 206, 196), (70, 76, 84),
)  # fmt: skip


@dataclass(frozen=True)
class Backdrop:
    """A straight street: `yaw` is its direction against the viewing direction, in radians.

    Attributes:
        road: Lateral position of its left and right kerb in metres. Street coordinates: along,
            across.
    """

    yaw: float
    road: tuple[float, float]
    pavement: float
    seed: int
    visibility: float
    haze_colour: Colour
    sun: tuple[float, float]
    shadow: float

    @classmethod
    def random(cls, rng: np.random.Generator, camera: PinholeCamera) -> Backdrop:
        """A street that the camera looks along, across or at an angle."""
        across = rng.random() < 0.35
        yaw = float(rng.uniform(0.9, 1.57) * rng.choice([-1, 1]) if across else rng.normal(0, 0.3))
        width = float(rng.uniform(6, 12))
        near = float(
            rng.uniform(3, 9) + camera.height if across else -rng.uniform(0.2, 0.8) * width
        )
        road = (near, near + width)
        if across and yaw > 0:
            road = (-near - width, -near)
        grey = float(rng.uniform(120, 235))
        return cls(
            yaw=yaw,
            road=road,
            pavement=float(rng.uniform(2, 6)),
            seed=int(rng.integers(2**31)),
            visibility=float(rng.choice([rng.uniform(50, 120), rng.uniform(200, 800)])),
            haze_colour=(grey * 0.95, grey * 0.98, grey),
            sun=(float(rng.uniform(-1.2, 1.2)), float(rng.uniform(-0.4, 1.2))),
            shadow=float(rng.uniform(0.15, 0.65)),
        )

    def place(self, along: float, across: float, heading: float) -> Pose:
        """Pose of a point of the street; heading 0 is the direction of the street."""
        sin, cos = np.sin(self.yaw), np.cos(self.yaw)
        middle = 14.0 * abs(sin)  # streets seen from the side extend to both sides of the camera
        along = along - middle
        x, z = across * cos + along * sin, along * cos - across * sin
        return Pose(float(x), float(z), heading + self.yaw)

    def _ground(self, boxes: Points) -> Points:
        """Rectangles (n, 4), along0, along1, across0, across1 -> corners (n, 4, 3)."""
        along, across = boxes[:, [0, 0, 1, 1]], boxes[:, [2, 3, 3, 2]]
        sin, cos = np.sin(self.yaw), np.cos(self.yaw)
        along = along - 14.0 * abs(sin)
        return np.stack(
            [across * cos + along * sin, np.zeros_like(along), along * cos - across * sin], axis=-1
        )

    def _paint(
        self, canvas: Canvas, boxes: list[tuple[float, float, float, float]], colour: Colour
    ) -> None:
        """Fill rectangles of the ground with one colour."""
        if not boxes:
            return
        corners = self._ground(np.array(boxes))
        whole = corners[..., 2].min(axis=1) > 0.5
        pixels = canvas.camera.project(corners[whole].reshape(-1, 3)).reshape(-1, 4, 2)
        canvas.polygons(list(pixels), colour)
        for cut in corners[~whole & (corners[..., 2].max(axis=1) > 0.5)]:
            canvas.polygon(clip_near(cut), colour)

    def draw(self, canvas: Canvas) -> None:
        """Paint sky, buildings and the ground on the whole image."""
        rng = np.random.default_rng(self.seed)
        height, width = canvas.labels.shape
        horizon = int(np.clip(canvas.camera.horizon, 0, height))
        _sky(canvas.image[:horizon], rng, self.haze_colour)
        plain: Colour = shade((122, 120, 114), rng.uniform(0.6, 1.25))
        if rng.random() < 0.2:
            plain = shade((96, 116, 62), rng.uniform(0.7, 1.2))
        canvas.image[horizon:] = plain
        left, right = self.road
        asphalt = shade((96, 96, 98), rng.uniform(0.55, 1.35))
        kerb = shade((168, 166, 160), rng.uniform(0.7, 1.2))
        paving = shade((150, 144, 136), rng.uniform(0.7, 1.25))
        far = 400.0
        self._paint(canvas, [(-far, far, left - self.pavement, right + self.pavement)], paving)
        self._paint(canvas, [(-far, far, left - 0.25, right + 0.25)], kerb)
        self._paint(canvas, [(-far, far, left, right)], asphalt)
        self._markings(canvas, rng, asphalt)
        self._slabs(canvas, rng, paving)
        below = canvas.image[horizon:]
        if below.size:
            grain = noise_patch(rng, max(below.shape[0] // 2, 1), max(width // 8, 1))
            grain = cv2.resize(grain, (width, below.shape[0]), interpolation=cv2.INTER_LINEAR)
            grain = 1 + rng.uniform(0.02, 0.07) * grain
            fade = np.linspace(
                rng.uniform(0.9, 1.15), rng.uniform(0.8, 1.1), below.shape[0], dtype=np.float32
            )
            grain *= fade[:, None]
            below[:] = cv2.multiply(
                below, cv2.merge([grain.astype(np.float32)] * 3), dtype=cv2.CV_8U
            )
        self._buildings(canvas, rng, horizon)

    def _markings(self, canvas: Canvas, rng: np.random.Generator, asphalt: Colour) -> None:
        left, right = self.road
        middle, white = (left + right) / 2, shade((224, 222, 214), rng.uniform(0.7, 1.05))
        if rng.random() < 0.75:
            dashes = [(a, a + 2.5, middle - 0.07, middle + 0.07) for a in np.arange(-40, 70, 6.0)]
            self._paint(canvas, dashes, white)
        if rng.random() < 0.4:
            start = float(rng.uniform(4, 25))
            bars = [(start, start + 3, a, a + 0.5) for a in np.arange(left + 0.3, right - 0.5, 1.0)]
            self._paint(canvas, bars, white)
        for _ in range(int(rng.integers(0, 6))):
            along, across = float(rng.uniform(0, 40)), float(rng.uniform(left, right))
            patch = (along, along + rng.uniform(0.6, 6), across, across + rng.uniform(0.5, 1.5))
            self._paint(canvas, [patch], shade(asphalt, rng.uniform(0.75, 1.2)))

    def _slabs(self, canvas: Canvas, rng: np.random.Generator, paving: Colour) -> None:
        joint = shade(paving, 0.82)
        if rng.random() < 0.6:
            left, right = self.road
            sides = ((left - self.pavement, left - 0.25), (right + 0.25, right + self.pavement))
            rows = np.arange(-20, 30, 1.2)
            self._paint(canvas, [(a, a + 0.04, *side) for side in sides for a in rows], joint)

    def _buildings(self, canvas: Canvas, rng: np.random.Generator, horizon: int) -> None:
        """House fronts on both sides of the street, and one that closes the view."""
        set_back = self.pavement + float(rng.uniform(0, 6))
        _skyline(canvas, rng, horizon)
        if rng.random() < 0.15:
            return
        for across, seen in (
            (self.road[0] - set_back, self.road[0] - set_back < -1),
            (self.road[1] + set_back, self.road[1] + set_back > 1),
        ):
            along = 90.0 if seen else -60.0
            while along > -60:
                wide = float(rng.uniform(8, 18))
                if rng.random() < 0.88:
                    self._front(canvas, rng, (along - wide, along), across)
                along -= wide + (float(rng.uniform(1, 8)) if rng.random() < 0.15 else 0)

    def _front(
        self, canvas: Canvas, rng: np.random.Generator, along: tuple[float, float], across: float
    ) -> None:
        a, b = self.place(along[0], across, 0.0), self.place(along[1], across, 0.0)
        style = rng.random(12)
        tall = float(4 + 14 * style[0])
        if max(a.z, b.z) < 1.0:
            return
        wall = np.array(
            [[a.x, 0, a.z], [b.x, 0, b.z], [b.x, tall, b.z], [a.x, tall, a.z]], np.float64
        )
        outline = canvas.camera.project(clip_near(wall))
        width = canvas.labels.shape[1]
        if outline[:, 0].max() < 0 or outline[:, 0].min() > width:
            return
        base = np.array(_FACADES[int(style[1] * len(_FACADES))]) + (style[2] - 0.5) * 40
        fog = 0.6 * float(1 - np.exp(-max((a.z + b.z) / 2, 0) / self.visibility))
        tint = np.array(self.haze_colour)

        def mix(colour: Points, factor: float) -> Colour:
            return tuple(np.clip(colour * factor * (1 - fog) + tint * fog, 0, 255).tolist())

        light = 0.75 + 0.35 * style[3]
        canvas.fill(outline, mix(base, light))
        start, end = np.array([a.x, a.z]), np.array([b.x, b.z])
        floors, bays = (
            max(int(tall / 3.2), 1),
            max(int((along[1] - along[0]) / (1.6 + 2 * style[4])), 2),
        )
        glass = np.array([52, 60, 70]) * (0.6 + 1.2 * style[5])
        frame = base * (0.6 + 0.9 * style[6])
        floor, bay = (v.ravel() for v in np.mgrid[:floors, :bays])
        low = np.where(floor, 0.9 + 3.2 * floor, 0.3 + 0.6 * style[7])
        high = low + np.where(floor, 1.5 + 0.4 * style[8], 2.0)
        first, last = (bay + 0.2) / bays, (bay + np.where(floor, 0.8, 0.92)) / bays

        def openings(inset: float) -> list[Points]:
            edge = inset * (last - first)
            share = np.stack([first + edge, last - edge, last - edge, first + edge], axis=1)
            ground = start + share[..., None] * (end - start)
            up = np.stack([low + inset, low + inset, high - inset, high - inset], axis=1)
            quads = np.stack([ground[..., 0], up, ground[..., 1]], axis=-1)
            quads = quads[quads[..., 2].min(axis=1) > 0.6]
            return list(canvas.camera.project(quads.reshape(-1, 3)).reshape(-1, 4, 2))

        frames, panes = openings(0.0), openings(0.12)
        canvas.polygons(frames, mix(frame, light))
        canvas.polygons(panes, mix(glass, 1.0))
        canvas.polygons(panes[:: 2 + int(3 * style[9])], mix(glass, 1.5))
        if style[10] < 0.4 and min(a.z, b.z) > 0.8:  # awning or shop sign above the ground floor
            band = np.array([[a.x, 2.7, a.z], [b.x, 2.7, b.z], [b.x, 3.3, b.z], [a.x, 3.3, a.z]])
            canvas.polygon(band, mix(np.array([220, 60, 50]) * style[[11, 9, 8]] + 30, 1.0))


def _sky(sky: ImageArray, rng: np.random.Generator, haze: Colour) -> None:
    """Gradient from a blue or grey top to the haze, with soft clouds."""
    if not sky.size:
        return
    rows, columns = sky.shape[:2]
    blue = np.array([90, 140, 210]) if rng.random() < 0.55 else np.array([190, 194, 200])
    top = blue * rng.uniform(0.75, 1.15)
    low = (max(columns // 8, 1), max(rows // 8, 1))
    share = np.linspace(0, 1, low[1], dtype=np.float32)[:, None, None] ** 0.7
    clouds = cv2.resize(rng.random((5, 7), dtype=np.float32), low, interpolation=cv2.INTER_CUBIC)
    amount = np.float32(rng.uniform(0, 0.8)) * np.clip(clouds - 0.45, 0, 1)[..., None]
    colour = top.astype(np.float32) * (1 - share) + np.array(haze, np.float32) * share
    mixed = np.clip(colour * (1 - amount) + 240 * amount, 0, 255).astype(np.uint8)
    cv2.resize(mixed, (columns, rows), dst=sky, interpolation=cv2.INTER_LINEAR)


def _skyline(canvas: Canvas, rng: np.random.Generator, horizon: int) -> None:
    """Distant trees and roofs that cover the line where ground and sky meet."""
    width = canvas.labels.shape[1]
    tone = np.array([70, 88, 66]) if rng.random() < 0.6 else np.array([120, 118, 120])
    x = np.linspace(-5, width + 5, 60)
    tops = horizon - canvas.labels.shape[0] * rng.uniform(0.01, 0.14) * (0.5 + rng.random(60))
    outline = np.concatenate(
        [np.stack([x, tops], 1), [[width + 5, horizon + 2], [-5, horizon + 2]]]
    )
    canvas.fill(outline, tuple((tone * rng.uniform(0.6, 1.4)).tolist()))


def cast_shadows(canvas: Canvas, footprints: list[tuple[Pose, float]], backdrop: Backdrop) -> None:
    """Darken the ground under and beside objects; a footprint is a pose and a length in metres."""
    height, width = canvas.labels.shape
    layer = np.zeros((height // 4 + 1, width // 4 + 1), np.uint8)
    for pose, length in footprints:
        half, tall = (0.95, 1.4) if length > 2.5 else (0.28, 1.6)
        corners = np.array([[-0.52, -1], [0.52, -1], [0.52, 1], [-0.52, 1]]) * [length, half]
        ground = pose.points(corners[:, 0], corners[:, 1], 0.0)
        moved = ground + tall * np.array([backdrop.sun[0], 0, backdrop.sun[1]])
        for quad, depth in ((np.concatenate([ground, moved]), 130), (ground, 255)):
            pixels = canvas.camera.project(quad).astype(np.float32) / 4
            hull = cv2.convexHull(np.clip(pixels, -2000, 2000).round().astype(np.int32))
            cv2.fillConvexPoly(layer, hull, (depth,))
    layer = cv2.GaussianBlur(layer, (0, 0), max(width / 500, 0.6))
    soft = cv2.resize(layer, (width, height), interpolation=cv2.INTER_LINEAR)
    horizon = int(np.clip(canvas.camera.horizon, 0, height))
    ground_rows = canvas.image[horizon:]
    if ground_rows.size:
        factor = 1 - np.float32(backdrop.shadow / 255) * soft[horizon:].astype(np.float32)
        ground_rows[:] = cv2.multiply(ground_rows, cv2.merge([factor] * 3), dtype=cv2.CV_8U)
