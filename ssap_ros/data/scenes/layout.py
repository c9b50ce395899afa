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

"""What stands where in a street scene: traffic, crowds, close-ups, scenery; nothing collides."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ssap_ros.data.scenes.backdrop import Backdrop
from ssap_ros.data.scenes.canvas import PinholeCamera, Pose
from ssap_ros.data.scenes.people import Gait

PERSON, BICYCLE, CAR, MOTORCYCLE, BUS, TRAIN, TRUCK = range(1, 8)
LENGTHS = {
    PERSON: 0.5,
    BICYCLE: 1.7,
    CAR: 4.6,
    MOTORCYCLE: 2.0,
    BUS: 11.0,
    TRAIN: 15.0,
    TRUCK: 8.0,
}


@dataclass(frozen=True)
class SceneObject:
    """Something that stands on the ground; class 0 is scenery. Speeds are metres per second."""

    class_id: int
    pose: Pose
    seed: int
    speed: float = 0.0
    gait: Gait = Gait("stand", 0.0, 0.0)
    lift: float = 0.0
    kind: str = ""

    def at(self, seconds: float) -> SceneObject:
        """The same object later: moved along its heading, its stride advanced."""
        way = self.speed * seconds
        pose = replace(
            self.pose,
            x=self.pose.x + way * float(np.sin(self.pose.heading)),
            z=self.pose.z + way * float(np.cos(self.pose.heading)),
        )
        gait = replace(
            self.gait, phase=self.gait.phase + 4.2 * abs(way) / (1 + abs(self.speed) / 4)
        )
        return replace(self, pose=pose, gait=gait)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _person(rng: np.random.Generator, pose: Pose, still: bool = False) -> SceneObject:
    """A walker, or one who stands or sits."""
    kind = "walk"
    if still or rng.random() < 0.3:
        kind = "sit" if rng.random() < 0.12 else "stand"
    speed = float(rng.uniform(0.7, 1.6)) if kind == "walk" else 0.0
    gait = Gait(kind, float(rng.uniform(0, 2 * np.pi)), 0.36 * speed if kind == "walk" else 0.02)
    return SceneObject(PERSON, pose, _seed(rng), speed, gait, 0.52 if kind == "sit" else 0.0)


def _rider(rng: np.random.Generator, ride: SceneObject) -> SceneObject:
    """The person on a bicycle or motorcycle."""
    back = 0.2 if ride.class_id == BICYCLE else 0.35
    pose = replace(
        ride.pose,
        x=ride.pose.x - back * float(np.sin(ride.pose.heading)),
        z=ride.pose.z - back * float(np.cos(ride.pose.heading)) - 0.01,
    )
    lift = 0.98 if ride.class_id == BICYCLE else 0.86
    gait = Gait("ride", float(rng.uniform(0, 6.28)), 0.0)
    return SceneObject(PERSON, pose, _seed(rng), ride.speed, gait, lift)


def _two_wheeler(rng: np.random.Generator, pose: Pose, ridden: float) -> list[SceneObject]:
    kind = BICYCLE if rng.random() < 0.6 else MOTORCYCLE
    with_rider = rng.random() < ridden
    speed = float(rng.uniform(2, 5)) if with_rider else 0.0
    ride = SceneObject(kind, pose, _seed(rng), speed)
    return [ride, _rider(rng, ride)] if with_rider else [ride]


def street_objects(rng: np.random.Generator, backdrop: Backdrop, moving: bool) -> list[SceneObject]:
    """Parked rows, traffic, people on the pavement and crossing."""
    objects: list[SceneObject] = []
    left, right = backdrop.road
    for side, edge, inward in ((-1, left, 1), (1, right, -1)):
        if rng.random() < 0.7:
            along = float(rng.uniform(2, 10))
            while along < 60:
                kind = int(
                    rng.choice([CAR, TRUCK, MOTORCYCLE, BICYCLE], p=[0.84, 0.06, 0.05, 0.05])
                )
                along += LENGTHS[kind] / 2
                flip = np.pi * (rng.random() < 0.3) + (0 if side > 0 else np.pi)
                across = edge + inward * float(rng.uniform(1.05, 1.3))
                pose = backdrop.place(along, across, flip + float(rng.normal(0, 0.03)))
                objects.append(SceneObject(kind, pose, _seed(rng)))
                along += LENGTHS[kind] / 2 + float(
                    rng.uniform(0.3, 1.5) if rng.random() < 0.8 else 8
                )
    for lane, heading in ((0.32, np.pi), (0.68, 0.0)):
        along = float(rng.uniform(4, 25))
        while along < 70 and rng.random() < 0.75:
            kind = int(rng.choice([CAR, BUS, TRUCK, TRAIN, MOTORCYCLE, BICYCLE],
                                  p=[0.5, 0.15, 0.12, 0.06, 0.09, 0.08]))  # fmt: skip
            along += LENGTHS[kind] / 2
            pose = backdrop.place(along, left + lane * (right - left), heading)
            speed = float(rng.uniform(2, 6)) if moving else 1.0
            objects.append(SceneObject(kind, pose, _seed(rng), speed))
            if kind in (BICYCLE, MOTORCYCLE):
                objects.append(_rider(rng, objects[-1]))
            along += LENGTHS[kind] / 2 + float(rng.uniform(2, 20))
    for _ in range(int(rng.integers(2, 15))):
        on_road = rng.random() < 0.2
        side = rng.random() < 0.5
        edge = rng.uniform(left, right) if on_road else (
            left - rng.uniform(0.4, 3.2) if side else right + rng.uniform(0.4, 3.2)
        )  # fmt: skip
        heading = rng.choice([0.0, np.pi]) + rng.normal(0, 0.3) + (np.pi / 2 if on_road else 0)
        pose = backdrop.place(float(rng.uniform(2.5, 28)), float(edge), float(heading))
        objects.append(_person(rng, pose))
        if rng.random() < 0.35:
            near = replace(
                pose, x=pose.x + rng.uniform(-0.7, 0.7), z=pose.z + rng.uniform(-0.3, 0.5)
            )
            objects.append(replace(_person(rng, near), speed=objects[-1].speed))
    for _ in range(int(rng.poisson(1.0))):
        pose = backdrop.place(
            float(rng.uniform(3, 20)),
            float(rng.choice([left - 0.8, right + 0.8])),
            float(rng.uniform(0, 6.28)),
        )
        objects += _two_wheeler(rng, pose, 0.4)
    return objects


def _view_x(rng: np.random.Generator, camera: PinholeCamera, width: int, z: float) -> float:
    return float((rng.uniform(-0.05, 1.05) * width - camera.centre) * z / camera.focal)


def crowd(rng: np.random.Generator, camera: PinholeCamera, width: int) -> list[SceneObject]:
    """Many people, some on or beside bicycles, a few vehicles behind."""
    objects: list[SceneObject] = []
    nearest = max(2.2, camera.height * 1.3)
    shared = float(rng.uniform(0, 2 * np.pi))
    for _ in range(int(rng.integers(8, 26))):
        z = nearest + float(rng.gamma(2.0, 3.0))
        heading = (
            shared + float(rng.normal(0, 0.5))
            if rng.random() < 0.6
            else float(rng.uniform(0, 6.28))
        )
        pose = Pose(_view_x(rng, camera, width, z), z, heading)
        objects.append(_person(rng, pose, still=rng.random() < 0.3))
    for _ in range(int(rng.integers(0, 4))):
        z = nearest + float(rng.uniform(0, 10))
        objects += _two_wheeler(
            rng, Pose(_view_x(rng, camera, width, z), z, float(rng.uniform(0, 6.28))), 0.6
        )
    for _ in range(int(rng.integers(0, 4))):
        z = 16 + float(rng.uniform(0, 20))
        kind = int(rng.choice([CAR, BUS, TRUCK, TRAIN], p=[0.6, 0.2, 0.1, 0.1]))
        objects.append(
            SceneObject(
                kind,
                Pose(_view_x(rng, camera, width, z), z, float(rng.uniform(0, 6.28))),
                _seed(rng),
            )
        )
    return objects


def close_up(
    rng: np.random.Generator, camera: PinholeCamera, size: tuple[int, int]
) -> list[SceneObject]:
    """One or a few objects that fill a good part of the image, sometimes cut by its border."""
    kinds = rng.choice(
        [PERSON, BICYCLE, CAR, MOTORCYCLE, BUS, TRAIN, TRUCK],
        size=int(rng.integers(1, 4)),
        p=[0.24, 0.12, 0.24, 0.12, 0.1, 0.08, 0.1],
    )
    objects: list[SceneObject] = []
    for kind in map(int, kinds):
        length = LENGTHS[kind]
        z = float(rng.uniform(1.3, 3.0)) * (0.8 + 0.62 * length) + 0.8 * camera.height
        pose = Pose(_view_x(rng, camera, size[1], z) * 0.7, z, float(rng.uniform(0, 6.28)))
        if kind == PERSON:
            objects.append(_person(rng, replace(pose, z=pose.z + 0.6)))
            if rng.random() < 0.5:
                beside = replace(pose, x=pose.x + float(rng.choice([-0.55, 0.55])), z=pose.z + 0.7)
                objects.append(_person(rng, beside))
        elif kind in (BICYCLE, MOTORCYCLE):
            ride = SceneObject(kind, pose, _seed(rng))
            objects += [ride, _rider(rng, ride)] if rng.random() < 0.6 else [ride]
        else:
            objects.append(SceneObject(kind, pose, _seed(rng)))
    for _ in range(int(rng.integers(0, 6))):
        z = float(rng.uniform(8, 30))
        pose = Pose(_view_x(rng, camera, size[1], z), z, float(rng.uniform(0, 6.28)))
        objects.append(
            _person(rng, pose) if rng.random() < 0.5 else SceneObject(CAR, pose, _seed(rng))
        )
    return objects


def without_collisions(objects: list[SceneObject]) -> list[SceneObject]:
    """Leave out what would stand inside something placed before; riders stay with their rides."""
    kept: list[SceneObject] = []
    spots = np.empty((0, 3))  # x, z, radius of discs that cover what is kept
    fits = True
    for thing in objects:
        if thing.gait.kind != "ride":
            length = LENGTHS[thing.class_id]
            radius = min(length / 2, 1.1)
            reach = np.linspace(
                radius - length / 2, length / 2 - radius, max(round(length / 1.6), 1)
            )
            if length <= 2 * radius:
                reach = np.zeros(1)
            discs = np.stack(
                [
                    thing.pose.x + reach * np.sin(thing.pose.heading),
                    thing.pose.z + reach * np.cos(thing.pose.heading),
                    np.full(len(reach), radius),
                ],
                axis=1,
            )
            gaps = np.hypot(*(discs[:, None, :2] - spots[:, :2]).transpose(2, 0, 1))
            fits = bool((gaps > discs[:, None, 2] + spots[:, 2] - 0.1).all())
            if fits:
                spots = np.concatenate([spots, discs])
        if fits:
            kept.append(thing)
    return kept


def scenery(rng: np.random.Generator, backdrop: Backdrop) -> list[SceneObject]:
    """Poles, trees and bins along the kerbs; some close enough to split what is behind them."""
    objects = []
    for _ in range(int(rng.integers(1, 8))):
        kind = str(rng.choice(["pole", "tree", "bin", "sign"], p=[0.4, 0.3, 0.15, 0.15]))
        across = backdrop.road[0] - 0.5 if rng.random() < 0.5 else backdrop.road[1] + 0.5
        pose = backdrop.place(float(rng.uniform(2, 30)), across + float(rng.normal(0, 0.4)), 0.0)
        objects.append(SceneObject(0, pose, _seed(rng), kind=kind))
    return objects
