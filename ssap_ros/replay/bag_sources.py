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

"""What bags are made of: videos, pictures, annotated data sets and procedural scenes."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssap_ros.data.cityscapes import CityscapesSet
from ssap_ros.data.coco import CocoAnnotations
from ssap_ros.data.image_files import read_image, require_files
from ssap_ros.data.scenes.depth import intrinsics, scene_box, scene_depth
from ssap_ros.data.scenes.street import CLASSES, FRAME_RATE, Scene, street_video
from ssap_ros.data.segments import OTHER_CLASS, Segments, bounding_box
from ssap_ros.errors import InputError
from ssap_ros.replay.bags.ground_truth import NOT_ANNOTATED
from ssap_ros.replay.bags.messages import Detection
from ssap_ros.replay.bags.space import Detection3D
from ssap_ros.replay.sources import open_source
from ssap_ros.types import ImageArray

_LOG = logging.getLogger(__name__)
_FOLDER_FPS = 10.0
_CLIP_FRAMES = 100  # of one procedural street, before its objects have passed
_SCENE_FRAMES = 100
_SCENE_SIZE = (480, 640)
_MIN_PIXELS_3D = 100  # min_instance_area of the node: less is not to be found


@dataclass(frozen=True)
class FrameDepth:
    """What a depth camera beside the camera sees, aligned to its picture.

    Attributes:
        millimetres: uint16 (H, W), 0 = no depth.
        k: Of the camera, row by row.
        objects: The true boxes.
    """

    millimetres: NDArray[np.uint16]
    k: tuple[float, ...]
    objects: tuple[Detection3D, ...]


@dataclass(frozen=True)
class TruthFrame:
    """One picture with its truth.

    Attributes:
        time: Since the start, in nanoseconds.
        image: RGB uint8 (H, W, 3).
        labels: uint16 (H, W), 0 = background, k = entries[k - 1], NOT_ANNOTATED = not annotated;
            None without truth.
    """

    time: int
    image: ImageArray
    labels: NDArray[np.uint16] | None = None
    entries: tuple[Detection, ...] = ()
    depth: FrameDepth | None = None


@dataclass(frozen=True)
class BagSource:
    """Frames for a bag, with their truth where there is one.

    Attributes:
        classes: Name by class id of the truth, empty without one.
        n_frames: None if unknown.
        has_depth: Whether the frames have depth.
    """

    classes: dict[int, str]
    n_frames: int | None
    frames: Iterator[TruthFrame]
    has_depth: bool = False


def open_bag_source(
    spec: str,
    frames: int | None = None,
    annotations: Path | None = None,
    split: str = "val",
    size: tuple[int, int] | None = None,
    *,
    depth: bool = False,
) -> BagSource:
    """Open what `spec` means.

    Args:
        spec: A video, an image, a folder of images, a bag, `scenes[:SEED]`, or the folder of
            Cityscapes (leftImg8bit/ and gtFine/), of which `split` is taken.
        frames: At most so many; None takes all.
        annotations: COCO annotation file of a folder of images.
        split: Of Cityscapes.
        size: (H, W) of procedural scenes.
        depth: Whether the frames are to have depth, which procedural scenes have.

    Returns:
        The frames, with their truth where there is one.

    Raises:
        InputError: There is nothing to read.
    """
    name, _, seed = spec.partition(":")
    if depth and name != "scenes":
        raise InputError(f"only procedural scenes have depth, {spec} has none")
    if annotations:
        return _coco(Path(spec), annotations, frames)
    if (Path(spec) / "leftImg8bit").is_dir():
        return _cityscapes(Path(spec), split, frames)
    if spec == "scenes" and Path(spec).exists():
        raise InputError("expected ./scenes for the folder, or scenes:0 for the procedural street")
    if name == "scenes":
        if seed and not seed.isdigit():
            raise InputError(f"expected scenes or scenes:SEED with a whole number, got {spec}")
        return _scenes(int(seed or 0), frames or _SCENE_FRAMES, size or _SCENE_SIZE, depth)
    source = open_source(spec, frames)
    if topics := source.describe_topics():
        _LOG.info(topics)
    pictures = (TruthFrame(frame.logged, frame.rgb()) for frame in source)
    return BagSource({}, source.n_frames, _from_zero(pictures))


def _from_zero(frames: Iterator[TruthFrame]) -> Iterator[TruthFrame]:
    start = None
    for frame in frames:
        start = frame.time if start is None else start
        yield TruthFrame(frame.time - start, frame.image)


def _scenes(seed: int, n_frames: int, size: tuple[int, int], has_depth: bool) -> BagSource:
    """Streets one after the other, each with the next seed; an object keeps its `id` throughout."""

    def read() -> Iterator[TruthFrame]:
        done = n_objects = 0
        while done < n_frames:
            clip = min(n_frames - done, _CLIP_FRAMES)
            scene_seed = seed + done // _CLIP_FRAMES
            for scene in street_video(scene_seed, clip, size):
                tracks = [str(n_objects + k) for k in range(1, len(scene.class_ids) + 1)]
                segments = Segments(scene.instances, scene.class_ids.astype(np.int64))
                labels, entries = truth_of(segments, np.zeros(size, bool), tracks)
                depth = _depth(scene, tracks) if has_depth else None
                time = round(done * 1e9 / FRAME_RATE)
                yield TruthFrame(time, scene.image, labels, entries, depth)
                done += 1
            n_objects += len(scene.class_ids)

    return BagSource(dict(enumerate(CLASSES)), n_frames, read(), has_depth)


def _depth(scene: Scene, tracks: list[str]) -> FrameDepth:
    """The true boxes are those of the objects that are visible enough and have depth."""
    metres = scene_depth(scene)
    areas = np.bincount(scene.instances[metres > 0], minlength=len(scene.objects) + 1)[1:]
    objects = [
        Detection3D(str(thing.class_id), 1.0, *scene_box(scene.camera, thing), track)
        for thing, track, area in zip(scene.objects, tracks, areas, strict=True)
        if area >= _MIN_PIXELS_3D
    ]
    millimetres = np.round(1000 * metres).astype(np.uint16)
    return FrameDepth(millimetres, intrinsics(scene.camera), tuple(objects))


def _cityscapes(root: Path, split: str, frames: int | None) -> BagSource:
    """The objects of Cityscapes; stuff is background."""
    images = CityscapesSet(root, split)
    count = min(len(images), frames or len(images))

    def read() -> Iterator[TruthFrame]:
        for index in range(count):
            image, truth = images.read(index)
            labels, entries = truth_of(_things(truth, images.thing_ids), truth.ids == 0)
            yield TruthFrame(round(index * 1e9 / _FOLDER_FPS), image, labels, entries)

    classes = {k: images.classes[k] for k in images.thing_ids}
    return BagSource(classes, count, read())


def _coco(folder: Path, annotations: Path, frames: int | None) -> BagSource:
    """COCO instances; where annotations overlap, the smaller one is in front."""
    coco = CocoAnnotations(annotations)
    if repairs := coco.describe_repairs():
        _LOG.warning("%s: %s", annotations, repairs)
    ids = sorted(coco.images)[:frames]
    sizes = {image_id: coco.size(image_id) for image_id in ids}
    class_of = _bag_classes(coco.categories)
    files = {image_id: folder / coco.images[image_id]["file_name"] for image_id in ids}
    require_files(files.values())

    def read() -> Iterator[TruthFrame]:
        for position, image_id in enumerate(ids):
            image = read_image(files[image_id], sizes[image_id])
            found = coco.objects(image_id)
            masks = [coco.mask(annotation) for annotation in found]
            ids_map = np.zeros(image.shape[:2], np.int64)
            crowd = np.array([bool(a["iscrowd"]) for a in found], bool)
            order = sorted(range(len(found)), key=lambda k: (not crowd[k], -masks[k].sum()))
            for k in order:
                ids_map[masks[k]] = k + 1
            class_ids = np.array([class_of[a["category_id"]] for a in found], np.int64)
            labels, entries = truth_of(
                Segments(ids_map, class_ids, crowd=crowd), np.zeros(ids_map.shape, bool)
            )
            yield TruthFrame(round(position * 1e9 / _FOLDER_FPS), image, labels, entries)

    classes = {class_of[k]: name for k, name in coco.categories.items()}
    return BagSource(classes, len(ids), read())


def _bag_classes(categories: Mapping[int, str]) -> dict[int, int]:
    """Class id in the bag by category id: the same, unless it cannot be one there."""
    if all(0 <= k < NOT_ANNOTATED and k != OTHER_CLASS for k in categories):
        return {k: k for k in categories}
    names = list(dict.fromkeys(categories.values()))
    free = (k for k in itertools.count(1) if k != OTHER_CLASS)
    number = dict(zip(names, free, strict=False))
    return {k: number[name] for k, name in categories.items()}


def truth_of(
    segments: Segments, void: NDArray[np.bool_], tracks: list[str] | None = None
) -> tuple[NDArray[np.uint16], tuple[Detection, ...]]:
    """Paint a truth, of the segments that have pixels.

    Returns:
        Labels, uint16 (H, W), and detections. A crowd, and a segment of OTHER_CLASS, which then is
        void, have score 0 and NOT_ANNOTATED.
    """
    hidden = segments.class_ids == OTHER_CLASS
    void = void | np.append(False, hidden)[segments.ids]
    areas = np.bincount(segments.ids.ravel(), minlength=len(hidden) + 1)[1:]
    kept = (areas > 0) & ~hidden
    shown = segments.keep(kept)
    entries = tuple(
        Detection(str(class_id), 0.0 if crowd else 1.0, bounding_box(mask), track)
        for class_id, crowd, mask, track in zip(
            shown.class_ids,
            shown.crowd,
            shown.masks(),
            np.array(tracks)[kept] if tracks else [""] * len(shown.class_ids),
            strict=True,
        )
    )
    return np.where(void, NOT_ANNOTATED, shown.ids).astype(np.uint16), entries


def _things(truth: Segments, thing_ids: tuple[int, ...]) -> Segments:
    """The truth without its stuff."""
    return truth.keep(np.isin(truth.class_ids, [*thing_ids, OTHER_CLASS]))
