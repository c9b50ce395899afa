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

"""Hatchbacks, saloons and vans."""

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
from ssap_ros.data.scenes.canvas import CIRCLE, Canvas, Colour, Points, Pose, shade

# Side outlines, rear to front over the top: s in shares of the length, y in shares of the height.
_CAR_BODIES = {
    "hatch": (
        (-0.46, 0.14), (-0.495, 0.22), (-0.5, 0.42), (-0.485, 0.58), (-0.46, 0.65), (-0.1, 0.645),
        (0.2, 0.625), (0.32, 0.585), (0.43, 0.52), (0.485, 0.44), (0.5, 0.32), (0.49, 0.18),
        (0.46, 0.13),
    ),
    "sedan": (
        (-0.47, 0.15), (-0.495, 0.24), (-0.5, 0.48), (-0.49, 0.62), (-0.46, 0.665), (-0.33, 0.675),
        (0.0, 0.655), (0.2, 0.63), (0.34, 0.585), (0.45, 0.51), (0.49, 0.44), (0.5, 0.32),
        (0.49, 0.18), (0.46, 0.13),
    ),
    "van": (
        (-0.48, 0.12), (-0.5, 0.2), (-0.5, 0.5), (-0.49, 0.56), (-0.1, 0.56), (0.3, 0.54),
        (0.42, 0.47), (0.485, 0.4), (0.5, 0.28), (0.49, 0.15), (0.46, 0.11),
    ),
}  # fmt: skip
_CAR_GLASS = {
    "hatch": ((-0.475, 0.62), (-0.44, 0.8), (-0.39, 0.93), (-0.32, 0.985), (-0.15, 1.0),
              (0.0, 0.965), (0.06, 0.92), (0.24, 0.6)),
    "sedan": ((-0.4, 0.65), (-0.29, 0.86), (-0.22, 0.955), (-0.12, 0.995), (-0.02, 1.0),
              (0.06, 0.965), (0.11, 0.915), (0.26, 0.6)),
    "van": ((-0.49, 0.54), (-0.485, 0.9), (-0.46, 0.985), (-0.2, 1.0), (0.1, 0.99), (0.17, 0.955),
            (0.37, 0.5)),
}  # fmt: skip
_CAR_SIZES = {"hatch": (4.0, 1.76, 1.5), "sedan": (4.6, 1.82, 1.46), "van": (4.8, 1.9, 1.9)}


