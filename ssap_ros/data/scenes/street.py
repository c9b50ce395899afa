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
from ssap_ros.data.scenes.camera_simulation import develop
from ssap_ros.data.scenes.canvas import Camera, Canvas, Pose
from ssap_ros.data.scenes.cars import draw_car
from ssap_ros.data.scenes.furniture import draw_pole, draw_tree
from ssap_ros.data.scenes.large_vehicles import draw_bus, draw_train, draw_truck
from ssap_ros.data.scenes.people import Gait, draw_person
from ssap_ros.data.scenes.two_wheelers import draw_bicycle, draw_motorcycle
from ssap_ros.types import ClassArray, ImageArray, LabelArray

CLASSES = ("background", "person", "bicycle", "car", "motorcycle", "bus", "train", "truck")
PERSON, BICYCLE, CAR, MOTORCYCLE, BUS, TRAIN, TRUCK = range(1, 8)
MIN_PIXELS = 16
FRAME_RATE = 15.0

_VEHICLES = {CAR: draw_car, BUS: draw_bus, TRUCK: draw_truck, TRAIN: draw_train,
             BICYCLE: draw_bicycle, MOTORCYCLE: draw_motorcycle}  # fmt: skip
_LENGTHS = {
    PERSON: 0.5,
    BICYCLE: 1.7,
    CAR: 4.6,
    MOTORCYCLE: 2.0,
    BUS: 11.0,
    TRAIN: 15.0,
    TRUCK: 8.0,
}


@dataclass(frozen=True)
class Scene:
    """One image with its truth.

    image: uint8 (H, W, 3) RGB. instances: int32 (H, W), 0 = none, k = object with class
    class_ids[k - 1]. class_ids: uint8 (N,). In a single scene every id 1..N is visible; in a video
    an id may be out of sight in some frames.
    """

    image: ImageArray
    instances: LabelArray
    class_ids: ClassArray


@dataclass(frozen=True)
class _Object:
    """Something that stands on the ground; class 0 is scenery. Speeds are metres per second."""

    class_id: int
    pose: Pose
    seed: int
    speed: float = 0.0
    gait: Gait = Gait("stand", 0.0, 0.0)
    lift: float = 0.0
    kind: str = ""

    def at(self, seconds: float) -> _Object:
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


@dataclass(frozen=True)
class _World:
    camera: Camera
    backdrop: Backdrop
    objects: tuple[_Object, ...]
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
    return Scene(scene.image, relabel[scene.instances], scene.class_ids[seen[1:]])


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
    camera = Camera(
        focal=float(rng.uniform(0.75, 1.5) * max(size)),
        centre=width * float(rng.uniform(0.35, 0.65)),
        horizon=height * float(rng.uniform(-0.1, 0.2) if high else rng.uniform(0.25, 0.6)),
        height=float(rng.uniform(3.5, 7.0) if high else rng.uniform(1.1, 2.4)),
    )
    backdrop = Backdrop.random(rng, camera)
    if layout == "street":
        objects = _street(rng, backdrop, moving)
    elif layout == "crowd":
        objects = _crowd(rng, camera, width)
    else:
        objects = _close_up(rng, camera, size)
    objects = _without_collisions(objects) + _scenery(rng, backdrop)
    return _World(camera, backdrop, tuple(objects), int(rng.integers(2**31)))


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _person(rng: np.random.Generator, pose: Pose, still: bool = False) -> _Object:
    """A walker, or one who stands or sits."""
    kind = "walk"
    if still or rng.random() < 0.3:
        kind = "sit" if rng.random() < 0.12 else "stand"
    speed = float(rng.uniform(0.7, 1.6)) if kind == "walk" else 0.0
    gait = Gait(kind, float(rng.uniform(0, 2 * np.pi)), 0.36 * speed if kind == "walk" else 0.02)
    return _Object(PERSON, pose, _seed(rng), speed, gait, 0.52 if kind == "sit" else 0.0)


def _rider(rng: np.random.Generator, ride: _Object) -> _Object:
    """The person on a bicycle or motorcycle."""
    back = 0.2 if ride.class_id == BICYCLE else 0.35
    pose = replace(
        ride.pose,
        x=ride.pose.x - back * float(np.sin(ride.pose.heading)),
        z=ride.pose.z - back * float(np.cos(ride.pose.heading)) - 0.01,
    )
    lift = 0.98 if ride.class_id == BICYCLE else 0.86
    gait = Gait("ride", float(rng.uniform(0, 6.28)), 0.0)
    return _Object(PERSON, pose, _seed(rng), ride.speed, gait, lift)


