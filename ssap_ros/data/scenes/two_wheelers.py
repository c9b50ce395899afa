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

"""Bicycles and motorcycles."""

from __future__ import annotations

import cv2
import numpy as np

from ssap_ros.data.scenes.canvas import CIRCLE, Canvas, Colour, Points, Pose, shade
from ssap_ros.data.scenes.people import CLOTHES, pick


def _ring(canvas: Canvas, pose: Pose, s: float, radius: float, share: float) -> Points:
    """Circle of `share` of a wheel with its axle at s, in pixels."""
    circle = share * radius * CIRCLE
    return canvas.camera.project(pose.points(s + circle[:, 0], 0.0, radius + circle[:, 1]))


def _path(canvas: Canvas, pose: Pose, joints: list[tuple[float, float, float]]) -> Points:
    array = np.array(joints)
    return canvas.camera.project(pose.points(array[:, 0], array[:, 1], array[:, 2]))


def draw_bicycle(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """A bicycle; wheel discs and frame triangle belong to its silhouette, as annotators do it."""
    paint, radius, drop = pick(rng, CLOTHES), rng.uniform(0.31, 0.36), rng.random() < 0.35
    basket, guards, tyre = rng.random() < 0.3, rng.random() < 0.4, pick(rng, ((26, 26, 28),), 10)
    saddle = pick(rng, ((30, 28, 28), (110, 72, 44)), 8)
    unit = canvas.camera.focal / pose.z
    rear, front = -0.52, 0.52
    for s in (rear, front):
        edge, inside, rim = (_ring(canvas, pose, s, radius, q) for q in (1.07, 0.93, 0.86))
        canvas.cover(edge)
        canvas.ring(inside, rim, (150, 152, 156))
        if unit > 40:
            spokes = [rim[[i, i, (i + 10) % 20, (i + 10) % 20]] for i in range(0, 20, 2)]
            thin = np.array([[-1, -1], [1, 1], [1, 1], [-1, -1]]) * 0.003 * unit
            canvas.polygons([spoke + thin for spoke in spokes], (130, 132, 136))
        canvas.ring(edge, inside, tyre, True)
        if abs(float(np.sin(pose.heading))) < 0.3:
            canvas.line(edge[[5, 15]], tyre, 0.045 * unit, True)
        if guards:
            arc = _path(
                canvas,
                pose,
                [(s + 1.1 * radius * c, 0.0, radius * (1 + 1.1 * d)) for c, d in CIRCLE[2:11]],
            )
            canvas.line(arc, shade(paint, 0.8), 0.03 * unit, True)
    crank, seat, head, bar = (
        (-0.06, 0.0, 0.28),
        (-0.2, 0.0, 0.88),
        (0.34, 0.0, 0.82),
        (0.33, 0.0, 1.0),
    )
    hub_r, hub_f = (rear, 0.0, radius), (front, 0.0, radius)
    triangle = _path(canvas, pose, [crank, seat, head])
    canvas.cover(triangle)
    tubes = [[crank, (-0.17, 0.0, 0.78)], [crank, head], [(-0.15, 0.0, 0.72), head], [hub_r, crank],
             [hub_r, (-0.16, 0.0, 0.74)], [head, hub_f], [head, bar]]  # fmt: skip
    if drop:
        tubes[2] = [(-0.12, 0.0, 0.52), (0.36, 0.0, 0.7)]
    for tube in tubes:
        canvas.line(_path(canvas, pose, tube), paint, 0.04 * unit, True)
    canvas.line(
        _path(canvas, pose, [(-0.17, 0.0, 0.78), (-0.2, 0.0, 0.92)]),
        (140, 140, 144),
        0.03 * unit,
        True,
    )
    canvas.line(
        _path(canvas, pose, [(-0.34, 0.0, 0.95), (-0.08, 0.0, 0.93)]), saddle, 0.07 * unit, True
    )
    handle = [(0.26, 0.28, 1.02), (0.34, 0.12, 1.02), (0.34, -0.12, 1.02), (0.26, -0.28, 1.02)]
    canvas.line(_path(canvas, pose, handle), (40, 40, 42), 0.035 * unit, True)
    canvas.fill(_path(canvas, pose, [crank])[0] + 0.09 * unit * CIRCLE, (70, 70, 74), True)
    for side in (-1, 1):
        pedal = [crank, (-0.06 + 0.12 * side, 0.1 * side, 0.28 - 0.1 * side)]
        canvas.line(_path(canvas, pose, pedal), (50, 50, 52), 0.03 * unit, True)
    if basket:
        box = [(0.42, 0.16, 0.78), (0.42, 0.16, 1.0), (0.7, 0.16, 1.0), (0.66, -0.16, 0.78)]
        canvas.fill(_path(canvas, pose, box), (96, 78, 56), True)


def draw_motorcycle(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """A motorcycle or scooter."""
    paint, scooter = pick(rng, CLOTHES), rng.random() < 0.4
    radius = rng.uniform(0.22, 0.26) if scooter else rng.uniform(0.29, 0.33)
    screen, case = rng.random() < 0.4, rng.random() < 0.3
    unit = canvas.camera.focal / pose.z
    rear, front = -0.68, 0.7
    turn = abs(float(np.sin(pose.heading)))

    def panel(outline: list[tuple[float, float]], half: float, colour: Colour) -> None:
        """A body part of the given half width, drawn as far face, near face and their hull."""
        pts = np.array(outline)
        both = np.concatenate(
            [canvas.camera.project(pose.points(pts[:, 0], t, pts[:, 1])) for t in (-half, half)]
        )
        hull = cv2.convexHull(both.astype(np.float32))[:, 0].astype(np.float64)
        canvas.fill(hull, shade(colour, 0.75), True)
        near = half * (np.sign(pose.viewer()[1]) or 1.0)
        canvas.polygon(pose.points(pts[:, 0], near, pts[:, 1]), colour, True)

    for s in (rear, front):
        ring = [(s + radius * c, radius * (1 + d)) for c, d in CIRCLE]
        panel(ring, 0.07, (26, 26, 28))
        if turn > 0.3:
            hub = canvas.camera.project(
                pose.points(s + 0.6 * radius * CIRCLE[:, 0], 0.0, radius * (1 + 0.6 * CIRCLE[:, 1]))
            )
            canvas.fill(hub, (128, 130, 134))
            canvas.fill(hub.mean(axis=0) + 0.5 * (hub - hub.mean(axis=0)), (60, 62, 66))
    canvas.line(
        _path(canvas, pose, [(front, 0.0, radius), (0.42, 0.0, 0.98)]),
        (120, 122, 126),
        0.07 * unit,
        True,
    )
    if scooter:
        panel([(-0.85, 0.45), (-0.8, 0.72), (-0.15, 0.7), (-0.05, 0.3), (-0.6, 0.28)], 0.17, paint)
        panel([(-0.1, 0.22), (-0.1, 0.32), (0.35, 0.32), (0.35, 0.22)], 0.18, shade(paint, 0.7))
        panel([(0.3, 0.25), (0.42, 0.98), (0.55, 0.92), (0.52, 0.4)], 0.2, paint)
        panel([(0.5, 0.5), (0.5, 0.58), (0.85, 0.56), (0.9, 0.46)], 0.09, shade(paint, 0.9))
    else:
        panel([(-0.3, 0.25), (-0.28, 0.58), (0.3, 0.6), (0.34, 0.28)], 0.2, (70, 70, 74))
        panel([(-0.92, 0.72), (-0.86, 0.84), (-0.4, 0.7), (-0.42, 0.52)], 0.13, paint)
        panel([(-0.12, 0.66), (-0.1, 0.88), (0.2, 0.96), (0.42, 0.8), (0.36, 0.62)], 0.18, paint)
        panel([(0.44, 0.62), (0.44, 0.98), (0.62, 1.0), (0.66, 0.72)], 0.15, shade(paint, 0.9))
        panel(
            [
                (0.45, 2.1 * radius),
                (0.6, 2.25 * radius),
                (0.95, 2.0 * radius),
                (0.6, 2.08 * radius),
            ],
            0.08,
            paint,
        )
        canvas.line(
            _path(canvas, pose, [(0.1, -0.2, 0.3), (-0.3, -0.22, 0.28), (-0.85, -0.22, 0.4)]),
            (160, 162, 166),
            0.08 * unit,
            True,
        )
    panel([(-0.75, 0.74), (-0.7, 0.84), (-0.1, 0.82), (-0.1, 0.72)], 0.14, (28, 26, 26))
    if case:
        panel([(-1.0, 0.8), (-1.0, 1.1), (-0.62, 1.1), (-0.6, 0.8)], 0.2, (36, 36, 38))
    if screen:
        panel([(0.42, 1.0), (0.3, 1.3), (0.36, 1.3), (0.52, 1.0)], 0.16, (120, 132, 140))
    bar = [(0.3, 0.36, 1.05), (0.42, 0.15, 1.06), (0.42, -0.15, 1.06), (0.3, -0.36, 1.05)]
    canvas.line(_path(canvas, pose, bar), (34, 34, 36), 0.05 * unit, True)
    for side in (-1, 1):
        mirror = _path(canvas, pose, [(0.4, 0.32 * side, 1.22)])[0]
        canvas.line(
            np.stack([_path(canvas, pose, [(0.4, 0.25 * side, 1.06)])[0], mirror]),
            (40, 40, 42),
            0.02 * unit,
            True,
        )
        canvas.fill(mirror + [0.07 * unit, 0.045 * unit] * CIRCLE, (60, 64, 70), True)
    if np.cos(pose.heading) < -0.2:
        canvas.fill(
            _path(canvas, pose, [(0.66, 0.0, 0.88)])[0] + 0.1 * unit * CIRCLE, (244, 244, 232), True
        )
    elif np.cos(pose.heading) > 0.2:
        canvas.fill(
            _path(canvas, pose, [(-0.92, 0.0, 0.78)])[0] + 0.06 * unit * CIRCLE, (196, 30, 28), True
        )
