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

"""Articulated persons: a skeleton in three dimensions, drawn as tapered limbs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssap_ros.data.scenes.canvas import CIRCLE, Canvas, Colour, Points, Pose, shade

_SKINS: tuple[Colour, ...] = (
    (236, 196, 170), (224, 178, 148), (198, 148, 116), (160, 112, 82), (116, 78, 56), (78, 52, 40),
)  # fmt: skip
_HAIRS: tuple[Colour, ...] = (
    (28, 22, 20), (58, 40, 28), (96, 66, 40), (168, 130, 80), (130, 126, 122), (120, 54, 28),
)  # fmt: skip
CLOTHES: tuple[Colour, ...] = (
    (24, 24, 28), (40, 44, 58), (34, 48, 88), (60, 84, 128), (92, 94, 98), (150, 150, 150),
    (226, 224, 220), (196, 180, 150), (112, 84, 60), (150, 34, 40), (186, 60, 50), (40, 88, 60),
    (90, 110, 60), (214, 170, 50), (222, 130, 150), (120, 70, 130), (70, 140, 160), (230, 120, 40),
)  # fmt: skip


@dataclass(frozen=True)
class Gait:
    """What a person does: phase of the stride in radians, stride in radians of leg swing."""

    kind: str  # "walk", "stand", "sit", "ride"
    phase: float
    stride: float


def pick(rng: np.random.Generator, colours: tuple[Colour, ...], spread: float = 16) -> Colour:
    """One of the colours, each channel varied by up to `spread`."""
    base = np.array(colours[rng.integers(len(colours))]) + rng.uniform(-spread, spread, 3)
    return tuple(np.clip(base, 6, 248).tolist())


@dataclass(frozen=True)
class _Look:
    """Size, clothes and habits of one person, drawn once per object."""

    height: float
    girth: float
    skin: Colour
    hair: Colour
    top: Colour
    trousers: Colour
    shoes: Colour
    extra: Colour
    sleeves: bool
    legs: str  # "trousers", "shorts", "skirt", "coat"
    long_hair: bool
    hat: bool
    bag: str  # "", "backpack", "handbag", "shoulder"
    pattern: str  # "", "stripes", "logo", "jacket"
    arms: tuple[float, float]  # extra forward angle of each upper arm, radians
    elbows: tuple[float, float]


def _look(rng: np.random.Generator) -> _Look:
    adult = rng.random() < 0.88
    busy = rng.random(2) < 0.22
    return _Look(
        height=float(rng.normal(1.71, 0.08) if adult else rng.uniform(1.0, 1.4)),
        girth=float(rng.uniform(0.9, 1.3)),
        skin=pick(rng, _SKINS, 8),
        hair=pick(rng, _HAIRS, 8),
        top=pick(rng, CLOTHES),
        trousers=pick(rng, CLOTHES[:9]) if rng.random() < 0.8 else pick(rng, CLOTHES),
        shoes=pick(rng, CLOTHES[:8]),
        extra=pick(rng, CLOTHES),
        sleeves=bool(rng.random() < 0.6),
        legs=str(rng.choice(["trousers", "shorts", "skirt", "coat"], p=[0.6, 0.15, 0.12, 0.13])),
        long_hair=bool(rng.random() < 0.4),
        hat=bool(rng.random() < 0.18),
        bag=str(rng.choice(["", "backpack", "handbag", "shoulder"], p=[0.5, 0.2, 0.15, 0.15])),
        pattern=str(rng.choice(["", "stripes", "logo", "jacket"], p=[0.4, 0.2, 0.2, 0.2])),
        arms=tuple(np.where(busy, rng.uniform(0.3, 2.6, 2), rng.uniform(-0.1, 0.15, 2)).tolist()),
        elbows=tuple(np.where(busy, rng.uniform(0.6, 2.2, 2), rng.uniform(0.05, 0.5, 2)).tolist()),
    )


def _leg_angles(gait: Gait, side: int) -> tuple[float, float]:
    """Angles of thigh and shin from straight down, forward positive."""
    if gait.kind == "sit":
        return 1.45, 0.1
    if gait.kind == "ride":
        turn = gait.phase + (np.pi if side > 0 else 0.0)
        return 0.95 + 0.4 * np.sin(turn), 0.95 + 0.4 * np.sin(turn) - 1.15 + 0.35 * np.cos(turn)
    if gait.kind == "stand":
        return 0.03 * side, 0.03 * side
    swing = gait.stride * np.sin(gait.phase + (np.pi if side > 0 else 0.0))
    lift = 0.9 * gait.stride * max(0.0, np.cos(gait.phase + (np.pi if side > 0 else 0.0)))
    return swing, swing - 0.08 - lift


def draw_person(
    canvas: Canvas, pose: Pose, rng: np.random.Generator, gait: Gait, lift: float = 0.0
) -> None:
    """A person standing at the pose, or with the hip raised by `lift` metres (rider, bench)."""
    figure = _Figure(canvas, pose, _look(rng), gait, lift, float(rng.choice([-1.0, 1.0])))
    limbs = figure.legs() + figure.arms() + figure.luggage()
    limbs.sort(key=lambda limb: -limb.distance)
    middle = figure.distance
    figure.draw_limbs([limb for limb in limbs if limb.distance > middle])
    figure.draw_torso()
    figure.draw_limbs([limb for limb in limbs if limb.distance <= middle])
    figure.draw_head()


@dataclass(frozen=True)
class _Limb:
    """Joints in pixels (n, 2) with radii (n,) in pixels, and the colour of each section (n - 1)."""

    distance: float
    joints: Points
    radii: Points
    colours: list[Colour]


class _Figure:
    """One person being drawn; body coordinates (s forward, t left, y up) for a height of 1.75 m."""

    def __init__(
        self, canvas: Canvas, pose: Pose, look: _Look, gait: Gait, lift: float, light: float
    ) -> None:
        self._canvas, self._pose, self._look, self._gait = canvas, pose, look, gait
        self._light = light
        self._scale = look.height / 1.75
        self._unit = canvas.camera.focal / pose.z * self._scale  # pixels per body metre
        self._fine = self._unit > 45
        self._angles = [_leg_angles(gait, side) for side in (-1, 1)]
        self._lean = {"ride": 0.55, "walk": 0.05 + 0.15 * gait.stride}.get(gait.kind, 0.0)
        reach = max(0.46 * np.cos(thigh) + 0.46 * np.cos(shin) for thigh, shin in self._angles)
        self._hip = lift if lift else float(reach) + 0.06
        self._shoulder = self._hip + 0.53 * float(np.cos(self._lean))
        self._across = float(np.sin(pose.heading))  # where the nose points on the screen
        self._toward = -float(np.cos(pose.heading))  # 1: faces the camera, -1: turns the back

    @property
    def distance(self) -> float:
        """Of the trunk from the camera, in metres."""
        return self._place([(self._spine(self._hip + 0.3), 0.0, self._hip + 0.3)])[1]

    def legs(self) -> list[_Limb]:
        """Both legs with their shoes."""
        look, limbs = self._look, []
        bare = look.legs in ("shorts", "skirt")
        for side, (thigh, shin) in zip((-1, 1), self._angles, strict=True):
            hip = (0.0, 0.085 * side * look.girth, self._hip)
            knee = (0.46 * np.sin(thigh), 0.09 * side, hip[2] - 0.46 * np.cos(thigh))
            ankle = (knee[0] + 0.46 * np.sin(shin), 0.09 * side, knee[2] - 0.46 * np.cos(shin))
            toe = (ankle[0] + 0.17, 0.11 * side, ankle[2] - 0.045)
            radii = [0.092 * look.girth, 0.06 if bare else 0.066, 0.05, 0.035]
            colours = [look.trousers, look.skin if bare else look.trousers, look.shoes]
            limbs.append(self._limb([hip, knee, ankle, toe], radii, colours, 0.02))
        return limbs

    def arms(self) -> list[_Limb]:
        """Both arms, the right one with the handbag."""
        look, gait, limbs = self._look, self._gait, []
        for i, side in enumerate((-1, 1)):
            swing = -0.75 * gait.stride * np.sin(gait.phase + (np.pi if side > 0 else 0.0))
            upper = {"ride": 1.0, "sit": 0.5}.get(gait.kind, swing + look.arms[i])
            fore = upper + {"ride": 0.25, "sit": 0.9}.get(gait.kind, look.elbows[i])
            s, y = self._spine(self._shoulder), self._shoulder - 0.02
            joints = [(s, 0.185 * side * look.girth, y)]
            for length, angle, t in ((0.28, upper, 0.225), (0.27, fore, 0.2), (0.07, fore, 0.19)):
                s, y = s + length * np.sin(angle), y - length * np.cos(angle)
                joints.append((s, t * side * look.girth, y))
            colours = [look.top, look.top if look.sleeves else look.skin, look.skin]
            limbs.append(self._limb(joints, [0.068, 0.052, 0.038, 0.03], colours, -0.03))
            if look.bag == "handbag" and i == 0:
                t = joints[-1][1]
                bag = [(s, t, y - 0.05), (s, t, y - 0.25)]
                limbs.append(self._limb(bag, [0.06, 0.13], [look.extra], -0.05))
        return limbs

    def luggage(self) -> list[_Limb]:
        """The backpack."""
        if self._look.bag != "backpack":
            return []
        back = self._spine(self._shoulder) - 0.2
        joints = [(back, 0.0, self._shoulder - 0.12), (-0.2, 0.0, self._hip + 0.12)]
        bias = 0.05 if self._toward > 0 else -0.08
        return [self._limb(joints, [0.15, 0.17], [self._look.extra], bias)]

    def draw_limbs(self, limbs: list[_Limb]) -> None:
        """In the given order, each with a lit edge where there is room for one."""
        for limb in limbs:
            for i, colour in enumerate(limb.colours):
                start, end = limb.joints[i], limb.joints[i + 1]
                radii = float(limb.radii[i]), float(limb.radii[i + 1])
                self._canvas.capsule(start, end, radii, shade(colour, 0.9), True)
                if self._fine:
                    shift = np.array([0.35 * self._light * radii[1], 0.0])
                    thin = 0.5 * radii[0], 0.5 * radii[1]
                    self._canvas.capsule(start + shift, end + shift, thin, shade(colour, 1.12))

    def draw_torso(self) -> None:
        """Trunk, coat or skirt; widths shrink when seen from the side."""
        look, hip, shoulder, unit = self._look, self._hip, self._shoulder, self._unit
        if look.legs == "skirt":
            skirt = self._outline([(hip + 0.08, 0.15), (hip - 0.1, 0.19), (hip - 0.42, 0.26)])
            self._canvas.fill(skirt, look.trousers, True)
        hem = (hip - 0.3, 0.22) if look.legs == "coat" else (hip - 0.06, 0.18)
        trunk = self._outline(
            [
                (shoulder + 0.07, 0.05), (shoulder + 0.045, 0.13), (shoulder, 0.205),
                (shoulder - 0.08, 0.205), (hip + 0.3, 0.18), (hip + 0.14, 0.16), (hip, 0.175), hem,
            ]
        )  # fmt: skip
        self._canvas.fill(trunk, look.top, True)
        lit, middle = trunk.copy(), trunk[:, 0].mean()
        lit[:, 0] = middle + (lit[:, 0] - middle) * 0.45 + self._light * 0.06 * unit
        self._canvas.fill(lit, shade(look.top, 1.08))
        n = len(trunk) // 2
        self._clothes(trunk[:n], trunk[: n - 1 : -1])

    def draw_head(self) -> None:
        """Neck, skull, hair, face, hat."""
        look, unit, across = self._look, self._unit, self._across
        s, y = self._spine(self._shoulder + 0.22), self._shoulder + 0.22 * np.cos(self._lean / 2)
        (centre, neck), _ = self._place([(s + 0.03, 0.0, y), (s, 0.0, self._shoulder + 0.03)])
        child = 1.12 if look.height < 1.45 else 1.0
        radius = np.array([0.082 + 0.012 * abs(across), 0.118]) * unit * child
        fill, capsule = self._canvas.fill, self._canvas.capsule
        capsule(neck, centre, (0.062 * unit, 0.05 * unit), shade(look.skin, 0.78), True)
        if look.long_hair:
            drop = centre + np.array([-0.05 * across, 0.2]) * unit
            capsule(centre, drop, (0.105 * unit, 0.085 * unit), shade(look.hair, 0.85), True)
            if self._toward > 0:
                capsule(neck, centre, (0.055 * unit, 0.05 * unit), shade(look.skin, 0.82), True)
        skull = centre + np.array([-0.016 * across, -0.014]) * unit
        fill(skull + radius * [1.07, 1.05] * CIRCLE, look.hair, True)
        if self._toward > -0.55:
            self._face(centre, radius)
            fringe = skull + radius * [1.0, 1.03] * CIRCLE[10:] - [0, 0.045 * unit]
            fill(fringe, look.hair, True)
        elif self._fine and not look.long_hair:
            nape = skull + np.array([0, 0.09]) * unit
            fill(nape + 0.045 * unit * CIRCLE * [1.2, 0.7], shade(look.skin, 0.8))
        if look.hat:
            dome = skull + radius * 1.16 * CIRCLE[10:] - [0, 0.02 * unit]
            fill(dome, look.extra, True)
            brim = skull + np.array([0.09 * across, -0.02]) * unit
            fill(brim + [0.13 * unit, 0.028 * unit] * CIRCLE, shade(look.extra, 0.75), True)

    def _face(self, centre: Points, radius: Points) -> None:
        look, unit, across = self._look, self._unit, self._across
        show = min(max(self._toward + 0.55, 0.25), 1.0)
        face = centre + np.array([across * 0.03 * (1.2 - 0.4 * show), 0.028]) * unit
        size = radius * [0.55 + 0.37 * show, 0.83]
        self._canvas.fill(face + size * CIRCLE, look.skin, True)
        if not self._fine:
            return
        for side in (-1, 1):
            eye = face + np.array([side * 0.032 * show + 0.03 * across, -0.022]) * unit
            if abs(eye[0] - face[0]) < 0.9 * size[0]:
                self._canvas.fill(eye + 0.0095 * unit * CIRCLE[::3], (36, 28, 26))
        mouth = face + np.array([[-0.022 * show, 0.05], [0.022 * show, 0.05]]) * unit
        self._canvas.line(mouth + [0.025 * across * unit, 0], shade(look.skin, 0.68), 0.012 * unit)
        nose = face + np.array([0.05 * across, 0.012]) * unit
        self._canvas.fill(nose + 0.014 * unit * CIRCLE[::3], shade(look.skin, 0.88))

    def _clothes(self, left: Points, right: Points) -> None:
        """Pattern, folds and shoulder bag between the edges of the trunk, (8, 2) from the top."""
        look, unit, fill = self._look, self._unit, self._canvas.fill
        turn = float(np.hypot(self._toward, 0.62 * self._across))
        if look.pattern == "stripes":
            levels = np.arange(2, 7, 0.7)[:, None] + [0, 0, 0.3, 0.3]
            low = levels.astype(int)
            part = (levels - low)[..., None]
            edges = np.stack([left, right])
            sides = np.array([0, 1, 1, 0])
            rows = edges[sides, low] * (1 - part) + edges[sides, np.minimum(low + 1, 7)] * part
            self._canvas.polygons(list(rows), look.extra)
        elif look.pattern == "logo" and self._toward > 0:
            chest = (left[3] + right[3]) / 2 + [0, 0.07 * unit]
            fill(chest + 0.075 * unit * turn * CIRCLE, look.extra)
        elif look.pattern == "jacket" and self._toward > -0.2:
            top, bottom = (left[0] + right[0]) / 2, (left[-1] + right[-1]) / 2
            half = np.array([0.06 * unit * turn, 0])
            fill(np.array([top - half, top + half, bottom + 0.5 * half, bottom]), look.extra)
        if self._fine:
            for share in (0.35, 0.6, 0.85):
                start = left[3] * (1 - share) + right[3] * share
                end = left[-1] * (1 - share) + right[-1] * share
                fold = np.array([start * 0.4 + end * 0.6, end])
                self._canvas.line(fold, shade(look.top, 0.78), 0.012 * unit)
        if look.bag == "shoulder":
            strap = np.array([left[2] * 0.8 + right[2] * 0.2, right[-2] * 0.9 + left[-2] * 0.1])
            self._canvas.line(strap, look.extra, 0.035 * unit)
            bag = strap[1] + [0, 0.16 * unit]
            self._canvas.capsule(strap[1], bag, (0.1 * unit, 0.12 * unit), look.extra, True)

    def _outline(self, levels: list[tuple[float, float]]) -> Points:
        """Closed outline of a trunk in pixels; levels are (y, half width) from the top."""
        heights = np.array(levels)
        centre, _ = self._place([(self._spine(y), 0.0, y) for y, _ in levels])
        turn = np.hypot(self._toward, 0.62 * self._across)
        half = np.zeros_like(centre)
        half[:, 0] = heights[:, 1] * turn * self._look.girth * self._unit
        return np.concatenate([centre - half, (centre + half)[::-1]])

    def _limb(
        self,
        joints: list[tuple[float, float, float]],
        radii: list[float],
        colours: list[Colour],
        bias: float,
    ) -> _Limb:
        pixels, distance = self._place(joints)
        return _Limb(distance + bias, pixels, np.array(radii) * self._unit, colours)

    def _place(self, joints: list[tuple[float, float, float]]) -> tuple[Points, float]:
        """Body coordinates -> pixels (n, 2), and their mean distance from the camera in metres."""
        s, t, y = (np.array(joints) * self._scale).T
        points = self._pose.points(s, t, y)
        return self._canvas.camera.project(points), float(points[:, 2].mean())

    def _spine(self, y: float) -> float:
        """How far the leaning back is in front of the hip at height y."""
        return float(np.sin(self._lean)) * (y - self._hip)
