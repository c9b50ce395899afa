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

"""Buses, lorries and trains."""

from __future__ import annotations

import numpy as np

from ssap_ros.data.scenes.bodywork import (
    Brush,
    box,
    draw_ends,
    make_brush,
    random_glass,
    random_paint,
)
from ssap_ros.data.scenes.canvas import CIRCLE, Canvas, Colour, Pose, shade


def _slab(
    brush: Brush,
    s: tuple[float, float],
    y: tuple[float, float],
    half: float,
    colour: Colour,
    nose: float,
) -> None:
    """A box from s[0] to s[1] and y[0] to y[1] whose front leans back by `nose` metres."""
    profile = np.array([
        [s[0], y[0]], [s[0], y[1] - 0.1], [s[0] + 0.1, y[1]], [s[1] - nose, y[1]],
        [s[1] - 0.3 * nose, 0.45 * y[0] + 0.55 * y[1]],
        [s[1], 0.6 * y[0] + 0.4 * y[1]], [s[1], y[0]],
    ])  # fmt: skip
    brush.prism(profile, np.full(len(profile), half), colour)


def _window_row(
    brush: Brush,
    s: tuple[float, float],
    y: tuple[float, float],
    half: float,
    panes: int,
    glass: Colour,
) -> None:
    """A row of panes along the side."""
    step = (s[1] - s[0]) / panes
    for i in range(panes):
        start = s[0] + i * step + 0.06
        brush.on_side(
            box(start, y[0], start + step - 0.12, y[1]),
            half + 0.005,
            shade(glass, 1 + 0.3 * (i % 3)),
        )
        shine = box(start + 0.1 * step, y[0], start + 0.35 * step, y[1])
        shine[2:, 0] += 0.2 * step
        brush.on_side(shine, half + 0.006, shade(glass, 1.7))