def draw_car(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """A hatchback, saloon or van of random size and colour."""
    kind = str(rng.choice(list(_CAR_SIZES), p=[0.45, 0.35, 0.2]))
    length, width, height = np.array(_CAR_SIZES[kind]) * rng.uniform(0.92, 1.08, 3)
    paint, glass, rim = (
        random_paint(rng),
        random_glass(rng),
        shade((150, 152, 156), rng.uniform(0.4, 1.3)),
    )
    plate: Colour = (236, 236, 228) if rng.random() < 0.7 else (224, 196, 60)
    spokes, reflection, tinted = int(rng.integers(4, 9)), rng.uniform(0.2, 0.8), rng.random() < 0.3
    brush = make_brush(canvas, pose, rng)
    scale = np.array([length, height])
    body, glasshouse = np.array(_CAR_BODIES[kind]) * scale, np.array(_CAR_GLASS[kind]) * scale
    half = width / 2
    radius = height * 0.215
    axles = (-0.305 * length, 0.315 * length)
    far_to_near = sorted((-1, 1), key=lambda sign: sign * np.sign(brush.view[1]))
    for s in axles:
        brush.wheel(s, far_to_near[0] * half * 0.95, radius, rim, 0)
    taper = half * np.where(np.abs(body[:, 0]) > 0.47 * length, 0.9, 1.0)
    brush.prism(body, taper, paint)
    roof_share = np.clip((glasshouse[:, 1] / height - 0.62) / 0.38, 0, 1)
    upper = half * (0.95 - 0.2 * roof_share)
    last = len(glasshouse) - 2
    brush.prism(glasshouse, upper, paint)
    _windows(brush, glasshouse, upper, glass, reflection, last, tinted)
    if brush.side() and canvas.camera.focal > 12 * pose.z:
        _side_details(brush, body, half, paint, reflection)
    lamp = np.array([[0.44, 0.47], [0.495, 0.4], [0.49, 0.34], [0.43, 0.4]]) * scale
    brush.on_side(lamp, half * 0.96, (222, 224, 220))
    brush.on_side(
        box(-0.495 * length, 0.46 * height, -0.455 * length, 0.58 * height),
        half * 0.96,
        (178, 24, 24),
    )
    for s in axles:
        arch = np.array([s, radius]) + 1.14 * radius * CIRCLE
        brush.on_side(arch[arch[:, 1] > 0.9 * body[:, 1].min()], half, (16, 16, 18))
    for s in axles:
        brush.wheel(s, far_to_near[1] * half, radius, rim, spokes)
    draw_ends(brush, length, width, (0.43 * height, 0.24 * height, 0.3 * height), plate)


def _side_details(
    brush: Brush, body: Points, half: float, paint: Colour, reflection: float
) -> None:
    """Shoulder highlight, sill, doors, handles and mirror; body is the outline in metres."""
    length, height = np.ptp(body[:, 0]), 1.5 * body[:, 1].max()
    bottom, belt = body[:, 1].min(), body[:, 1].max()
    shoulder = np.array([(-0.47, 0.93), (0.2, 0.91), (0.42, 0.76), (0.2, 0.84), (-0.47, 0.85)]) * [
        length,
        belt,
    ]
    brush.on_side(shoulder, half, shade(paint, 1.0 + 0.35 * reflection))
    lower = box(-0.46 * length, bottom, 0.46 * length, bottom + 0.17 * height)
    brush.on_side(lower, half, shade(paint, 0.72))
    sill = box(-0.3 * length, bottom, 0.3 * length, bottom + 0.06 * height)
    brush.on_side(sill, half, (30, 30, 32))
    for s in (-0.16, 0.02, 0.2):
        door = box(s * length - 0.012, bottom + 0.1, s * length + 0.012, belt)
        brush.on_side(door, half, shade(paint, 0.55))
        if s < 0.2:
            handle = box((s + 0.02) * length, belt - 0.13, (s + 0.055) * length, belt - 0.09)
            brush.on_side(handle, half, shade(paint, 0.6 if sum(paint) > 200 else 2.0))
    oval = np.array([0.1, 0.08]) * CIRCLE
    t = brush.side() * (half + 0.09) + oval[:, 0]
    mirror = brush.pose.points(0.17 * length, t, 0.68 * height + oval[:, 1])
    brush.canvas.polygon(mirror, shade(paint, 0.8), True)


def _windows(
    brush: Brush,
    glasshouse: Points,
    upper: Points,
    glass: Colour,
    reflection: float,
    last: int,
    tinted: bool,
) -> None:
    """Glass in the side, the windscreen and the rear window of a car."""
    centre = np.array(
        [glasshouse[:, 0].mean(), glasshouse[:, 1].min() * 0.45 + glasshouse[:, 1].max() * 0.55]
    )
    pane = centre + (glasshouse - centre) * np.array([0.88, 0.8])
    width = np.interp(pane[:, 1], np.sort(glasshouse[:, 1]), np.sort(upper)[::-1])
    brush.on_side(pane, width, glass)
    low, high = pane[:, 1].min(), pane[:, 1].max()
    shine = np.array([[0.1, low], [0.28, low], [0.05, high], [-0.1, high]])
    shine[:, 0] = centre[0] + shine[:, 0] * np.ptp(pane[:, 0])
    t = np.interp(shine[:, 1], [low, high], [width.max(), width.min()])
    brush.on_side(shine, t, shade(glass, 1.3 + reflection))
    for share in (0.02, -0.3):
        post = centre[0] + share * np.ptp(pane[:, 0])
        pillar = box(post - 0.035, low, post + 0.035, high)
        brush.on_side(
            pillar, np.interp(pillar[:, 1], [low, high], [width.max(), width.min()]), (20, 20, 22)
        )
    for base, top, seen in (
        (glasshouse[-1], glasshouse[-2], brush.view[0] > glasshouse[-1][0]),
        (glasshouse[0], glasshouse[1 if last < 6 else 2], brush.view[0] < glasshouse[0][0]),
    ):
        if not seen:
            continue
        a, b = base + 0.1 * (top - base), base + 0.93 * (top - base)
        out = 0.012 * np.sign(base[0])
        half_a, half_b = upper.max() * 0.93, upper.min() * 0.94
        quad = brush.pose.points(
            np.array([a[0], a[0], b[0], b[0]]) + out,
            np.array([half_a, -half_a, -half_b, half_b]),
            np.array([a[1], a[1], b[1], b[1]]),
        )
        brush.canvas.polygon(quad, glass)
        glare = quad[[0, 0, 3, 3]] + np.array([0.1, 0.4, 0.55, 0.2])[:, None] * (quad[1] - quad[0])
        brush.canvas.polygon(glare, shade(glass, 1.25 + 0.8 * reflection))
        if not tinted:
            for sign in (-0.5, 0.5):
                head = brush.pose.points(
                    float(a[0] + out), sign * half_a + 0.13 * CIRCLE[:, 0],
                    a[1] + 0.12 + 0.14 * CIRCLE[:, 1],
                )  # fmt: skip
                brush.canvas.polygon(head, shade(glass, 0.55))