def _two_wheeler(rng: np.random.Generator, pose: Pose, ridden: float) -> list[_Object]:
    kind = BICYCLE if rng.random() < 0.6 else MOTORCYCLE
    with_rider = rng.random() < ridden
    speed = float(rng.uniform(2, 5)) if with_rider else 0.0
    ride = _Object(kind, pose, _seed(rng), speed)
    return [ride, _rider(rng, ride)] if with_rider else [ride]


def _street(rng: np.random.Generator, backdrop: Backdrop, moving: bool) -> list[_Object]:
    """Parked rows, traffic, people on the pavement and crossing."""
    objects: list[_Object] = []
    left, right = backdrop.road
    for side, edge, inward in ((-1, left, 1), (1, right, -1)):
        if rng.random() < 0.7:
            along = float(rng.uniform(2, 10))
            while along < 60:
                kind = int(
                    rng.choice([CAR, TRUCK, MOTORCYCLE, BICYCLE], p=[0.84, 0.06, 0.05, 0.05])
                )
                along += _LENGTHS[kind] / 2
                flip = np.pi * (rng.random() < 0.3) + (0 if side > 0 else np.pi)
                across = edge + inward * float(rng.uniform(1.05, 1.3))
                pose = backdrop.place(along, across, flip + float(rng.normal(0, 0.03)))
                objects.append(_Object(kind, pose, _seed(rng)))
                along += _LENGTHS[kind] / 2 + float(
                    rng.uniform(0.3, 1.5) if rng.random() < 0.8 else 8
                )
    for lane, heading in ((0.32, np.pi), (0.68, 0.0)):
        along = float(rng.uniform(4, 25))
        while along < 70 and rng.random() < 0.75:
            kind = int(rng.choice([CAR, BUS, TRUCK, TRAIN, MOTORCYCLE, BICYCLE],
                                  p=[0.5, 0.15, 0.12, 0.06, 0.09, 0.08]))  # fmt: skip
            along += _LENGTHS[kind] / 2
            pose = backdrop.place(along, left + lane * (right - left), heading)
            speed = float(rng.uniform(2, 6)) if moving else 1.0
            objects.append(_Object(kind, pose, _seed(rng), speed))
            if kind in (BICYCLE, MOTORCYCLE):
                objects.append(_rider(rng, objects[-1]))
            along += _LENGTHS[kind] / 2 + float(rng.uniform(2, 20))
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


def _view_x(rng: np.random.Generator, camera: Camera, width: int, z: float) -> float:
    return float((rng.uniform(-0.05, 1.05) * width - camera.centre) * z / camera.focal)


def _crowd(rng: np.random.Generator, camera: Camera, width: int) -> list[_Object]:
    """Many people, some on or beside bicycles, a few vehicles behind."""
    objects: list[_Object] = []
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
            _Object(
                kind,
                Pose(_view_x(rng, camera, width, z), z, float(rng.uniform(0, 6.28))),
                _seed(rng),
            )
        )
    return objects


def _close_up(rng: np.random.Generator, camera: Camera, size: tuple[int, int]) -> list[_Object]:
    """One or a few objects that fill a good part of the image, sometimes cut by its border."""
    kinds = rng.choice(
        [PERSON, BICYCLE, CAR, MOTORCYCLE, BUS, TRAIN, TRUCK],
        size=int(rng.integers(1, 4)),
        p=[0.24, 0.12, 0.24, 0.12, 0.1, 0.08, 0.1],
    )
    objects: list[_Object] = []
    for kind in map(int, kinds):
        length = _LENGTHS[kind]
        z = float(rng.uniform(1.3, 3.0)) * (0.8 + 0.62 * length) + 0.8 * camera.height
        pose = Pose(_view_x(rng, camera, size[1], z) * 0.7, z, float(rng.uniform(0, 6.28)))
        if kind == PERSON:
            objects.append(_person(rng, replace(pose, z=pose.z + 0.6)))
            if rng.random() < 0.5:
                beside = replace(pose, x=pose.x + float(rng.choice([-0.55, 0.55])), z=pose.z + 0.7)
                objects.append(_person(rng, beside))
        elif kind in (BICYCLE, MOTORCYCLE):
            ride = _Object(kind, pose, _seed(rng))
            objects += [ride, _rider(rng, ride)] if rng.random() < 0.6 else [ride]
        else:
            objects.append(_Object(kind, pose, _seed(rng)))
    for _ in range(int(rng.integers(0, 6))):
        z = float(rng.uniform(8, 30))
        pose = Pose(_view_x(rng, camera, size[1], z), z, float(rng.uniform(0, 6.28)))
        objects.append(_person(rng, pose) if rng.random() < 0.5 else _Object(CAR, pose, _seed(rng)))
    return objects


