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

"""Street furniture and trees; they stand in front of objects and split them."""

from __future__ import annotations

import numpy as np

from ssap_ros.data.scenes.canvas import CIRCLE, Canvas, Pose, shade


def draw_tree(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """A trunk with a crown of leaf clusters."""
    unit = canvas.camera.focal / pose.z
    tall, trunk = rng.uniform(3.5, 8), rng.uniform(0.1, 0.25)
    base, fork = canvas.camera.project(
        np.array([[pose.x, 0, pose.z], [pose.x, tall * 0.5, pose.z]])
    )
    bark = shade((84, 66, 50), rng.uniform(0.6, 1.3))
    green = np.array([70, 104, 50]) * rng.uniform(0.6, 1.3)
    canvas.capsule(base, fork, (trunk * unit, 0.6 * trunk * unit), bark, True)
    for i in range(26):
        offset = rng.normal(0, 1, 2) * [0.2 * tall, 0.13 * tall]
        centre = fork - [0, 0.26 * tall * unit] + offset * unit
        leaf = (
            rng.uniform(0.05, 0.12) * tall * unit * (1 + 0.25 * rng.normal(0, 1, (20, 1))) * CIRCLE
        )
        tone = green * (0.65 + 0.025 * i + rng.uniform(-0.1, 0.1))
        canvas.fill(centre + leaf, tuple(np.clip(tone, 0, 255).tolist()), True)


def draw_pole(canvas: Canvas, pose: Pose, rng: np.random.Generator, kind: str) -> None:
    """A lamp post, a traffic sign or a litter bin."""
    unit = canvas.camera.focal / pose.z
    tall = {
        "pole": rng.uniform(3.5, 7),
        "sign": rng.uniform(2.2, 3.0),
        "bin": rng.uniform(0.8, 1.2),
    }[kind]
    radius = {"pole": rng.uniform(0.05, 0.12), "sign": 0.035, "bin": rng.uniform(0.2, 0.35)}[
        kind
    ] * unit
    foot, top = canvas.camera.project(np.array([[pose.x, 0, pose.z], [pose.x, tall, pose.z]]))
    colour = shade((96, 100, 98) if rng.random() < 0.6 else (60, 80, 66), rng.uniform(0.4, 1.6))
    edge = np.array([radius, 0])
    canvas.fill(np.stack([foot - edge, foot + edge, top + edge, top - edge]), colour, True)
    canvas.fill(np.stack([foot, foot + edge, top + edge, top]), shade(colour, 0.8))
    if kind == "pole":
        arm = top + np.array([rng.choice([-1, 1]) * 0.9 * unit, -0.1 * unit])
        canvas.line(np.stack([top, arm]), colour, 0.08 * unit, True)
    elif kind == "sign":
        plate = rng.integers(3)
        red, blue = (190, 30, 34), (34, 74, 160)
        shape = CIRCLE if plate < 2 else np.array([[-1, 0.8], [1, 0.8], [0, -1]])
        canvas.fill(top + 0.32 * unit * shape, red if plate != 1 else blue, True)
        canvas.fill(top + 0.22 * unit * shape, (236, 236, 232))
