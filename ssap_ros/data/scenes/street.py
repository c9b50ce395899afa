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

"""Procedural street scenes with exact instance ground truth: tests, demo and training mix-in.

A scene is a set of objects standing on a ground plane seen by a pinhole camera. Everything is drawn
far to near (painter's order), so each label holds exactly the visible pixels: parked rows and
crowds overlap, and poles and trees cut objects in two. Class ids are the default model's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ssap_ros.data.scenes.backdrop import Backdrop, cast_shadows
from ssap_ros.data.scenes.camera_simulation import simulate_camera
from ssap_ros.data.scenes.canvas import Canvas, PinholeCamera
from ssap_ros.data.scenes.cars import draw_car
from ssap_ros.data.scenes.furniture import draw_pole, draw_tree
from ssap_ros.data.scenes.large_vehicles import draw_bus, draw_train, draw_truck
from ssap_ros.data.scenes.layout import (
    BICYCLE,
    BUS,
    CAR,
    LENGTHS,
    MOTORCYCLE,
    PERSON,
    TRAIN,
    TRUCK,
    SceneObject,
    close_up,
    crowd,
    scenery,
    street_objects,
    without_collisions,
)
from ssap_ros.data.scenes.people import draw_person
from ssap_ros.data.scenes.two_wheelers import draw_bicycle, draw_motorcycle
from ssap_ros.types import ClassArray, ImageArray, LabelArray

CLASSES = ("background", "person", "bicycle", "car", "motorcycle", "bus", "train", "truck")
MIN_PIXELS = 16
FRAME_RATE = 15.0

_VEHICLES = {CAR: draw_car, BUS: draw_bus, TRUCK: draw_truck, TRAIN: draw_train,
             BICYCLE: draw_bicycle, MOTORCYCLE: draw_motorcycle}  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """One image with its truth.

    Attributes:
        image: uint8 (H, W, 3) RGB.
        instances: int32 (H, W), 0 = none, k = object with class class_ids[k - 1].
        class_ids: uint8 (N,). In a single scene every id 1..N is visible; in a video an id may be
            out of sight in some frames.
        objects: Where they stand, in the order of the ids.
    """

    image: ImageArray
    instances: LabelArray
    class_ids: ClassArray
    camera: PinholeCamera
    objects: tuple[SceneObject, ...]


@dataclass(frozen=True)
class _World:
    camera: PinholeCamera
    backdrop: Backdrop
    objects: tuple[SceneObject, ...]
    seed: int


def street_scene(seed: int, size: tuple[int, int] = (512, 512)) -> Scene:
    """The scene of a seed, `size` = (H, W); every instance has at least MIN_PIXELS pixels."""
    world = _make_world(np.random.default_rng(seed), size, moving=False)
    scene = _render(world, size, 0.0, 0)
    areas = np.bincount(scene.instances.ravel(), minlength=len(scene.class_ids) + 1)
    seen = areas >= MIN_PIXELS
    seen[0] = False
    relabel = np.zeros(len(areas), np.int32)
    relabel[seen] = np.arange(1, seen.sum() + 1)
    objects = tuple(thing for thing, kept in zip(scene.objects, seen[1:], strict=True) if kept)
    return replace(
        scene,
        instances=relabel[scene.instances],
        class_ids=scene.class_ids[seen[1:]],
        objects=objects,
    )


def street_video(seed: int, n_frames: int, size: tuple[int, int] = (512, 512)) -> Iterator[Scene]:
    """`n_frames` of the same moving objects at FRAME_RATE; an object keeps its id throughout."""
    world = _make_world(np.random.default_rng(seed), size, moving=True)
    for frame in range(n_frames):
        yield _render(world, size, frame / FRAME_RATE, frame)


def _make_world(rng: np.random.Generator, size: tuple[int, int], moving: bool) -> _World:
    """Choose the camera, the street and what stands on it."""
    height, width = size
    layout = (
        "street" if moving else str(rng.choice(["street", "crowd", "close"], p=[0.5, 0.22, 0.28]))
    )
    high = rng.random() < 0.2
    camera = PinholeCamera(
        focal=float(rng.uniform(0.75, 1.5) * max(size)),
        centre=width * float(rng.uniform(0.35, 0.65)),
        horizon=height * float(rng.uniform(-0.1, 0.2) if high else rng.uniform(0.25, 0.6)),
        height=float(rng.uniform(3.5, 7.0) if high else rng.uniform(1.1, 2.4)),
    )
    backdrop = Backdrop.random(rng, camera)
    if layout == "street":
        objects = street_objects(rng, backdrop, moving)
    elif layout == "crowd":
        objects = crowd(rng, camera, width)
    else:
        objects = close_up(rng, camera, size)
    objects = without_collisions(objects) + scenery(rng, backdrop)
    return _World(camera, backdrop, tuple(objects), int(rng.integers(2**31)))


def _render(world: _World, size: tuple[int, int], seconds: float, frame: int) -> Scene:
    """Draw the world at a moment; label k is the k-th object that has a class."""
    labels = np.cumsum([thing.class_id > 0 for thing in world.objects])
    placed = [
        (thing.at(seconds), int(label) if thing.class_id else 0)
        for thing, label in zip(world.objects, labels, strict=True)
    ]
    visible = [item for item in placed if _in_view(item[0], world.camera, size[1])]
    visible = _far_to_near(visible)
    canvas = Canvas(np.empty((*size, 3), np.uint8), world.camera)
    world.backdrop.draw(canvas)
    footprints = [(thing.pose, LENGTHS.get(thing.class_id, 0.4)) for thing, _ in visible]
    cast_shadows(canvas, footprints, world.backdrop)
    for thing, label in visible:
        _draw(canvas, thing, label, world.backdrop)
    image = simulate_camera(canvas.image, np.random.default_rng(world.seed), frame)
    objects = tuple(thing for thing, label in placed if label)
    class_ids = np.array([thing.class_id for thing in objects], np.uint8)
    return Scene(image, canvas.labels, class_ids, world.camera, objects)


def _far_to_near(items: list[tuple[SceneObject, int]]) -> list[tuple[SceneObject, int]]:
    """Painter's order: by distance, long vehicles after everything on their far side."""
    ordered = sorted(items, key=lambda item: -item[0].pose.z)
    for item in [item for item in ordered if LENGTHS.get(item[0].class_id, 0.0) > 4]:
        ordered.remove(item)
        behind = [i for i, (other, _) in enumerate(ordered) if _hides(item[0], other)]
        ordered.insert(max(behind, default=-1) + 1, item)
    return ordered