def _without_collisions(objects: list[_Object]) -> list[_Object]:
    """Leave out what would stand inside something placed before; riders stay with their rides."""
    kept: list[_Object] = []
    spots = np.empty((0, 3))  # x, z, radius of discs that cover what is kept
    fits = True
    for thing in objects:
        if thing.gait.kind != "ride":
            length = _LENGTHS[thing.class_id]
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


def _scenery(rng: np.random.Generator, backdrop: Backdrop) -> list[_Object]:
    """Poles, trees and bins along the kerbs; some close enough to split what is behind them."""
    objects = []
    for _ in range(int(rng.integers(1, 8))):
        kind = str(rng.choice(["pole", "tree", "bin", "sign"], p=[0.4, 0.3, 0.15, 0.15]))
        across = backdrop.road[0] - 0.5 if rng.random() < 0.5 else backdrop.road[1] + 0.5
        pose = backdrop.place(float(rng.uniform(2, 30)), across + float(rng.normal(0, 0.4)), 0.0)
        objects.append(_Object(0, pose, _seed(rng), kind=kind))
    return objects


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
    footprints = [(thing.pose, _LENGTHS.get(thing.class_id, 0.4)) for thing, _ in visible]
    cast_shadows(canvas, footprints, world.backdrop)
    for thing, label in visible:
        _draw(canvas, thing, label, world.backdrop)
    image = develop(canvas.image, np.random.default_rng(world.seed), frame)
    class_ids = np.array([thing.class_id for thing in world.objects if thing.class_id], np.uint8)
    return Scene(image, canvas.labels, class_ids)


def _far_to_near(items: list[tuple[_Object, int]]) -> list[tuple[_Object, int]]:
    """Painter's order: by distance, long vehicles after everything on their far side."""
    ordered = sorted(items, key=lambda item: -item[0].pose.z)
    for item in [item for item in ordered if _LENGTHS.get(item[0].class_id, 0.0) > 4]:
        ordered.remove(item)
        behind = [i for i, (other, _) in enumerate(ordered) if _hides(item[0], other)]
        ordered.insert(max(behind, default=-1) + 1, item)
    return ordered


def _hides(vehicle: _Object, other: _Object) -> bool:
    """Whether the side or end of the vehicle that faces the camera is in front of the other."""
    pose = vehicle.pose
    sin, cos = math.sin(pose.heading), math.cos(pose.heading)
    dx, dz = other.pose.x - pose.x, other.pose.z - pose.z
    there = (dx * sin + dz * cos, dz * sin - dx * cos)
    here = pose.viewer()
    for bound, viewer, position in zip(
        (_LENGTHS[vehicle.class_id] / 2, 0.9), here, there, strict=True
    ):
        if abs(position) > bound and abs(viewer) > bound:
            return position * viewer < 0
    return dz > 0


def _in_view(thing: _Object, camera: Camera, width: int) -> bool:
    """Whether the whole object is in front of the camera, large enough and not beside the image."""
    length, pose = _LENGTHS.get(thing.class_id, 1.0), thing.pose
    if pose.z < 0.55 * length * abs(float(np.cos(pose.heading))) + 1.2:
        return False
    unit = camera.focal / pose.z
    reach = (2.0 * length if thing.class_id == TRAIN else 0.6 * length + 2.0) * unit
    x = camera.centre + pose.x * unit
    return 1.7 * unit > 5 and -reach < x < width + reach


def _draw(canvas: Canvas, thing: _Object, label: int, backdrop: Backdrop) -> None:
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