def draw_bus(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """A city bus or coach."""
    length, half, height = rng.uniform(9, 12.5), rng.uniform(1.22, 1.3), rng.uniform(2.9, 3.4)
    paint, second, glass = random_paint(rng), random_paint(rng), random_glass(rng)
    panes, sign, band = int(rng.integers(5, 9)), rng.random() < 0.8, rng.random() < 0.6
    brush = make_brush(canvas, pose, rng)
    _vehicle_wheels(brush, (-0.27 * length, 0.33 * length), half, 0.5, near=False)
    _slab(brush, (-length / 2, length / 2), (0.35, height), half, paint, 0.25)
    if band:
        brush.on_side(box(-length / 2, 0.35, length / 2, 0.95), half + 0.003, second)
    _window_row(brush, (-0.48 * length, 0.43 * length), (1.35, height - 0.5), half, panes, glass)
    for s in (0.36, 0.0):
        door = box(s * length, 0.45, s * length + 1.1, height - 0.5)
        brush.on_side(door, half + 0.008, shade(glass, 0.8))
        split = box(s * length + 0.52, 0.45, s * length + 0.58, height - 0.5)
        brush.on_side(split, half + 0.01, shade(paint, 0.5))
    _vehicle_wheels(brush, (-0.27 * length, 0.33 * length), half, 0.5, near=True)
    _big_ends(brush, length, half, height, glass, sign)


def _vehicle_wheels(
    brush: Brush, axles: tuple[float, ...], half: float, radius: float, near: bool
) -> None:
    nearest = int(np.sign(brush.view[1])) or 1
    for s in axles:
        if near:
            arch = np.array([s, radius]) + 1.15 * radius * CIRCLE
            brush.on_side(arch[arch[:, 1] > 0.7 * radius], half + 0.005, (18, 18, 20))
            brush.wheel(s, nearest * (half + 0.01), radius, (120, 122, 126), 6)
        else:
            brush.wheel(s, -nearest * half * 0.96, radius, (120, 122, 126), 0)


def _big_ends(
    brush: Brush, length: float, half: float, height: float, glass: Colour, sign: bool
) -> None:
    """Windscreen, destination sign, mirrors, lights of a bus, truck cab or train."""
    front = brush.view[0] > length / 2
    s_low, s_top = length / 2 + 0.01, length / 2 - 0.2
    if front:
        s = np.array([s_low - 0.05, s_low - 0.05, s_top, s_top])
        screen = box(-half * 0.92, 0.42 * height, half * 0.92, 0.84 * height)
        brush.on_end(s, screen, glass)
        shine = np.array([[-0.5, 0.42], [-0.15, 0.42], [0.1, 0.84], [-0.3, 0.84]]) * [half, height]
        brush.on_end(s, shine, shade(glass, 1.7))
        if sign:
            brush.on_end(
                s_top + 0.03,
                box(-half * 0.7, 0.87 * height, half * 0.7, 0.96 * height),
                (22, 22, 22),
            )
            brush.on_end(
                s_top + 0.04,
                box(-half * 0.4, 0.895 * height, half * 0.4, 0.935 * height),
                (236, 160, 40),
            )
    elif brush.view[0] < -length / 2:
        brush.on_end(-s_low, box(-half * 0.8, 0.5 * height, half * 0.8, 0.85 * height), glass)
    draw_ends(
        brush,
        length,
        2 * half,
        (0.27 * height, 0.17 * height, 0.18 * height),
        (236, 236, 228),
    )


def draw_truck(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """A lorry: cab in front of a box, a tank-like body or an open bed."""
    length, half, height = rng.uniform(5.5, 10), rng.uniform(1.0, 1.25), rng.uniform(2.4, 3.6)
    cab, cargo, glass = random_paint(rng), random_paint(rng), random_glass(rng)
    open_bed, stripe = rng.random() < 0.3, rng.random() < 0.5
    accent = random_paint(rng)
    brush = make_brush(canvas, pose, rng)
    cab_height, cab_length = min(height * 0.92, 2.7), 1.9
    bed_top = 1.5 if open_bed else height
    split = length / 2 - cab_length
    axles = (-0.36 * length, -0.36 * length + 1.15, length / 2 - 0.95)
    _vehicle_wheels(brush, axles, half, 0.48, near=False)

    def chassis() -> None:
        _slab(brush, (-length / 2, length / 2 - 0.4), (0.55, 0.85), half * 0.9, (40, 40, 42), 0.02)

    def bed() -> None:
        _slab(brush, (-length / 2, split - 0.12), (0.85, bed_top), half, cargo, 0.02)
        if stripe:
            low, high = 0.85 + 0.3 * (bed_top - 0.85), 0.85 + 0.6 * (bed_top - 0.85)
            brush.on_side(box(-0.46 * length, low, split - 0.5, high), half + 0.004, accent)
        if brush.view[0] < -length / 2:
            brush.on_end(-length / 2 - 0.01, box(-0.02, 0.9, 0.02, bed_top), shade(cargo, 0.6))

    def front() -> None:
        _slab(brush, (split, length / 2), (0.5, cab_height), half * 0.97, cab, 0.25)
        outline = [(0.5, 0.58), (cab_length - 0.2, 0.58), (cab_length - 0.33, 0.9), (0.5, 0.9)]
        pane = np.array([(split + s, y * cab_height) for s, y in outline])
        brush.on_side(pane, half, glass)
        brush.on_side(
            box(split + 0.38, 0.55, split + 0.41, 0.92 * cab_height), half, shade(cab, 0.5)
        )

    chassis()
    for part in (bed, front) if brush.view[0] > split else (front, bed):
        part()
    _vehicle_wheels(brush, axles, half, 0.48, near=True)
    if brush.view[0] > 0:
        _big_ends(brush, length, half * 0.97, cab_height, glass, False)
    else:
        draw_ends(brush, length, 2 * half, (0.75, 0.6, 0.68), (236, 236, 228))


def draw_train(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """A train or tram of two cars; `pose` is the middle of the leading car."""
    length, half, height = rng.uniform(12, 18), rng.uniform(1.25, 1.45), rng.uniform(3.3, 3.9)
    paint, second, glass = random_paint(rng), random_paint(rng), random_glass(rng)
    panes, nose = int(rng.integers(5, 10)), rng.uniform(0.2, 1.2)
    brush = make_brush(canvas, pose, rng)
    offsets = [0.0, -length - 0.5]
    forward = np.array([np.sin(pose.heading), np.cos(pose.heading)])
    if brush.view[0] > -length / 2:
        offsets.reverse()
    for offset in offsets:
        place = Pose(pose.x + offset * forward[0], pose.z + offset * forward[1], pose.heading)
        if min(place.z - abs(forward[1]) * length / 2, place.z) < 1.5:
            continue
        car = Brush(canvas, place, (*place.viewer(), canvas.camera.height), brush.light)
        _slab(car, (-0.48 * length, 0.48 * length), (0.25, 0.7), half * 0.85, (36, 36, 38), 0.02)
        _slab(
            car,
            (-length / 2, length / 2),
            (0.65, height),
            half,
            paint,
            nose if offset == 0 else 0.02,
        )
        car.on_side(box(-length / 2, 0.65, length / 2, 1.3), half + 0.003, second)
        _window_row(car, (-0.46 * length, 0.44 * length), (1.75, height - 0.75), half, panes, glass)
        for s in (-0.28, 0.18):
            door = box(s * length, 0.75, s * length + 1.3, height - 0.6)
            car.on_side(door, half + 0.008, shade(second, 0.8))
            car.on_side(
                box(s * length + 0.15, 1.6, s * length + 1.15, height - 0.8), half + 0.01, glass
            )
        if offset == 0:
            _big_ends(car, length, half, height, glass, True)