def _hides(vehicle: SceneObject, other: SceneObject) -> bool:
    """Whether the side or end of the vehicle that faces the camera is in front of the other."""
    pose = vehicle.pose
    sin, cos = math.sin(pose.heading), math.cos(pose.heading)
    dx, dz = other.pose.x - pose.x, other.pose.z - pose.z
    there = (dx * sin + dz * cos, dz * sin - dx * cos)
    here = pose.viewer()
    for bound, viewer, position in zip(
        (LENGTHS[vehicle.class_id] / 2, 0.9), here, there, strict=True
    ):
        if abs(position) > bound and abs(viewer) > bound:
            return position * viewer < 0
    return dz > 0


def _in_view(thing: SceneObject, camera: PinholeCamera, width: int) -> bool:
    """Whether the whole object is in front of the camera, large enough and not beside the image."""
    length, pose = LENGTHS.get(thing.class_id, 1.0), thing.pose
    if pose.z < 0.55 * length * abs(float(np.cos(pose.heading))) + 1.2:
        return False
    unit = camera.focal / pose.z
    reach = (2.0 * length if thing.class_id == TRAIN else 0.6 * length + 2.0) * unit
    x = camera.centre + pose.x * unit
    return 1.7 * unit > 5 and -reach < x < width + reach


def _draw(canvas: Canvas, thing: SceneObject, label: int, backdrop: Backdrop) -> None:
    rng = np.random.default_rng(thing.seed)
    canvas.begin()
    if thing.class_id == PERSON:
        draw_person(canvas, thing.pose, rng, thing.gait, thing.lift)
    elif thing.class_id:
        _VEHICLES[thing.class_id](canvas, thing.pose, rng)
    elif thing.kind == "tree":
        draw_tree(canvas, thing.pose, rng)
    else:
        draw_pole(canvas, thing.pose, rng, thing.kind)
    haze = float(1 - np.exp(-thing.pose.z / backdrop.visibility))
    canvas.finish(label, rng, haze, backdrop.haze_colour)
